"""Arrays from files: what is written comes back, and every fault is named with its place."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infoshed import InfoshedError
from infoshed.files import (
    as_kind,
    read_array,
    read_column,
    read_sample,
    read_table,
    split_source,
)
from infoshed.files.delimited import is_number


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    Path(name).write_bytes(data)
    return name


def write_rows(name: str, rows: list[list[Any]], delimiter: str = ",") -> str:
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return name


# numpy's formats


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "bool"])
def test_an_npy_file_comes_back(dtype: str):
    z = np.arange(12).reshape(4, 3).astype(dtype)
    np.save("z.npy", z)
    found = read_array("z.npy")
    assert found.dtype == z.dtype
    assert (found == z).all()


def test_an_array_of_one_dimension_is_a_column():
    np.save("z.npy", np.arange(4.0))
    assert read_array("z.npy").shape == (4, 1)
    assert read_column("z.npy").shape == (4,)
    np.save("c.npy", np.arange(4)[:, None])
    assert read_column("c.npy").shape == (4,)


def test_text_of_numpy_comes_back():
    np.save("c.npy", np.array(["ä", "b"]))
    assert read_column("c.npy").tolist() == ["ä", "b"]
    np.save("c.npy", np.array([b"a", b"b"]))
    assert read_column("c.npy").tolist() == ["a", "b"]


def test_an_array_of_an_npz_is_chosen_by_name():
    z, c = np.random.default_rng(0).normal(size=(5, 2)), np.arange(5)
    np.savez("run.npz", z=z, c=c)
    assert (read_array("run.npz:z") == z).all()
    assert (read_column("run.npz:c") == c).all()
    np.savez_compressed("one.npz", z=z)
    assert (read_array("one.npz") == z).all()


class Trap:
    """A pickle that would leave a file behind."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return (Path("ran").touch, ())


def test_a_pickle_is_never_run():
    trap = np.array([Trap()], dtype=object)
    np.save("z.npy", trap)
    np.savez("z.npz", z=trap, c=np.arange(3))
    for source in ("z.npy", "z.npz:z"):
        with pytest.raises(InfoshedError, match=r"Python objects .* could run code"):
            read_array(source)
    assert not Path("ran").exists()
    assert read_column("z.npz:c").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 2, 2)), r"shape \(3, 2, 2\), expected \(n, d\); flatten"),
        (np.float64(1.0), "single value"),
        (np.zeros((0, 3)), "no rows"),
        (np.zeros(3, complex), "holds complex128"),
        (np.zeros(3, "M8[s]"), "holds datetime64"),
        (np.zeros(3, [("a", int)]), "numbers or text are expected"),
        (np.array(["a", "b"]), r"holds text \('a' in row 1\), not numbers$"),
    ],
)
def test_arrays_that_are_no_representation(array: np.ndarray, message: str):
    np.save("z.npy", array)
    with pytest.raises(InfoshedError, match=f"^z.npy.*{message}"):
        read_array("z.npy")


def test_an_attribute_has_two_dimensions_at_most():
    np.save("c.npy", np.zeros((3, 2, 2)))
    with pytest.raises(InfoshedError, match=r"expected \(n,\) or \(n, k\)"):
        read_column("c.npy")


def test_broken_files_of_numpy():
    np.save("z.npy", np.zeros((100, 3)))
    np.savez("z.npz", z=np.zeros((100, 3)))
    for name in ("z.npy", "z.npz"):
        whole = Path(name).read_bytes()
        for content in (whole[:150], b"", b"not an array", whole[:-40]):
            write(name, content)
            with pytest.raises(InfoshedError, match=f"^{name} is not a file that numpy wrote"):
                read_array(name)


