"""Tables of an experiment in Markdown and CSV: ours, the oracle's, and what others published.

Accuracies are in per cent, gaps and shares in [0, 1], information in nats; a cell is the mean over
seeds with the lowest and the highest in brackets.
"""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from infoshed.experiments.base import Experiment, Row
from infoshed.experiments.fronts import mixture_front
from infoshed.experiments.published import published
from infoshed.experiments.selection import RULE
from infoshed.experiments.summary import Entry, Spread, summarize
from infoshed.io import write_text

ORACLE = (
    "Oracle: the strength that is best on the test itself. Not a result that anybody could have "
    "had; it shows what the rule of selection leaves."
)

FRONT = (
    "Accuracy in % at a parity gap: read off the upper concave hull of all strengths of a method "
    "(means over seeds) and of always predicting the commonest class, since following one of two "
    "classifiers at random gives what lies between them. All of it is read on the test."
)
GAPS = (0.02, 0.05, 0.1, 0.15)


def write_documents(experiment: Experiment, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write NAME.md, NAME.csv and, where matplotlib is installed, a NAME-TABLE.svg for each table.

    Returns the paths. Files of tables that have no rows are not written.
    """
    if not rows:
        return []
    from infoshed.experiments.figures import write_figures  # matplotlib is optional

    folder.mkdir(parents=True, exist_ok=True)
    entries = summarize(rows, experiment.oracle)
    pictures = write_figures(experiment, entries, folder)
    text = markdown(experiment, rows, {table: path.name for table, path in pictures.items()})
    written = {
        folder / f"{experiment.name}.md": f"# {experiment.name}\n\n{text}\n",
        folder / f"{experiment.name}.csv": table_csv(entries),
    }
    for path, content in written.items():
        write_text(path, content)
    return [*written, *pictures.values()]


def markdown(
    experiment: Experiment, rows: Sequence[Row], pictures: dict[str, str] | None = None
) -> str:
    """All tables of an experiment, each with the rule of selection, oracle and published rows.

    pictures: table -> file name of its figure.
    """
    entries = summarize(rows, experiment.oracle)
    if not entries:
        return f"{experiment.summary}\n\nNo runs yet."
    runs, failed = sum(e.seeds for e in entries), sum(e.failed for e in entries)
    parts = [
        f"{experiment.summary[:1].upper()}{experiment.summary[1:]}. {runs} runs"
        + (f" and {failed} failed ones" if failed else "")
        + ". Cells: mean over seeds (lowest to highest)."
        + f" `infoshed reproduce {experiment.name}` runs what is missing and writes this page.",
        RULE,
    ]
    limits = [entry.limit for entry in entries if entry.limit is not None]
    if limits:
        quick = (
            f"Quick runs, on at most {max(limits):,} rows of each split and in few epochs: they "
        )
        parts.insert(1, quick + "show that everything runs, not which method is better.")
    there = list(dict.fromkeys(entry.table for entry in entries))
    order = [*experiment.titles, *there]
    for table in sorted(there, key=order.index):
        mine = [entry for entry in entries if entry.table == table]
        parts += _section(experiment, table, mine, (pictures or {}).get(table))
    return "\n\n".join(parts)


def _section(
    experiment: Experiment, table: str, entries: Sequence[Entry], picture: str | None
) -> list[str]:
    title = _title(experiment, table, entries)
    parts = [f"## {title}"]
    if picture:
        parts.append(f"![{title}; the figures are in the table below]({picture})")
    ruled = {entry.contender for entry in entries if entry.chosen}
    shown = [e for e in entries if e.chosen or (experiment.trade_off and e.contender not in ruled)]
    parts.append(_pivot(experiment, shown))
    if experiment.trade_off:
        parts += [FRONT, _fronts(entries)]
    best = [entry for entry in entries if entry.oracle]
    if best:
        parts += [ORACLE, _pivot(experiment, best)]
    parts += _published(experiment, table, entries)
    failures = [
        f"- {entry.contender}, {place(entry)}, {error}"
        for entry in entries
        for error in entry.errors
    ]
    if failures:
        parts.append("Failed runs:\n\n" + "\n".join(failures))
    parts.append(
        "<details><summary>Every strength</summary>\n\n"
        + _all_entries(experiment, entries)
        + "\n\n</details>"
    )
    return parts


def _title(experiment: Experiment, table: str, entries: Sequence[Entry]) -> str:
    """The table's title with what its runs share and it does not say: epochs, and a limit of
    rows (quick versions have other ones)."""
    title = experiment.titles.get(table, table)
    epochs = {entry.settings.get("epochs") for entry in entries}
    limits = {entry.limit for entry in entries}
    if len(epochs) == 1 and None not in epochs and "epoch" not in title:
        (number_of,) = epochs
        title += f", {number_of} epoch{'s' * (number_of != 1)}"
    if len(limits) == 1 and None not in limits:
        title += f", at most {limits.pop():,} rows of each split"
    return title


def _pivot(experiment: Experiment, entries: Sequence[Entry]) -> str:
    """Contenders in lines; the values of the experiment's axis, or its figures, in columns."""
    if experiment.axis is None:
        head = ["method", "strength", "seeds", *experiment.columns.values()]
        lines = [
            [e.contender, number(e.strength), count(e), *_cells(experiment, e)] for e in entries
        ]
        return markdown_table(head, lines)
    columns = sorted({entry.params[experiment.axis] for entry in entries})
    lines = []
    for name in dict.fromkeys(entry.contender for entry in entries):
        found = {e.params[experiment.axis]: e for e in entries if e.contender == name}
        cells = [_axis_cell(experiment, found.get(value)) for value in columns]
        lines.append([name, *cells])
    head = ["method", *(f"{experiment.axis} {value:.3f}" for value in columns)]
    heading = experiment.columns[experiment.headline]
    note = f"{heading}; in square brackets n, the number of seeds, and λ, the strength."
    return f"{note}\n\n{markdown_table(head, lines)}"


def _fronts(entries: Sequence[Entry]) -> str:
    """Accuracy at parity gaps, contenders in lines."""
    lines = []
    for name in dict.fromkeys(entry.contender for entry in entries):
        points = [e.figures for e in entries if e.contender == name and "gap_parity" in e.figures]
        if not points:
            continue
        constant = points[0].get("accuracy_constant")
        front = mixture_front(
            [figures["gap_parity"].mean for figures in points],
            [figures["accuracy_test"].mean for figures in points],
            constant=constant.mean if constant else None,
        )
        values = [*(front.accuracy_at(gap) for gap in GAPS), front.area(0, GAPS[-1])]
        cells = ["–" if value is None else f"{100 * value:.1f}" for value in values]
        lines.append([name, f"{len(points)}", *cells])
    head = ["method", "strengths", *(f"gap {gap:g}" for gap in GAPS), f"mean of 0 to {GAPS[-1]:g}"]
    return markdown_table(head, lines)


def _axis_cell(experiment: Experiment, entry: Entry | None) -> str:
    if entry is None:
        return ""
    spread = entry.figures.get(experiment.headline)
    inside = [f"n {count(entry)}"]
    inside += [f"λ {number(entry.strength)}"] if entry.strength is not None else []
    return f"{cell(experiment.headline, spread)} [{', '.join(inside)}]"


def _cells(experiment: Experiment, entry: Entry) -> list[str]:
    return [cell(name, entry.figures.get(name)) for name in experiment.columns]


def _published(experiment: Experiment, table: str, entries: Sequence[Entry]) -> list[str]:
    others = published(experiment.name, table)
    if not others:
        return []
    if experiment.axis is None:
        columns = {
            k: v for k, v in experiment.columns.items() if any(k in o.values for o in others)
        }
    else:
        keys = sorted({key for other in others for key in other.values})
        columns = {key: f"{experiment.axis} {key}" for key in keys}
    remarks = list(dict.fromkeys(o.remark for o in others if o.remark))
    lines = [
        [
            o.method + (f" ({remarks.index(o.remark) + 1})" if o.remark else ""),
            o.source,
            *(f"{o.values[k]:g}" if k in o.values else "" for k in columns),
        ]
        for o in others
    ]
    notes = "\n".join(f"{i}. {remark}" for i, remark in enumerate(remarks, 1))
    text = markdown_table(["published", "source", *columns.values()], lines)
    return [text, *([notes] if notes else [])]


def _all_entries(experiment: Experiment, entries: Sequence[Entry]) -> str:
    head = ["method", "where", "strength", "seeds", *experiment.columns.values()]
    head += ["J (nats)", "seconds", ""]
    lines = [
        [
            entry.contender, place(entry), number(entry.strength), count(entry),
            *_cells(experiment, entry),
            "" if entry.score is None else f"{entry.score:.3f}",
            "" if entry.seconds is None else f"{entry.seconds:.0f}",
            ", ".join(k for k in ("chosen", "oracle") if getattr(entry, k)),
        ]
        for entry in entries
    ]  # fmt: skip
    return markdown_table(head, lines)


def place(entry: Entry) -> str:
    """What the entry's runs share beside data set and method, as text."""
    parts = entry.params | entry.settings
    parts |= {"rows at most": entry.limit} if entry.limit is not None else {}
    return " ".join(f"{k}={v}" for k, v in parts.items())


def cell(name: str, spread: Spread | None) -> str:
    """A figure over seeds as text."""
    if spread is None:
        return "–"
    percent = is_percent(name)
    texts = [f"{100 * v:.1f}" if percent else f"{v:.3f}" for v in spread]
    return texts[0] if spread.low == spread.high else f"{texts[0]} ({texts[1]} to {texts[2]})"


def is_percent(name: str) -> bool:
    """Whether a figure is shown in per cent."""
    return name.startswith("accuracy")


def count(entry: Entry) -> str:
    """The number of seeds, and of failed ones."""
    return f"{entry.seeds}" + (f", {entry.failed} failed" if entry.failed else "")


def number(value: float | None) -> str:
    """A strength as text."""
    return "" if value is None else f"{value:g}"


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    texts = [[text.replace("|", "\\|") for text in line] for line in (head, *lines)]
    rule = "|---" * len(head) + "|"
    rows = [f"| {' | '.join(line)} |" for line in texts]
    return "\n".join([rows[0], rule, *rows[1:]])


def table_csv(entries: Sequence[Entry]) -> str:
    """Every entry with all its figures, numbers in full; accuracies in [0, 1]."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.figures))
    params = list(dict.fromkeys(name for entry in entries for name in entry.params))
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["table", *params, "settings", "limit", "method", "strength", "options", "seeds",
         "failed", *(f"{n}_{part}" for n in names for part in Spread._fields), "selection_j",
         "seconds", "chosen", "oracle"]
    )  # fmt: skip
    for e in entries:
        options = " ".join(f"{k}={v}" for k, v in e.options.items() if k != "strength")
        settings = " ".join(f"{k}={v}" for k, v in e.settings.items())
        figures = [v for n in names for v in e.figures.get(n, ("", "", ""))]
        writer.writerow(
            [e.table, *(e.params.get(p, "") for p in params), settings, e.limit, e.contender,
             e.strength, options, e.seeds, e.failed, *figures, e.score, e.seconds,
             int(e.chosen), int(e.oracle)]
        )  # fmt: skip
    return buffer.getvalue()
