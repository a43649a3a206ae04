"""The contract of every data set in `DATASETS`."""

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imdb_crop import write_imdb_crop
from infoshed import DATASETS, DataSet, InfoshedError, Split, load
from infoshed.data.color import BINS
from infoshed.information import label_information
from infoshed.nn import ENCODERS, build_model
from infoshed.tables import catalogue
from places import SHARED
from table_files import write_adult, write_german

NAMES = list(DATASETS)
every_set = pytest.mark.parametrize("data", NAMES, indirect=True)
GENERATED: dict[str, Path] = {}


def made(name: str, seed: int = 0) -> DataSet:
    params: dict[str, Any] = {"seed": seed}
    if "data_dir" in inspect.signature(DATASETS[name]).parameters:
        folder = GENERATED.get(name, SHARED)
        if not folder.is_dir():
            pytest.skip(f"no data files: {folder} is not there")
        params["data_dir"] = folder
    return load(name, **params)


@pytest.fixture(scope="module", autouse=True)
def generated_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files made up for data sets whose own cannot be had here."""
    GENERATED["imdb-faces"] = tmp_path_factory.mktemp("imdb_crop")
    write_imdb_crop(GENERATED["imdb-faces"], 600)
    if not SHARED.is_dir():
        tables = tmp_path_factory.mktemp("tabular")
        GENERATED["adult"] = GENERATED["german"] = tables
        write_adult(tables)
        write_german(tables)


@pytest.fixture(scope="module")
def data(request: pytest.FixtureRequest) -> DataSet:
    return made(request.param)


def splits(data: DataSet) -> dict[str, Split]:
    return {"train": data.train, "validation": data.validation, **data.tests}


@every_set
def test_it_describes_itself(data: DataSet):
    assert data.name in DATASETS
    assert data.description
    assert catalogue(DATASETS, {}, {})["data sets"][data.name]
    assert json.loads(json.dumps(data.params)) == data.params
    assert len(data.classes) == len(set(data.classes)) >= 2


@every_set
def test_splits_hold_what_their_types_promise(data: DataSet):
    assert data.tests
    for name, split in splits(data).items():
        assert len(split) > 0, name
        assert split.x.dtype == torch.uint8 or split.x.is_floating_point(), name
        assert torch.isfinite(split.x[:1000].float()).all(), name
        assert split.x.shape[1:] == data.train.x.shape[1:], name
        assert split.y.unique().tolist() == list(range(len(data.classes))), name
        if data.attribute.heads:
            assert split.c.dtype == torch.int64, name
            assert split.c.shape[1] == len(data.attribute.heads), name
            assert int(split.c.min()) >= 0, name
            assert (split.c < torch.tensor(data.attribute.heads)).all(), name
        assert data.attribute.features(split.c[:5]).shape == (5, data.attribute.width), name


@every_set
def test_the_attribute_describes_the_training_codes(data: DataSet):
    expected = 0.0
    for m, code in zip(data.attribute.heads, data.train.c.T, strict=True):
        share = np.bincount(code.numpy(), minlength=m) / len(code)
        expected -= float((share[share > 0] * np.log(share[share > 0])).sum())
    assert data.attribute.entropy == pytest.approx(expected)


@every_set
def test_training_and_validation_are_biased_and_the_unbiased_test_is_not(data: DataSet):
    def tie(split: Split) -> float:
        return label_information(split.y, split.c, data.attribute)

    if "unbiased" not in data.tests:
        for name, split in data.tests.items():
            assert tie(split) == pytest.approx(tie(data.train), abs=0.03), name
        return
    unbiased = tie(data.tests["unbiased"])
    assert tie(data.train) > unbiased + 0.05
    assert tie(data.validation) > unbiased + 0.05


@every_set
def test_the_recipe_can_be_followed(data: DataSet):
    assert data.recipe.encoder in ENCODERS
    model = build_model(
        data.recipe.encoder, data.train.x.shape[1:], data.recipe.dim, len(data.classes), seed=0
    )
    assert model(data.train.take(torch.arange(4)).x).shape == (4, len(data.classes))
    assert data.recipe.batch_size <= len(data.train)


@every_set
def test_the_seed_decides_everything(data: DataSet):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    again, other = made(data.name), made(data.name, seed=1)
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_equal(numpy_state, np.random.get_state())  # noqa: NPY002
    theirs = splits(again)
    for name, split in splits(data).items():
        assert torch.equal(split.x, theirs[name].x), name
        assert torch.equal(split.y, theirs[name].y), name
        assert torch.equal(split.c, theirs[name].c), name
    assert again.attribute == data.attribute
    assert not torch.equal(data.train.c, other.train.c)


@every_set
def test_pictures_have_their_colours(data: DataSet):
    if not data.shows_images:
        assert data.train.x.ndim < 4 or data.train.rgb is None
        return
    for split in splits(data).values():
        assert split.x.ndim == 4
        assert split.x.shape[1] in (1, 3)
        if split.rgb is not None:
            assert split.rgb.shape == (len(split), 3)
            assert split.rgb.dtype == torch.uint8
            if data.attribute.heads == (BINS,) * 3:
                assert torch.equal(split.rgb.long() // (256 // BINS), split.c)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused_by_name(name: str):
    with pytest.raises(InfoshedError, match=f"data set '{name}' takes no parameter `colour`"):
        load(name, colour="red")


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(InfoshedError, match=r"`data set` must be one of .*digits.*got 'mnist'"):
        load("mnist")
