"""Faces: the extreme-bias protocol, and the UTKFace loader on a generated file and the real one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import DataSet, InfoshedError, fit, load
from infoshed.attributes import Categorical
from infoshed.data.extreme_bias import EDGES, LEVELS, age_bins, extreme_bias
from infoshed.data.faces import FILE, read_faces
from infoshed.label_prior import WEIGHT_CAP, LabelPrior
from places import SHARED


def people(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, n), rng.integers(0, 100, n)


def write_faces(folder: Path, n: int = 600, repeats: int = 0, **changes: Any) -> Path:
    """A file of noise in the form of the real one; the last `repeats` pictures repeat others."""
    rng = np.random.default_rng(0)
    gender, age = people(n)
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    first_same = np.arange(n)
    if repeats:
        first_same[-repeats:] = np.arange(repeats)
        images[-repeats:] = images[:repeats]
        gender[-repeats:] = 1 - gender[:repeats]
    arrays = {"images": images, "gender": gender, "age": age, "first_same": first_same}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / FILE, **(arrays | changes))  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("train_on", ["EB1", "EB2"])
def test_the_sets_are_those_of_the_protocol(train_on: str):
    gender, age = people()
    rows = extreme_bias(gender, age, train_on, seed=0)
    # Women are young and men old in EB1, the other way round in EB2.
    young_gender = 1 if train_on == "EB1" else 0
    for name in ("train", "validation", "biased"):
        assert ((age[rows[name]] < 30) == (gender[rows[name]] == young_gender)).all()
    assert ((age[rows["conflicting"]] < 30) != (gender[rows["conflicting"]] == young_gender)).all()
    middle = (age >= 30) & (age < 40)
    np.testing.assert_array_equal(rows["ages_30_39"], np.flatnonzero(middle))
    for name in ("train", "validation", "biased", "conflicting", "unbiased"):
        assert not middle[rows[name]].any()
    for name in ("conflicting", "unbiased"):
        expected = rows[name][age[rows[name]] >= 10]
        np.testing.assert_array_equal(rows[f"{name}_10plus"], expected)


@pytest.mark.parametrize("train_on", ["EB1", "EB2"])
def test_every_face_is_in_one_place(train_on: str):
    gender, age = people()
    rows = extreme_bias(gender, age, train_on, seed=0)
    parts = ("train", "validation", "conflicting", "unbiased", "ages_30_39")
    everyone = np.concatenate([rows[name] for name in parts])
    np.testing.assert_array_equal(np.sort(everyone), np.arange(len(age)))
    assert np.isin(rows["biased"], rows["unbiased"]).all()


def test_both_trainings_are_tested_on_the_same_faces():
    gender, age = people()
    one, two = (extreme_bias(gender, age, on, seed=3) for on in ("EB1", "EB2"))
    np.testing.assert_array_equal(one["unbiased"], two["unbiased"])
    np.testing.assert_array_equal(
        two["conflicting"], np.sort(np.concatenate([one["train"], one["validation"]]))
    )


def test_the_draws_keep_the_shares_of_gender_and_age():
    gender, age = people()
    rows = extreme_bias(gender, age, "EB1", seed=0)
    cell = age_bins(age) * 2 + gender
    outside = (age < 30) | (age >= 40)
    share = np.bincount(cell[rows["unbiased"]], minlength=24)
    assert (np.abs(share - np.bincount(cell[outside], minlength=24) / 5) <= 1).all()
    pool = np.concatenate([rows["train"], rows["validation"]])
    share = np.bincount(cell[rows["validation"]], minlength=24)
    assert (np.abs(share - np.bincount(cell[pool], minlength=24) / 10) <= 1).all()


def test_the_seed_draws_other_test_faces():
    gender, age = people()
    one, two = (extreme_bias(gender, age, "EB1", seed)["unbiased"] for seed in (0, 1))
    assert 0.1 < np.isin(one, two).mean() < 0.3  # a fifth by chance


def test_age_bins_are_those_of_the_edges():
    for age in range(120):
        low, high = map(int, LEVELS[age_bins(np.array([age]))[0]].split("-"))
        assert low <= age <= high
        assert {low, high + 1} <= set(EDGES)
    for age in (-1, 120):
        with pytest.raises(InfoshedError, match=r"ages must lie in 0\.\.119"):
            age_bins(np.array([5, age]))


def test_too_few_faces_are_refused():
    gender, age = people(12)
    with pytest.raises(InfoshedError, match="too few faces"):
        extreme_bias(gender, age, "EB1", seed=0)


def test_repeated_pictures_are_dropped_for_the_first(tmp_path: Path):
    images, gender, age = read_faces(write_faces(tmp_path, 100, repeats=7) / FILE)
    assert len(images) == len(gender) == len(age) == 93
    assert len(np.unique(images.reshape(93, -1), axis=0)) == 93
    np.testing.assert_array_equal(gender, people(100)[0][:93])


def test_labels_stay_with_their_pictures(tmp_path: Path):
    data = load("faces", data_dir=write_faces(tmp_path), train_on="EB2")
    images, gender, age = read_faces(tmp_path / FILE)
    known = {x.tobytes(): (g, a) for x, g, a in zip(images, gender, age_bins(age), strict=True)}
    for split in (data.train, data.validation, *data.tests.values()):
        for x, y, c in zip(split.x, split.y, split.c, strict=True):
            assert known[x.numpy().tobytes()] == (y, c)
    assert data.classes == ("man", "woman")
    assert data.params == {"train_on": "EB2", "seed": 0}
    assert not data.shows_images


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return load("faces", data_dir=write_faces(tmp_path_factory.mktemp("faces"), 900))


def test_ages_that_training_never_sees_have_no_share(generated: DataSet):
    attribute = generated.attribute
    assert isinstance(attribute, Categorical)
    absent = [level for level, p in zip(LEVELS, attribute.probabilities, strict=True) if p == 0]
    assert absent == ["30-34", "35-39"]
    assert attribute.levels == LEVELS


def test_the_label_prior_copes_with_ages_of_one_gender(generated: DataSet):
    prior = LabelPrior(generated.train.y, generated.train.c, generated.attribute, 2)
    assert prior.accuracy(generated.train.y, generated.train.c) == 1
    weights = prior.weights(generated.train.y, generated.train.c)
    # Age decides gender, so p(y|c) is nearly 1 and the weights say p(y).
    share = generated.train.y.bincount() / len(generated.train)
    torch.testing.assert_close(weights, share[generated.train.y], rtol=0.2, atol=0)
    opposite = prior.weights(generated.tests["conflicting"].y, generated.tests["conflicting"].c)
    assert (opposite > 1).all()
    assert (opposite <= WEIGHT_CAP).all()
    unseen = generated.tests["ages_30_39"]
    assert torch.isfinite(prior.log_ratio(unseen.c)).all()


@pytest.mark.parametrize("method", ["mi", "mi-published", "plain", "reweigh"])
def test_methods_train_where_some_ages_never_occur(generated: DataSet, method: str):
    options: dict[str, Any] = {"critic_steps": 1} if method.startswith("mi") else {}
    run = fit(generated, method, epochs=1, encoder="mlp", quiet=True, **options)
    assert all(np.isfinite(v) for v in run.metrics[0].values())
    assert set(run.results) == {"validation", *generated.tests}


def test_missing_and_foreign_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InfoshedError, match=r"not on this machine.*utkface.*--data-dir"):
        load("faces")
    with pytest.raises(InfoshedError, match=r"lacks utkface.*--data-dir"):
        load("faces", data_dir=tmp_path)
    monkeypatch.setenv("INFOSHED_DATA", str(tmp_path))
    with pytest.raises(InfoshedError, match=r"faces lacks utkface"):
        load("faces")
    write_faces(tmp_path / "faces")
    assert load("faces").name == "faces"
    (tmp_path / "faces" / FILE).write_bytes(b"no archive")
    with pytest.raises(InfoshedError, match=r"cannot read .*utkface"):
        load("faces")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((600, 32, 32), np.uint8)}, "images must be uint8"),
        ({"images": np.zeros((600, 48, 48))}, "images must be uint8"),
        ({"age": np.zeros(599, int)}, "age must be whole numbers"),
        ({"first_same": np.zeros(600)}, "first_same must be whole numbers"),
        ({"gender": np.full(600, 2)}, "gender must be 0 or 1"),
    ],
)
def test_arrays_of_another_form_are_named(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(InfoshedError, match=message):
        load("faces", data_dir=write_faces(tmp_path, **changes))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"train_on": "EB3"}, "`train_on` must be one of EB1, EB2"),
        ({"seed": -1}, "`seed` must be an integer"),
    ],
)
def test_a_request_out_of_range_is_refused(params: dict, message: str, tmp_path: Path):
    with pytest.raises(InfoshedError, match=message):
        load("faces", data_dir=tmp_path, **params)


@pytest.mark.skipif(not (SHARED / "faces" / FILE).is_file(), reason="no UTKFace file")
def test_the_real_file_has_the_known_counts():
    data = load("faces", data_dir=SHARED)
    images, gender, age = read_faces(SHARED / "faces" / FILE)
    assert len(images) == 23_705 - 390
    women = gender == 1
    assert (women & (age < 30)).sum() == 6634
    assert (~women & (age >= 40)).sum() == 4638
    assert (women & (age >= 40)).sum() == 2462
    assert (~women & (age < 30)).sum() == 5109
    total = sum(len(s) for s in (data.train, data.validation, data.tests["conflicting"]))
    assert total + len(data.tests["unbiased"]) == 6634 + 4638 + 2462 + 5109
