"""The user's own files as data sets: what is an input, how it is encoded, and the split."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from infoshed import Continuous, DataSet, InfoshedError, MultiCategorical, Split, load
from infoshed.data.columns import nearest, proxies
from infoshed.data.own import TEST, VALIDATION, stratified
from infoshed.files.frame import as_read
from infoshed.inputs import (
    MOST_LEVELS,
    Category,
    ImageInputs,
    TableInputs,
    inputs_from_dict,
)
from own_files import LACKING, people, write_pictures, write_table

ASKED = {"target": "income", "attribute": "sex"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("own") / "people.csv", people())


@pytest.fixture(scope="module")
def data(path: Path) -> DataSet:
    return load(str(path), **ASKED)


def splits(data: DataSet) -> dict[str, Split]:
    return {"train": data.train, "validation": data.validation, **data.tests}


def test_it_is_encoded_as_scikit_learn_would(data: DataSet):
    columns = people()
    keep = [i for i, y in enumerate(columns["income"]) if y and columns["sex"][i] != "NA"]
    assert sum(len(s) for s in splits(data).values()) == len(keep) == 400 - 2 * LACKING
    hours = [float(columns["hours"][i] or "nan") for i in keep]
    age = [float(columns["age"][i]) for i in keep]
    zips = [float(columns["zip"][i]) for i in keep]
    job = [columns["job"][i] for i in keep]
    raw = np.array([hours, zips, age, job], dtype=object).T
    y = np.array([columns["income"][i] for i in keep])
    c = np.array([columns["sex"][i] for i in keep])
    pairs = np.unique(np.stack([y, c]), axis=1, return_inverse=True)[1].ravel()
    rows = stratified(pairs, 0)
    filled = SimpleImputer(strategy="median")
    # The deviation is that of the known values, so the filled ones must not enter it.
    scaler = StandardScaler().fit(raw[rows["train"]][:, :3].astype(float))
    median = filled.fit(raw[rows["train"]][:, :3].astype(float))
    levels = ColumnTransformer([("job", OneHotEncoder(sparse_output=False), [3])])
    levels.fit(raw[rows["train"]])
    for name, split in splits(data).items():
        part = raw[rows[name]]
        numbers = part[:, :3].astype(float)
        want = np.concatenate(
            [
                np.asarray(scaler.transform(median.transform(numbers))),
                np.isnan(numbers[:, :1]),
                np.asarray(levels.transform(part)),
            ],
            axis=1,
        )
        # "?" sorts before the jobs as "" does, which stands for it.
        np.testing.assert_allclose(split.x.numpy(), want, rtol=1e-5, atol=1e-6)
        assert (np.array(data.classes)[split.y.numpy()] == y[rows[name]]).all()
        assert torch.equal(split.c, data.attribute.encode(c[rows[name]]))


def test_what_is_no_input_is_said(data: DataSet):
    assert isinstance(data.inputs, TableInputs)
    assert data.inputs.names == ("hours", "zip", "age", "job")
    table, *notes = data.notes
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in table.splitlines()}
    assert "left out row numbers" in lines["id"]
    assert "left out one value, here" in lines["country"]
    assert "left out 388 texts in 388 rows" in lines["note"]
    assert "number 18 to 79 0" in lines["age"]
    assert lines["hours"].endswith(" 20")
    assert "missing: median" in lines["hours"]
    assert "3 levels: " in lines["job"]
    assert lines["job"].endswith("missing: a level of its own 20")
    assert lines["sex"].startswith("sex attribute female ")
    assert lines["income"].startswith("income target high ")
    assert notes[:2] == ["dropped: 6 rows without 'income'", "dropped: 6 rows without 'sex'"]


def test_numbers_can_be_categories(path: Path):
    data = load(str(path), **ASKED, categories="zip, age")
    assert isinstance(data.inputs, TableInputs)
    zips = next(c for c in data.inputs.categories if c.name == "zip")
    assert zips.levels == ("10115", "20095", "80331")


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_other_formats_give_the_same(data: DataSet, tmp_path: Path, suffix: str):
    columns = people()
    if suffix == ".tsv":
        path = write_table(tmp_path / "people.tsv", columns, "\t")
    else:
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")

        def typed(name: str, cells: list[str]):
            if name in ("id", "age", "zip"):
                return pa.array([int(v) for v in cells])
            if name == "hours":
                return pa.array([float(v) if v else None for v in cells])
            return pa.array([None if v in ("", "?", "NA") else v for v in cells])

        path = tmp_path / "people.parquet"
        parquet.write_table(pa.table({n: typed(n, v) for n, v in columns.items()}), path)
    other = load(str(path), **ASKED)
    for name, split in splits(other).items():
        assert torch.equal(split.x, splits(data)[name].x)
        assert torch.equal(split.c, splits(data)[name].c)
    assert other.inputs == data.inputs


def test_every_cell_is_cut_alike_and_the_seed_decides():
    strata = np.repeat([0, 1, 2, 3], [1000, 200, 7, 1])
    rows = stratified(strata, 3)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(strata)))
    for cell, n in ((0, 1000), (1, 200), (2, 7)):
        for name, share in (("test", TEST), ("validation", VALIDATION)):
            assert abs((strata[rows[name]] == cell).sum() - share * n) < 1.0001
    assert (strata[rows["train"]] == 3).sum() == 1  # every value is known from training
    again, other = stratified(strata, 3), stratified(strata, 4)
    assert all((rows[name] == again[name]).all() for name in rows)
    assert any(rows[name].tolist() != other[name].tolist() for name in rows)


def test_several_attributes_and_quantities(path: Path):
    both = load(str(path), target="income", attribute="sex,job")
    assert isinstance(both.attribute, MultiCategorical)
    assert [part.name for part in both.attribute.parts] == ["sex", "job"]
    assert both.inputs is not None
    age = load(str(path), target="income", attribute="age", attribute_kind="continuous")
    assert isinstance(age.attribute, Continuous)
    two = load(str(path), target="sex", attribute="age,hours", attribute_kind="continuous")
    assert two.train.c.shape[1] == 2


def test_proxies_are_named(tmp_path: Path):
    columns = people()
    rng = np.random.default_rng(0)
    columns["title"] = ["Mr" if s == "male" else "Ms" for s in columns["sex"]]
    columns["size"] = [f"{rng.uniform(1, 2) + (s == 'male'):.4f}" for s in columns["sex"]]
    columns["bonus"] = ["1" if y == "high" else "0" for y in columns["income"]]
    data = load(str(write_table(tmp_path / "p.csv", columns)), **ASKED)
    said = [note for note in data.notes if note.startswith("warning")]
    assert len(said) == 3
    assert "'size' all but decides the attribute 'sex'" in said[0] + said[1]
    assert "'title' all but decides the attribute 'sex'" in said[0] + said[1]
    assert "'bonus' all but decides the target 'income'" in said[2]


def test_the_inputs_that_tell_most_of_an_attribute_are_named(tmp_path: Path):
    columns, rng = people(), np.random.default_rng(0)
    man = np.array([s == "male" for s in columns["sex"]])
    for name, flip in (("loud", 0.1), ("tall", 0.25)):
        flipped = np.where(rng.random(len(man)) < flip, ~man, man)
        columns[name] = np.where(flipped, "yes", "no").tolist()
    data = load(str(write_table(tmp_path / "p.csv", columns)), target="income", attribute="sex,age")
    (said,) = [note for note in data.notes if note.startswith("inputs that tell most")]
    first, second, *_ = said.removeprefix("inputs that tell most of sex, each by itself: ").split(
        ";"
    )
    known = np.array([s != "NA" for s in columns["sex"]])
    for text, name in ((first, "loud"), (second, "tall")):
        expected = mutual_info_score(man[known], np.array(columns[name])[known])
        assert text.strip().startswith(f"'{name}' ")
        assert float(text.split()[1]) == pytest.approx(expected, abs=0.02)
    assert " of H(sex)" in first


@pytest.mark.parametrize(("n", "columns"), [(100, 20), (100, 100), (300, 100)])
def test_noise_is_seldom_named(n: int, columns: int):
    """One draw of 21 has the largest share by chance alone; twenty are drawn."""
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = {str(i): rng.normal(size=n) for i in range(columns)}
        named += bool(nearest(noise, {"c": rng.integers(0, 2, n)}))
    assert named <= 4  # more has a probability of 0.2%


def test_a_column_that_decides_the_attribute_tells_all_of_it():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 40, 200)
    (said,) = nearest({"x": x}, {"c": x % 2})
    assert re.search(r"'x' 0\.69 nats, 100% of H\(c\)", said)


def test_a_gap_may_tell_the_attribute():
    rng = np.random.default_rng(0)
    c = (rng.random(1000) < 0.1).astype(int)
    (said,) = nearest({"x": np.where(c == 1, np.nan, rng.normal(size=1000))}, {"c": c})
    assert "100% of H(c)" in said
    assert proxies({"x": np.where(c == 1, np.nan, rng.normal(size=1000))}, {"c": c}, ())


def test_what_tells_of_a_quantity_is_judged_by_its_quarters(tmp_path: Path):
    columns = people()
    columns["old"] = ["yes" if int(a) > 48 else "no" for a in columns["age"]]
    path = write_table(tmp_path / "p.csv", columns)
    data = load(str(path), target="income", attribute="age", attribute_kind="continuous")
    (said,) = [note for note in data.notes if note.startswith("inputs that tell most")]
    # Half of the rows: one bit of the two that name a quarter.
    assert re.search(r"'old' 0\.6\d nats, (49|50)% of H\(age, in quarters\)", said)


def test_a_quantity_that_is_an_input_in_other_units_is_named(tmp_path: Path):
    columns = people()
    columns["months"] = [str(12 * int(a) + 3) for a in columns["age"]]
    path = write_table(tmp_path / "p.csv", columns)
    data = load(str(path), target="income", attribute="age", attribute_kind="continuous")
    said = [note for note in data.notes if note.startswith("warning")]
    assert len(said) == 1
    assert "'months' all but decides the attribute 'age'" in said[0]


def test_a_stray_word_among_numbers_is_named(tmp_path: Path):
    columns = people()
    columns["age"][7] = "old"
    data = load(str(write_table(tmp_path / "p.csv", columns)), **ASKED)
    assert any("'age' is read as categories, as 'old' is no number" in n for n in data.notes)


def test_rare_levels_are_kept_together():
    values = np.array([f"v{i}" for i in range(150)] + [f"v{i}" for i in range(50, 150)])
    category = Category.learn("c", values)
    assert set(category.levels) == {f"v{i}" for i in range(50, 150)}
    assert len(category.levels) == MOST_LEVELS
    assert category.one_hot(np.array(["v3", "v60"])).sum(1).tolist() == [0, 1]


def test_inputs_survive_json(data: DataSet):
    assert data.inputs is not None
    assert inputs_from_dict(data.inputs.to_dict()) == data.inputs


@pytest.mark.parametrize("role", ["target", "attribute"])
def test_row_numbers_as_target_or_attribute_are_asked_about(tmp_path: Path, role: str):
    path = write_table(tmp_path / "people.csv", people())
    other = {"target": "income", "attribute": "sex"}
    line = "'id' numbers the rows: each value is larger than the one before; is it an id?"
    assert line in load(str(path), **other | {role: "id"}).notes
    assert line not in load(str(path), **other).notes


@pytest.mark.parametrize("categories", [None, "zip"])
def test_codes_keep_their_leading_zeros(tmp_path: Path, categories: str | None):
    table = people()
    table["zip"] = ["01234", "1234", "02345", ""] * 100
    path = write_table(tmp_path / "people.csv", table)
    found = load(str(path), target="income", attribute="sex", categories=categories).inputs
    assert isinstance(found, TableInputs)
    (zips,) = (part for part in found.categories if part.name == "zip")
    assert zips.levels == ("", "01234", "02345", "1234")
    # A frame of numbers has lost the zeros: restored where that leaves no doubt.
    assert zips.as_levels(np.array(["1234", "2345", "9"])).tolist() == ["1234", "02345", "9"]
    assert zips.one_hot(np.array(["2345"])).argmax() == 2
    text = as_read({"zip": np.array(["01234", "1234", None, "02345"], dtype=object)})
    assert zips.one_hot(text["zip"]).argmax(1).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("value", ["many", None, float("nan"), True])
def test_inputs_of_a_tampered_file_are_refused(data: DataSet, value: Any):
    assert data.inputs is not None
    state = data.inputs.to_dict()
    state["numbers"][0]["scale"] = value
    with pytest.raises(InfoshedError, match=r"in config.json are of no known form: `scale of '"):
        inputs_from_dict(state)


def test_pictures_and_those_that_do_not_open(tmp_path: Path):
    path = write_pictures(tmp_path / "photos")
    asked = {"target": "label", "attribute": "camera", "images": str(tmp_path / "photos")}
    data = load(str(path), **asked, size=16)
    assert data.inputs == ImageInputs("file", 16, True)
    assert sum(len(s) for s in splits(data).values()) == 78
    assert data.train.x.shape[1:] == (3, 16, 16)
    assert any("2 rows whose picture does not open (first: 0.png)" in n for n in data.notes)
    # Red pictures come from camera B, and bars of white that lie are "flat".
    x, c = data.train.x.float(), data.train.c[:, 0]
    assert ((x[:, 0].mean((1, 2)) > x[:, 2].mean((1, 2))) == (c == 1)).all()
    flat = x[:, 1, 8, 0] > 128
    assert (flat == (data.train.y == data.classes.index("flat"))).all()
    grey = load(str(path), **asked, size=16, color=False)
    assert grey.train.x.shape[1:] == (1, 16, 16)


@pytest.mark.parametrize(
    ("column", "value", "matters"),
    [("hours", "33.33", True), ("job", "smith", True), ("income", "low", True),
     ("sex", "male", True), ("note", "another", False), (None, "", True)],
)  # fmt: skip
def test_a_fingerprint_is_of_the_cells_that_are_read_and_of_their_order(
    data: DataSet, tmp_path: Path, column: str | None, value: str, matters: bool
):
    table = people()
    if column is None:
        table = {name: [*values[1:], values[0]] for name, values in table.items()}
    else:
        row = next(i for i in range(100, 200) if table[column][i] != value)
        table[column][row] = value
    path = str(write_table(tmp_path / "people.csv", table))
    changed, other_split = load(path, **ASKED), load(path, **ASKED, seed=1)
    assert (changed.fingerprint != data.fingerprint) is matters
    assert changed.fingerprint == other_split.fingerprint
    assert changed.fingerprint


def test_a_picture_that_has_changed_changes_the_fingerprint(tmp_path: Path):
    path = write_pictures(tmp_path / "photos")
    asked = {"target": "label", "attribute": "camera", "images": str(tmp_path / "photos")}
    before = load(str(path), **asked, size=16).fingerprint
    assert load(str(path), **asked, size=16).fingerprint == before
    shutil.copy(tmp_path / "photos" / "7.png", tmp_path / "photos" / "8.png")
    assert load(str(path), **asked, size=16).fingerprint != before


def test_categories_hold_for_attribute_and_target_too(tmp_path: Path):
    path = str(write_table(tmp_path / "people.csv", people()))
    plain = load(path, target="age", attribute="hours")
    assert (plain.target.kind, plain.attribute.kind) == ("numbers", "continuous")
    named = load(path, target="zip", attribute="hours", categories="zip,hours")
    assert named.classes == ("10115", "20095", "80331")
    assert named.attribute.kind == "categorical"


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"categories": "hours", "attribute_kind": "continuous"}, "--attribute-kind"),
        ({"categories": "zip,age", "target_kind": "numbers"}, "--target-kind"),
    ],
)
def test_categories_that_are_said_to_be_quantities(tmp_path: Path, settings: dict, flag: str):
    path = str(write_table(tmp_path / "people.csv", people(80)))
    with pytest.raises(InfoshedError, match=f"by --categories and a quantity by {flag}"):
        load(path, target="age", attribute="hours", **settings)


def test_an_attribute_of_which_each_row_has_its_own_is_refused(tmp_path: Path):
    columns = people() | {"id": [f"p{i}" for i in range(400)]}
    path = write_table(tmp_path / "ids.csv", columns)
    with pytest.raises(InfoshedError, match=r"'id' takes 3\d\d different values in 3\d\d rows"):
        load(str(path), target="income", attribute="id")
