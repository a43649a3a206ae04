"""The command line: what goes to which stream, exit codes, and one line for every mistake."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import Cli, Result

import infoshed
from infoshed import DATASETS, ESTIMATORS, METHODS, InfoshedError, cli

SOURCE = Path(infoshed.__file__).resolve().parents[1]


def process(*arguments: str) -> Result:
    """The command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "infoshed", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    return Result(done.returncode, done.stdout, done.stderr)


FAST = ("train", "digits", "--epochs", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train mnist", "`data set` must be one of .*digits"),
        ("train", "which data set.*digits"),
        ("train digits --method magic", "`method` must be one of .*plain"),
        ("train digits --method plain --strength 1", "no option `strength`"),
        ("train digits --strength -1", "`strength` must be .* at least 0"),
        ("train digits --strength 1 --budget 5%", "not both"),
        ("train digits --strength much", "strength"),
        ("train digits --budget lots", "`budget` must be nats"),
        ("train digits --epochs 1.5", "--epochs: a whole number is expected, got 1.5"),
        ("train digits --batch-size 1e2", "a whole number is expected"),
        ("train digits --critic-steps 2.5", "a whole number is expected"),
        ("demo --seeds 1.5", "a whole number is expected"),
        ("train digits --epochs 0", "`epochs` must be an integer at least 1"),
        ("train digits --sigma2 0", "`sigma2` must be"),
        ("train digits --seed -1", "`seed` must be"),
        ("train digits --encoder vgg", "`encoder` must be one of"),
        ("train digits --critic magic", "`critic` must be one of"),
        ("train digits --data-dir x", "takes no parameter `data_dir`"),
        ("train digits --colour red", "colour"),
        ("train digits extra", "extra"),
        ("train digits --resume", "--resume needs --out"),
        ("train digits --resume --out none", "no run in none: it has no config.json"),
        ("train colored-mnist --data-dir nowhere", "nowhere does not exist.*--data-dir"),
        ("train --config none.toml", "cannot read none.toml"),
        ("show .", "is not a run folder"),
        ("show nowhere", "nowhere is not a run folder"),
        ("show", "RUN requires"),
        ("mi", "requires"),
        ("mi none.npy none.csv:sex", "none.npy does not exist"),
        ("demo --seeds 0", "`seeds` must be an integer at least 1"),
        ("learn", "learn"),
        ("--colour", "colour"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run: Cli, arguments: str, message: str):
    code, out, err = run(*arguments.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("infoshed: ")
    assert "--debug" in err
    assert re.search(message, err)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset = ", "cannot read run.toml"),
        ("\ufeff\udcff", "cannot read run.toml"),
        ('dataset = "digits"\ncolour = "red"', "unknown key `colour`"),
        ('dataset = "digits"\nepochs = "three"', "`epochs` must be"),
        ('dataset = "digits"\nsigma2 = "small"', "`sigma2` must be"),
        ('dataset = "digits"\nlr = true', "`lr` must be"),
        ('dataset = ["digits"]', "`data ?set` must be"),
        ('dataset = "digits"\nmethod = 3', "`method` must be"),
        ('dataset = "digits"\nseed = "one"', "`seed` must be"),
        ('dataset = "digits"\n[method]\nname = "mi"', "`method` must be"),
        # Text is true in Python, and numbers have no methods of modules and paths.
        ('dataset = "digits"\nconditional = "no"\nepochs = 1', "conditional"),
        ('dataset = "digits"\nencoder = 3', "encoder"),
        ('dataset = "colored-mnist"\ndata_dir = 3', "data_dir"),
    ],
)
def test_a_mistake_in_a_toml_file_is_one_line_and_exit_code_2(
    run: Cli, tmp_path: Path, text: str, message: str
):
    (tmp_path / "run.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    code, out, err = run("train", "--config", "run.toml")
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err)
    assert not (tmp_path / "runs").exists()


def test_debug_shows_where_it_happened(run: Cli):
    with pytest.raises(InfoshedError, match="must be one of"):
        run("train", "mnist", "--debug")
    with pytest.raises(InfoshedError, match="must be one of"):
        run("--debug", "train", "mnist")


