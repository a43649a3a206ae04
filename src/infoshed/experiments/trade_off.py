"""The page of a sweep: accuracy, or R2 where the target is a quantity, against leakage over the
settings, with the chosen one marked.

Both are measured on the biased validation split; the table has the figures behind the picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infoshed.experiments.choice import Choice, label, table_head, table_rows, verdict
from infoshed.experiments.selection import RULE
from infoshed.experiments.tables import markdown_table, table_csv
from infoshed.io import write_text
from infoshed.report.collect import has_report_extra
from infoshed.run import versions

if TYPE_CHECKING:
    from infoshed.report.trade_off import Point

LEAKAGE = "val_leakage"


def write_sweep(choices: Sequence[Choice], folder: Path, command: str = "") -> list[Path]:
    """Write sweep.md, sweep.csv and, where the extra `report` is installed, trade-off.svg and
    report.html; the paths. command: how to get the same again, for the page."""
    picture, html = None, None
    if has_report_extra():
        from infoshed.report.sweep import SweepContent, render_sweep

        picture = trade_off_svg(choices)
        html = render_sweep(SweepContent(choices, str(folder), command, versions()))
    entries = [entry for choice in choices for entry in choice.entries]
    written = {
        folder / "sweep.md": page(choices, "trade-off.svg" if picture else None),
        folder / "sweep.csv": table_csv(entries),
        **({folder / "trade-off.svg": picture + "\n"} if picture else {}),
        **({folder / "report.html": html} if html else {}),
    }
    for path, content in written.items():
        write_text(path, content)
    return list(written)


def page(choices: Sequence[Choice], picture: str | None) -> str:
    """The page in Markdown."""
    parts = ["# Sweep", RULE + " Cells: mean over seeds (lowest to highest)."]
    if picture:
        said = f"{choices[0].score.heading} against leakage; the figures are in the tables below"
        parts.append(f"![{said}]({picture})")
    for choice in choices:
        parts += [f"## {choice.title}", markdown_table(table_head(choice), table_rows(choice))]
        parts.append("\n".join(f"- {line}" for line in verdict(choice)))
    return "\n\n".join(parts) + "\n"


def trade_off_svg(choices: Sequence[Choice]) -> str | None:
    """The picture as a stand-alone SVG file, a line for each choice through its settings from weak
    to strong, bars from lowest to highest seed. None without two finished settings."""
    from infoshed.experiments.figures import standalone
    from infoshed.report.trade_off import trade_off

    lines, score = trade_off_lines(choices), choices[0].score
    if lines is None:
        return None
    said = f"{score.heading} against leakage by setting"
    return standalone(trade_off(lines, score, label=said, prefix="t"))


def trade_off_lines(choices: Sequence[Choice]) -> "dict[str, list[Point]] | None":
    """The points of every choice by its title; None without two finished settings. One scale
    has the score of one kind of target: choices with another than the first are left out."""
    from infoshed.report.trade_off import Point

    lines = {}
    for choice in choices:
        entries = [e for e in choice.entries if {LEAKAGE, choice.figure} <= set(e.figures)]
        if entries and choice.score == choices[0].score:
            lines[choice.title] = [
                Point(label(e), e.figures[LEAKAGE], e.figures[choice.figure], e is choice.chosen)
                for e in sorted(entries, key=_weak_to_strong)
            ]
    return lines if sum(map(len, lines.values())) > 1 else None


def _weak_to_strong(entry) -> float:
    """Strengths upwards, then budgets in the order in which they were given."""
    return float("inf") if entry.strength is None else entry.strength
