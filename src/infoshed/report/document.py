"""A page as a list of sections, each of a few kinds of blocks: what most pages are made of.

``document.html.j2`` sets a block by its ``kind``; charts and tables are blocks too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from infoshed.report.chart import Chart, Table
from infoshed.report.html import render_template


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[str]
    kind: ClassVar[str] = "items"


@dataclass(frozen=True)
class Caution:
    """Sentences that must not be overlooked."""

    items: Sequence[str]
    kind: ClassVar[str] = "caution"


@dataclass(frozen=True)
class Command:
    """A command to copy."""

    text: str
    kind: ClassVar[str] = "command"


@dataclass(frozen=True)
class Panels:
    """Charts side by side where there is room."""

    charts: Sequence[Chart]
    kind: ClassVar[str] = "panels"


Block = Text | Heading | Items | Caution | Command | Panels | Table


@dataclass(frozen=True)
class Section:
    """id: unique on the page. heading: shown. blocks: in order; one without is left out."""

    id: str
    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """title, verdict (a sentence, and what is said below it), sections."""

    title: str
    verdict: tuple[str, str]
    sections: Sequence[Section]


def render_document(document: Document) -> str:
    """The HTML page; the same document gives the same string, byte for byte."""
    sections = [section for section in document.sections if section.blocks]
    return render_template(
        "document.html.j2",
        document.title,
        document.verdict,
        [(section.id, section.heading) for section in sections],
        parts=sections,
    )


def again(command: str, versions: dict[str, str], settings: Sequence[tuple[str, str]]) -> Section:
    """How to get the page again: the command, versions and configuration."""
    blocks: list[Block] = [Command(command)] if command else []
    if versions:
        blocks.append(Text(", ".join(f"{name} {version}" for name, version in versions.items())))
    if settings:
        blocks.append(Table("Configuration", ("setting", "value"), [list(s) for s in settings]))
    return Section("again", "To run it again", blocks)


def items(lines: Sequence[str]) -> list[Block]:
    """A list of the sentences; nothing where there is none."""
    return [Items([sentence(line) for line in lines])] if lines else []


def sentence(text: str) -> str:
    """With a capital, unless it begins with the symbol z, and a full stop."""
    start = text[:1] if text.startswith("z ") else text[:1].upper()
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
