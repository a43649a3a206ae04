"""Delimited text: what is written comes back, and every fault is named with its place."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infoshed import InfoshedError
from infoshed.files import (
    read_array,
    read_column,
    read_table,
)
from infoshed.files.delimited import is_number
from text_files import write, write_rows


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


def test_whole_numbers_that_begin_with_a_zero_are_codes():
    write("c.csv", "zip,n,rate\n01234,0,0.5\n1234,10,00.5\n,7,1\n".replace("\n,7", "\n9,7"))
    table = read_table("c.csv")
    assert table.columns["zip"].tolist() == ["01234", "1234", "9"]
    assert table.columns["n"].tolist() == [0, 10, 7]
    assert table.columns["rate"].tolist() == [0.5, 0.5, 1.0]
    write_rows("c.csv", [["c"], *[[i] for i in range(12_000)], ["007"]])
    assert read_column("c.csv")[[7, -1]].tolist() == ["7", "007"]


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
        ("a;b\n1,5;2\n2;3,25\n", r"commas are expected, and points in numbers: .* decimal=','"),
        ("a;b\nDoe, J;1.5\nPoe, E;2.5\n", r"read_csv\('d.csv', sep=';'\).to_csv\('new.csv', index"),
        ("ä;b\n1,5;2\n2;3\n".encode("latin-1"), "d.csv is not text in UTF-8"),
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


def test_a_file_of_tabs_with_semicolons_is_to_be_written_with_tabs():
    write("d.tsv", "a;b\n1;2\n")
    with pytest.raises(InfoshedError, match=r"tabs are expected: .*'new.tsv', .* sep='\\t'\)"):
        read_table("d.tsv")
