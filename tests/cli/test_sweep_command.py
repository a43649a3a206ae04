"""`infoshed sweep` and `infoshed select`."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from command import Cli

from infoshed.experiments import runner
from infoshed.experiments.base import Row
from infoshed.experiments.rows import append_row, read_rows
from infoshed.progress import RunsBar, working
from own_files import people, write_table

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


def test_what_nothing_can_be_chosen_by_is_said_before_training(run: Cli):
    few = {name: values[:54] for name, values in people().items()}
    write_table(Path("people.csv"), few)
    asked = ("people.csv", "--target", "income", "--attribute", "sex", "--out", "all")
    code, _, err = run("sweep", *asked, "--seeds", "1", "--epochs", "1")
    assert code == 2
    assert re.search(r"no setting could be chosen by the \d validation rows of people.csv", err)
    assert not Path("all").exists()


def test_a_strength_that_moves_is_one_of_the_grid(run: Cli):
    ramp = "0 to 0.3 over 0.5"
    done = run("sweep", "digits", "--strengths", f"0.3,{ramp}", "--seeds", "1", "--epochs", "1")
    assert done.code == 0, done.err
    assert f"strength {ramp}" in done.out
    rows = read_rows(HOME / "rows.jsonl")
    assert [row["options"]["strength"] for row in rows] == [0.3, ramp]
    assert 0.15 < rows[1]["metrics"]["strength"] < 0.3  # of the epoch: half of it moving
    names = [folder.name for folder in (HOME / "runs").iterdir()]
    assert any(name.startswith("strength-0-to-0.3-over-0.5-seed0") for name in names)


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
        (
            "sweep digits --strengths much",
            "`strength` must be a finite number at least 0; got .much.",
        ),
        ("sweep digits --strengths ,", "`strengths` must hold at least one strength"),
        ("sweep digits --strengths 1 --budgets 5%", "not both"),
        ("sweep digits --budgets lots", "`budget` must be nats"),
        ("sweep digits --method plain --strengths 1", "no option `strength`"),
        ("sweep digits --seeds 0", "`seeds` must be an integer at least 1"),
        ("sweep digits --seeds 1.5", "a whole number is expected"),
        ("sweep digits --jobs 0", "`jobs` must be an integer at least 1"),
        ("sweep digits --epochs 0", "`epochs` must be an integer at least 1"),
        ("sweep digits --seed 1", "--seed"),
        ("sweep colored-mnist --data-dir nowhere", "nowhere does not exist.*--data-dir"),
        ("select", "OUT requires"),
        ("select nowhere", r"no runs in nowhere; make some with `infoshed sweep"),
        ("select .", r"no runs in rows\.jsonl"),
        ("select notes.txt", r"notes\.txt holds no rows of runs, .* give the folder of a sweep"),
        ("select list.json", r"list\.json holds no rows of runs"),
        ("select object.json", r"object\.json holds no rows of runs"),
    ],
)
def test_a_mistake_is_one_line(run: Cli, arguments: str, message: str):
    Path("notes.txt").write_text("some\nnotes\n")
    Path("list.json").write_text("[1]\n")
    Path("object.json").write_text('{"key": 1}\n')
    code, out, err = run(*arguments.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not Path("runs").exists() or not list(Path("runs").rglob("rows.jsonl"))


def test_a_sweep_does_not_go_on_with_a_file_that_has_changed(run: Cli):
    write_table(Path("people.csv"), people())
    command = ("sweep", "people.csv", "--target", "income", "--attribute", "sex", "--out", "all",
               "--method", "plain", "--seeds", "1", "--epochs", "1")  # fmt: skip
    assert run(*command).code == 0
    assert run(*command).code == 0
    other = run(*[*command[:3], "job", *command[4:]])  # another question to the same file
    assert other.code == 0, other.err
    table = people()
    table["age"][7] = "99"
    write_table(Path("people.csv"), table)
    code, _, err = run(*command)
    assert code == 2
    assert "people.csv has changed since the runs in all were trained" in err


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
    execute, done = runner.execute, []

    def interrupted(*arguments: Any) -> Row:
        if done:
            raise KeyboardInterrupt
        done.append(execute(*arguments))
        return done[0]

    monkeypatch.setattr(runner, "execute", interrupted)
    code, out, err = run(*SWEEP)
    assert (code, out) == (130, "")
    assert "the grid is incomplete: 1 of 2 runs have not ended" in err
    assert "finished runs and epochs are kept, the same command continues" in err
    assert "the grid is incomplete: 1 of its runs have not ended" in run("select", str(HOME)).out
    assert json.loads(run("select", str(HOME), "--json").out)["choices"][0]["missing"] == 1
    monkeypatch.setattr(runner, "execute", execute)
    assert "incomplete" not in run(*SWEEP).out


def test_the_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch):
    def shown(terminal: bool) -> str:
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with RunsBar() as bar:
            bar.show(1, 4, "mi [strength] 0.3 seed 1")
            bar.say("1 of 4 known runs [x]")
        with working("audit of [b]") as say:
            say("sex, fresh probes")
        return stream.getvalue()

    assert shown(False) == "1 of 4 known runs [x]\n"
    assert "runs 1/4" in shown(True)
    assert "mi [strength] 0.3 seed 1" in shown(True)
    assert "audit of [b]" in shown(True)


def test_ray_is_asked_for_by_its_extra(run: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run(*SWEEP, "--ray", "local")
    assert code == 2
    assert "pip install 'infoshed[ray]'" in err


def test_an_oracle_says_nothing_where_there_is_one_setting(run: Cli, tmp_path: Path):
    rows = tmp_path / "plain"
    done = run("sweep", "digits", "--quick", "--method", "plain", "--epochs", "1", "--seeds", "1",
               "--out", str(rows))  # fmt: skip
    assert done.code == 0, done.err
    found = run("select", str(rows), "--oracle", "unbiased")
    assert "chosen:" in found.out
    assert "oracle, not available" not in found.out
