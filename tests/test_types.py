"""Splits take lists, arrays and data frames of numbers, and refuse the rest by name."""

from typing import Any

import numpy as np
import pandas
import pytest
import torch

from infoshed import (
    DataSet,
    InfoshedError,
    MutualInformationPenalty,
    Split,
    fit,
    infer_attribute,
)

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
        ("x", [1.0, 2.0, 3.0], r"`x` must have shape \(n, ...\).*x.reshape\(-1, 1\)"),
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


SPLIT = Split(X, Y, C)  # type: ignore[arg-type]
PARTS: dict[str, Any] = {
    "name": "small", "description": "", "train": SPLIT, "validation": SPLIT.rows(torch.arange(3)),
    "tests": {"test": SPLIT}, "attribute": infer_attribute(C[:, 0]), "classes": ("no", "yes"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("train", X, r"`train` must be of type Split, got ndarray; infoshed.Split\(x, y, c\)"),
        ("validation", None, "`validation` must be of type Split, got NoneType"),
        ("tests", [SPLIT], "`tests` must be of type dict, got list; give splits by name"),
        ("tests", {"test": (X, Y, C)}, r"`tests\['test'\]` must be of type Split, got tuple"),
        ("attribute", "sex", "`attribute` must be of type Attribute, got str; infoshed.infer"),
        ("classes", None, "`classes` must be of type tuple, got NoneType; give the names"),
        ("classes", "no yes", "`classes` must be of type tuple, got str; give the names"),
        ("classes", ("no", "no"), "`classes` names 'no' more than once"),
        ("validation", SPLIT, "small': train and validation are the same rows; keep some out"),
    ],
)
def test_parts_of_a_data_set_that_do_not_fit_are_named(part: str, value: Any, message: str):
    with pytest.raises(InfoshedError, match=message):
        DataSet(**PARTS | {part: value})


@pytest.mark.parametrize(
    ("values", "c", "message"),
    [
        (C[:, 0], [[0], [2], [1]], "holds the code 2, but 'c' has codes 0 to 1 there"),
        (C[:, 0], [[0.0], [1.0], [0.0]], "`c` must be integer codes, got torch.float32"),
        (C[:, 0], [[0, 0], [1, 0], [0, 1]], r"shape \(n, 1\) as `attribute.encode` makes"),
        (X[:, 0], [[0], [1], [0]], "`c` must be float32 codes, got torch.int64"),
    ],
)
def test_codes_that_are_not_of_the_attribute_are_refused(values: Any, c: Any, message: str):
    train, attribute = Split(X, Y, c), infer_attribute(values)  # type: ignore[arg-type]
    parts: dict[str, Any] = {"train": train, "validation": train.rows(torch.arange(3)), "tests": {}}
    parts["attribute"] = attribute
    with pytest.raises(InfoshedError, match=f"small', train: c are no codes of c: .*{message}"):
        DataSet(**PARTS | parts)


def test_codes_of_another_width_are_codes():
    values = np.array([0.3, 1.5, -2.0])
    train = Split(X, Y, infer_attribute(values).encode(values).double())  # type: ignore[arg-type]
    assert train.c.dtype == torch.float32
    assert Split(X, Y, C.astype(np.int8)).c.dtype == torch.int64  # type: ignore[arg-type]


def test_bytes_and_numbers_are_not_mixed():
    pixels = Split(torch.from_numpy(X).to(torch.uint8), Y, C)  # type: ignore[arg-type]
    mixed: dict[str, Any] = PARTS | {"tests": {"test": pixels}}
    with pytest.raises(InfoshedError, match=r"test: x is torch.uint8, in the training data torch"):
        DataSet(**mixed)
    run = fit(DataSet(**PARTS), "plain", epochs=1, batch_size=2)
    assert run.config.bytes is False
    with pytest.raises(InfoshedError, match="`x` is uint8, which a network reads as fractions"):
        run.predict(X.astype(np.uint8))
    assert len(run.predict(X.astype(np.int64))) == 3
    parts: dict[str, Any] = {
        "train": pixels,
        "validation": pixels.rows(torch.arange(3)),
        "tests": {},
    }
    assert fit(DataSet(**PARTS | parts), "plain", epochs=1, batch_size=2).config.bytes


def test_data_is_shown_in_a_line():
    assert repr(DataSet(**PARTS)) == ("<DataSet small: 3 train, 3 validation, 3 test; y y, c c>")
    assert repr(SPLIT) == "<Split: x (3, 2), y (3,), c (3, 1)>"


def test_doors_name_what_they_are_given_instead():
    with pytest.raises(InfoshedError, match="`data` must be of type DataSet, got str"):
        fit("digits")  # type: ignore[arg-type]
    for encoder, got in ((torch.nn.Linear, "the class Linear"), (3, "int")):
        with pytest.raises(InfoshedError, match=f"`encoder` must be a torch.nn.Module.*got {got}"):
            fit(DataSet(**PARTS), encoder=encoder)  # type: ignore[arg-type]
    with pytest.raises(InfoshedError, match="`attribute` must be of type Attribute, got str"):
        MutualInformationPenalty(4, "sex")  # type: ignore[arg-type]
    with pytest.raises(InfoshedError, match="`dim` must be an integer at least 1; got '4'"):
        MutualInformationPenalty("4", PARTS["attribute"])  # type: ignore[arg-type]
