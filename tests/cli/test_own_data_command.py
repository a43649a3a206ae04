"""`infoshed train FILE`: from the user's own file to a run, and one line for every bad file."""

import json
import re
import shlex
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import Cli

from infoshed import estimate_mi, fit, load, load_run
from infoshed.alarm import CollapseWarning
from infoshed.run import Config
from own_files import people, write_pictures, write_table

Table = dict[str, list[str]]
ASKED = ("--target", "income", "--attribute", "sex")
FAST = ("--method", "plain", "--epochs", "1")
CONFIG = Config(
    "people.csv", {}, "plain", {}, 0, 1, 32, 1e-3, 0.9, "mlp", 2, (8,), {"kind": "classes"}, {}
).to_dict()  # fmt: skip


def test_from_a_file_to_a_run(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    code, out, err = run("train", "people.csv", *ASKED, *FAST, "--json")
    assert code == 0
    result = json.loads(out)
    assert 0 <= result["accuracy_test"] <= 1
    assert (result["target"], result["attribute"]) == ("income", "sex")
    assert "column   read as" in err
    assert re.search(r"how biased: income and sex share 0\.\d+ \(.* nats, \d+% of H\(sex\)", err)
    kept = load_run("runs/people-plain-seed0")
    data = load("people.csv", **kept.config.params)
    assert kept.inputs == data.inputs
    assert kept.attribute == data.attribute

    # What works on a run of a data set works on this one.
    assert run("show", "runs/people-plain-seed0").code == 0
    code, out, _ = run("audit", "runs/people-plain-seed0", "--estimator", "quick", "--json")
    assert code == 0
    assert json.loads(out)["verdicts"][0]["attribute"] == "sex"
    more = ("--resume", "--out", "runs/people-plain-seed0", "--epochs", "2", "--json")
    assert json.loads(run("train", *more).out)["epochs"] == 2


def test_a_run_whose_file_has_changed_does_not_go_on(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    assert run("train", "people.csv", *ASKED, *FAST, "--out", "run").code == 0
    write_table(tmp_path / "people.csv", people(seed=1))
    code, _, err = run("train", "--resume", "--out", "run", "--epochs", "2")
    assert code == 2
    assert "people.csv has changed since the run was trained on it" in err
    code, _, err = run("train", "--resume", "--out", "run", "--epochs", "2", "--attribute", "job")
    assert code == 2
    assert "was made with another `params`" in err


def more_rows(table: Table) -> Table:
    return {name: [*values, *people(410)[name][400:]] for name, values in table.items()}


def other_order(table: Table) -> Table:
    """The same means, shares and levels; only which rows are test rows is not the same."""
    return {name: values[::-1] for name, values in table.items()}


@pytest.mark.parametrize("change", [more_rows, other_order])
def test_a_run_is_not_audited_on_a_file_that_has_changed(
    run: Cli, tmp_path: Path, change: Callable[[Table], Table]
):
    path = write_table(tmp_path / "people.csv", people())
    fit(load(str(path), target="income", attribute="sex"), "plain", epochs=1, out="run")
    assert run("audit", "run", "--estimator", "quick").code == 0
    write_table(path, change(people()))
    changed = "people.csv has changed since the run was trained on it"
    for arguments in ("audit", "run", "--estimator", "quick"), ("show", "run"):
        code, out, err = run(*arguments)
        assert (code, changed in err) == (2, True), err
    fit(load(str(path), target="income", attribute="sex"), "mi", epochs=1, out="other")
    code, out, err = run("audit", "other", "--before", "run", "--estimator", "quick")
    assert (code, out) == (2, "")
    assert changed in err


@pytest.mark.parametrize("attribute", [["--attribute", "sex,job"], ["--attribute", "hours"]])
def test_several_attributes_and_a_quantity_with_the_default_method(
    run: Cli, tmp_path: Path, attribute: list[str]
):
    write_table(tmp_path / "people.csv", people())
    flags = ("--target", "income", *attribute, "--epochs", "1", "--json")
    code, out, err = run("train", "people.csv", *flags)
    assert code == 0
    assert json.loads(out)["mi"] is not None
    assert err.count("how biased") == (3 if "," in attribute[1] else 1)


def test_pictures(run: Cli, tmp_path: Path):
    write_pictures(tmp_path / "photos", broken=0)
    flags = ("--images", "photos", "--target", "label", "--attribute", "camera", "--size", "16")
    code, out, _ = run("train", "photos/labels.csv", *flags, *FAST, "--out", "run")
    assert code == 0
    assert "accuracy, test" in out
    assert load_run("run").config.shape == [3, 16, 16]


def table(**changes: Any) -> str:
    columns = {k: changes.pop(k, v) for k, v in people(80).items()} | changes
    columns = {k: v for k, v in columns.items() if v is not None}
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    return "".join(",".join(row) + "\n" for row in rows)


INCOME = people(80)["income"]
BAD = {
    "no such column": (table(), "--target incom --attribute sex", "no column 'incom'; it has id, "),
    "no such attribute": (table(), "--target income --attribute sax", "no column 'sax'"),
    "no such category": (table(), " ".join(ASKED) + " --categories x", "no column 'x'"),
    "no target": (table(), "--attribute sex", "--target NAME.*the classes"),
    "no attribute": (table(), "--target income", "--attribute NAME.*what is to be shed"),
    "twice the same": (table(), "--target sex --attribute sex", "both target and attribute"),
    "one class only": (table(income=["low"] * 80), " ".join(ASKED), "one class only"),
    "one group only": (table(sex=["male"] * 80), " ".join(ASKED), "'sex' has one value only"),
    "attribute equals target": (table(sex=INCOME), " ".join(ASKED), "under another name"),
    "attribute renames target": (
        table(sex=[{"low": "a", "high": "b"}.get(v, v) for v in INCOME]),
        " ".join(ASKED),
        "under another name",
    ),
    "as many targets as rows": (table(), "--target note --attribute sex", "different values in"),
    "a target of fractions": (
        table(),
        "--target hours --target-kind classes --attribute sex",
        "holds fractions",
    ),
    "targets of two kinds": (
        table(),
        "--target hours,income --attribute sex",
        "several targets must be of one kind",
    ),
    "a class of few rows": (
        table(income=["odd", *INCOME[1:]]),
        " ".join(ASKED),
        r"fewer than 5 rows: 'odd' \(1\)",
    ),
    "too few rows": (
        "\n".join(table().splitlines()[:20]),
        " ".join(ASKED),
        "at least 40 are needed",
    ),
    "a target twice": (table(), "--target income,income --attribute sex", "names 'income' twice"),
    "an attribute twice": (table(), "--target income --attribute sex,sex", "names 'sex' twice"),
    "an unknown kind": (table(), " ".join(ASKED) + " --attribute-kind odd", "attribute-kind"),
    "text as a quantity": (
        table(),
        " ".join(ASKED) + " --attribute-kind continuous",
        "sex is text and cannot be continuous",
    ),
    "ragged": (table() + "1,2,3\n", " ".join(ASKED), "line 82 has 3 cells, the first has 9"),
    "not UTF-8": (table().replace("clerk", "vögt").encode("latin-1"), " ".join(ASKED), "UTF-8"),
    "UTF-16": (table().encode("utf-16"), " ".join(ASKED), "UTF-8"),
    "semicolons": (table().replace(",", ";"), " ".join(ASKED), "separated by semicolons"),
    "empty": ("", " ".join(ASKED), "is empty"),
    "a header only": ("sex,income,x\n", " ".join(ASKED), "no rows below"),
    "nothing to learn from": (
        "sex,income\n" + "m,low\nf,high\nm,high\nf,low\n" * 20,
        " ".join(ASKED),
        "no column is left as an input",
    ),
    "infinite": (table(age=["inf"] * 80), " ".join(ASKED), "'inf' in column 'age'"),
    "10 million rows": (b"1,0,1\n" * 10_000_000, " ".join(ASKED), "has about 10,000,000 rows"),
    "no folder of pictures": (table(), " ".join(ASKED) + " --images none", "none does not exist"),
    "no names of pictures": (table(), " ".join(ASKED) + " --images .", "no column names files"),
    "a size of nothing": (table(), " ".join(ASKED) + " --images . --size 2", "`size` must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_exit_code_2(run: Cli, tmp_path: Path, name: str):
    content, flags, message = BAD[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = run("train", "bad.csv", *flags.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--method magic", "`method` must be one of"),
        ("--method plain --strength 1", "method 'plain' has no option `strength`"),
        ("--strength -1", "`strength` must be"),
        ("--budget lots", "`budget` must be nats"),
        ("--budget sex=lots", "`budget` must be nats"),
        ("--budget 200%", "at most 100; got 200"),
        ("--lr 0", "`lr` must be"),
        ("--epochs 0", "`epochs` must be"),
        ("--seed -1", "`seed` must be"),
        ("--encoder vgg", "`encoder` must be one of"),
        ("--precision float8", "`precision` must be one of"),
        ("--track paper", "`track` must be one of"),
        ("--attribute-kind odd", "`attribute-kind` must be one of"),
        ("--attribute-kind age=continuous", "`the name in attribute-kind` must be one of sex"),
        ("--target-kind odd", "`target-kind` must be one of"),
        ("--images nowhere", "the folder nowhere does not exist"),
        ("--out taken", "taken holds a run already"),
        ("--out taken --resume", "nothing to resume"),
    ],
)
def test_options_are_looked_at_before_the_file(
    run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, message: str
):
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the file was read")

    write_table(tmp_path / "people.csv", people(80))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr("infoshed.files.read_table", read)
    code, out, err = run("train", "people.csv", *ASKED, *flags.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--attribute sx", "--attribute: people.csv has no column 'sx'; it has id"),
        ("--attribute a,b", "--attribute: people.csv has no columns 'a', 'b'; it has id"),
        ("--attribute Hour", "did you mean 'hours'?"),
        ("--attribute sex,job --strength sex=1", "job has none"),
        ("--attribute hours --budget 5%", "needs a discrete attribute; 'hours' is continuous"),
        ("--attribute hours --method lntl", "methods that take it"),
        ("--attribute sex --critic magic", "`critic` must be one of"),
        ("--attribute sex --critic-steps 0", "`critic_steps` must be"),
    ],
)
def test_options_that_do_not_fit_the_file_are_the_first_thing_said(
    run: Cli, tmp_path: Path, flags: str, message: str
):
    write_table(tmp_path / "people.csv", people(80))
    code, out, err = run("train", "people.csv", "--target", "income", *flags.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_not_there(run: Cli):
    code, _, err = run("train", "none.csv", *ASKED)
    assert code == 2
    assert "none.csv does not exist" in err
    code, _, err = run("train", "people.xlsx", *ASKED)
    assert code == 2
    assert "or a .csv, .tsv, .parquet file; got 'people.xlsx'" in err


def test_pictures_that_do_not_open(run: Cli, tmp_path: Path):
    write_pictures(tmp_path / "photos", 40, broken=5)
    flags = ("--images", "photos", "--target", "label", "--attribute", "camera")
    code, _, err = run("train", "photos/labels.csv", *flags)
    assert code == 2
    assert err.count("\n") == 1
    assert "5 of 40 images in photos do not open (first: UnidentifiedImageError" in err


def test_after_training_fresh_judges_say_what_z_tells(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    code, out, _ = run("train", "people.csv", *ASKED, *FAST, "--out", "run")
    assert code == 0
    found = re.search(r"by fresh judges, sex \(nats\) +([\d.]+) \(", out)
    assert found is not None
    kept = load_run("run")
    data = load("people.csv", **kept.config.params)
    assert f"Fresh judges looked at z of {len(data.validation)} validation rows" in out
    z = kept.encode(data.validation.x)
    values = data.validation.c[:, 0]
    expected = estimate_mi(z, values, estimator="quick").nats
    assert float(found[1]) == pytest.approx(expected, abs=0.005)
    assert "infoshed audit run" in out
    again = run("train", "people.csv", *ASKED, *FAST, "--json").out
    assert json.loads(again)["leakage"] == kept.leakage
    assert kept.leakage[0]["nats"] == pytest.approx(expected, abs=1e-9)
    assert found[0] in run("show", "run")[1]


def test_after_training_it_is_said_how_a_budget_was_kept(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    flags = (*ASKED, "--epochs", "30", "--budget", "90%", "--out", "run")
    code, out, _ = run("train", "people.csv", *flags)
    assert code == 0
    assert re.search(
        r"budget \(nats\) +0\.618, not binding: 0\.\d+ of I\(Z;C\|Y\) on validation rows", out
    )


def test_a_warning_is_a_line_without_a_place_in_the_code(
    run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def warn(*_: object) -> str:
        warnings.warn("the critic is blind", CollapseWarning, stacklevel=2)
        return "accuracy"

    monkeypatch.setattr("infoshed.commands.train.run_table", warn)
    write_table(tmp_path / "people.csv", people())
    with warnings.catch_warnings():
        warnings.simplefilter("always", CollapseWarning)
        _, _, err = run("train", "people.csv", *ASKED, *FAST)
    assert "infoshed: the critic is blind" in err.splitlines()


def test_tables_get_as_many_columns_of_z_as_classes_and_two_at_least(tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    data = load("people.csv", target="income", attribute="sex")
    assert data.recipe.dim == 2
    assert fit(data, "mi", epochs=1).config.options["critic_steps"] == 5
    assert fit(data, "mi", epochs=1, critic_steps=2).config.options["critic_steps"] == 2
    assert fit(data, "plain", epochs=1).config.options == {}
    data = load("people.csv", target="job", attribute="sex")
    assert data.recipe.dim == len(data.classes) > 2


def test_rows_with_missing_values_are_left_out_of_the_audit_of_a_table(run: Cli, tmp_path: Path):
    lines = ["sex,label,x"] + [f"{'fm'[i % 2]},{int(i % 3 == 0)},{i}" for i in range(300)]
    (tmp_path / "whole.csv").write_text("\n".join(lines) + "\n")
    holes = [*lines, ",1,5", "f,,6", "f,,7"]
    (tmp_path / "holes.csv").write_text("\n".join(holes) + "\n")
    asked = ("--target", "label", "--attribute", "sex", "--json")
    code, out, _ = run("audit-data", "holes.csv", *asked)
    assert code == 0
    assert json.loads(out) == json.loads(run("audit-data", "whole.csv", *asked).out)
    err = run("audit-data", "holes.csv", *asked).err
    assert "dropped: 2 rows without 'label'" in err
    assert "dropped: 1 rows without 'sex'" in err


def test_plain_training_to_compare_with_is_one_command_away(run: Cli, tmp_path: Path):
    write_table(tmp_path / "people.csv", people())
    asked = ["people.csv", "--target", "income", "--attribute", "sex", "--epochs", "2"]
    code, out, _ = run("train", *asked)
    assert code == 0
    said = next(line for line in out.splitlines() if line.startswith("Against plain training: "))
    first, then = said.removeprefix("Against plain training: ").split("; then ")
    code, out, _ = run(*shlex.split(first)[1:])
    assert code == 0
    assert "Against plain training" not in out
    made = load_run("runs/people-plain-seed0").config
    run_config = load_run("runs/people-mi-seed0").config
    assert replace(run_config, method="plain", options={}) == made
    assert then == "infoshed audit runs/people-mi-seed0 --before runs/people-plain-seed0"
    compared = run(*shlex.split(then)[1:], "--estimator", "quick").out
    assert "before: " in compared
    for name in ("the worst fresh probe, nats", "accuracy conflicting"):
        assert re.search(rf"{name} +-?[\d.]+ \(.*\) +-?[\d.]+ \(", compared), compared
    again = run("train", *asked, "--seed", "0", "--out", "runs/other").out
    assert f"Against plain training: {then.replace('people-mi-seed0', 'other')}\n" in again
    other = run("train", *asked[:-1], "3", "--out", "runs/third").out
    assert (
        "--out runs/third-plain; then infoshed audit runs/third --before runs/third-plain" in other
    )
