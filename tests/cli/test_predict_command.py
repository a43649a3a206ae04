"""`infoshed predict`: what the model says of the rows of a file, and files that do not fit."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Cli

from infoshed import InfoshedError, fit, load, load_run
from infoshed.inputs import UnknownValueWarning
from own_files import people, write_pictures, write_table

ASKED = {"target": "income", "attribute": "sex"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on people.csv."""
    folder = tmp_path_factory.mktemp("predict")
    data = load(str(write_table(folder / "people.csv", people())), **ASKED)
    fit(data, "plain", epochs=3, out=folder / "run")
    return folder / "run"


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_file_with_gaps_and_columns_in_another_order(run: Cli, trained: Path, tmp_path: Path):
    columns = people(200, seed=5)
    columns = {name: columns[name] for name in reversed(columns) if name not in ("sex", "note")}
    columns["job"][0] = "astronaut"
    write_table(tmp_path / "new.csv", columns)
    code, out, err = run("predict", str(trained), "new.csv")
    assert code == 0
    found = cells(out)
    assert list(found[0]) == ["prediction", "p(high)", "p(low)"]
    assert len(found) == 200
    p = np.array([[float(row["p(high)"]), float(row["p(low)"])] for row in found])
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-4)
    guess = np.array([row["prediction"] for row in found])
    assert (guess == np.where(p[:, 0] > p[:, 1], "high", "low")).all()
    line = "infoshed: 'job' has values that the model does not know in 1 of 200 rows: astronaut"
    assert line in err.splitlines()
    y = np.array(columns["income"])
    assert f"accuracy {(guess == y)[y != ''].mean():.1%} on the 194 rows" in err
    assert (guess == y)[y != ""].mean() > 0.8

    assert run("predict", str(trained), "new.csv", "--out", "p.csv").out == "200 rows: p.csv\n"
    assert Path("p.csv").read_text() == out
    assert run("predict", str(trained), "new.csv", "--out", "p.npy").code == 0
    np.testing.assert_allclose(np.load("p.npy"), p, atol=1e-5)


def test_strange_categories_are_told_a_line_for_each_column(run: Cli, tmp_path: Path):
    table = {k: v for k, v in people().items() if k in ("hours", "job", "sex", "income")}
    table["job"] = [v if v != "?" else "cook" for v in table["job"]]  # no gaps in training
    table["town"] = ["north", "south"] * 200
    path = write_table(tmp_path / "people.csv", table)
    fit(load(str(path), **ASKED), "plain", epochs=1, out=tmp_path / "run")
    table["job"][:9] = ["pope", "", "king", "pope", "judge", "king", "pope", "", "queen"]
    table["town"][7] = "a town with a name that is far too long"
    write_table(tmp_path / "new.csv", table)
    code, _, err = run("predict", "run", "new.csv", "--out", "p.npy")
    assert code == 0
    assert err.splitlines()[:2] == [
        "infoshed: 'job' has values that the model does not know in 9 of 400 rows: pope, "
        "(missing), king, ...",
        "infoshed: 'town' has values that the model does not know in 1 of 400 rows: "
        "a town with a name th...",
    ]
    assert np.isfinite(np.load("p.npy")).all()


