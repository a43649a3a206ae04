"""What `estimate_mi` is given, checked and brought to one form."""

from typing import Any

import numpy as np
from torch import Tensor

from infoshed.attributes import Attribute, Categorical
from infoshed.checks import InfoshedError, NonFiniteError, as_array

MOST_ROWS = {True: 50_000, False: 20_000}  # discrete, continuous
MOST_VALUES = 1000
MOST_GROUPS = 300  # where there are more values: rows are few for each, and time grows with groups
MOST_SCORES = 10_000_000  # rows x values: memory
MOST_CELLS = 5000


def most_rows(attribute: Attribute, codes: np.ndarray) -> int:
    """How many rows are used at most."""
    if not attribute.heads:
        return MOST_ROWS[False]
    values = min(len(np.unique(codes, axis=0)), MOST_VALUES)
    return max(MOST_ROWS[True] // 5, min(MOST_ROWS[True], MOST_SCORES // values))


def representation(z: Any) -> np.ndarray:
    """z as (n, d) float64. Raises `InfoshedError` for shape or type, `NonFiniteError` for NaN."""
    if isinstance(z, Tensor) and z.is_floating_point():
        z = z.double()  # numpy has no bfloat16
    z = as_array("z", z)
    if z.ndim == 1:
        z = z[:, None]
    if z.ndim != 2 or not z.size:
        raise InfoshedError(f"`z` must have shape (n, d), got {z.shape}")
    if z.dtype.kind not in "biuf":
        raise InfoshedError(f"`z` must hold numbers, got {z.dtype}")
    z = z.astype(np.float64)
    bad = ~np.isfinite(z).all(1)
    if bad.any():
        raise NonFiniteError(
            f"`z` has NaN or infinity in {int(bad.sum())} rows (first at row "
            f"{int(np.argmax(bad))}); drop these rows or mend the encoder"
        )
    return z


def class_codes(y: Any) -> np.ndarray:
    """y as codes 0, 1, ... (n,). Raises `InfoshedError` unless it holds at least two classes."""
    values = as_array("y", y)
    if values.dtype.kind == "f" and (values[np.isfinite(values)] % 1 != 0).any():
        raise InfoshedError("`y` must hold classes (text or whole numbers), got fractions; bin it")
    if len(np.unique(values.astype(str) if values.dtype.kind == "O" else values)) == 1:
        raise InfoshedError("`y` has one value only: I(Z;C|Y) is I(Z;C) then; leave `y` out")
    return Categorical.from_values(values, "y").encode(values).numpy()[:, 0]


def row_weights(weights: Any) -> np.ndarray:
    """Importances (n,), float64, on any scale. Raises `InfoshedError` for impossible ones."""
    w = as_array("weights", weights)
    if w.ndim != 1 or w.dtype.kind not in "biuf":
        raise InfoshedError(f"`weights` must be numbers of shape (n,), got {w.dtype} {w.shape}")
    w = w.astype(np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise InfoshedError("`weights` must be finite, at least 0, and not all 0")
    return w


def joint_values(attribute: Attribute, codes: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
    """Joint values of discrete parts as 0..m-1 with their names; None where c is continuous."""
    parts = [part for part in attribute.parts if isinstance(part, Categorical)]
    if len(parts) < len(attribute.parts):
        return None, []
    found, labels = np.unique(codes, axis=0, return_inverse=True)
    names = [
        ", ".join(str(part.levels[code]) for part, code in zip(parts, row, strict=True))
        for row in found
    ]
    return labels.ravel(), names


def without_singles(
    labels: np.ndarray, levels: list[str], name: str, warnings: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Values that occur once become one: no judge can have seen them, and being unseen would
    itself tell which they are. Raises `InfoshedError` where most rows have a value of their own.
    """
    counts = np.bincount(labels, minlength=len(levels))
    single = counts == 1
    if single.sum() > len(labels) / 2:
        raise InfoshedError(
            f"{single.sum():,} of {len(labels):,} rows have a value of {name} that no other row "
            "has: an id, perhaps? Choose another column, merge values, or give floats if it is "
            "a quantity"
        )
    if single.sum() < 2:
        return labels, levels
    warnings.append(f"{single.sum()} values of {name} occur once; they were taken as one value")
    place = np.where(single, (~single).sum(), np.cumsum(~single) - 1)
    kept = [level for level, once in zip(levels, single, strict=True) if not once]
    return place[labels], [*kept, "values that occur once"]


def few_values(
    labels: np.ndarray, levels: list[str], most: int, name: str, notes: list[str]
) -> tuple[np.ndarray, list[str]]:
    """At most so many values: the commonest half of them as they are, and all others dealt out, by
    how common they are, over the other half. The grouping h knows c alone, so I(Z;h(C)) is a lower
    bound of I(Z;C), and what tells values of one group apart is not in it.

    Args:
        labels: (n,) of 0..m-1, with names `levels`. most: at least 2, below m. notes: where it is
            said.
    """
    m = len(levels)
    own, groups = most // 2, most - most // 2
    order = np.argsort(-np.bincount(labels, minlength=m), kind="stable")
    place = np.empty(m, np.int64)
    place[order] = np.where(np.arange(m) < own, np.arange(m), own + np.arange(m) % groups)
    notes.append(
        f"{name} takes {m:,} values: the {own:,} commonest were read as they are, the others dealt "
        f"out over {groups:,} groups; the information about groups is a lower bound, and may be "
        "far below that about the values"
    )
    kept = [levels[i] for i in order[:own]]
    return place[labels], kept + [f"group {i + 1} of the rarer values" for i in range(groups)]


def log_prior_of(labels: np.ndarray, y: np.ndarray, m: int, weights: np.ndarray) -> np.ndarray:
    """log p(c|y) of every row (n, m), -inf for values that its class never takes."""
    table = np.zeros((y.max() + 1, m))
    np.add.at(table, (y, labels), weights)
    with np.errstate(divide="ignore"):
        return np.log(table / np.maximum(table.sum(1, keepdims=True), 1e-300))[y]