def test_a_trained_run_is_one_json_document(run: Cli, tmp_path: Path):
    code, out, err = run(*FAST, "--method", "plain", "--seed", "2", "--json")
    assert code == 0
    assert err == ""  # no progress bar where nobody watches
    result = json.loads(out)
    assert result["method"] == "plain"
    assert result["seed"] == 2
    assert result["dataset"] == "digits"
    for name in ("accuracy_biased", "accuracy_unbiased", "accuracy_validation"):
        assert 0 <= result[name] <= 1
    folder = tmp_path / "runs" / "digits-plain-seed2"
    assert infoshed.load_run(folder).summary() == result

    code, out, _ = run("show", str(folder), "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown.pop("metrics") == infoshed.load_run(folder).metrics
    assert shown == result

    code, out, _ = run("show", str(folder))
    assert code == 0
    assert f"{result['accuracy_unbiased']:.1%}" in out


def test_a_second_run_of_the_same_name_gets_a_folder_of_its_own(run: Cli, tmp_path: Path):
    for _ in range(2):
        assert run(*FAST, "--method", "plain").code == 0
    names = sorted(p.name for p in (tmp_path / "runs").iterdir())
    assert names == ["digits-plain-seed0", "digits-plain-seed0-2"]


def without_time(text: str) -> dict[str, Any]:
    result = json.loads(text)
    del result["seconds"]
    return result


def test_a_toml_file_says_the_same_as_flags(run: Cli, tmp_path: Path):
    (tmp_path / "run.toml").write_text(
        'dataset = "digits"\nmethod = "mi"\nepochs = 1\nsigma2 = 0.03\nseed = 1\nlr = 0.002\n'
        'strength = 0.5\ncritic_steps = 1\nconditional = false\nloss = "plain"\n'
    )
    by_file = run("train", "--config", "run.toml", "--json")
    flags = "--method mi --epochs 1 --sigma2 0.03 --seed 1 --lr 0.002 --strength 0.5"
    flags += " --critic-steps 1 --no-conditional --loss plain"
    by_flags = run("train", "digits", *flags.split(), "--json")
    assert without_time(by_file.out) == without_time(by_flags.out)
    over = run("train", "--config", "run.toml", "--strength", "0.25", "--json")
    assert json.loads(over.out)["strength"] == 0.25


def test_resuming_on_the_command_line_gives_the_uninterrupted_run(run: Cli):
    settings = "train digits --method plain --seed 4 --lr 0.002 --batch-size 100 --sigma2 0.03"
    whole = run(*settings.split(), "--epochs", "2", "--json")
    assert run(*settings.split(), "--epochs", "1", "--out", "run").code == 0
    resumed = run("train", "--out", "run", "--resume", "--epochs", "2", "--json")
    assert without_time(resumed.out) == without_time(whole.out)


def test_a_run_is_not_overwritten(run: Cli):
    assert run(*FAST, "--out", "run", "--method", "plain").code == 0
    code, _, err = run(*FAST, "--out", "run", "--method", "plain")
    assert code == 2
    assert "holds a run already" in err


def test_an_interrupt_says_how_to_go_on(run: Cli, monkeypatch: pytest.MonkeyPatch):
    # The parser, left to itself, swallows the interrupt before the line is printed.
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("infoshed.commands.train.fit", interrupt)
    code, out, err = run(*FAST)
    assert out == ""
    assert code == 130
    assert "--resume continues" in err


def test_an_interrupted_run_can_be_shown(run: Cli, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(METHODS["plain"], "step", interrupt)
        assert run(*FAST, "--method", "plain", "--out", "run").code == 130
    code, out, _ = run("show", "run")
    assert code == 0
    assert "0 of 1 epochs" in out
    assert run("show", "run", "--json").code == 0


def test_the_demo_gives_plain_and_debiased_runs(run: Cli, tmp_path: Path):
    code, out, _ = run("demo", "--seeds", "1", "--epochs", "1", "--json")
    assert code == 0
    runs = json.loads(out)["runs"]
    assert [(r["method"], r["seed"]) for r in runs] == [("plain", 0), ("mi", 0)]
    for result in runs:
        assert 0 <= result["accuracy_biased"] <= 1
        assert 0 <= result["accuracy_unbiased"] <= 1
    folder = tmp_path / "runs" / "demo"
    assert infoshed.load_run(folder / "mi-0").config.method == "mi"

    # A demo is replaced by the next one.
    code, out, _ = run("demo", "--seeds", "1", "--epochs", "1")
    assert code == 0
    assert "plain" in out
    assert "mi" in out


def test_the_demo_does_not_overwrite_what_is_no_demo(run: Cli, tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    code, _, err = run("demo", "--seeds", "1", "--epochs", "1", "--out", "work")
    assert code == 2
    assert err.count("\n") == 1
    assert "holds something else than a demo" in err
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"
    code, _, err = run("demo", "--seeds", "1", "--out", "work/thesis.txt")
    assert code == 2
    assert err.count("\n") == 1
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"


def test_a_report_is_written_where_it_can_be(
    run: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    monkeypatch.setattr("infoshed.commands.train.has_report_extra", lambda: True)
    code, out, _ = run(*FAST, "--out", "run", "--strength", "0.5")
    assert code == 0
    assert "run/report.html" in out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "infoshed train digits" in page
    assert "--strength 0.5" in page


def test_the_command_of_a_run_trains_it_again(run: Cli, tmp_path: Path):
    arguments = "--epochs 1 --seed 3 --sigma2 0.03 --no-conditional --budget 5% --critic-steps 1"
    first = run("train", "digits", *arguments.split(), "--out", "run", "--json")
    command = cli.command_of(infoshed.load_run(tmp_path / "run").config).split()
    assert command[0] == "infoshed"
    assert without_time(run(*command[1:], "--json").out) == without_time(first.out)


def test_list_names_every_entry(run: Cli):
    code, out, _ = run("list", "--json")
    assert code == 0
    entries = json.loads(out)
    assert {k: list(v) for k, v in entries.items()} == {
        "data sets": list(DATASETS),
        "methods": list(METHODS),
        "estimators": list(ESTIMATORS),
    }
    lines = [line for group in entries.values() for line in group.values()]
    assert all(line and "\n" not in line for line in lines)
    code, out, _ = run("list")
    assert code == 0
    for name in (*DATASETS, *METHODS, *ESTIMATORS):
        assert f"  {name} " in out


def test_flags_are_the_options_of_the_methods():
    from dataclasses import fields

    from infoshed.settings import TrainFlags

    flags = {f.name for f in fields(TrainFlags)}
    for method, kind in METHODS.items():
        assert {f.name for f in fields(kind.Options)} <= flags, method


def test_help_of_train_shows_the_defaults(run: Cli):
    from dataclasses import fields

    from infoshed.methods.mi import STRENGTH

    shown = " ".join(run("train", "--help").out.replace("│", " ").split())
    defaults = {f.name: f.default for f in fields(METHODS["mi"].Options)}
    assert f"the paper's lambda ({STRENGTH})" in shown
    assert f"Critic steps per encoder step, K ({defaults['critic_steps']})." in shown
    assert f"Learning rate of the critic ({defaults['critic_lr']})." in shown


COMMANDS = ("demo", "train", "mi", "audit", "audit-data", "reproduce", "sweep", "select", "show")
HELPS = [["--help"], *([name, "--help"] for name in COMMANDS)]


@pytest.mark.parametrize("arguments", HELPS)
def test_help_is_on_standard_output(run: Cli, arguments: list[str]):
    code, out, err = run(*arguments)
    assert code == 0
    assert err == ""
    assert "infoshed" in out


def test_the_version_is_printed(run: Cli):
    assert run("--version").out.strip() == infoshed.__version__


def test_the_module_is_the_command():
    code, out, err = process("--help")
    assert code == 0
    assert err == ""
    for name in ("demo", "train", "mi", "list", "show"):
        assert name in out


def test_a_process_that_fails_keeps_to_its_streams():
    code, out, err = process("train", "mnist")
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_process_prints_one_json_document_and_nothing_else():
    code, out, err = process("list", "--json")
    assert code == 0
    assert list(json.loads(out)["methods"]) == list(METHODS)
    assert err == ""


def test_a_reader_who_has_had_enough_is_no_error():
    started = subprocess.Popen(
        [sys.executable, "-m", "infoshed", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.close()  # as `head` does, but before the first line
    assert started.stderr.read() == b""
    started.stderr.close()
    assert started.wait(120) == 141  # of a process that SIGPIPE ends, in a shell


def test_importing_is_light():
    heavy = ("matplotlib", "jinja2", "sklearn", "scipy", "pandas", "lightning", "pooch")
    code = f"import sys, infoshed, infoshed.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("train digit", "got 'digit'; did you mean 'digits'?"),
        ("train digits --method pain", "got 'pain'; did you mean 'plain'?"),
        ("train digits --encoder RESNET", "got 'RESNET'; did you mean 'resnet'?"),
        ("train digits --method qqq", "got 'qqq' (--debug"),
    ],
)
def test_a_misspelt_name_is_guessed(run: Cli, arguments: str, text: str):
    code, _, err = run(*arguments.split())
    assert code == 2
    assert text in err