def test_names_in_numpy_files():
    np.savez("run.npz", z=np.zeros(3), c=np.zeros(3))
    with pytest.raises(InfoshedError, match=r"several arrays \(z, c\); choose one: run.npz:z"):
        read_array("run.npz")
    with pytest.raises(InfoshedError, match=r"run.npz has no 'y'; it has z, c"):
        read_array("run.npz:y")
    np.save("z.npy", np.zeros(3))
    with pytest.raises(InfoshedError, match="one array without a name; leave out ':z'"):
        read_array("z.npy:z")
    np.savez("none.npz")
    with pytest.raises(InfoshedError, match="no arrays"):
        read_array("none.npz")


# where a file's name ends


@pytest.mark.parametrize(
    ("source", "path", "name"),
    [
        ("z.npy", "z.npy", None),
        ("c.csv:sex", "c.csv", "sex"),
        ("c.csv:a:b", "c.csv", "a:b"),
        ("c.CSV:sex", "c.CSV", "sex"),
        ("C:\\data\\x.npy", "C:\\data\\x.npy", None),
        ("C:\\data\\x.csv:sex", "C:\\data\\x.csv", "sex"),
        ("C:/data/x.csv:sex, age", "C:/data/x.csv", "sex, age"),
        ("a:b", "a:b", None),
    ],
)
def test_only_what_follows_a_file_is_a_name(source: str, path: str, name: str | None):
    assert split_source(source) == (Path(path), name)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_file_that_is_there_keeps_its_name():
    write("c.csv:1.csv", "a\n1\n")
    assert split_source("c.csv:1.csv") == (Path("c.csv:1.csv"), None)
    write("table.txt", "")
    with pytest.raises(
        InfoshedError, match=r"cannot tell what table.txt is; known: .npy, .npz, .csv"
    ):
        read_table("table.txt:sex")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.npy", "^nowhere.npy does not exist"),
        ("nowhere.csv:sex", "^nowhere.csv does not exist"),
        ("dir.csv", "^dir.csv is a folder"),
        ("z", "cannot tell what z is"),
        ("z.pt", "known: .npy, .npz, .csv, .tsv, .parquet"),
        ("z.csv:", "name must follow the colon"),
    ],
)
def test_files_that_cannot_be_read(source: str, message: str):
    Path("dir.csv").mkdir()
    with pytest.raises(InfoshedError, match=message):
        read_table(source)


# delimited text


def test_columns_keep_their_kind():
    write(
        "d.csv",
        "id,age,income,sex\n1,1.0,1e3,m\n2,2.0,2,f\n3,3,nan-ish,m\n".replace("nan-ish", "3"),
    )
    table = read_table("d.csv")
    assert {n: c.dtype.kind for n, c in table.columns.items()} == {
        "id": "i", "age": "f", "income": "f", "sex": "U",
    }  # fmt: skip
    assert table.columns["income"].tolist() == [1000.0, 2.0, 3.0]
    assert table.columns["sex"].tolist() == ["m", "f", "m"]
    assert (read_array("d.csv:income,id") == [[1000, 1], [2, 2], [3, 3]]).all()
    assert read_column("d.csv:sex").tolist() == ["m", "f", "m"]
    assert read_column("d.csv:id,sex").tolist() == [["1", "m"], ["2", "f"], ["3", "m"]]
    assert read_column("d.csv:id").dtype == np.int64


def test_whole_numbers_beyond_an_integer_and_far_below_the_first_rows():
    write_rows("c.csv", [["c"], *[[i] for i in range(12_000)], ["0.5"]])
    assert read_column("c.csv").dtype == np.float64
    write_rows("c.csv", [["c"], *[[i] for i in range(12_000)], ["many"]])
    found = read_column("c.csv")
    assert found[[0, -1]].tolist() == ["0", "many"]
    write("c.csv", f"c\n{2**53 + 1}\n")
    assert read_column("c.csv").tolist() == [2**53 + 1]
    write("c.csv", f"c\n{2**70}\n1\n")
    assert read_column("c.csv").tolist() == [2.0**70, 1.0]


