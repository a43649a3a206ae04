"""`infoshed reproduce`, on tiny versions of the experiments."""

import gzip
import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from infoshed import cli
from infoshed.experiments import digits, runner
from infoshed.experiments.rows import read_rows
from places import SHARED

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """The command in this process, in a folder of its own: code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["infoshed", "reproduce", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as error:
            code = int(error.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


QUICK = Path("runs/reproduce-quick")


def test_digits_are_reproduced(run: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digits, "QUICK_EPOCHS", 1)
    command = ("digits", "--quick", "--only", "plain,adjust")
    code, out, err = run(*command)
    assert code == 0, err
    assert len(err.splitlines()) == 2
    assert "2 of 2 known runs" in err
    assert re.search(r"^adjust +1 +", out, re.MULTILINE)
    assert "All methods, 1 epoch\n====" in out  # not the forty of the full one
    assert not re.search(r"^#|^\||<details>|`", out, re.MULTILINE)
    rows = read_rows(QUICK / "results/digits.jsonl")
    assert [row["contender"] for row in rows] == ["plain", "adjust"]
    assert f"{100 * rows[1]['figures']['accuracy_unbiased']:.1f}" in out
    page = (QUICK / "docs/digits.md").read_text()
    assert "| adjust |" in page
    assert run(*command) == (0, out, "")
    assert run("digits", "--quick", "--tables") == (0, out, "")


def test_places_can_be_given(run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(digits, "QUICK_EPOCHS", 1)
    code, out, _ = run(
        "digits", "--quick", "--only", "plain", "--results", "mine/rows", "--docs", "mine/docs"
    )
    assert code == 0
    assert (tmp_path / "mine/rows/digits.jsonl").is_file()
    assert f"written: {Path('mine/docs/digits.md')}" in out
    code, out, _ = run("digits", "--tables")
    assert code == 0
    assert "No runs yet" in out


def write_idx(path: Path, array: np.ndarray) -> str:
    """An idx file; its md5."""
    header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_colored_mnist_is_reproduced(run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    module = import_module("infoshed.data.colored_mnist")  # its name is its function's too
    rng = np.random.default_rng(0)
    for name in list(module.MD5):
        n = 640 if name.startswith("train") else 100
        array = np.arange(n) % 10
        if "images" in name:
            array = (rng.random((n, 28, 28)) < 0.3) * 255
        monkeypatch.setitem(module.MD5, name, write_idx(folder / name, array))
    monkeypatch.setattr(module, "VALIDATION", 200)
    monkeypatch.setenv("INFOSHED_CACHE", str(tmp_path / "cache"))
    code, out, err = run("colored-mnist", "--quick", "--data-dir", "data", "--only", "plain")
    assert code == 0, err
    assert re.search(r"^method +sigma2 0\.020 +sigma2 0\.050$", out, re.MULTILINE)
    assert "LNTL" in out
    rows = read_rows(QUICK / "results/colored-mnist.jsonl")
    assert [row["params"] for row in rows] == [{"sigma2": 0.02}, {"sigma2": 0.05}]
    assert all("data" not in json.dumps(row["config"]["params"]) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "only"), [("faces", "plain,ancova"), ("fairness", "plain,threshold-parity")]
)
def test_experiments_on_real_data_are_reproduced(run: Command, name: str, only: str):
    if not SHARED.is_dir():
        pytest.skip(f"no data: {SHARED} is not there")
    if name == "fairness":
        pytest.importorskip("fairlearn")
    code, out, err = run(name, "--quick", "--data-dir", str(SHARED), "--only", only)
    assert code == 0, err
    assert "FAILED" not in err
    assert re.search(r"^plain ", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mnist", "`experiment` must be one of colored-mnist, digits, faces, fairness"),
        ("", "NAME"),
        ("digits --quick --seeds 0", "`seeds` must be an integer at least 1"),
        ("digits --quick --jobs 0", "`jobs` must be an integer at least 1"),
        ("digits --quick --jobs 1.5", "a whole number is expected"),
        ("digits --quick --only magic", "`only` must be one of .*; got 'magic'"),
        ("faces --quick --data-dir nowhere", "nowhere does not exist.*--data-dir"),
        ("faces --quick", "--data-dir"),
        ("fairness --quick", "--data-dir"),
    ],
)
def test_a_mistake_is_one_line(run: Command, arguments: str, message: str):
    code, out, err = run(*arguments.split())
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(message, err), err


def test_an_interruption_says_what_is_kept(run: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "execute", interrupted)
    code, out, err = run("digits", "--quick")
    assert (code, out) == (130, "")
    assert "finished runs and epochs are kept, the same command continues" in err
