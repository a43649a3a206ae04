"""A score against leakage over the settings of a sweep, with the chosen one marked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from infoshed.report.figures import METHOD_COLOURS
from infoshed.report.intervals import MARKERS
from infoshed.report.svg import INK, canvas, shorten, to_svg
from infoshed.targets import Score

Spread = tuple[float, float, float]


class Point(NamedTuple):
    """A setting: its name, mean, lowest and highest leakage (nats) and score over the seeds, and
    whether it is the chosen one."""

    name: str
    leakage: Spread
    score: Spread
    chosen: bool


def trade_off(
    lines: Mapping[str, Sequence[Point]], score: Score, *, label: str, prefix: str
) -> str:
    """A line for each method through its settings, bars from the lowest to the highest seed."""
    with canvas(430, 330 + 16 * (len(lines) > 1) * len(lines)) as fig:
        ax, names, scale = fig.add_subplot(), [], 100 if score.share else 1
        for i, (title, points) in enumerate(lines.items()):
            colour = METHOD_COLOURS[i % len(METHOD_COLOURS)]
            ax.plot(
                [p.leakage[0] for p in points], [scale * p.score[0] for p in points],
                color=colour, linewidth=1, marker=MARKERS[i % len(MARKERS)], markersize=4,
                label=shorten(title, 60),
            )  # fmt: skip
            for p in points:
                x, y = p.leakage[0], scale * p.score[0]
                ax.plot(p.leakage[1:], [y] * 2, color=colour, linewidth=0.7)
                ax.plot([x] * 2, [scale * v for v in p.score[1:]], color=colour, linewidth=0.7)
                if p.chosen:
                    ax.plot(x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
                chosen = ", chosen" if p.chosen else ""
                names.append(((y, x), shorten(p.name, 18) + chosen, colour))
        _name_points(ax, names)
        ax.set_xlabel("leakage I(logits;C|Y) on validation, nats")
        ax.set_ylabel(f"{score.title} on validation{score.unit}")
        ax.grid()
        if len(lines) > 1:
            fig.legend(loc="outside lower center")
        return to_svg(fig, label=label, prefix=prefix)


def _name_points(ax, names: Sequence[tuple[tuple[float, float], str, str]]) -> None:
    """Names of the points (y, x) at the right edge, pushed apart, each with a line to its point."""
    low, high = ax.get_ylim()
    gap, below = (high - low) / 20, float("-inf")
    for (y, x), name, colour in sorted(names):
        below = max(y, below + gap)
        ax.annotate(
            name, (x, y), xytext=(1.02, below), textcoords=("axes fraction", "data"), va="center",
            fontsize=9, color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5},
        )  # fmt: skip