def test_digits_with_underscores_are_text():
    write("c.csv", "c\n1_2\n12\n")
    assert read_column("c.csv").tolist() == ["1_2", "12"]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
).filter(lambda t: t.strip() and not is_number(t))
BRIEF = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@BRIEF
@given(
    st.lists(st.tuples(NUMBERS, WHOLE, TEXT), min_size=1, max_size=8),
    st.sampled_from([("x.csv", ","), ("x.tsv", "\t")]),
)
def test_what_is_written_comes_back(rows: list[tuple[float, int, str]], form: tuple[str, str]):
    name, delimiter = form
    header = ["one", 'the "second", ä', "last"]
    write_rows(name, [header, *[[repr(a), b, t] for a, b, t in rows]], delimiter)
    table = read_table(name)
    assert list(table.columns) == header
    numbers, whole, text = table.columns.values()
    assert numbers.tolist() == [a for a, _, _ in rows]
    assert whole.tolist() == [b for _, b, _ in rows]
    assert whole.dtype == np.int64
    assert text.tolist() == [t for _, _, t in rows]


@BRIEF
@given(st.integers(1, 5).flatmap(lambda d: st.lists(st.tuples(*[NUMBERS] * d), min_size=1)))
def test_a_table_of_numbers_comes_back_to_the_last_bit(rows: list[tuple[float, ...]]):
    z = np.array(rows)
    np.savetxt("z.csv", z, fmt="%.17g", delimiter=",", header=",".join("abcde"[: z.shape[1]]),
               comments="")  # fmt: skip
    assert (read_array("z.csv") == z).all()


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("f1,f2\n1,2\n", "f1 f2", 1),
        (" f1 , f2\n1,2\n", "f1 f2", 1),
        ("1,2\n3,4\n", "1 2", 2),
        ("sex\nm\nf\n", "sex", 2),
        ("m\nf\nm\n", "1", 3),
        ("m,0.5\nf,0.3\n", "1 2", 2),
        ("sex,score\nf,0.3\n", "sex score", 1),
        ("age\n3\nNA\n", "age", 2),
        ("0,1,2\n0.5,0.1,0.7\n", "0 1 2", 1),  # as pandas writes columns without names
        ("0,1,label\n0.5,0.1,m\n", "0 1 label", 1),
        ("0,1,2\n3,4,5\n", "1 2 3", 2),
        (",0,1\n0,0.5,0.1\n1,0.5,0.1\n", "0 1", 2),  # and with its row numbers
        (",sex\n0,m\n1,f\n", "sex", 2),
        ("2019,2020\n0.5,0.1\n", "1 2", 2),
    ],
)
def test_a_header_is_told_from_data(text: str, names: str, rows: int):
    write("d.csv", text)
    if "NA" in text:
        with pytest.raises(InfoshedError, match="'NA' for a missing value in column 'age'"):
            read_table("d.csv")
        return
    table = read_table("d.csv")
    assert list(table.columns) == names.split()
    assert len(table) == rows
    assert ("no header" in table.note) == (names[0] == "1")
    assert ("row numbers" in table.note) == text.startswith(",")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\n\r\n", ""])
def test_ends_of_lines_and_a_byte_order_mark(end: str):
    mark = end.strip("\n\r") + end[:1] if end not in ("", "\n\n") else "\n"
    text = mark.join(["a,b", "1,x", "2,y"]) + end
    write("d.csv", b"\xef\xbb\xbf" + text.encode())
    assert read_array("d.csv:a").tolist() == [[1], [2]]


