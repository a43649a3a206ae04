"""What commands write: JSON on standard output, and with `--out` a document or a page to read."""

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from infoshed.checks import InfoshedError
from infoshed.io import write_json, write_text
from infoshed.report.collect import NO_REPORT, has_report_extra

OUTPUT = Group("Output")
Json = Annotated[bool, Parameter(name="--json", negative="", group=OUTPUT)]


@dataclass(frozen=True)
class Findings:
    """document: as JSON. page: makes the HTML page."""

    document: dict[str, Any]
    page: Callable[[], str]


WRITERS: dict[str, Callable[[Findings, Path], None]] = {
    ".json": lambda found, path: write_json(path, found.document),
    ".html": lambda found, path: write_text(path, found.page()),
}
"""What is written, by the end of the file's name."""


def writer(out: Path | None) -> Callable[[Findings], None]:
    """What writes findings to `out`, or does nothing where that is None. Raises `InfoshedError`
    for a place or an end that cannot be written, before any work is done."""
    if out is None:
        return lambda found: None
    kind = out.suffix.lower()
    if kind not in WRITERS:
        raise InfoshedError(f"--out: cannot write {out}; known: {', '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise InfoshedError(f"--out: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise InfoshedError(f"--out: {out} is a folder; name a file")
    if kind == ".html" and not has_report_extra():
        raise InfoshedError(NO_REPORT)

    def write(found: Findings) -> None:
        WRITERS[kind](found, out)
        print(f"written: {out}", file=sys.stderr)

    return write


def command_line() -> str:
    """The command that was given, to be given again."""
    return shlex.join(["infoshed", *sys.argv[1:]])


def shown(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as text, less those that were not given."""
    return {name: str(value) for name, value in settings.items() if value is not None}


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))
