"""What a user asks for, as pressures: one for all of c, or one for every part of it.

    one     strength * sum_k I(Z;C_k),    or the sum held at a budget
    parts   sum_k strength_k * I(Z;C_k),  a part with a budget having the strength that holds it

One strength is a promise about the whole: the information gradient, of the sum, is balanced as one
and never outweighs the task's. Strengths of their own are promises about each part, so every part's
gradient is balanced by itself (see `infoshed.penalty_parts`), all of them against the same: under
one balance a part with a long gradient would leave none for the others, and changing one strength
would change what all the others do.

A strength that moves is written "0 to 0.3 over 2": from 0 evenly to 0.3 in the first two epochs,
and 0.3 from there on (see `infoshed.pressure.Ramp`).
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from infoshed.assignments import assignments
from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_number
from infoshed.pressure import Budget, FixedStrength, Pressure, Ramp, budget_nats, parse_budget

RAMP = re.compile(r"(\S+) to (\S+) over (\S+)")  # strength, strength, epochs


def read_strength(value: Any) -> float | str | dict[str, float | str]:
    """A strength as a number, or where it moves as a text, "0 to 0.3 over 2"; or by part: from a
    number, a text, a dict, or a text "sex=0.3,age=1".

    Raises `InfoshedError` for what is no number, or below 0.
    """
    value = assignments(value)
    if not isinstance(value, Mapping):
        return _strength("strength", value)
    return {str(name): _strength(f"strength of {name}", one) for name, one in value.items()}


def read_budget(value: Any) -> Any:
    """A budget as `budget_nats` reads it, or a dict of them by part; None where there is none.

    Raises `InfoshedError` for what is no budget.
    """
    value = assignments(value)
    if isinstance(value, Mapping):
        value = {str(name): one for name, one in value.items()}
    for one in value.values() if isinstance(value, dict) else [value]:
        if value is not None:
            parse_budget(one)
    return value


def check_asked(strength: Any, budget: Any) -> None:
    """Raise `InfoshedError` where a strength and a budget, as read, are asked of the same part."""
    if strength is None or budget is None:
        return
    if not isinstance(strength, dict) or not isinstance(budget, dict):
        raise InfoshedError("give `strength` or `budget`, not both")
    both = [name for name in strength if name in budget]
    if both:
        raise InfoshedError(f"give a strength or a budget for '{both[0]}', not both")


def make_pressures(
    strength: Any,
    budget: Any,
    attribute: Attribute,
    y: Tensor,
    c: Tensor,
    weights: Tensor | None = None,
    epoch: int = 1,
) -> Pressure | dict[str, Pressure]:
    """The pressure, or one by the name of each part, as `MutualInformationPenalty` takes them.

    Args:
        strength, budget: as read; numbers, or dicts by part which together name them all.
        y: training classes (n,). c: training codes (n, columns), missing ones too.
        weights: importance of the rows (n,).
        epoch: steps of an epoch, by which a strength moves.

    Raises `InfoshedError` for a part that is not there, or is not named.
    """

    def held(value: Any, part: Attribute, codes: Tensor) -> Budget:
        known = part.known(codes)
        share = None if weights is None else weights[known]
        return Budget(budget_nats(value, part, y[known], codes[known], share))

    strengths: dict[str, Any] = strength if isinstance(strength, dict) else {}
    budgets: dict[str, Any] = budget if isinstance(budget, dict) else {}
    if not strengths and not budgets:
        one: Any = strength
        return _moving(one, epoch) if budget is None else held(budget, attribute, c)
    check_parts(attribute, {**strengths, **budgets})
    pressures: dict[str, Pressure] = {}
    for part, codes in zip(attribute.parts, attribute.split(c), strict=True):
        pressures[part.name] = (
            held(budgets[part.name], part, codes)
            if part.name in budgets
            else _moving(strengths[part.name], epoch)
        )
    return pressures


def check_parts(attribute: Attribute, given: Mapping[str, Any]) -> None:
    """Raise `InfoshedError` unless `given` names each part of the attribute and nothing else."""
    names = [part.name for part in attribute.parts]
    strange = [name for name in given if name not in names]
    if strange:
        raise InfoshedError(
            f"attribute '{attribute.name}' has no part '{strange[0]}'; it has {', '.join(names)}"
        )
    lacking = [name for name in names if name not in given]
    if lacking:
        raise InfoshedError(
            f"give a strength or a budget for every part of '{attribute.name}'; "
            f"{', '.join(lacking)} has none (strength 0 only watches)"
        )


def _moving(strength: float | str, epoch: int) -> Pressure:
    """The pressure of a strength, as read."""
    if not isinstance(strength, str):
        return FixedStrength(strength)
    start, end, epochs = _ramp("strength", strength)
    return Ramp(start, end, max(1, epochs * epoch))


def _ramp(name: str, text: str) -> tuple[float, float, float]:
    """The two strengths and the epochs of "0 to 0.3 over 2"."""
    words = RAMP.fullmatch(" ".join(text.split()))
    if words is None:
        raise InfoshedError(
            f'`{name}` must be a number, or a text like "0 to 0.3 over 2" (epochs); got {text!r}'
        )
    start, end, epochs = (_number(name, word) for word in words.groups())
    if epochs == 0:
        raise InfoshedError(f"`{name}` moves over at least a part of an epoch; got {text!r}")
    return start, end, epochs


def _strength(name: str, value: Any) -> float | str:
    """A strength in the form in which it is kept."""
    if not isinstance(value, str) or " " not in value.strip():
        return _number(name, value)
    start, end, epochs = _ramp(name, value)
    return (
        start
        if start == end
        else " ".join([_short(start), "to", _short(end), "over", _short(epochs)])
    )


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = value
    check_number(name, number, 0)
    return number


def _short(number: float) -> str:
    """All digits, and no point without any behind it."""
    return repr(number).removesuffix(".0")
