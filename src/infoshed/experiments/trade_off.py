"""The page of a sweep: accuracy against leakage over the settings, with the chosen one marked.

Both are measured on the biased validation split; the table has the figures behind the picture.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from infoshed.experiments.choice import HEAD, Choice, label, table_rows, verdict
from infoshed.experiments.selection import RULE
from infoshed.experiments.tables import markdown_table, table_csv
from infoshed.io import write_text

X, Y = "val_leakage", "accuracy_validation"


def write_sweep(choices: Sequence[Choice], folder: Path) -> list[Path]:
    """Write sweep.md, sweep.csv and, where matplotlib is installed, trade-off.svg; the paths."""
    picture = None
    if importlib.util.find_spec("matplotlib") is not None:
        picture = trade_off_svg(choices)
    entries = [entry for choice in choices for entry in choice.entries]
    written = {
        folder / "sweep.md": page(choices, "trade-off.svg" if picture else None),
        folder / "sweep.csv": table_csv(entries),
        **({folder / "trade-off.svg": picture + "\n"} if picture else {}),
    }
    for path, content in written.items():
        write_text(path, content)
    return list(written)


def page(choices: Sequence[Choice], picture: str | None) -> str:
    """The page in Markdown."""
    parts = ["# Sweep", RULE + " Cells: mean over seeds (lowest to highest)."]
    if picture:
        parts.append(f"![Accuracy against leakage; the figures are in the tables below]({picture})")
    for choice in choices:
        parts += [f"## {choice.title}", markdown_table(HEAD, table_rows(choice))]
        parts.append("\n".join(f"- {line}" for line in verdict(choice)))
    return "\n\n".join(parts) + "\n"


def trade_off_svg(choices: Sequence[Choice]) -> str | None:
    """The picture as a stand-alone SVG file, a line for each choice through its settings from weak
    to strong, bars from lowest to highest seed. None without two finished settings."""
    from infoshed.experiments.figures import standalone
    from infoshed.report.figures import METHOD_COLOURS
    from infoshed.report.svg import INK, canvas, shorten

    lines = [(c, [e for e in c.entries if {X, Y} <= set(e.figures)]) for c in choices]
    lines = [(choice, entries) for choice, entries in lines if entries]
    if sum(len(entries) for _, entries in lines) < 2:
        return None
    with canvas(560, 400) as fig:
        ax, names = fig.add_subplot(), []
        for i, (choice, entries) in enumerate(lines):
            colour = METHOD_COLOURS[i % len(METHOD_COLOURS)]
            entries = sorted(entries, key=_weak_to_strong)
            x, y = [e.figures[X] for e in entries], [e.figures[Y] for e in entries]
            ax.plot([s.mean for s in x], [100 * s.mean for s in y], color=colour, linewidth=1,
                    marker="o", markersize=4, label=shorten(choice.title, 60))  # fmt: skip
            for across, up, entry in zip(x, y, entries, strict=True):
                ax.plot(across[1:], [100 * up.mean] * 2, color=colour, linewidth=0.7)
                ax.plot([across.mean] * 2, [100 * v for v in up[1:]], color=colour, linewidth=0.7)
                at = (across.mean, 100 * up.mean)
                if entry is choice.chosen:
                    ax.plot(*at, "o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
                chosen = ", chosen" if entry is choice.chosen else ""
                names.append((at[::-1], label(entry) + chosen, colour))
        _name_points(ax, names)
        ax.set_xlabel("leakage I(logits;C|Y) on validation, nats")
        ax.set_ylabel("accuracy on validation, %")
        ax.grid()
        if len(lines) > 1:
            fig.legend(loc="outside lower center")
        return standalone(fig, "Accuracy against leakage by setting", "trade-off")


def _name_points(ax, names: Sequence[tuple[tuple[float, float], str, str]]) -> None:
    """Names of the points (y, x) at the right edge, pushed apart, each with a line to its point."""
    low, high = ax.get_ylim()
    gap, below = (high - low) / 25, float("-inf")
    for (y, x), name, colour in sorted(names):
        below = max(y, below + gap)
        ax.annotate(
            name, (x, y), xytext=(1.02, below), textcoords=("axes fraction", "data"), va="center",
            fontsize=8, color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.4},
        )  # fmt: skip


def _weak_to_strong(entry) -> float:
    """Strengths upwards, then budgets in the order in which they were given."""
    return float("inf") if entry.strength is None else entry.strength
