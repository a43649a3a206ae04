"""How hard to press: a fixed strength, one that moves, or a budget held by a controller.

A ramp moves the strength evenly in its first T steps and leaves it there,

    s(t)  =  start + (end - start) min(t / T, 1).

The budget controller is dual ascent on the logarithm of the strength s, a proportional term damping
its swings (arXiv 2007.03964). With I the average of the newest estimates and B the budget,

    e      =  clip((I - B) / max(B, floor), -1, 1)
    log u <-  clip(log u + rate * e, log low, log high)
    log s  =  clip(log u + gain * e, log low, log high)

s is a Lagrange multiplier, so the information gradient enters as it is: balanced against that of
the task (see `infoshed.penalty`) it would vanish where the task is learned, and no strength would
hold the budget. s never falls to 0: an estimate that lags behind a moving encoder reads as a met
budget. A budget above what z would hold anyway does not bind: s ends at `low`, I below B. Until I
has reached B for the first time, log u falls at a quarter of the rate: a network that has yet to
learn would let it fall to `low`, from where it comes back too late.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_number
from infoshed.estimators.inputs import entropy
from infoshed.information import label_information

FLOOR = 0.01  # nats by which the excess over a smaller budget is measured
LEAST = 1e-4  # strength; at which a budget does not bind


class Pressure(ABC):
    """Gives the present strength; `observe` is told each new estimate in nats, `advance` of each
    step."""

    balanced: ClassVar[bool] = True
    """Whether the information gradient is scaled to be no longer than that of the task."""

    @property
    @abstractmethod
    def strength(self) -> Tensor:
        """The present strength, a scalar tensor, at least 0."""

    def observe(self, estimate: Tensor) -> None:  # noqa: B027  a fixed pressure does not care
        """Take note of a new estimate (scalar, nats)."""

    def advance(self) -> None:  # noqa: B027  only a ramp counts
        """Called before the strength of a training step is read."""

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` needs to go on from here."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:  # noqa: B027
        """Go on from a saved state."""


class FixedStrength(Pressure):
    """The paper's lambda: constant."""

    def __init__(self, strength: float):
        check_number("strength", strength, 0)
        self.value = torch.tensor(float(strength))

    @property
    def strength(self) -> Tensor:
        return self.value


class Ramp(Pressure):
    """A strength that moves from `start` to `end` in so many training steps: up, to let the network
    learn before it is pressed, or down, to give back in the end what pressing costs the label. Each
    backward pass is a step, of an accumulated batch too."""

    def __init__(self, start: float, end: float, steps: float):
        check_number("start", start, 0)
        check_number("end", end, 0)
        check_number("steps", steps, 1)
        self.start, self.end, self.steps = float(start), float(end), float(steps)
        self.step = torch.tensor(0)

    @property
    def strength(self) -> Tensor:
        moved = min(int(self.step) / self.steps, 1.0)
        return torch.tensor(self.start + (self.end - self.start) * moved)

    def advance(self) -> None:
        self.step = self.step + 1

    def state_dict(self) -> dict[str, Tensor]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.step = state["step"]


class Budget(Pressure):
    """Hold the estimate at a budget.

    Args:
        nats: the budget for I, at least 0.
        start, low, high: initial, least and greatest strength.
        rate: largest change of log u in a step.
        gain: largest change of log s beside that of log u.
        floor: nats by which the excess is measured when the budget is smaller than that.
        momentum: weight of the newest estimate in the average.
    """

    balanced = False

    def __init__(
        self,
        nats: float,
        *,
        start: float = 0.01,
        low: float = LEAST,
        high: float = 10.0,
        rate: float = 0.1,
        gain: float = 2.0,
        floor: float = FLOOR,
        momentum: float = 0.1,
    ):
        check_number("budget", nats, 0)
        self.nats = torch.tensor(float(nats))
        self.rate, self.gain, self.floor, self.momentum = rate, gain, floor, momentum
        self.limits = (math.log(low), math.log(high))
        self.integral = torch.tensor(math.log(start))
        self.average = self.nats
        self.reached = torch.tensor(False)

    @property
    def excess(self) -> Tensor:
        """The relative excess over the budget, in [-1, 1]."""
        return ((self.average - self.nats) / self.nats.clamp_min(self.floor)).clamp(-1, 1)

    @property
    def strength(self) -> Tensor:
        return (self.integral + self.gain * self.excess).clamp(*self.limits).exp()

    def observe(self, estimate: Tensor) -> None:
        estimate = estimate.detach().cpu()
        newest = torch.where(estimate.isfinite(), estimate, self.average)
        self.average = torch.lerp(self.average, newest, self.momentum)
        excess = self.excess
        self.reached = self.reached | (excess > 0)
        step = torch.where(self.reached, self.rate, self.rate / 4) * excess
        self.integral = (self.integral + step).clamp(*self.limits)

    def back_off(self) -> None:
        """Raise the budget by half, and halve u; the excess, which is smaller over a higher budget,
        takes the strength down further."""
        self.nats = (1.5 * self.nats).clamp_min(self.floor)
        self.integral = (self.integral - math.log(2)).clamp(*self.limits)

    def state_dict(self) -> dict[str, Tensor]:
        names = ("nats", "integral", "average", "reached")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.nats, self.integral, self.average, self.reached = (
            state[name] for name in ("nats", "integral", "average", "reached")
        )


def parse_budget(budget: Any) -> tuple[str, float]:
    """What the user wrote: its unit, "nats", "share" of H(C) or "label", and how much (0 of the
    latter). Raises `InfoshedError` for anything else."""
    if isinstance(budget, str) and budget == "label":
        return "label", 0.0
    share = isinstance(budget, str) and budget.endswith("%")
    try:
        value = float(budget[:-1]) / 100 if share else float(budget)
    except (TypeError, ValueError):
        raise InfoshedError(
            f'`budget` must be nats (0.05), a share of H(C) ("5%") or "label"; got {budget!r}'
        ) from None
    if share:
        check_number('budget in "%"', 100 * value, 0, 100)
    else:
        check_number("budget", value, 0)
    return "share" if share else "nats", value


def budget_nats(
    budget: float | str,
    attribute: Attribute,
    y: Tensor,
    c: Tensor,
    weights: Tensor | None = None,
) -> float:
    """A budget in nats from what the user wrote.

    Args:
        budget: nats as a number; "5%" of H(C); or "label" for I(Y;C) of the training table.
        y: training classes (n,). c: training codes (n, columns). weights: importance of the rows
            (n,).

    Raises `InfoshedError` for any other text, nats above H(C), or a share of H(C) where c is
    continuous.
    """
    unit, value = parse_budget(budget)
    if unit == "label":
        return label_information(y, c, attribute, weights)
    known = entropy(attribute, c, weights)
    if unit == "nats":
        if known is not None and value > known + 1e-6:
            raise InfoshedError(
                f"a budget of {value:g} nats is above H({attribute.name}) = {known:.3g}, the most "
                f'that z can tell, and never holds anything; a share is written "{value:g}%"'
            )
        return value
    if known is None:
        raise InfoshedError(
            f"a budget in % of H(C) needs a discrete attribute; '{attribute.name}' is "
            f"{attribute.kind}: give it in nats"
        )
    return value * known