def test_rows_of_training_are_encoded_as_in_training(run: Cli, trained: Path):
    data = load(str(trained.parent / "people.csv"), **ASKED)
    code, out, _ = run("predict", str(trained), str(trained.parent / "people.csv"))
    assert code == 0
    everything = {
        tuple(f"{v:.6g}" for v in p) for p in load_run(trained).predict_proba(data.train.x)
    }
    assert everything <= {(row["p(high)"], row["p(low)"]) for row in cells(out)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hours": None, "zip": None}, "columns 'hours', 'zip' are missing; the model reads hours"),
        ({"hours": None}, "column 'hours' is missing; the model reads hours, zip, age, job"),
        ({"age": ["4"] * 79 + ["young"]}, "column 'age' must hold numbers; row 80 has 'young'"),
    ],
)
def test_files_that_do_not_fit(
    run: Cli, trained: Path, tmp_path: Path, changes: dict, message: str
):
    columns = {k: v for k, v in (people(80) | changes).items() if v is not None}
    write_table(tmp_path / "new.csv", columns)
    code, out, err = run("predict", str(trained), "new.csv")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none x.csv", "none is not a run folder"),
        ("RUN none.csv", "none.csv does not exist"),
        ("RUN none.csv --out nowhere/p.csv", "the folder nowhere does not exist; make it first"),
        ("RUN none.csv --out p.txt", "cannot write p.txt; known: .csv, .npy"),
        ("RUN .", "is a folder; the run was trained on a table's columns"),
        ("RUN x.npy", "the run was trained on the columns hours, zip, age, job of a table, as"),
        ("RUN x.npy --images .", "--images is for runs that were trained on pictures"),
    ],
)
def test_mistakes(run: Cli, trained: Path, arguments: str, message: str):
    np.save("x.npy", np.zeros((5, 3)))
    code, out, err = run("predict", *arguments.replace("RUN", str(trained)).split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_columns_that_the_model_does_not_read_may_hold_anything(
    run: Cli, trained: Path, tmp_path: Path
):
    columns = people(100, seed=5)
    write_table(tmp_path / "new.csv", columns)
    expected = run("predict", str(trained), "new.csv")
    write_table(tmp_path / "more.csv", columns | {"extra": ["inf"] * 100, "other": ["1", "x"] * 50})
    assert run("predict", str(trained), "more.csv").out == expected.out


def test_truth_values_are_judged_as_they_were_learned(run: Cli, tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    columns = people(200)
    frame = pandas.DataFrame({n: columns[n] for n in ("age", "zip", "sex")})
    frame["sex"] = frame["sex"].replace("NA", "male")
    frame = frame.astype({"age": int})
    frame["old"] = frame["age"] > 40
    frame.to_parquet("people.parquet")
    fit(load("people.parquet", target="old", attribute="sex"), "plain", epochs=1, out="run")
    code, out, err = run("predict", "run", "people.parquet", "--out", "p.csv")
    assert (code, out) == (0, "200 rows: p.csv\n")
    assert "on the 200 rows" in err
    assert "not judged" not in err


def test_arrays_for_a_run_of_a_data_set(run: Cli, images, tmp_path: Path):
    model = fit(images, "plain", epochs=1, out=tmp_path / "run")
    x = images.tests["unbiased"].x.numpy()
    np.save("x.npy", x)
    np.savez("x.npz", first=x, other=x[:2])
    code, out, _ = run("predict", "run", "x.npy")
    assert code == 0
    want = [images.classes[k] for k in model.predict(x)]
    assert [row["prediction"] for row in cells(out)] == want
    assert run("predict", "run", "x.npz:first").out == out
    np.save("nan.npy", np.full(x.shape, np.nan))
    assert "no finite numbers" in run("predict", "run", "nan.npy").err


def test_pictures(run: Cli, tmp_path: Path):
    path = write_pictures(tmp_path / "photos")
    asked = {"target": "label", "attribute": "camera", "images": str(tmp_path / "photos")}
    model = fit(load(str(path), **asked, size=16), "plain", epochs=1, out=tmp_path / "run")
    code, out, err = run("predict", "run", "photos/labels.csv")
    assert code == 0
    found = cells(out)
    assert [row["file"] for row in found] == [f"{i}.png" for i in range(80)]
    assert [row["prediction"] for row in found[:2]] == ["", ""]
    assert "2 pictures do not open (first: 0.png)" in err
    assert "accuracy" in err
    (tmp_path / "photos" / "labels.csv").unlink()
    code, out, _ = run("predict", "run", "photos")
    assert code == 0
    same = {row["file"]: row["prediction"] for row in found}
    assert {row["file"]: row["prediction"] for row in cells(out)} == same
    assert model.inputs is not None
    (tmp_path / "empty").mkdir()
    code, _, err = run("predict", "run", "empty")
    assert code == 2
    assert "there are no files in empty; a folder of pictures is expected" in err


def test_targets_that_are_none_of_the_models_are_told(run: Cli, trained: Path, tmp_path: Path):
    table = people(80)
    table["income"] = ["1" if value == "high" else "0" for value in table["income"]]
    write_table(tmp_path / "new.csv", table)
    code, _, err = run("predict", str(trained), "new.csv")
    assert code == 0
    assert "'income' has values in 80 rows of the file that are none of the model's" in err


def test_columns_as_they_are_are_refused_by_the_model(trained: Path):
    with pytest.raises(InfoshedError, match="`x` must be numbers as the data set has them"):
        load_run(trained).predict(np.array([["a", 1.5]], dtype=object))


@pytest.mark.parametrize("kind", ["pandas", "pandas, text", "polars", "dict"])
def test_a_data_frame_is_read_as_the_file_is(run: Cli, trained: Path, tmp_path: Path, kind: str):
    table = people(80, seed=5)  # hours and job have gaps
    table["job"][0], table["job"][1] = "?", "astronaut"
    path = write_table(tmp_path / "new.csv", table)
    frame: Any = dict(table)
    if kind != "dict":
        library = pytest.importorskip(kind.partition(",")[0])
        frame = library.read_csv(path, **({"dtype": str} if "text" in kind else {}))
    found = cells(run("predict", str(trained), "new.csv")[1])
    model = load_run(trained)
    with pytest.warns(UnknownValueWarning, match="'job' has values .* 1 of 80 rows: astronaut"):
        p, guess = model.predict_proba(frame), model.predict(frame)
    assert [f"{v:.4f}" for v in p[:, 0].tolist()] == [f"{float(r['p(high)']):.4f}" for r in found]
    names = model.config.classes
    assert [names[k] for k in guess] == [row["prediction"] for row in found]
    with pytest.raises(InfoshedError, match="column 'hours' is missing"):
        model.encode({name: v for name, v in table.items() if name != "hours"})
