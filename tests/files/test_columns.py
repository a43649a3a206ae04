"""Parquet, what kind of attribute a column is, and rows that lack a value."""

import sys
from typing import Any

import numpy as np
import pytest

from infoshed import InfoshedError
from infoshed.files import (
    as_kind,
    read_array,
    read_column,
    read_sample,
)
from text_files import write

# parquet


def test_parquet_comes_back():
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    z = np.random.default_rng(0).normal(size=(4, 3))
    table = arrow.table({
        "x": z[:, 0], "whole": np.arange(4), "sex": ["m", "f", "m", "ä"],
        "category": arrow.array(["a", "b", "a", "b"]).dictionary_encode(),
        "flag": [True, False, True, False], "embedding": list(z),
        "price": arrow.array([1, 2, 3, 4]).cast(arrow.decimal128(24, 2)),
    })  # fmt: skip
    parquet.write_table(table, "d.parquet")
    assert (read_array("d.parquet:x")[:, 0] == z[:, 0]).all()
    assert (read_array("d.parquet:embedding") == z).all()
    assert read_column("d.parquet:whole").dtype == np.int64
    assert read_column("d.parquet:sex").tolist() == ["m", "f", "m", "ä"]
    assert read_column("d.parquet:category").tolist() == ["a", "b", "a", "b"]
    assert read_column("d.parquet:flag").dtype == bool
    assert read_column("d.parquet:price").tolist() == [1.0, 2.0, 3.0, 4.0]
    assert read_array("d.parquet:x,whole").shape == (4, 2)
    with pytest.raises(InfoshedError, match=r"d.parquet has no 'age'; it has x, whole, sex"):
        read_array("d.parquet:age")


def test_faults_of_parquet():
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"x": [1.0, None, 2.0], "lists": [[1], [1, 2], [3]], "holes": [[1], [None], [3]]}
    parquet.write_table(arrow.table(columns), "d.parquet")
    with pytest.raises(InfoshedError, match=r"row 2 has no value in column 'x' \(1 such"):
        read_array("d.parquet:x")
    with pytest.raises(InfoshedError, match="lists in column 'lists' differ in length"):
        read_array("d.parquet:lists")
    with pytest.raises(InfoshedError, match=r"'holes' of d.parquet holds object"):
        read_array("d.parquet:holes")
    parquet.write_table(arrow.table({"x": arrow.array([], "float64")}), "d.parquet")
    with pytest.raises(InfoshedError, match="no rows"):
        read_array("d.parquet")
    parquet.write_table(arrow.table([[1], [2]], names=["a", "a"]), "d.parquet")
    with pytest.raises(InfoshedError, match="more than one column called 'a'"):
        read_array("d.parquet")
    for content in (b"", b"nothing of the kind"):
        write("d.parquet", content)
        with pytest.raises(InfoshedError, match="not a parquet file"):
            read_array("d.parquet")


def test_parquet_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write("d.parquet", b"PAR1")
    with pytest.raises(InfoshedError, match=r"needs pyarrow: pip install 'infoshed\[parquet\]'"):
        read_array("d.parquet")


# what c is


@pytest.mark.parametrize(
    ("values", "kind", "dtype", "said"),
    [
        (["a", "b"], "auto", "U", ""),
        (["a", "b"], "categorical", "U", ""),
        ([0, 1], "auto", "i", ""),
        ([0, 1], "continuous", "f", ""),
        ([True, False], "auto", "b", ""),
        ([0.5, 1.0], "auto", "f", ""),
        ([0.0, 1.0], "auto", "i", "whole numbers written as fractions, taken as 2 categories"),
        ([0.0, 1.0], "categorical", "i", ""),
        ([0.0, 1.0], "continuous", "f", ""),
        (list(range(50)), "auto", "f", "50 whole numbers in 50 rows, taken as a quantity"),
        (list(range(50)), "categorical", "i", ""),
        (list(range(50)) * 100, "auto", "i", "taken as 50 categories; --attribute-kind continuous"),
        (np.arange(50.0), "auto", "f", "taken as a quantity; --attribute-kind categorical"),
        (np.arange(50.0), "categorical", "i", ""),
        (np.arange(6.0).reshape(3, 2), "auto", "i", "taken as 3 categories"),
    ],
)
def test_kinds_of_attributes(values: Any, kind: str, dtype: str, said: str):
    found, notes = as_kind(np.array(values), kind, "age")
    assert found.dtype.kind == dtype
    assert (found == np.array(values)).all()
    assert len(notes) == bool(said)
    assert said in "".join(notes)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (["a", "b"], "continuous", "age is text and cannot be continuous"),
        ([0.5, 1.0], "categorical", r"age holds fractions \(0.5\)"),
        (
            range(20_000),
            "categorical",
            "20,000 whole numbers, too many .*--attribute-kind continuous",
        ),
    ],
)
def test_kinds_that_attributes_cannot_have(values: Any, kind: str, message: str):
    with pytest.raises(InfoshedError, match=message):
        as_kind(np.array(values), kind, "age")


