"""Files whose target is a quantity, or several columns: train, show, predict, export, sweep."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from command import Cli

from infoshed import load, load_run
from own_files import people, write_table

FAST = ("--attribute", "sex", "--method", "plain", "--epochs", "2", "--out", "run")


def test_a_quantity_is_predicted_in_its_unit(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    code, out, err = run("train", "people.csv", "--target", "hours", *FAST)
    assert code == 0
    assert "hours    target, quantity  mean " in err
    assert "R2, test" in out
    assert "mean absolute error, test" in out
    assert run("show", "run").code == 0
    result = json.loads(run("show", "run", "--json").out)
    assert {"r2_validation", "r2_test", "val_r2_weighted"} <= set(result)
    code, out, err = run("predict", "run", "people.csv")
    assert code == 0
    assert "mean absolute error" in err
    rows = list(csv.DictReader(io.StringIO(out)))
    data, kept = load("people.csv", target="hours", attribute="sex"), load_run("run")
    test = data.tests["test"]
    mean = float(kept.target.predictions(test.y).mean())
    guesses = np.array([float(row["prediction"]) for row in rows])
    assert guesses.mean() == pytest.approx(mean, abs=2)
    assert run("predict", "run", "people.csv", "--out", "p.npy").code == 0
    np.testing.assert_allclose(np.load("p.npy")[:, 0], guesses, rtol=1e-6)


def test_several_labels_have_a_value_and_a_probability_each(run: Cli, tmp_path: Path):
    columns = people()
    columns["owner"] = [str(int(h == "high")) for h in columns["income"]]
    write_table(tmp_path / "people.csv", columns)
    code, out, err = run("train", "people.csv", "--target", "owner,income", *FAST)
    assert code == 0
    assert "target, label" in err
    assert "macro F1" in out
    code, out, err = run("predict", "run", "people.csv")
    assert code == 0
    assert "accuracy, mean over labels," in err
    row = next(csv.DictReader(io.StringIO(out)))
    assert set(row) == {"prediction(owner)", "p(owner)", "prediction(income)", "p(income)"}
    assert row["prediction(income)"] in ("high", "low")
    assert (float(row["p(owner)"]) > 0.5) == (row["prediction(owner)"] == "1")


def test_a_sweep_of_a_quantity_judges_by_r2(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    flags = ("--target", "hours", "--attribute", "sex", "--epochs", "1", "--seeds", "1")
    done = run("sweep", "people.csv", *flags, "--strengths", "0,1", "--out", "s")
    assert done.code == 0
    assert "validation R2" in done.out
    assert "r2_test" not in done.out + done.err
    rows = [json.loads(line) for line in Path("s/rows.jsonl").read_text().splitlines()]
    assert all({"val_r2", "val_nll_adjusted"} <= set(row["selection"]) for row in rows)
    document = json.loads(run("select", "s", "--oracle", "test", "--json").out)
    found = document["choices"][0]["oracle, not available in practice"]
    assert found["r2"] == max(row["figures"]["r2_test"] for row in rows)
    assert found["regret_points"] == pytest.approx(100 * (found["r2"] - found["r2_chosen"]))
    assert f"is best on the test split, {found['r2']:.3f} of R2" in run(
        "select", "s", "--oracle", "test"
    ).out.replace("\n", " ")


def test_numbers_are_exported_in_their_unit(run: Cli, tmp_path: Path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    write_table(tmp_path / "people.csv", people())
    assert run("train", "people.csv", "--target", "hours", *FAST).code == 0
    assert run("export", "run", "--out", "m.onnx").code == 0
    kept, data = load_run("run"), load("people.csv", target="hours", attribute="sex")
    x = data.tests["test"].x
    (found,) = runtime.InferenceSession("m.onnx").run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found[:, 0], kept.predict(x).numpy(), rtol=1e-4)
