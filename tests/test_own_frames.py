"""Tables with types of their own: data frames at prediction, and .parquet files."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import InfoshedError, fit, load
from infoshed.inputs import Category, TableInputs, UnknownValueWarning
from own_files import people, write_table

ASKED = {"target": "income", "attribute": "sex"}


def test_a_frame_of_a_file_is_read_as_the_file_and_unknown_values_are_told(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    table = {name: people()[name] for name in ("age", "sex", "income")}
    rng = np.random.default_rng(2)
    table["owner"] = rng.choice(["TRUE", "FALSE"], 400).tolist()
    path = write_table(tmp_path / "people.csv", table)
    run = fit(load(str(path), target="income", attribute="sex"), "plain", epochs=1)
    text = pandas.read_csv(path, dtype=str, keep_default_na=False)
    frame = pandas.read_csv(path)
    assert frame["owner"].dtype == bool
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownValueWarning)
        assert torch.equal(run.encode(frame), run.encode(text))
    text.loc[:2, "owner"] = ["maybe", "", "maybe"]
    said = r"'owner' has values .* not know in 3 of 400 rows: maybe, \(missing\)"
    with pytest.warns(UnknownValueWarning, match=said):
        run.predict(text)


def test_unsigned_columns_are_no_row_numbers(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({name: people()[name] for name in ("age", "sex", "income")})
    table["age"] = table["age"].astype("uint32")
    path = tmp_path / "people.parquet"
    table.to_parquet(path)
    data = load(str(path), **ASKED)
    assert data.inputs is not None
    assert data.inputs.to_dict()["numbers"][0]["name"] == "age"


def test_a_column_without_any_value_is_left_out_of_a_parquet_file_too(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({name: people()[name] for name in ("age", "sex", "income")})
    table["empty"] = None
    table.to_parquet(tmp_path / "people.parquet")
    data = load(str(tmp_path / "people.parquet"), **ASKED)
    assert re.search(r"empty +left out +no values", "\n".join(data.notes))


def test_a_gap_in_every_row_of_a_frame_is_a_gap(tmp_path: Path):
    run = fit(load(str(write_table(tmp_path / "people.csv", people())), **ASKED), epochs=1)
    row: dict[str, Any] = {name: [values[100]] for name, values in people().items()}
    with_gap = run.predict_proba(row | {"hours": [""]})
    torch.testing.assert_close(run.predict_proba(row | {"hours": [None]}), with_gap)
    torch.testing.assert_close(run.predict_proba(row | {"hours": [float("nan")]}), with_gap)
    with pytest.raises(InfoshedError, match=r"hours has 2, "):
        run.predict(row | {"hours": ["1", "2"]})
    with pytest.raises(InfoshedError, match=r"'hours' must have shape \(n,\), .* got \(\)"):
        run.predict({name: values[0] for name, values in row.items()})
    with pytest.raises(InfoshedError, match="'hours' must hold numbers, got datetime64"):
        run.predict(row | {"hours": np.array(["2020-01-01"], dtype="datetime64[D]")})


def test_columns_that_have_numbers_for_names_are_refused():
    inputs = TableInputs((), (Category("hours", ("a", "b")),))
    with pytest.raises(InfoshedError, match="column 'hours' is missing"):
        inputs({1: np.array(["a"])})  # type: ignore[dict-item]
