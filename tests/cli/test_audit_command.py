"""`infoshed audit` and `infoshed audit-data`: verdicts, JSON, exit codes, a line for a mistake."""

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Cli

import infoshed
from infoshed import Audit, DataAudit, InfoshedError, audit, audit_data, load
from infoshed.auditing.perform import FewRowsWarning
from infoshed.auditing.text import verdict
from infoshed.commands.audit import differences
from infoshed.run import Config
from table_files import write_german

N = 240
FAST = ("--estimator", "quick")


@pytest.fixture
def people(tmp_path: Path) -> dict[str, np.ndarray]:
    """z.npy, people.csv with attributes, target and guesses, more.npz; z tells sex, not race."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    sex, race = np.where(rng.random(N) < 0.8, y, 1 - y), rng.integers(0, 2, N)
    z = rng.normal(size=(N, 3))
    z[:, 0] += 2 * y
    z[:, 1] += 2 * sex
    score = 1 / (1 + np.exp(1 - z[:, 0]))
    table = {
        "label": np.array(["no", "yes"])[y],
        "sex": np.array(["f", "m"])[sex],
        "race": np.array(["a", "b"])[race],
        "age": np.round(30 + 5 * z[:, 2] + rng.normal(size=N), 3),
        "guess": np.array(["no", "yes"])[(score > 0.5).astype(int)],
    }
    lines = [
        ",".join(table),
        *(",".join(map(str, row)) for row in zip(*table.values(), strict=True)),
    ]
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "short.csv").write_text("\n".join(lines[:-5]) + "\n")
    np.save(tmp_path / "z.npy", z)
    np.savez(tmp_path / "more.npz", score=score, flat=np.zeros(N, int), logit=z)
    return table | {"z": z, "score": score}


def test_scores_can_be_audited_themselves(run: Cli, people: dict[str, np.ndarray]):
    np.save("score.npy", people["score"])
    code, out, _ = run(
        "audit", "score.npy", "--attribute", "people.csv:sex", "--target", "people.csv:label",
        "--scores", "score.npy", *FAST,
    )  # fmt: skip
    assert code == 0
    expected = audit(
        people["score"][:, None], {"sex": people["sex"]}, people["label"],
        scores=people["score"], target_name="label", estimator="quick",
    )  # fmt: skip
    assert out == f"{expected}\n"


def test_an_audit_of_files_is_that_of_the_arrays(run: Cli, people: dict[str, np.ndarray]):
    code, out, err = run(
        "audit", "z.npy", "--attribute", "people.csv:sex", "--target", "people.csv:label",
        "--predictions", "people.csv:guess", "--scores", "more.npz:score", *FAST,
    )  # fmt: skip
    assert code == 0
    expected = audit(
        people["z"], {"sex": people["sex"]}, people["label"], predictions=people["guess"],
        scores=people["score"], target_name="label", estimator="quick",
    )  # fmt: skip
    assert out == f"{expected}\n"
    assert out.startswith(verdict(expected.attributes[0]))
    assert err == "infoshed: people.csv: the first line is a header\n"


def test_rows_without_attribute_or_target_are_dropped_from_everything(
    run: Cli, people: dict[str, np.ndarray]
):
    table = {name: people[name].astype(str) for name in ("label", "sex", "guess")}
    keep = np.ones(N, bool)
    for name, rows in (("sex", [3, 4, 9]), ("label", [4, 11])):
        table[name] = np.where(np.isin(np.arange(N), rows), "", table[name])
        keep[rows] = False
    lines = [",".join(row) for row in zip(*table.values(), strict=True)]
    Path("holes.csv").write_text("\n".join([",".join(table), *lines]) + "\n")
    np.save("before.npy", people["z"][:, :2])
    code, out, err = run(
        "audit", "z.npy", "--attribute", "holes.csv:sex", "--target", "holes.csv:label",
        "--predictions", "holes.csv:guess", "--scores", "more.npz:score", "--before", "before.npy",
        "--json", *FAST,
    )  # fmt: skip
    assert code == 0
    expected = audit(
        people["z"][keep], {"sex": people["sex"][keep]}, people["label"][keep],
        predictions=people["guess"][keep], scores=people["score"][keep], target_name="label",
        estimator="quick",
    )  # fmt: skip
    found = json.loads(out)
    assert Audit.from_dict(found["audit"]) == expected
    assert found["before"]["audit"]["rows"] == expected.rows == N - 4
    said = ["dropped: 3 rows without 'sex'", "dropped: 2 rows without 'label'"]
    assert err.splitlines()[-2:] == [f"infoshed: {line}" for line in said]


def test_all_columns_of_a_file_are_audited_and_said(run: Cli, people: dict[str, np.ndarray]):
    np.savetxt("two.csv", np.arange(2 * N).reshape(N, 2) // 7 % 2, "%d", ",", header="a,b",
               comments="")  # fmt: skip
    code, out, err = run("audit", "z.npy", "--attribute", "two.csv", *FAST)
    assert code == 0
    assert out.count("\n== ") == 3  # a, b and both
    assert "--attribute two.csv names no column, so all 2 are audited: a, b; two.csv:NAME" in err


def test_too_few_rows_for_many_values_are_a_line_at_the_start(
    run: Cli, people: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    def work(*_: Any, **__: Any) -> None:
        raise InfoshedError("the work has begun")

    np.save("town.npy", np.arange(N) // 3)
    monkeypatch.setattr("infoshed.auditing.perform.estimate_mi", work)
    with warnings.catch_warnings():
        warnings.simplefilter("always", FewRowsWarning)
        code, _, err = run(
            "audit", "z.npy", "--attribute", "town.npy", "--attribute-kind", "categorical", *FAST
        )
    assert code == 2
    warned, stopped = err.splitlines()
    assert warned.startswith("infoshed: too few rows for the values of c: 80 of its 80 values")
    assert "the work has begun" in stopped


def test_json_and_out_hold_the_verdict_and_everything(
    run: Cli, people: dict[str, np.ndarray], tmp_path: Path
):
    code, out, _ = run(
        "audit", "z.npy", "--attribute", "people.csv:sex,race", "--json", "--out", "audit.json",
        *FAST,
    )  # fmt: skip
    assert code == 0
    document = json.loads(out)
    assert json.loads((tmp_path / "audit.json").read_text()) == document
    found = Audit.from_dict(document["audit"])
    sex, race, both = found.parts
    assert [v["leaks"] for v in document["verdicts"]] == [True, race.leaks, True]
    assert document["verdicts"][0] == {
        "attribute": "sex",
        "leaks": True,
        "upper_share": sex.upper_share,
        "sentence": verdict(sex),
    }
    assert both.name == "sex x race"


def test_a_page_is_written_and_says_how_to_get_it_again(
    run: Cli, people: dict[str, np.ndarray], tmp_path: Path
):
    pytest.importorskip("matplotlib")
    np.save("before.npy", people["z"] + 3 * (people["sex"] == "m")[:, None])
    command = (
        "audit", "z.npy", "--attribute", "people.csv:sex", "--target", "people.csv:label",
        "--before", "before.npy", *FAST, "--out",
    )  # fmt: skip
    code, out, err = run(*command, "page.html")
    assert code == 0
    assert "written: page.html" in err
    found = [line for line in out.splitlines() if line.startswith("before: z leaks sex")]
    assert len(found) == 1
    row = next(line for line in out.splitlines() if line.startswith("I(Z;C), nats"))
    before, after = (float(value) for value in re.findall(r"([\d.]+) \(", row))
    assert before > after
    page = (tmp_path / "page.html").read_text()
    for part in ("infoshed audit z.npy --attribute people.csv:sex", "Before and after",
                 "before.npy", "scikit-learn"):  # fmt: skip
        assert part in page
    assert run(*command, "audit.json").code == 0
    document = json.loads((tmp_path / "audit.json").read_text())
    assert Audit.from_dict(document["before"]["audit"]).parts[0].leaks

    command = ("audit-data", "people.csv", "--target", "label", "--attribute", "sex", "--out")
    assert run(*command, "data.html").code == 0
    assert "label and sex" in (tmp_path / "data.html").read_text()
    code, out, _ = run(*command, "data.json", "--json")
    assert code == 0
    assert json.loads((tmp_path / "data.json").read_text()) == json.loads(out)


def test_a_page_asks_for_its_extra_before_any_work(
    run: Cli, people: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("infoshed.commands.output.has_report_extra", lambda: False)
    code, out, err = run("audit", "z.npy", "--attribute", "none.csv:sex", "--out", "page.html")
    assert (code, out) == (2, "")
    assert "pip install 'infoshed[report]'" in err


def test_fail_above_decides_the_exit_code(run: Cli, people: dict[str, np.ndarray]):
    command = ("audit", "z.npy", "--attribute", "people.csv:sex")
    code, out, err = run(*command, "--fail-above", "0.05")
    assert code == 3
    assert out.startswith("z leaks sex")
    assert "infoshed: sex: the leakage may be " in err
    assert "above 5.0%" in err
    assert run(*command, "--fail-above", "1").code == 0
    code, _, err = run(*command, "--fail-above", "5%")
    assert code == 3
    assert "above 5.0%" in err
    code, _, err = run(*command[:3], "people.csv:age", "--fail-above", "0.05")
    assert code == 2
    assert "--fail-above is a share of H(C), and a quantity (age) has none" in err


def test_one_table_is_read_as_z_without_the_columns_that_have_a_role(
    run: Cli, people: dict[str, np.ndarray], tmp_path: Path
):
    z = people["z"]
    rows = [f"{a:.17g},{b:.17g},{c:.17g},{s},{y}" for (a, b, c), s, y in
            zip(z, people["sex"], people["label"], strict=True)]  # fmt: skip
    (tmp_path / "all.csv").write_text("\n".join(["f1,f2,f3,sex,label", *rows]) + "\n")
    command = ("audit", "all.csv", "--attribute", "all.csv:sex", "--target", "all.csv:label")
    code, out, err = run(*command, *FAST)
    assert code == 0
    assert f"{N} rows, 3 columns of z; y is label" in out
    assert "left out of Z: sex (C), label (--target); Z is f1, f2, f3" in err
    assert "names no column" not in err


def test_a_run_is_audited(run: Cli, tmp_path: Path):
    write_german(tmp_path)
    data = load("german", data_dir=tmp_path)
    infoshed.fit(data, "plain", seed=0, epochs=2, out="mine")
    command = ("audit", "mine", "--data-dir", str(tmp_path), *FAST, "--json")
    code, out, _ = run(*command)
    assert code == 0
    found = Audit.from_dict(json.loads(out)["audit"])
    (part,) = found.parts
    test = data.tests["test"]
    assert (part.name, found.rows, found.target) == ("sex", len(test), "label")
    assert found.notes[0].startswith(f"{len(test)} rows of the split 'test'")
    assert part.outcomes is not None
    guess = infoshed.load_run("mine").predict(test.x)
    assert part.outcomes.figures["accuracy"].value == float((guess == test.y).double().mean())
    code, out, err = run(*command, "--split", "validation")
    assert (code, err) == (0, "")
    assert Audit.from_dict(json.loads(out)["audit"]).rows == len(data.validation)


def test_audit_data_of_a_file(run: Cli, people: dict[str, np.ndarray]):
    code, out, _ = run("audit-data", "people.csv", "--target", "label", "--attribute", "sex,race")
    assert code == 0
    c = {name: people[name] for name in ("sex", "race")}
    expected = audit_data(people["label"], c, target_name="label")
    assert out == f"{expected}\n"
    assert out.startswith("use the conditional form")
    code, out, _ = run(
        "audit-data", "people.csv", "--target", "label", "--attribute", "sex,race", "--json"
    )
    assert DataAudit.from_dict(json.loads(out)) == expected


def test_audit_data_of_a_data_set_by_name(run: Cli, digits: Any):
    code, out, _ = run("audit-data", "digits", "--sigma2", "0.02", "--json")
    assert code == 0
    found = DataAudit.from_dict(json.loads(out))
    assert found.rows == len(digits.train)
    assert [t.attribute for t in found.tables][:3] == ["red", "green", "blue"]
    assert {t.verdict for t in found.tables} == {"tied"}
    red = np.array(found.tables[0].counts)
    assert red.sum(1).tolist() == digits.train.y.bincount().tolist()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("audit z.npy", "which attribute? infoshed audit FILE --attribute FILE:NAME"),
        ("audit none.npy --attribute people.csv:sex", "none.npy does not exist"),
        ("audit z.npy --attribute people.csv:height", "people.csv has no 'height'"),
        ("audit z.npy --attribute short.csv:sex", "z.npy has 240 rows, short.csv:sex has 235"),
        ("audit z.npy --attribute more.npz:flat", "attribute 'flat' has one value only"),
        (
            "audit people.csv --attribute people.csv:sex",
            "'label' of people.csv holds text ('yes' in row 1), not numbers",
        ),
        (
            "audit z.npy --attribute people.csv:sex --predictions people.csv:guess",
            "--predictions need --target",
        ),
        (
            "audit z.npy --attribute people.csv:sex --target people.csv:label "
            "--predictions people.csv:race",
            "no prediction is a class of label: predictions hold a, b, label holds no, yes",
        ),
        (
            "audit z.npy --attribute people.csv:sex --target people.csv:label "
            "--scores more.npz:logit",
            "`scores` must be probabilities in [0, 1]",
        ),
        (
            "audit z.npy --attribute people.csv:sex --target people.csv:label --positive maybe",
            "`positive` must be one of two classes of label",
        ),
        (
            "audit z.npy --attribute people.csv:age --attribute-kind categorical",
            "age holds fractions",
        ),
        (
            "audit z.npy --attribute people.csv:sex --out audit.pdf",
            "--out: cannot write audit.pdf; known: .json, .html",
        ),
        (
            "audit z.npy --attribute people.csv:sex --out no/audit.json",
            "--out: the folder no does not exist",
        ),
        (
            "audit z.npy --attribute people.csv:sex --fail-above 5",
            "`fail-above` must be a share such as 0.05 or 5%; got",
        ),
        (
            "audit z.npy --attribute people.csv:sex --fail-above much",
            "`fail-above` must be a share such as 0.05 or 5%; got 'much'",
        ),
        (
            "audit z.npy --attribute people.csv:sex --fail-above 5% --estimator quick",
            "quick judges can miss what lies above it; leave out --estimator quick",
        ),
        ("audit z.npy --attribute people.csv:sex --before none.npy", "none.npy does not exist"),
        (
            "audit runs/nothing",
            "runs/nothing does not exist; give a run folder that `infoshed train`",
        ),
        ("audit z.npz --attribute people.csv:sex", "z.npz does not exist; a file is expected; did"),
        ("audit-data peple.csv --target label --attribute sex", "did you mean people.csv?"),
        ("audit-data no/people.csv --target a --attribute b", "and there is no folder no"),
        ("audit-data digitz", "digitz is neither a file nor a data set; data sets are digits"),
        ("audit z.npy --attribute people.csv:sex --split test", "--split and --data-dir are for"),
        ("audit folder --attribute people.csv:sex", "leave out --attribute"),
        ("audit folder --attribute-kind continuous", "--attribute-kind is for files; folder has"),
        ("audit folder", "folder is not a run folder: it has no config.json"),
        ("audit-data people.csv", "which columns? infoshed audit-data FILE --target NAME"),
        ("audit-data people.csv --target label --attribute x", "people.csv has no 'x'"),
        ("audit-data people.csv --target x --attribute sex", "people.csv has no 'x'"),
        (
            "audit-data nowhere --target a --attribute b",
            "nowhere is neither a file nor a data set; data sets are digits",
        ),
        (
            "audit-data people.csv --target label --attribute sex --sigma2 0.1",
            "--sigma2: for data sets by name, and this is a file",
        ),
        ("audit-data digits --target label", "leave out --target"),
        ("audit-data digits --train-on EB1", "takes no parameter `train_on`"),
    ],
)
def test_a_mistake_is_one_line(
    run: Cli, people: dict[str, np.ndarray], tmp_path: Path, command: str, message: str
):
    (tmp_path / "folder").mkdir()
    code, out, err = run(*command.split())
    assert code == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "audit.pdf").exists()


def test_a_run_on_data_of_ones_own_is_sent_to_python(run: Cli, make_data: Any):
    infoshed.fit(make_data(), "plain", seed=0, epochs=1, out="mine")
    code, _, err = run("audit", "mine")
    assert code == 2
    assert "in Python: infoshed.audit(run.encode(x), c, y" in err


def test_what_differs_between_the_data_of_two_runs_is_said_in_words():
    run = Config(
        "people.csv", {"target": "pay", "attribute": "sex", "seed": 0}, "plain", {}, 0, 1, 32,
        1e-3, 0.9, "mlp", 2, (8,), {"kind": "classes"}, {},
    )  # fmt: skip
    assert differences(run, replace(run, method="mi", seed=3)) == []
    other = replace(run, params={"target": "pay", "attribute": "age", "seed": 1, "size": 64})
    found = differences(other, run)
    assert found == ["attribute (age and sex)", "seed (1 and 0)", "size (64 and none)"]
    found = differences(replace(run, dataset="digits"), run)
    assert found == ["the data set (digits and people.csv)"]


def test_runs_are_compared_on_the_same_data_only(run: Cli, tmp_path: Path):
    write_german(tmp_path)
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        data = load("german", seed=seed, data_dir=tmp_path)
        infoshed.fit(data, "mi" if name == "one" else "plain", seed=0, epochs=1, out=name)
    command = ("audit", "one", "--data-dir", str(tmp_path), *FAST)
    code, _, err = run(*command, "--before", "other")
    assert code == 2
    assert "other and one must be runs on the same data, split and all; they differ " in err
    assert "they differ in seed (1 and 0) (--debug" in err
    pytest.importorskip("matplotlib")
    assert run(*command, "--before", "two", "--out", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    for part in ("before, plain", "after, mi", "Gap of the critic", "training seed"):
        assert part in page
