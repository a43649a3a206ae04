"""What an audit is given: attributes by name, their groups, and a target.

An attribute is discrete (text or whole numbers) or a quantity (floats). Its groups are its values;
those of a quantity are its quarters, cut at its quartiles in the audited rows, named "Q1: 17 to
28", each with its lowest and highest value. The intersection of several attributes has a group for
each combination of theirs that occurs.

A target is classes (text, whole numbers, or floats with few distinct whole values) or a quantity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infoshed.attributes import infer_attribute
from infoshed.checks import InfoshedError, as_array
from infoshed.targets.strata import quantile_code

QUARTERS = 4
TENTHS = 10
MOST_WHOLE = 20  # distinct whole numbers among floats that are still taken as classes


@dataclass(frozen=True)
class Grouped:
    """An attribute with its groups.

    Args:
        name: of the attribute. values: (n,) text or whole numbers, or floats of a quantity.
        code: (n,) the group of each row, 0, 1, ... groups: their names.
        discrete: whether groups are values.
    """

    name: str
    values: np.ndarray
    code: np.ndarray
    groups: tuple[str, ...]
    discrete: bool

    @property
    def counts(self) -> np.ndarray:
        """Rows of each group (groups,)."""
        return np.bincount(self.code, minlength=len(self.groups))


@dataclass(frozen=True)
class Target:
    """What is predicted: classes as codes (n,) with their names, or a quantity (n,) float64 with
    no classes."""

    values: np.ndarray
    classes: tuple[str, ...]

    @property
    def strata(self) -> np.ndarray:
        """Classes (n,), or the tenths of a quantity, to condition on."""
        return self.values if self.classes else quantile_code(self.values, TENTHS)


def attributes(c: Any, names: Sequence[str] | None = None) -> dict[str, Grouped]:
    """Attributes by name.

    Args:
        c: a dict (or data frame) of columns (n,), one column (n,), or (n, k) with a column for
            each attribute.
        names: of the columns, where c is an array; "c", or "c[0]", "c[1]", ... unless given.

    Raises `InfoshedError` for shapes that do not fit, missing values, one value only.
    """
    if isinstance(c, Mapping) or hasattr(c, "columns"):
        columns = {str(name): as_array(str(name), c[name]) for name in _keys(c)}
        if names is not None:
            raise InfoshedError("`names` are for an array; the columns of `c` have names")
    else:
        array = as_array("c", c)
        if array.ndim not in (1, 2):
            raise InfoshedError(f"`c` must have shape (n,) or (n, k), got {array.shape}")
        array = array[:, None] if array.ndim == 1 else array
        k = array.shape[1]
        names = names or (["c"] if k == 1 else [f"c[{i}]" for i in range(k)])
        if len(names) != k or len(set(names)) != k:
            raise InfoshedError(f"`names` must be {k} different names, got {list(names)}")
        columns = dict(zip(names, array.T, strict=True))
    if not columns:
        raise InfoshedError("`c` has no column; give at least one attribute")
    return {name: grouped(name, column) for name, column in columns.items()}


def _keys(c: Any) -> Iterable[Any]:
    return c.keys() if isinstance(c, Mapping) else c.columns


def grouped(name: str, values: Any) -> Grouped:
    """One attribute; `values` (n,) or (n, 1). Errors as in `attributes`."""
    array = as_array(name, values)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or not len(array):
        raise InfoshedError(f"attribute '{name}' must have shape (n,), got {array.shape}")
    attribute = infer_attribute(array, name)
    if not attribute.heads:
        array = array.astype(np.float64)
        code = quantile_code(array, QUARTERS)
        parts = [array[code == k] for k in range(code.max() + 1)]
        groups = [f"Q{k + 1}: {p.min():.4g} to {p.max():.4g}" for k, p in enumerate(parts)]
        return Grouped(name, array, code, tuple(groups), False)
    code = attribute.encode(array).numpy()[:, 0]
    levels = np.array(attribute.levels)  # type: ignore[attr-defined]
    return Grouped(name, levels[code], code, tuple(map(str, levels)), True)


def intersection(parts: Sequence[Grouped]) -> Grouped:
    """The combinations of the groups of several attributes, called "a x b"."""
    codes = np.stack([part.code for part in parts], 1)
    found, code = np.unique(codes, axis=0, return_inverse=True)
    groups = [
        ", ".join(part.groups[k] for part, k in zip(parts, row, strict=True)) for row in found
    ]
    code = code.ravel()
    name = " x ".join(part.name for part in parts)
    return Grouped(name, np.array(groups)[code], code, tuple(groups), True)


def target(name: str, values: Any) -> Target:
    """y or predictions (n,) as a target. Raises `InfoshedError` for shape and missing values."""
    array = as_array(name, values)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or not len(array):
        raise InfoshedError(f"`{name}` must have shape (n,), got {array.shape}")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            bad = int((~np.isfinite(array)).sum())
            raise InfoshedError(f"`{name}` has {bad} missing or non-finite values; drop these rows")
        whole = bool((array == np.round(array)).all())
        if not whole or len(np.unique(array)) > MOST_WHOLE:
            return Target(array, ())
        array = array.astype(np.int64)
    elif array.dtype.kind == "b":
        array = array.astype(np.int64)  # as predictions of 0 and 1 are
    elif array.dtype.kind == "O":
        missing = sum(v is None or v != v for v in array)
        if missing:
            raise InfoshedError(f"`{name}` has {missing} missing values; drop or fill these rows")
        array = array.astype(str)
    elif array.dtype.kind not in "iuSU":
        raise InfoshedError(f"`{name}` must hold numbers or text, got {array.dtype}")
    levels, code = np.unique(array, return_inverse=True)
    return Target(code, tuple(map(str, levels)))