def test_columns_of_others_are_left_out_of_z():
    write("d.csv", "f1,f2,sex,label,w\n1.5,2.5,m,0,1.5\n1.5,2.5,f,1,1.5\n2.5,3.5,f,1,0.5\n")
    sample = read_sample("d.csv", "d.csv:sex", "./d.csv:label", "d.csv:w")
    assert sample.z.shape == (3, 2)
    assert sample.c.tolist() == ["m", "f", "f"]
    assert sample.y is not None
    assert sample.y.tolist() == [0, 1, 1]
    assert sample.weights is not None
    assert sample.weights.tolist() == [1.5, 1.5, 0.5]
    assert (sample.name, sample.values) == ("sex", 2)
    assert "left out of Z: sex (C), label (--given), w (--weights); Z is f1, f2" in sample.notes
    chosen = read_sample("d.csv:f1,label", "d.csv:label")
    assert chosen.z.shape == (3, 2)
    assert "Z holds label, which is C itself" in chosen.notes
    with pytest.raises(InfoshedError, match=r"d.csv has no column beside"):
        read_sample("d.csv", "d.csv")


# rows that lack a value


def test_rows_without_the_attribute_or_the_class_are_dropped_from_all_arrays():
    write("d.csv", "f1,f2,sex,y,w\n1,2,m,0,1\n3,4,,1,2\n5,6,f,NA,3\n7,8,f,1,4\n9,0,NA,?,5\n")
    sample = read_sample("d.csv", "d.csv:sex", "d.csv:y", "d.csv:w")
    assert sample.z.tolist() == [[1, 2], [7, 8]]
    assert sample.c.tolist() == ["m", "f"]
    assert sample.y is not None
    assert sample.weights is not None
    assert (sample.y.tolist(), sample.y.dtype.kind) == ([0, 1], "i")
    assert sample.weights.tolist() == [1, 4]
    dropped = ("dropped: 2 rows without 'sex'", "dropped: 2 rows without 'y'")
    assert sample.notes[-2:] == dropped
    with pytest.raises(InfoshedError, match=r"'NA' for a missing value in column 'y' \(2 such"):
        read_sample("d.csv:f1", "d.csv:sex", weights="d.csv:y")
    write("h.csv", "f1,sex\n1.5,m\nNA,f\n2.5,f\n")
    with pytest.raises(InfoshedError, match="line 3 has 'NA'"):
        read_sample("h.csv", "h.csv:sex")


def test_a_gap_does_not_change_what_an_attribute_is():
    write("d.csv", "z,age\n" + "".join(f"{i / 7},{20 + i % 15}\n" for i in range(30)) + "0.5,\n")
    found = read_sample("d.csv:z", "d.csv:age")
    assert (found.c.dtype.kind, found.values, len(found.z)) == ("i", 15, 30)
    # In arrays floats are what the user made them.
    np.save("age.npy", np.append(np.arange(20.0, 50.0), np.nan))
    np.save("z.npy", np.arange(31.0))
    found = read_sample("z.npy", "age.npy")
    assert (found.c.dtype.kind, found.values, len(found.z)) == ("f", None, 30)
    assert "dropped: 1 rows without 'age.npy'" in found.notes


def test_no_row_is_left():
    write("d.csv", "z,sex,y\n1.5,m,\n2.5,,0\n")
    with pytest.raises(InfoshedError, match="no row is left: each lacks 'sex' or 'y'"):
        read_sample("d.csv:z", "d.csv:sex", "d.csv:y")
    write("d.csv", "z,sex,y\n1.5,,\n2.5,,0\n")
    with pytest.raises(InfoshedError, match="no row is left: empty: 'sex'"):
        read_sample("d.csv:z", "d.csv:sex", "d.csv:y")
