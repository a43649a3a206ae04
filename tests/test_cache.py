"""The cache: made once, never half-written, made anew when broken."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoshed import load
from infoshed.data.cache import cache_dir, cached

ARRAYS = {"a": np.arange(50), "b": np.ones((3, 2), np.uint8)}


class Maker:
    """Gives the arrays and counts how often."""

    def __init__(self, arrays: dict[str, np.ndarray] = ARRAYS):
        self.arrays, self.calls = arrays, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return self.arrays


def assert_arrays(found: dict[str, np.ndarray], expected: dict[str, np.ndarray] = ARRAYS) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_arrays_are_made_once(folder: Path):
    make = Maker()
    for _ in range(3):
        assert_arrays(cached("x", {"seed": 0}, make))
    assert make.calls == 1
    assert len(list(folder.iterdir())) == 1


def test_another_key_or_name_is_made_apart(folder: Path):
    make = Maker()
    for name, key in (("x", {"seed": 0}), ("x", {"seed": 1}), ("y", {"seed": 0})):
        cached(name, key, make)
    assert make.calls == 3


def test_the_order_of_the_key_does_not_matter(folder: Path):
    make = Maker()
    cached("x", {"a": 1, "b": 2}, make)
    cached("x", {"b": 2, "a": 1}, make)
    assert make.calls == 1


# Damaged files must also be closed: a ResourceWarning fails these tests.
@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_never_gives_other_values(place: int, flip: int):
    path = damaged_file()
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] ^= flip
    path.write_bytes(bytes(raw))
    for name, array in cached("damaged", {}, Maker()).items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@given(st.integers(0, 10**6))
def test_a_truncated_file_is_made_anew(length: int):
    path = damaged_file()
    raw = path.read_bytes()
    path.write_bytes(raw[: length % len(raw)])
    make = Maker()
    assert_arrays(cached("damaged", {}, make))
    assert make.calls == 1
    assert_arrays(cached("damaged", {}, make))
    assert make.calls == 1


def damaged_file() -> Path:
    """A fresh cache file to be damaged."""
    for old in cache_dir().glob("damaged-*"):
        old.unlink()
    cached("damaged", {}, Maker())
    (path,) = cache_dir().glob("damaged-*")
    return path


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04rubbish"])
def test_rubbish_is_made_anew(folder: Path, content: bytes):
    cached("x", {}, Maker())
    (path,) = folder.iterdir()
    path.write_bytes(content)
    make = Maker()
    assert_arrays(cached("x", {}, make))
    assert make.calls == 1
    assert_arrays(cached("x", {}, make))
    assert make.calls == 1


def test_pickles_are_not_read(folder: Path):
    cached("x", {}, Maker())
    (path,) = folder.iterdir()
    evil: Any = np.array([{"code": 1}], dtype=object)
    with open(path, "wb") as file:
        np.savez(file, a=evil)
    assert_arrays(cached("x", {}, Maker()))


def test_a_folder_that_cannot_be_made_is_no_error(folder: Path):
    folder.write_text("a file where the folder should be")
    make = Maker()
    for _ in range(2):
        assert_arrays(cached("x", {}, make))
    assert make.calls == 2


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_cannot_be_written_is_no_error(folder: Path):
    folder.mkdir()
    folder.chmod(0o500)
    try:
        assert_arrays(cached("x", {}, Maker()))
    finally:
        folder.chmod(0o700)


def test_an_error_while_making_leaves_nothing(folder: Path):
    def fail() -> dict[str, np.ndarray]:
        raise RuntimeError("no such data")

    with pytest.raises(RuntimeError, match="no such data"):
        cached("x", {}, fail)
    assert not folder.exists()


def test_a_data_set_from_the_cache_is_the_one_that_was_made(folder: Path):
    first = load("digits", seed=7)
    (path,) = folder.iterdir()
    second = load("digits", seed=7)
    path.write_bytes(path.read_bytes()[:1000])
    third = load("digits", seed=7)
    for again in (second, third):
        np.testing.assert_array_equal(first.train.x, again.train.x)
        np.testing.assert_array_equal(first.tests["unbiased"].c, again.tests["unbiased"].c)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "a"))
    assert cache_dir() == tmp_path / "a"
    monkeypatch.delenv("INFOSHED_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_dir() == tmp_path / "b" / "infoshed"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "infoshed"
