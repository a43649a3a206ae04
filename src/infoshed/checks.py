"""Errors and input checks with one wording: what was expected, what came, what to do.

Every error a user can cause is an `InfoshedError` (a `ValueError`), so that the command line
can print it as one line and a program can catch it as one type.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor


class InfoshedError(ValueError):
    """Bad input or an unsound request; the text says what was expected and what to do."""


class NonFiniteError(InfoshedError):
    """Training or estimation produced NaN or infinity; the text says what to change."""


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise `InfoshedError` unless `value` is one of `choices`."""
    choices = sorted(choices)
    if value not in choices:
        raise InfoshedError(
            f"`{name}` must be one of {', '.join(choices)}; got {value!r}{meant(value, choices)}"
        )


def meant(value: Any, choices: Iterable[str]) -> str:
    """The choice that a mistyped `value` may have meant, as the end of an error; empty where none
    is near."""
    near = _near(value, choices)
    return "" if near is None else f"; did you mean '{near}'?"


def _near(value: Any, choices: Iterable[str]) -> str | None:
    by_folded = {str(choice).casefold(): str(choice) for choice in choices}
    near = get_close_matches(str(value).casefold(), by_folded, 1, 0.7)
    return by_folded[near[0]] if near else None


def meant_each(values: list[str], choices: Iterable[str]) -> str:
    """The same for several, of which some may be near to a choice."""
    known = list(choices)
    near = {value: _near(value, known) for value in values}
    found = [f"'{choice}' for '{value}'" for value, choice in near.items() if choice is not None]
    if len(values) == 1:
        return meant(values[0], known)
    return f"; did you mean {', '.join(found)}?" if found else ""


def columns_text(names: list[str]) -> str:
    """`names` as columns in a sentence."""
    return f"column{'s' * (len(names) > 1)} {', '.join(repr(str(name)) for name in names)}"


def check_number(
    name: str, value: Any, low: float = float("-inf"), high: float = float("inf"), *, integer=False
) -> None:
    """Raise `InfoshedError` unless `value` is a finite number (an integer) in [low, high]."""
    kinds = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    good = isinstance(value, kinds) and not isinstance(value, bool) and np.isfinite(value)
    if not good or not low <= value <= high:
        kind = "an integer" if integer else "a finite number"
        bounds = [f"at least {low:g}"] if np.isfinite(low) else []
        bounds += [f"at most {high:g}"] if np.isfinite(high) else []
        wanted = " ".join([kind, " and ".join(bounds)]).strip()
        raise InfoshedError(f"`{name}` must be {wanted}; got {value!r}")


def check_type(name: str, value: Any, kind: type, remedy: str) -> None:
    """Raise `InfoshedError` unless `value` is of the `kind`; `remedy` says where one comes from."""
    if not isinstance(value, kind):
        raise InfoshedError(
            f"`{name}` must be of type {kind.__name__}, got {type(value).__name__}; {remedy}"
        )


def check_representation(z: Tensor, dim: int | None = None) -> None:
    """Raise `InfoshedError` unless `z` is a floating point matrix of shape (n, dim)."""
    want = f"(n, {dim if dim is not None else 'd'})"
    if z.ndim != 2 or (dim is not None and z.shape[1] != dim):
        raise InfoshedError(f"`z` must have shape {want}, got {tuple(z.shape)}")
    if not z.is_floating_point():
        raise InfoshedError(f"`z` must be floating point, got {z.dtype}")


def check_same_length(**arrays: Any) -> None:
    """Raise `InfoshedError` unless all the named arrays have the same number of rows."""
    lengths = {name: len(a) for name, a in arrays.items() if a is not None}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise InfoshedError(f"all arrays must have the same number of rows; {got}")


def check_finite(name: str, value: Tensor, remedy: str) -> None:
    """Raise `NonFiniteError` naming `name` if `value` holds NaN or infinity."""
    if not bool(torch.isfinite(value).all()):
        raise NonFiniteError(f"{name} became non-finite (NaN or infinity); {remedy}")


def check_weights(weights: Tensor) -> None:
    """Raise `InfoshedError` unless `weights` (n,) are finite, at least 0 and not all 0."""
    if weights.ndim != 1:
        raise InfoshedError(f"`weights` must have shape (n,), got {tuple(weights.shape)}")
    if weights.device.type == "cpu":
        good = torch.isfinite(weights).all() and (weights >= 0).all() and (weights > 0).any()
        if not bool(good):
            raise InfoshedError("`weights` must be finite, at least 0 and not all 0")


def as_array(name: str, values: Any) -> np.ndarray:
    """`values` (list, numpy, torch, pandas or polars column) as a numpy array on the CPU."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
        if array.dtype.kind in "US" and not isinstance(values, np.ndarray):
            # Text beside NaN or None must not become the text "nan" or "None".
            array = np.asarray(values, dtype=object)
        return array
    except ValueError as error:
        raise InfoshedError(f"`{name}` must be a rectangular array: {error}") from None
