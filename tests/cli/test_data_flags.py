"""The flags of `infoshed train` that say which data: every parameter of every loader."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from imdb_crop import write_imdb_crop
from infoshed import DATASETS, load_run
from infoshed.settings import DATA_KEYS, TrainFlags

FAST = ("--method", "plain", "--epochs", "1", "--encoder", "mlp", "--batch-size", "32", "--json")


@pytest.mark.parametrize("name", DATASETS)
def test_a_loaders_parameters_are_flags(name: str):
    parameters = set(inspect.signature(DATASETS[name]).parameters)
    assert parameters <= {f.name for f in fields(TrainFlags)}
    assert parameters - {"seed"} <= set(DATA_KEYS)


def test_the_training_set_of_the_faces_is_a_flag(run, tmp_path: Path):
    rng = np.random.default_rng(0)
    n = 500
    np.savez(
        tmp_path / "utkface_48_gray.npz",
        images=rng.integers(0, 256, (n, 48, 48), dtype=np.uint8),
        gender=rng.integers(0, 2, n),
        age=rng.integers(0, 100, n),
        first_same=np.arange(n),
    )
    code, out, err = run("train", "faces", "--train-on", "EB2", "--data-dir", str(tmp_path), *FAST)
    assert code == 0
    assert re.fullmatch(r"(infoshed: the model says '\w+' for each of .*\n)?", err)
    result = json.loads(out)
    assert result["train_on"] == "EB2"
    names = ("biased", "conflicting", "unbiased", "conflicting_10plus", "unbiased_10plus")
    assert all(0 <= result[f"accuracy_{name}"] <= 1 for name in names)
    assert load_run("runs/faces-plain-seed0").config.params == {"train_on": "EB2", "seed": 0}


def test_size_and_colour_of_the_imdb_faces_are_flags(run, tmp_path: Path):
    write_imdb_crop(tmp_path / "imdb_crop", 200)
    folder = str(tmp_path / "imdb_crop")
    flags = ("--size", "16", "--color", "--data-dir", folder)
    assert run("train", "imdb-faces", *flags, *FAST).code == 0
    assert list(load_run("runs/imdb-faces-plain-seed0").config.shape) == [3, 16, 16]


@pytest.mark.parametrize("flag", ["--train-on EB1", "--size 20", "--color", "--attribute sex"])
def test_a_flag_of_another_data_set_is_refused(run, flag: str):
    code, out, err = run("train", "digits", *flag.split())
    assert (code, out) == (2, "")
    assert "data set 'digits' takes no parameter" in err
