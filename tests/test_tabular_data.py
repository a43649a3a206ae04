"""Adult and German credit: the attribute is gone, nothing is learned from the test, rows are kept
apart; on made-up files of the same form, and on the published ones where they are at hand."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from infoshed import DataSet, InfoshedError, Split, load
from infoshed.data.adult import COLUMNS, NUMERIC
from infoshed.data.tabular import encode, read_cells
from places import SHARED
from table_files import (
    GERMAN,
    MISSING,
    ONLY_IN_TEST,
    TEST,
    TEST_MISSING,
    TRAIN,
    write_adult,
    write_german,
)

TABLES = [("adult", {}), ("german", {"attribute": "sex"}), ("german", {"attribute": "age"})]
every_table = pytest.mark.parametrize(("name", "params"), TABLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_adult(folder)
    write_german(folder)
    return folder


@pytest.fixture(scope="module", params=["made up", "published"])
def source(request: pytest.FixtureRequest, folder: Path) -> Path:
    if request.param == "made up":
        return folder
    if not (SHARED / "tabular").is_dir():
        pytest.skip(f"no tables: {SHARED / 'tabular'} is not there")
    return SHARED


def splits(data: DataSet) -> dict[str, Split]:
    return {"train": data.train, "validation": data.validation, **data.tests}


@cache
def loaded(name: str, source: Path, **params: str) -> DataSet:
    return load(name, data_dir=source, **params)


def whole(data: DataSet) -> tuple[np.ndarray, np.ndarray]:
    """x and c of all rows."""
    x = torch.cat([s.x for s in splits(data).values()]).numpy()
    return x, torch.cat([s.c for s in splits(data).values()])[:, 0].numpy()


@every_table
def test_no_single_input_gives_the_attribute_away(name: str, params: dict, source: Path):
    x, c = whole(loaded(name, source, **params))
    for column in x.T:
        # Youden's index of the best cut: 1 where a cut of this column is the attribute. "Husband"
        # is 0.61 of the way.
        cuts = np.unique(np.quantile(column, np.linspace(0, 1, 60)))[:-1]
        above = column[:, None] > cuts
        told = np.abs(above[c == 1].mean(0) - above[c == 0].mean(0))
        assert told.max(initial=0) < 0.7


@every_table
def test_only_known_categories_are_of_one_group(name: str, params: dict, source: Path):
    # Sex is no input of Adult, but "Husband" and "Wife" are; all others are mixed.
    x, c = whole(loaded(name, source, **params))
    pure = []
    for column in x.T:
        inside = c[column == column.max()]
        if len(np.unique(column)) == 2 and len(inside) > 0.02 * len(c):
            share = np.bincount(inside, minlength=2) / len(inside)
            if share.max() > 0.98:
                pure.append(int(share.argmax()))
    assert sorted(pure) == ([0, 1] if name == "adult" else [])


def test_sex_cannot_be_read_from_the_status_of_german(source: Path):
    # Of the published rows every single is a man: one column would tell most of them.
    path = source / "german.data" if source != SHARED else SHARED / "tabular" / "german.data"
    status = np.array([line.split()[8] for line in path.read_text().splitlines()])
    by_sex, by_age = (loaded("german", source, attribute=a) for a in ("sex", "age"))
    levels = len(np.unique(status))
    # With age as the attribute the status stays and the age goes: one number fewer.
    assert by_age.train.x.shape[1] == by_sex.train.x.shape[1] + levels - 1
    assert by_sex.attribute.levels == ("female", "male")  # type: ignore[attr-defined]
    total = sum(float(s.c.sum()) for s in splits(by_sex).values())
    assert total == np.sum(status != "A92")


def test_the_age_is_gone_where_it_is_the_attribute(source: Path):
    x, c = whole(loaded("german", source, attribute="age"))
    for column in x.T:
        assert abs(roc_auc_score(c, column) - 0.5) < 0.25


@every_table
def test_the_encoding_is_learned_from_the_training_rows(name: str, params: dict, source: Path):
    data = loaded(name, source, **params)
    x = data.train.x.double()
    numbers = [i for i in range(x.shape[1]) if len(x[:, i].unique()) > 2]
    torch.testing.assert_close(
        x[:, numbers].mean(0), torch.zeros(len(numbers), dtype=torch.float64), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        x[:, numbers].std(0, correction=0),
        torch.ones(len(numbers), dtype=torch.float64),
        atol=1e-3,
        rtol=0,
    )
    others = torch.cat([s.x for k, s in splits(data).items() if k != "train"]).double()
    assert not torch.allclose(
        others[:, numbers].mean(0), torch.zeros(len(numbers), dtype=torch.float64), atol=1e-4
    )
    # Every level is one of the training rows.
    assert (data.train.x.std(0) > 0).sum() >= x.shape[1] - 1  # capital-loss is constant here


def test_an_encoding_by_hand():
    train = np.array([["1", "a"], ["3", "b"], ["5", "a"]])
    test = np.array([["3", "c"], ["7", "b"]])
    columns = ("size", "kind")
    x, other = encode(train, test, columns=columns, numeric=("size",))
    deviation = np.std([1, 3, 5])
    np.testing.assert_allclose(
        x, [[-2 / deviation, 1, 0], [0, 0, 1], [2 / deviation, 1, 0]], rtol=1e-6
    )
    np.testing.assert_allclose(other, [[0, 0, 0], [4 / deviation, 0, 1]], rtol=1e-6)
    assert x.dtype == other.dtype == np.float32
    # The rows that are encoded beside them change nothing.
    np.testing.assert_array_equal(encode(train, columns=columns, numeric=("size",))[0], x)


def test_a_level_that_training_lacks_is_all_zeros(folder: Path):
    data = loaded("adult", folder)
    last = data.tests["test"].x[-1]
    cells = read_cells(folder / "adult.test.gz", COLUMNS, ",")
    assert cells[-1, COLUMNS.index("native-country")] == ONLY_IN_TEST
    categories = len(COLUMNS) - 2 - len(NUMERIC)
    assert last[len(NUMERIC) :].sum() == categories - 1
    ones = data.tests["test"].x[:-1, len(NUMERIC) :].sum(1)
    assert (ones == categories).all()


def test_adult_keeps_the_official_split_and_whole_rows_only(folder: Path):
    data = loaded("adult", folder)
    assert len(data.train) + len(data.validation) == TRAIN - MISSING
    assert len(data.tests["test"]) == TEST - TEST_MISSING
    for name, part in (("data", ("train", "validation")), ("test", ("test",))):
        cells = read_cells(folder / f"adult.{name}.gz", COLUMNS, ",")
        cells = cells[(cells != "?").all(1)]
        rich = np.char.startswith(cells[:, -1], ">50K").sum()
        men = (cells[:, COLUMNS.index("sex")] == "Male").sum()
        chosen = [splits(data)[k] for k in part]
        assert sum(int(s.y.sum()) for s in chosen) == rich
        assert sum(int(s.c.sum()) for s in chosen) == men


def test_validation_rows_are_cut_from_training_by_seed(folder: Path):
    # A row is known by its fnlwgt, which is unique here and which standardising keeps in order.
    cells = read_cells(folder / "adult.data.gz", COLUMNS, ",")
    weight = cells[(cells != "?").all(1), COLUMNS.index("fnlwgt")].astype(float)
    assert len(np.unique(weight)) == len(weight)
    held_out = []
    for seed in (0, 1):
        data = load("adult", seed=seed, data_dir=folder)
        x = torch.cat([data.train.x, data.validation.x])[:, 1].double().numpy()
        rank = np.argsort(np.argsort(x))
        found = np.sort(weight)[rank]
        # No row is lost or repeated: the standardised numbers are those of all rows.
        np.testing.assert_allclose(np.corrcoef(x, found)[0, 1], 1, atol=1e-9)
        held_out.append(set(found[len(data.train) :]))
        assert len(held_out[-1]) == len(data.validation)
    assert held_out[0] != held_out[1]


@pytest.mark.parametrize("attribute", ["sex", "age"])
def test_german_is_cut_by_seed_in_equal_shares(folder: Path, attribute: str):
    data = load("german", attribute=attribute, seed=3, data_dir=folder)
    parts = splits(data)
    assert sum(len(s) for s in parts.values()) == GERMAN
    assert [len(s) for s in parts.values()] == [0.6 * GERMAN, 0.15 * GERMAN, 0.25 * GERMAN]
    pairs = {k: np.bincount(2 * s.y + s.c[:, 0], minlength=4) / len(s) for k, s in parts.items()}
    for k in ("validation", "test"):
        np.testing.assert_allclose(pairs[k], pairs["train"], atol=0.02)


@pytest.fixture(scope="module")
def published() -> Path:
    if not (SHARED / "tabular").is_dir():
        pytest.skip(f"no tables: {SHARED / 'tabular'} is not there")
    return SHARED / "tabular"


def test_the_published_adult_has_its_rows_and_chance_rates(published: Path):
    data = loaded("adult", SHARED)
    test = data.tests["test"]
    assert len(data.train) + len(data.validation) == 30_162
    assert len(test) == 15_060
    assert round(float(test.c.double().mean()), 4) == 0.6738
    assert round(float((test.y == 0).double().mean()), 4) == 0.7543
    # Seven rows in a thousand of the published test repeat a training row: no more than a random
    # cut of the training rows does.
    train = {row.tobytes() for row in data.train.x.numpy()}

    def repeated(split: Split) -> float:
        return float(np.mean([row.tobytes() in train for row in split.x.numpy()]))

    assert repeated(test) < 0.01
    assert repeated(test) < repeated(data.validation) + 0.005


def test_the_published_german_has_its_rows_and_chance_rate(published: Path):
    for attribute, share in (("sex", 0.69), ("age", 0.81)):
        data = loaded("german", SHARED, attribute=attribute)
        everything = splits(data).values()
        assert sum(len(s) for s in everything) == 1000
        assert sum(int(s.y.sum()) for s in everything) == 700
        assert sum(int(s.c.sum()) for s in everything) / 1000 == share
        assert float(data.tests["test"].y.double().mean()) == pytest.approx(0.7, abs=0.01)


def test_files_are_found_plain_or_packed_in_the_folder_or_below_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = load("adult", data_dir=folder).train.x
    below = tmp_path / "tabular"
    below.mkdir()
    for name in ("adult.data", "adult.test"):
        (below / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    assert torch.equal(load("adult", data_dir=tmp_path).train.x, expected)
    monkeypatch.setenv("INFOSHED_DATA", str(tmp_path))
    assert torch.equal(load("adult").train.x, expected)


@pytest.mark.parametrize("name", ["adult", "german"])
def test_missing_files_are_named_with_their_source(name: str, tmp_path: Path):
    with pytest.raises(InfoshedError, match=rf"{name}\.data.*no data folder.*archive\.ics\.uci"):
        load(name)
    with pytest.raises(InfoshedError, match=rf"not in {tmp_path}.*--data-dir"):
        load(name, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("39, Private, 7", r"line 2: 15 cells are expected \(age, .*found 3"),
        (", ".join(["1"] * 14 + ["rich"]), "target must be one of <=50K, >50K; found 'rich'"),
        (", ".join(["old"] + ["1"] * 8 + ["Male"] + ["1"] * 4 + ["<=50K"]), "column 'age' must"),
        (", ".join(["nan"] + ["1"] * 8 + ["Male"] + ["1"] * 4 + ["<=50K"]), "column 'age' has"),
    ],
)
def test_broken_lines_are_refused(folder: Path, tmp_path: Path, line: str, message: str):
    write_adult(tmp_path)
    text = gzip.decompress((folder / "adult.test.gz").read_bytes()).decode().splitlines()
    text[1] = line
    (tmp_path / "adult.test.gz").write_bytes(gzip.compress("\n".join(text).encode()))
    with pytest.raises(InfoshedError, match=message):
        load("adult", data_dir=tmp_path)


def test_broken_files_are_refused(tmp_path: Path):
    write_adult(tmp_path)
    packed = tmp_path / "adult.test.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(InfoshedError, match=r"cannot read .*adult\.test\.gz"):
        load("adult", data_dir=tmp_path)
    packed.write_bytes(gzip.compress(b"|1x3 Cross validator\n"))
    with pytest.raises(InfoshedError, match=r"adult\.test\.gz has no rows"):
        load("adult", data_dir=tmp_path)


def test_strange_values_of_german_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(InfoshedError, match="`attribute` must be one of age, sex; got 'race'"):
        load("german", attribute="race", data_dir=folder)
    rows = (folder / "german.data").read_text().splitlines()
    cells = rows[0].split()
    for column, value, attribute, message in (
        (8, "A99", "sex", "personal status must be one of A91, .*found 'A99'"),
        (12, "old", "age", "column 'age' must hold numbers"),
        (20, "3", "sex", "the target must be one of 2, 1; found '3'"),
    ):
        broken = cells.copy()
        broken[column] = value
        (tmp_path / "german.data").write_text("\n".join([" ".join(broken), *rows[1:]]))
        with pytest.raises(InfoshedError, match=message):
            load("german", attribute=attribute, data_dir=tmp_path)
