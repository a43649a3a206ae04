"""Arrays from numpy's files and the names in them; nothing in a file is executed."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infoshed import InfoshedError
from infoshed.files import (
    read_array,
    read_column,
    read_table,
    split_source,
)
from text_files import write

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
