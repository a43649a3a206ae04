"""The page of an audit of a table, before any training: how y and c are tied, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from infoshed.auditing.data import DataAudit, TableAudit
from infoshed.auditing.tables import cell_rows, data_rows
from infoshed.auditing.words import interval_text, number_text, p_text
from infoshed.report.chart import Chart, Table
from infoshed.report.document import (
    Block,
    Caution,
    Document,
    Items,
    Panels,
    Section,
    Text,
    again,
    items,
    render_document,
)
from infoshed.report.figures import share_matrix
from infoshed.report.intervals import interval_rows

DRAWN = 40  # groups and classes of a table that are drawn
LIMITS = (
    "All of this is about these rows: what the labels and attributes say of each other, not what a "
    "model will learn from them.",
    "Attributes that are not in the table are not seen; two that are harmless by themselves may "
    "not be together.",
)


@dataclass(frozen=True)
class DataContent:
    """What the page shows: the audit, of what, name and value of the settings, how to get it
    again, and versions."""

    audit: DataAudit
    subject: str
    settings: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def render_data_audit(content: DataContent) -> str:
    """The HTML page; the same content gives the same string, byte for byte."""
    audit = content.audit
    first, *others = audit.tables
    headline = first.advice[0][0].upper() + first.advice[0][1:] + "."
    interval = (
        f"I(C;Y) = {interval_text(first.information)} nats with its 95% interval, p "
        f"{p_text(first.p)}; {audit.rows:,} rows."
    )
    names = ", ".join(table.attribute for table in audit.tables[: len(others) or 1])
    done = Text(
        f"{audit.rows:,} rows of {content.subject}: how much {names} and {audit.target} say about "
        "each other, before anything is trained. I(C;Y) is their mutual information in nats, 0 "
        "where they are independent: a model that predicts the target perfectly tells at least "
        "that much about the attribute."
    )
    sections = [Section("done", "What was done", [done])]
    if others:
        sections.append(Section("summary", "All attributes", _summary(audit)))
    sections += [_table(table, audit, f"table-{i}") for i, table in enumerate(audit.tables)]
    sections += [
        Section("limits", "How far this goes", [Caution(LIMITS)]),
        again(content.command, content.versions, list(content.settings.items())),
    ]
    title = f"{content.subject}: {audit.target} and {names}"
    return render_document(Document(title, (headline, interval), sections))


def _summary(audit: DataAudit) -> list[Block]:
    rows = {t.attribute: [(t.information.value, t.information.low, t.information.high)]
            for t in audit.tables}  # fmt: skip
    title = f"Information about {audit.target}"
    table = Table(title, ("attribute", "verdict", "I(C;Y), nats", "p"), [
        [t.attribute, t.verdict, interval_text(t.information), p_text(t.p)] for t in audit.tables
    ])  # fmt: skip
    svg = interval_rows(
        rows, series=["I(C;Y)"], unit="nats", references={}, prefix="summary", bounds=(0, None),
        label=f"{title}. " + "; ".join(f"{line[0]}: {line[2]}" for line in table.rows) + ".",
    )  # fmt: skip
    said = [f"{t.attribute}: {t.advice[0]}." for t in audit.tables]
    caption = "I(C;Y) with 95% intervals."
    return [Items(said), Panels([Chart(title, Markup(svg), caption, table)])]


def _table(table: TableAudit, audit: DataAudit, key: str) -> Section:
    c, y = table.attribute, audit.target
    head, lines = data_rows(table, audit)
    blocks: list[Block] = [
        *items(table.advice),
        Panels([_cells(table, audit, key), _guess(table, audit, key)]),
        Table(f"{y} and {c}: {head[0]}", ("figure", "value"), lines),
    ]
    return Section(key, f"{y} and {c}", blocks)


def _cells(table: TableAudit, audit: DataAudit, key: str) -> Chart:
    counts = np.array(table.counts)[:DRAWN, :DRAWN]
    c, y = table.attribute, audit.target
    svg = share_matrix(
        counts, table.classes[:DRAWN], table.groups[:DRAWN], axes=(y, c), prefix=f"{key}-cells",
        label=f"Share of {c} within each {y}, per cent of the rows.",
    )  # fmt: skip
    head, lines = cell_rows(table, y)
    hidden = max(len(table.classes), len(table.groups)) > DRAWN
    caption = f"Per cent of the rows of each {y}; equal rows are independence."
    caption += f" The first {DRAWN} of each are drawn." if hidden else ""
    return Chart(f"{c} within each {y}", Markup(svg), caption, Table(head[0], head, lines))


def _guess(table: TableAudit, audit: DataAudit, key: str) -> Chart:
    c, y = table.attribute, audit.target
    what = "R^2" if audit.quantity else "Accuracy"
    found = table.guess
    rows = {f"from {c}": [(found.value, found.low, found.high)]}
    rows |= {f"without {c}": [(table.chance, None, None)]}
    title = f"{what} of guessing {y}"
    svg = interval_rows(
        rows, series=[what], unit="R^2" if audit.quantity else "share", references={},
        prefix=f"{key}-guess", bounds=(None, None) if audit.quantity else (0, 1),
        label=f"{title}: {interval_text(found)} from {c} alone, else {number_text(table.chance)}.",
    )  # fmt: skip
    lines = [[f"from {c} alone", interval_text(found)]]
    lines.append([f"without {c}", number_text(table.chance)])
    caption = f"How well {c} alone gives {y} away, with a 95% interval."
    return Chart(title, Markup(svg), caption, Table(title, ("guess", what), lines))
