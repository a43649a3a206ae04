"""Splits take lists, arrays and data frames of numbers, and refuse the rest by name."""

from typing import Any

import numpy as np
import pandas
import pytest
import torch

from infoshed import InfoshedError, Split

X = np.arange(6.0).reshape(3, 2)
Y, C = np.array([0, 1, 1]), np.array([[0], [1], [0]])


@pytest.mark.parametrize("rows", [slice(None), slice(1, 3)])
def test_frames_and_lists_are_the_same_as_arrays(rows: slice):
    want = Split(torch.from_numpy(X[rows]), torch.from_numpy(Y[rows]), torch.from_numpy(C[rows]))
    frame = pandas.DataFrame(X, columns=["a", "b"])[rows]
    series = pandas.Series(Y)[rows]  # its index does not begin at 0
    for x, y in ((frame, series), (X[rows].tolist(), Y[rows].tolist())):
        split = Split(x, y, C[rows].tolist())  # type: ignore[arg-type]
        assert torch.equal(split.x.double(), want.x)
        assert torch.equal(split.y, want.y)
        assert torch.equal(split.c, want.c)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("x", pandas.DataFrame({"a": [1, 2, 3], "b": ["u", "v", "w"]}), "`x` must be numbers"),
        ("x", [[1.0, 2.0], [3.0]], "`x` must be a rectangular array"),
        ("y", ["no", "yes", "yes"], r"`y` must be numbers.*return_inverse"),
        ("c", np.array([["f"], ["m"], ["f"]]), r"`c` must be numbers.*infer_attribute"),
        ("x", np.where(X == 3, np.nan, X), "NaN or infinity in 1 of 3 rows, first in row 1"),
        ("x", torch.full((3, 2), torch.inf), "NaN or infinity in 3 of 3 rows, first in row 0"),
    ],
)
def test_what_is_no_number_is_refused_by_name(part: str, value: Any, message: str):
    parts: dict[str, Any] = {"x": X, "y": Y, "c": C, part: value}
    with pytest.raises(InfoshedError, match=message):
        Split(**parts)
