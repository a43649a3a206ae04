"""Rows: appended whole by several processes, read back with torn lines passed over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import infoshed
from infoshed import InfoshedError
from infoshed.experiments import rows
from infoshed.experiments.rows import append_row, locked, read_rows, revision

SOURCE = Path(infoshed.__file__).resolve().parents[1]


def test_rows_are_read_as_they_were_appended(tmp_path: Path):
    path = tmp_path / "deep" / "rows.jsonl"
    assert read_rows(path) == []
    wanted = [{"key": "a", "x": 1 / 3, "name": "Größe"}, {"key": "b", "x": None}]
    for row in wanted:
        append_row(path, row)
    assert read_rows(path) == wanted


def test_the_last_row_of_a_key_counts(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    for row in ({"key": "a", "error": "bad"}, {"key": "b"}, {"key": "a", "x": 1}):
        append_row(path, row)
    assert read_rows(path) == [{"key": "b"}, {"key": "a", "x": 1}]


@pytest.mark.parametrize("torn", [b'{"key": "b", "x', b"\xc3", b'{"key": "b", "name": "\xc3'])
def test_a_torn_last_line_costs_that_row_only(tmp_path: Path, torn: bytes):
    path = tmp_path / "rows.jsonl"
    append_row(path, {"key": "a"})
    path.write_bytes(path.read_bytes() + torn)
    assert read_rows(path) == [{"key": "a"}]
    append_row(path, {"key": "c"})
    assert read_rows(path) == [{"key": "a"}, {"key": "c"}]


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"key": "a"}\n{"accuracy": 1}\n')
    with pytest.raises(InfoshedError, match=r"rows\.jsonl, line 2 is not the row of a run"):
        read_rows(path)


def test_a_row_that_is_no_json_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    append_row(path, {"key": "a"})
    with pytest.raises(ValueError, match="JSON compliant"):
        append_row(path, {"key": "b", "x": float("nan")})
    assert path.read_text() == '{"key": "a"}\n'


def test_processes_append_at_the_same_time(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    code = (
        "import sys; from infoshed.experiments.rows import append_row\n"
        "for i in range(60):\n"
        "    append_row(sys.argv[1], {'key': sys.argv[2] + str(i), 'x': sys.argv[2] * 20000})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], env=environment)
        for name in "ab"
    ]
    assert [process.wait(120) for process in started] == [0, 0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 120
    assert {line["key"] for line in lines} == {f"{n}{i}" for n in "ab" for i in range(60)}
    assert all(line["x"] == line["key"][0] * 20000 for line in lines)


def test_a_lock_is_held_by_one(tmp_path: Path):
    with open(tmp_path / "lock", "a") as first, open(tmp_path / "lock", "a") as second:
        with locked(first), pytest.raises(BlockingIOError), locked(second, wait=False):
            pass
        with locked(second, wait=False):
            pass


def test_the_revision_is_that_of_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    revision.cache_clear()
    head = subprocess.run(
        ["git", "-C", str(SOURCE), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if head.returncode == 0:
        found = revision()
        assert found is not None
        assert head.stdout.startswith(found.removesuffix("+changes"))
    revision.cache_clear()
    monkeypatch.setattr(rows, "__file__", str(tmp_path / "infoshed" / "experiments" / "rows.py"))
    assert revision() is None
    revision.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() is None
    revision.cache_clear()
