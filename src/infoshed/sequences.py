"""Attributes that change along a sequence: a z and a c for every step, taken as rows.

    z (n, T, dim), c (n, T[, columns])  ->  z (n T, dim), c (n T, columns)

so that the penalty is I(Z_t;C_t) with the step t drawn at random: what the z of a step tells about
the c of that step. What it tells about other steps (the past, say) is not in it: give those as
parts of c. One y for each sequence goes with all its steps. Steps beyond the end of a sequence are
given as missing codes (-1, NaN where c is continuous), or by a y below 0 where y is by step, and
weigh nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_same_length


class Rows(NamedTuple):
    """z (rows, dim), c (rows, columns), y (rows,) and weights (rows,)."""

    z: Tensor
    c: Tensor
    y: Tensor | None
    weights: Tensor | None


def by_step(c: Tensor, attribute: Attribute) -> bool:
    """Whether codes `c` are (n, T) or (n, T, columns) rather than (n, columns)."""
    return c.ndim == 3 or (c.ndim == 2 and attribute.columns == 1 and c.shape[1] != 1)


def as_rows(
    attribute: Attribute, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None
) -> Rows:
    """Sequences as rows, anything else as it is.

    Args:
        z: (n, T, dim), or (n, dim). c: codes (n, T) or (n, T, columns).
        y: classes (n,), or (n, T). weights: of the sequences (n,), or (n, T).

    Raises `InfoshedError` for shapes that do not fit.
    """
    for name, values in (("z", z), ("c", c), ("y", y), ("weights", weights)):
        if values is not None and not isinstance(values, Tensor):
            raise InfoshedError(f"`{name}` must be a tensor, got a {type(values).__name__}")
    if z.ndim != 3:
        return Rows(z, c, y, weights)
    check_same_length(z=z, c=c, y=y, weights=weights)
    n, steps = z.shape[:2]
    if c.ndim == 2 and attribute.columns == 1:
        c = c[..., None]
    if c.shape != (n, steps, attribute.columns):
        last = "" if attribute.columns == 1 else f", {attribute.columns}"
        raise InfoshedError(
            f"`z` of shape {tuple(z.shape)} has {steps} steps in each row, so `c` must be codes of "
            f"shape ({n}, {steps}{last}), got {tuple(c.shape)}; for one c in each row pool z first"
        )
    if y is not None and y.ndim == 2:
        there = (y >= 0).float()
        weights = there if weights is None else there * _along("weights", weights, n, steps)
        y = y.clamp_min(0)
    y = None if y is None else _along("y", y, n, steps).flatten()
    weights = None if weights is None else _along("weights", weights, n, steps).flatten()
    return Rows(z.flatten(0, 1), c.flatten(0, 1), y, weights)


def training_rows(
    attribute: Attribute, c: Tensor, y: Tensor | None, weights: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """c, y and weights of the training sequences as rows, those without a y left out; as they are
    where c is (n, columns). Arguments as in `as_rows`.

    Raises `InfoshedError` for what is no tensor of codes.
    """
    for name, values in (("c", c), ("y", y)):
        if values is not None and not isinstance(values, Tensor):
            made = (
                "codes as `attribute.encode` makes them" if name == "c" else "a tensor of classes"
            )
            raise InfoshedError(f"`{name}` must be {made}, got a {type(values).__name__}")
    if c.ndim < 2:
        raise InfoshedError(
            f"`c` must be codes of shape (n, {attribute.columns}) as `attribute.encode` makes "
            f"them, got {tuple(c.shape)}"
        )
    if not by_step(c, attribute):
        return c, y, weights
    keep = torch.ones(c.shape[:2], dtype=torch.bool, device=c.device)
    keep = keep if y is None or y.ndim == 1 else y >= 0
    _, c, y, weights = as_rows(attribute, c.new_zeros(*c.shape[:2], 1), c, y, weights)
    rows = keep.flatten()
    return c[rows], None if y is None else y[rows], None if weights is None else weights[rows]


def _along(name: str, values: Tensor, n: int, steps: int) -> Tensor:
    """`values` of the sequences (n,), or of the steps (n, T), as (n, T)."""
    values = values[:, None].expand(n, steps) if values.ndim == 1 else values
    if values.shape != (n, steps):
        raise InfoshedError(
            f"`{name}` must have shape ({n},) or ({n}, {steps}), got {tuple(values.shape)}"
        )
    return values
