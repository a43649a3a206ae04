"""`infoshed sweep` and `infoshed select`."""

import json
import re
import sys
from pathlib import Path

import pytest
from command import Cli

from infoshed.experiments import runner
from infoshed.experiments.rows import append_row, read_rows

SWEEP = ("sweep", "digits", "--strengths", "0,1", "--seeds", "1", "--epochs", "1")
HOME = Path("runs/sweep-digits")


def test_a_sweep_is_made_shown_and_chosen_from(run: Cli):
    done = run(*SWEEP)
    assert done.code == 0, done.err
    assert len(done.err.splitlines()) == 2
    assert "2 of 2 known runs" in done.err
    for word in ("chosen: strength", "runners-up: strength", "rule: Strengths are chosen on the"):
        assert word in done.out
    rows = read_rows(HOME / "rows.jsonl")
    assert [row["options"]["strength"] for row in rows] == [0, 1]
    assert f"written: {HOME / 'sweep.md'}" in done.out
    assert "chosen" in (HOME / "sweep.md").read_text()
    assert "unbiased" not in done.out + done.err

    assert run(*SWEEP) == (0, done.out, "")
    shown = run("select", str(HOME))
    assert shown.code == 0
    assert shown.out == done.out.partition("written:")[0]
    found = re.search(r"run folder, seed 0: (\S+)", shown.out)
    assert found is not None
    assert run("show", found[1]).code == 0

    with_oracle = run("select", str(HOME), "--oracle", "unbiased")
    assert "oracle, not available in practice: strength" in with_oracle.out
    document = json.loads(run("select", str(HOME), "--oracle", "unbiased", "--json").out)
    choice = document["choices"][0]
    assert choice["folders"] == {"0": found[1]}
    best = max(row["figures"]["accuracy_unbiased"] for row in rows)
    assert choice["oracle, not available in practice"]["accuracy"] == best
    assert f"{best:.1%}" in with_oracle.out


def test_settings_reach_every_run(run: Cli):
    done = run(
        "sweep", "digits", "--quick", "--method", "dann", "--strengths", "0.5", "--seeds", "1",
        "--epochs", "1", "--batch-size", "128", "--sigma2", "0.03", "--out", "mine",
    )  # fmt: skip
    assert done.code == 0, done.err
    (row,) = read_rows(Path("mine/rows.jsonl"))
    assert (row["method"], row["options"]["strength"]) == ("dann", 0.5)
    assert (row["config"]["epochs"], row["config"]["batch_size"]) == (1, 128)
    assert row["config"]["params"] == {"sigma2": 0.03, "seed": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sweep", "DATASET requires"),
        ("sweep mnist", "`data set` must be one of .*digits"),
        ("sweep digits --method magic", "`method` must be one of .*plain"),
        ("sweep digits --strengths much", "numbers with commas between .*got 'much'"),
        ("sweep digits --strengths ,", "`strengths` must hold at least one strength"),
        ("sweep digits --strengths 1 --budgets 5%", "not both"),
        ("sweep digits --budgets lots", "`budget` must be nats"),
        ("sweep digits --method plain --strengths 1", "no option `strength`"),
        ("sweep digits --seeds 0", "`seeds` must be an integer at least 1"),
        ("sweep digits --seeds 1.5", "a whole number is expected"),
        ("sweep digits --jobs 0", "`jobs` must be an integer at least 1"),
        ("sweep digits --epochs 0", "`epochs` must be an integer at least 1"),
        ("sweep digits --seed 1", "--seed"),
        ("sweep colored-mnist --data-dir nowhere", "nowhere lacks .*--data-dir"),
        ("select", "OUT requires"),
        ("select nowhere", r"no runs in nowhere; make some with `infoshed sweep"),
        ("select .", r"no runs in rows\.jsonl"),
    ],
)
def test_a_mistake_is_one_line(run: Cli, arguments: str, message: str):
    code, out, err = run(*arguments.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not Path("runs").exists() or not list(Path("runs").rglob("rows.jsonl"))


def test_nothing_is_chosen_from_failures(run: Cli):
    row = {
        "key": "a", "contender": "mi", "table": "sweep", "dataset": "digits", "params": {},
        "settings": {}, "limit": None, "method": "mi", "options": {"strength": 1.0}, "seed": 0,
        "error": "NonFiniteError: loss",
    }  # fmt: skip
    append_row("rows.jsonl", row)
    code, _, err = run("select", ".")
    assert code == 2
    assert "no setting has figures for the rule from every run" in err


def test_an_interruption_says_what_is_kept(run: Cli, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "execute", interrupted)
    code, out, err = run(*SWEEP)
    assert (code, out) == (130, "")
    assert "finished runs and epochs are kept, the same command continues" in err


def test_ray_is_asked_for_by_its_extra(run: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run(*SWEEP, "--ray", "local")
    assert code == 2
    assert "pip install 'infoshed[ray]'" in err