def test_cells_may_hold_ends_of_lines_and_text_keeps_its_spaces():
    write("d.csv", 'a,"b\nc"\n1.5," x\ny"\n2.5,z\n')
    table = read_table("d.csv")
    assert table.columns["b\nc"].tolist() == [" x\ny", "z"]
    assert table.columns["a"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "d.csv is empty"),
        ("\n\n", "d.csv is empty"),
        ("a,b\n", "header and no rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, the first has 2"),
        ("a,b\n1.5,2.5\n3.5,4.5,5.5\n", "line 3 has 3 cells, the first has 2"),
        ("a,b\n1.5,m\n3.5,f,5.5\n", "line 3 has 3 cells, the first has 2"),
        ("a,b\n1,2\n3,\n,\n", r"line 4 has an empty cell in column 'a' \(1 such"),
        ("a,b\n1.5,m\n2.5, \n", r"line 3 has an empty cell in column 'b' \(1 such"),
        ("a,b\n1.5,2.5\n2.5,\n", "line 3 has an empty cell in column 'b'"),
        (",2.5\n1.5,3.5\n", "line 1 has an empty cell in column '1'"),
        ("a\n1\nNA\n3\nNA\n", r"line 3 has 'NA' for a missing value in column 'a' \(2 such"),
        ("a\n1\n\n3\n", "line 3 is empty"),
        ("a\n1\nnan\n3\n", "line 3 has 'nan' in column 'a'"),
        ("a,b\n1.5,2.5\n1.5,inf\n", "line 3 has 'inf' in column 'b'"),
        ("a,b,a\n1,2,3\n", "more than one column called 'a'"),
        ("a,,b\n1,2,3\n", "column 2 has no name in the header"),
        ("a;b\n1;2\n", "separated by semicolons; commas are expected"),
        ("a\tb\n1\t2\n", "separated by tabs; commas are expected"),
        ('a,b\n1,"2\n3,4\n', "after line 1: unexpected end of data"),
        ("a,b\nä,1\n".encode("latin-1"), "d.csv is not text in UTF-8"),
        (b"a\n" + b"1\n" * 9000 + "ä\n".encode("latin-1"), "d.csv is not text in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "d.csv is not text in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "d.csv is not text in UTF-8"),
    ],
)
def test_faults_of_delimited_text(content: str | bytes, message: str):
    write("d.csv", content)
    with pytest.raises(InfoshedError, match=message) as caught:
        read_table("d.csv")
    assert "\n" not in str(caught.value)
    assert "d.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("d.csv:age", "d.csv has no 'age'; it has f1, f2, sex, a,b"),
        ("d.csv:f1,f1", "'f1' is chosen twice"),
        (
            "d.csv:f1,sex",
            r"'sex' of d.csv holds text \('m' in row 1\), not numbers; choose columns",
        ),
        ("d.csv", "'sex' of d.csv holds text"),
    ],
)
def test_columns_that_cannot_be_had(source: str, message: str):
    write("d.csv", 'f1,f2,sex,"a,b"\n1,2,m,4\n1,2,f,4\n')
    with pytest.raises(InfoshedError, match=message):
        read_array(source)
    assert read_column("d.csv:a,b").tolist() == [4, 4]  # a name with a comma


def test_text_beside_fractions_is_no_attribute():
    write("d.csv", "age,sex\n0.5,m\n1.5,f\n")
    with pytest.raises(
        InfoshedError, match=r"'age' of d.csv holds fractions and stands beside text"
    ):
        read_column("d.csv")


def test_a_stray_word_among_numbers_is_named_with_its_row():
    write("d.csv", "a\n1.5\n2,5\n".replace("2,5", "1.5x"))
    with pytest.raises(InfoshedError, match=r"'a' of d.csv holds text \('1.5x' in row 2\)"):
        read_array("d.csv")


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
        (list(range(50)), "auto", "i", "taken as 50 categories; --attribute-kind continuous"),
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
        (range(20_000), "auto", "20,000 whole numbers, too many .*--attribute-kind continuous"),
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
    write("d.csv", "z,age\n" + "".join(f"{i / 7},{20 + i}\n" for i in range(30)) + "0.5,\n")
    found = read_sample("d.csv:z", "d.csv:age")
    assert (found.c.dtype.kind, found.values, len(found.z)) == ("i", 30, 30)
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
