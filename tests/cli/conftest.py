"""The command line in this process, in a folder of its own."""

import math
import sys
from pathlib import Path

import pytest
from command import Cli, Result

from infoshed import cli


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder of its own, without a report unless a test asks for one, and
    without the lines that a training of ten seconds has."""
    monkeypatch.setattr("infoshed.progress.LINE_SECONDS", math.inf)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("infoshed.commands.train.has_report_extra", lambda: False)
    monkeypatch.setattr("infoshed.demo.has_report_extra", lambda: False)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command in this process."""

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["infoshed", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as error:
            code = int(error.code or 0)
        streams = capsys.readouterr()
        return Result(code, streams.out, streams.err)

    return call
