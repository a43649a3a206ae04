"""A data frame, or a dict of columns, as the readers of files would give it."""

from collections.abc import Mapping

import numpy as np

from infoshed.attributes.values import present
from infoshed.files.delimited import MISSING, MISSING_TEXT, has_codes, is_number


def as_read(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns (n,) by name, objects and text among them, as numbers or text: float64 with NaN where
    all that is not missing reads as a number, and none begins with a zero as codes do; else text
    with "" for the missing ones."""
    return {name: _as_read(column) for name, column in columns.items()}


def _as_read(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind not in "OU" or column.ndim != 1:
        return column
    there = present(column)
    text = [str(v).strip() if known else "" for v, known in zip(column, there, strict=True)]
    numbers = [v for v in text if v.lower() not in MISSING]
    if numbers and all(map(is_number, numbers)) and not has_codes(numbers):
        return np.array([v if v.lower() not in MISSING else "nan" for v in text], dtype=np.float64)
    return np.array(["" if v.lower() in MISSING_TEXT else v for v in text])
