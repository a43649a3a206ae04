"""`infoshed mi`: what it prints, and one line for every mistake."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Cli

import infoshed
from infoshed import ESTIMATORS


@pytest.fixture
def people(tmp_path: Path) -> dict[str, np.ndarray]:
    """300 rows as z.npy, run.npz and people.csv; f1 tells sex and a little of age."""
    rng = np.random.default_rng(0)
    n = 300
    sex, label = rng.integers(0, 2, n), rng.integers(0, 3, n)
    z = rng.normal(size=(n, 2)) + 2.0 * sex[:, None]
    age = z[:, 0] + rng.normal(size=n)
    np.save(tmp_path / "z.npy", z)
    np.savez(tmp_path / "run.npz", z=z, sex=sex, weights=rng.uniform(0.5, 1.5, n))
    lines = ["f1,f2,age,sex,label"]
    lines += [
        f"{a:.17g},{b:.17g},{c:.17g},{'fm'[s]},{k}"
        for (a, b), c, s, k in zip(z, age, sex, label, strict=True)
    ]
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "short.csv").write_text("\n".join(["0.5", *["1.5"] * 298]) + "\n")
    return {"z": z, "sex": sex, "label": label, "age": age}


QUICK = ("--estimator", "quick")


def test_mi_says_what_z_tells_about_c(run: Cli, people: dict[str, np.ndarray]):
    code, out, err = run("mi", "z.npy", "people.csv:sex", *QUICK)
    assert code == 0
    expected = infoshed.estimate_mi(people["z"], people["sex"], estimator="quick")
    first, second, third, *rest = out.splitlines()
    assert first == (
        f"I(Z;C) = {expected.nats:.2f} nats ({expected.low:.2f} to {expected.high:.2f}, "
        f"95% interval), {expected.share_of_entropy:.0%} of H(C) = {expected.entropy:.2f} nats"
    )
    assert second == "any dependence at all: p = 0.0013"
    assert third == "300 rows, 2 columns of z; sex has 2 values"
    assert all(f"{name} {value:.2f}" in rest[0] for name, value in expected.judges.items())
    assert rest[1:] == [f"warning: {warning}" for warning in expected.warnings]
    assert err == "infoshed: people.csv: the first line is a header\n"


def test_mi_is_one_json_document(run: Cli, people: dict[str, np.ndarray]):
    code, out, _ = run("mi", "run.npz:z", "run.npz:sex", "--json", "--seed", "3", *QUICK)
    assert code == 0
    expected = infoshed.estimate_mi(people["z"], people["sex"], estimator="quick", seed=3)
    about = {"attribute": "sex", "values": 2, "columns": 2, "notes": []}
    assert json.loads(out) == expected.to_dict() | about


def test_mi_given_y_and_with_weights(run: Cli, people: dict[str, np.ndarray]):
    z, sex, label = people["z"], people["sex"], people["label"]
    given = infoshed.estimate_mi(z, sex, y=label, estimator="quick")
    code, out, _ = run("mi", "z.npy", "people.csv:sex", "--given", "people.csv:label", *QUICK)
    assert code == 0
    assert out.startswith(f"I(Z;C|Y) = {given.nats:.2f} nats")
    assert "of H(C|Y) = " in out
    weights = np.load("run.npz")["weights"]
    weighted = infoshed.estimate_mi(z, sex, weights=weights, estimator="quick")
    code, out, _ = run("mi", "z.npy", "run.npz:sex", "--weights", "run.npz:weights", *QUICK)
    assert code == 0
    assert out.startswith(f"I(Z;C) = {weighted.nats:.2f} nats")


def test_mi_of_one_table_leaves_the_attribute_out_of_z(run: Cli, people: dict[str, np.ndarray]):
    arguments = ("people.csv", "people.csv:sex", "--given", "people.csv:label", *QUICK)
    code, out, err = run("mi", *arguments)
    assert code == 0
    assert "300 rows, 3 columns of z" in out
    assert "left out of Z: sex (C), label (--given); Z is f1, f2, age" in err
    assert json.loads(run("mi", "people.csv:f1,f2", "people.csv:sex", "--json", *QUICK).out)[
        "nats"
    ] == pytest.approx(infoshed.estimate_mi(people["z"], people["sex"], estimator="quick").nats)


def test_mi_of_a_quantity(run: Cli, people: dict[str, np.ndarray]):
    code, out, _ = run("mi", "z.npy", "people.csv:age", *QUICK)
    assert code == 0
    assert "age is continuous" in out
    assert "H(C)" not in out
    code, out, _ = run("mi", "z.npy", "run.npz:sex", "--attribute-kind", "continuous", *QUICK)
    assert code == 0
    assert "sex is continuous" in out


def test_mi_drops_rows_without_the_attribute_and_says_so(run: Cli, people: dict[str, np.ndarray]):
    lines = Path("people.csv").read_text().splitlines()
    blank = [re.sub(",[fm],", ",,", line) if 0 < i < 8 else line for i, line in enumerate(lines)]
    Path("holes.csv").write_text("\n".join(blank) + "\n")
    code, out, err = run("mi", "z.npy", "holes.csv:sex", *QUICK, "--json")
    assert code == 0
    expected = infoshed.estimate_mi(people["z"][7:], people["sex"][7:], estimator="quick")
    found = json.loads(out)
    assert (found["nats"], found["rows"]) == (expected.nats, 293)
    assert err.splitlines()[-1] == "infoshed: dropped: 7 rows without 'sex'"


@pytest.mark.parametrize("estimator", ["class-scoring", "hsic"])
def test_mi_by_a_named_estimator(
    run: Cli, people: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, estimator: str
):
    monkeypatch.setattr("infoshed.offline.named.EPOCHS", 2)
    code, out, _ = run("mi", "z.npy", "run.npz:sex", "--estimator", estimator, "--folds", "2")
    assert code == 0
    bound = ", a bound from below" if ESTIMATORS[estimator].bound == "lower" else ""
    assert f"estimator: {estimator}{bound}\n" in out + "\n"
    start = "I(Z;C)" if ESTIMATORS[estimator].unit == "nats" else ESTIMATORS[estimator].unit
    assert out.startswith(f"{start} = ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "z.npy short.csv",
            r"z.npy has 300 rows, short.csv has 299; they must be .* \(short.csv: no header",
        ),
        ("z.npy people.csv:city", "people.csv has no 'city'; it has f1, f2, age, sex, label"),
        ("people.csv:f1,sex run.npz:sex", "'sex' of people.csv holds text"),
        ("run.npz run.npz:sex", "several arrays"),
        ("z.npy people.csv:sex --attribute-kind continuous", "is text and cannot be continuous"),
        ("z.npy people.csv:age --attribute-kind categorical", "holds fractions"),
        ("z.npy people.csv:age --attribute-kind ordinal", "attribute-kind"),
        ("z.npy people.csv:sex --estimator magic", "`estimator` must be one of"),
        ("z.npy people.csv:sex --folds 2.5", "a whole number is expected"),
        ("z.npy people.csv:sex --folds 1", "`folds` must be"),
        ("z.npy people.csv:sex --weights people.csv:sex", "`weights` must be numbers"),
        ("z.npy people.csv:sex --given people.csv:age", "`y` must hold classes"),
    ],
)
def test_a_mistake_of_mi_is_one_line_and_exit_code_2(
    run: Cli, people: dict[str, np.ndarray], arguments: str, message: str
):
    code, out, err = run("mi", *arguments.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("infoshed: ")
    assert re.search(message, err)


def test_an_interrupted_estimate_promises_nothing(run: Cli, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infoshed.files.read_sample", interrupt)
    assert run("mi", "z.npy", "c.npy") == (130, "", "infoshed: interrupted\n")
