"""Raw values as users have them, brought to arrays and checked: what specifications learn from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from infoshed.checks import InfoshedError, as_array, check_same_length


def column(name: str, values: Any) -> np.ndarray:
    array = as_array(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        raise InfoshedError(f"attribute '{name}' must have shape (n,), got {array.shape}")
    return array


def columns(name: str, values: Any, names: Sequence[str] | None = None) -> list[np.ndarray]:
    """The columns of `values` in order, (n,) each: of a matrix (n, k), or by name those called
    `names` (all of them unless given), which may be matrices themselves."""
    named = by_name(values)
    if named is None:
        array = as_array(name, values)
        if array.ndim != 2 or not array.size:
            raise InfoshedError(f"attribute '{name}' must have shape (n, k), got {array.shape}")
        return list(array.T)
    names = list(named) if names is None else names
    lacking = [part for part in names if part not in named]
    if lacking:
        raise InfoshedError(
            f"attribute '{name}' needs a column '{lacking[0]}', got {', '.join(named) or 'none'}"
        )
    check_same_length(**{part: named[part] for part in names})
    return [named[part] for part in names]


def by_name(values: Any) -> dict[str, np.ndarray] | None:
    """The columns of a dict or a data frame as arrays; None where `values` is neither."""
    if not isinstance(values, Mapping) and not hasattr(values, "columns"):
        return None
    keys = values.keys() if isinstance(values, Mapping) else values.columns
    return {str(key): as_array(str(key), values[key]) for key in keys}


def present(array: np.ndarray) -> np.ndarray:
    """Which values are neither None, NaN nor pandas' NA, bool of the shape of `array`."""
    if array.dtype.kind == "f":
        return ~np.isnan(array)
    if array.dtype.kind != "O":
        return np.ones(array.shape, bool)
    # NA is known by its name: pandas need not be there, and whether NA equals NA is NA.
    flat = [v is not None and type(v).__name__ != "NAType" and v == v for v in array.ravel()]
    return np.array(flat, bool).reshape(array.shape)


def unique(name: str, array: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted distinct values, their positions and their counts. Refuses missing and fractional
    values."""
    if array.dtype.kind == "f":
        refuse_missing(name, ~np.isfinite(array))
        if (array != np.round(array)).any():
            raise InfoshedError(
                f"attribute '{name}' is categorical but holds fractions "
                f"(such as {array[array != np.round(array)][0]:g}); use Continuous, or bin it"
            )
        array = array.astype(np.int64)
    elif array.dtype.kind == "O":
        refuse_missing(name, ~present(array))
        if all(isinstance(v, bool | int | np.integer) for v in array):
            array = array.astype(np.int64)
        elif all(isinstance(v, bool | int | float | np.number) for v in array):
            return unique(name, array.astype(np.float64))
        else:
            array = array.astype(str)
    elif array.dtype.kind not in "biuSU":
        raise InfoshedError(
            f"attribute '{name}' must hold text or whole numbers, got {array.dtype}"
        )
    return np.unique(array, return_inverse=True, return_counts=True)


def refuse_missing(name: str, missing: np.ndarray) -> None:
    if missing.any():
        raise InfoshedError(
            f"attribute '{name}' has {int(missing.sum())} missing or non-finite values "
            f"(first at row {int(np.argmax(missing))}); drop or fill these rows"
        )
