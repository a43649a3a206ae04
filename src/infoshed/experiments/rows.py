"""Rows of finished runs: a file of JSON lines that several processes may append to.

A row is written by one `write` to a file opened for appending, under a lock, so lines of several
processes do not mix. A process that is killed while writing can leave a torn last line: it is
passed over when reading, and the next row begins on a line of its own.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from infoshed.checks import InfoshedError


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows in `path`, none if it is not there; of several with one key, the last.

    Raises `InfoshedError` for a file that holds something else.
    """
    path = Path(path)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            continue  # torn: its run is made again
        if not isinstance(row, dict) or "key" not in row:
            raise InfoshedError(f"{path}, line {number} is not the row of a run: {line[:60]}")
        found.pop(row["key"], None)
        found[row["key"]] = row
    return list(found.values())


def append_row(path: str | Path, row: dict[str, Any]) -> None:
    """Add a row to the file at `path` (made if need be), whole or not at all.

    Raises `ValueError` for NaN or infinity in it.
    """
    line = json.dumps(row, allow_nan=False) + "\n"
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file, locked(file):
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())
        os.fsync(file.fileno())


@contextmanager
def locked(file: IO[Any], wait: bool = True) -> Iterator[None]:
    """Hold the exclusive lock of an open file. Without `wait`, raises `BlockingIOError` where
    another process holds it. Where the system has no such locks, nothing is locked."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


@cache
def revision() -> str | None:
    """The git revision that the library is run from, "+changes" where its files differ from it;
    None outside a repository, or where git is not installed."""
    package = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # not a repository around an installation
        changes = "+changes" if git("status", "--porcelain", "--", ".") else ""
        return git("rev-parse", "--short", "HEAD") + changes
    except (OSError, subprocess.CalledProcessError):
        return None
