"""The loader of the IMDB face crops, on a generated folder of the same form."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imdb_crop import write_imdb_crop
from infoshed import InfoshedError, load
from infoshed.data.extreme_bias import LEVELS
from infoshed.data.images import read_images
from infoshed.data.imdb_faces import ages, read_table

N = 160


@pytest.fixture
def crop(tmp_path: Path) -> Path:
    write_imdb_crop(tmp_path / "imdb_crop", N)
    return tmp_path / "imdb_crop"


@given(born=st.dates(date(1850, 1, 1), date(2005, 12, 31)), year=st.integers(2005, 2020))
def test_ages_are_whole_years_on_the_first_of_july(born: date, year: int):
    # Matlab's day 367 is 1 January of the year 1, Python's ordinal 1.
    (age,) = ages(np.array([born.toordinal() + 366]), np.array([year]))
    had_birthday = (born.month, born.day) <= (7, 1)
    assert age == year - born.year - (not had_birthday)


def test_day_numbers_are_matlabs():
    # From Matlab's documentation: datenum(2000, 1, 1) is 730486.
    assert ages(np.array([730486, 730486]), np.array([2001, 2000])).tolist() == [1, 0]
    assert date.fromordinal(730486 - 366) == date(1999, 12, 31) + timedelta(days=1)


def test_only_single_faces_of_known_gender_and_possible_age_are_kept(tmp_path: Path):
    columns = write_imdb_crop(tmp_path, N)
    names, gender, age = read_table(tmp_path / "imdb.mat")
    assert names.tolist() == columns["full_path"][5:]
    assert age.tolist() == columns["age"][5:]
    assert gender.tolist() == [1 - g for g in columns["gender"][5:]]  # the table has 1 for men


def test_images_are_the_files_made_small(crop: Path):
    grey = load("imdb-faces", data_dir=crop, size=16)
    wide = load("imdb-faces", data_dir=crop.parent, size=20, color=True)
    assert grey.train.x.shape[1:] == (1, 16, 16)
    assert wide.train.x.shape[1:] == (3, 20, 20)
    names, _, _ = read_table(crop / "imdb.mat")
    images = read_images(crop, names, 20, True)["images"]
    first = np.asarray(Image.open(crop / names[0]).resize((20, 20)))
    np.testing.assert_array_equal(images[0], first.transpose(2, 0, 1))


def test_labels_stay_with_their_images(crop: Path):
    data = load("imdb-faces", data_dir=crop, size=16)
    names, gender, age = read_table(crop / "imdb.mat")
    images = read_images(crop, names, 16, False)["images"]
    known = {
        image.tobytes(): (
            g,
            np.searchsorted([20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70], a, "right"),
        )
        for image, g, a in zip(images, gender, age, strict=True)
    }
    assert len(known) == N
    for split in (data.train, data.validation, *data.tests.values()):
        for x, y, c in zip(split.x, split.y, split.c, strict=True):
            assert known[x.numpy().tobytes()] == (y, c)
    assert len(data.attribute.levels) == len(LEVELS) == 12  # type: ignore[attr-defined]


def test_jpegs_are_read_once(crop: Path, monkeypatch: pytest.MonkeyPatch):
    before = load("imdb-faces", data_dir=crop, size=17)

    def refuse(*_, **__):
        raise AssertionError("opened again")

    monkeypatch.setattr(Image, "open", refuse)
    again = load("imdb-faces", data_dir=crop, size=17)
    assert torch.equal(before.train.x, again.train.x)


def test_a_file_that_does_not_open_is_counted_and_left_out(crop: Path):
    names, _, _ = read_table(crop / "imdb.mat")
    whole = (crop / names[3]).read_bytes()
    (crop / names[3]).write_bytes(whole[: len(whole) // 2])
    (crop / names[7]).unlink()
    warning = rf"2 of {N} images in .* left out.*{names[3]}"
    with pytest.warns(UserWarning, match=warning):
        load("imdb-faces", data_dir=crop, size=16)
    with pytest.warns(UserWarning, match=warning):  # from the cache
        data = load("imdb-faces", data_dir=crop, size=16)
    in_range = sum(len(s) for s in (data.train, data.validation))
    in_range += sum(len(data.tests[k]) for k in ("conflicting", "unbiased", "ages_30_39"))
    assert in_range == N - 2
    (crop / names[3]).write_bytes(whole)
    with pytest.warns(UserWarning, match=f"1 of {N} images"):
        load("imdb-faces", data_dir=crop, size=16)


def test_a_folder_without_most_of_its_images_is_refused(crop: Path):
    names, _, _ = read_table(crop / "imdb.mat")
    for name in names[:20]:
        (crop / name).unlink()
    with pytest.raises(InfoshedError, match=rf"20 of {N} images .* do not open"):
        load("imdb-faces", data_dir=crop, size=16)


def test_missing_and_foreign_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InfoshedError, match=r"not on this machine.*imdb_crop.*--data-dir"):
        load("imdb-faces")
    with pytest.raises(InfoshedError, match=r"lacks imdb\.mat.*--data-dir"):
        load("imdb-faces", data_dir=tmp_path)
    monkeypatch.setenv("INFOSHED_DATA", str(tmp_path / "none"))
    with pytest.raises(InfoshedError, match=r"imdb_crop lacks imdb\.mat"):
        load("imdb-faces")
    for content in ({"wiki": 1}, {"imdb": {"dob": np.arange(3)}}):
        scipy.io.savemat(tmp_path / "imdb.mat", content)
        with pytest.raises(InfoshedError, match=r"imdb\.mat.*must be the imdb\.mat"):
            load("imdb-faces", data_dir=tmp_path)
    for raw in (b"", b"plain text " * 50):
        (tmp_path / "imdb.mat").write_bytes(raw)
        with pytest.raises(InfoshedError, match=r"cannot read .*imdb\.mat"):
            load("imdb-faces", data_dir=tmp_path)


@pytest.mark.parametrize("size", [15, 225, 20.5])
def test_a_size_out_of_range_is_refused(size: float, tmp_path: Path):
    with pytest.raises(InfoshedError, match="`size` must be an integer"):
        load("imdb-faces", data_dir=tmp_path, size=size)
