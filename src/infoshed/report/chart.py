"""What the page is made of: charts, each with the table of its figures behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

MISSING = "–"


@dataclass(frozen=True)
class Table:
    """caption, column heads and rows of text; the first cell of a row is its heading."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Chart:
    """One figure: its title, the ``<svg>``, a line about it and the data behind it."""

    title: str
    svg: Markup
    caption: str
    table: Table


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"
