"""Figures of an experiment as stand-alone SVG files; needs matplotlib (extra `report`).

- with an axis (sigma2): accuracy against it by method, published methods as dotted lines;
- for trade-offs: accuracy against the parity gap, a line through the strengths of each method;
- otherwise: bars of the headline figure by method, published ones at the end.

Every figure is drawn from what the table beside it shows. The leading methods are coloured and
named; the others stay grey.
"""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from infoshed.experiments.base import Experiment
from infoshed.experiments.published import published
from infoshed.experiments.summary import Entry
from infoshed.io import write_text

LEADING = ("mi", "plain", "adjust", "reweigh", "lntl", "mi-marginal")
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY, BROWN = "#8a8a8a", "#a6761d"


def write_figures(
    experiment: Experiment, entries: Sequence[Entry], folder: Path
) -> dict[str, Path]:
    """Write NAME-TABLE.svg for each table with anything to draw; the paths by table. None where
    matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    found = {}
    for table in dict.fromkeys(entry.table for entry in entries):
        mine = [entry for entry in entries if entry.table == table]
        if experiment.trade_off:
            svg = _trade_off(experiment, table, mine)
        elif experiment.axis:
            svg = _lines(experiment, table, mine, experiment.axis)
        else:
            svg = _bars(experiment, table, mine)
        if svg:
            slug = re.sub(r"[^a-z0-9]+", "-", table.lower())
            found[table] = folder / f"{experiment.name}-{slug}.svg"
            write_text(found[table], svg + "\n")
    return found


def _look(name: str) -> dict:
    """Colour, marker and weight of a method, the same in every figure."""
    from infoshed.report.figures import METHOD_COLOURS

    if name not in LEADING:
        return {"color": GREY, "linewidth": 0.8, "marker": ".", "markersize": 4, "zorder": 1}
    i = LEADING.index(name)
    colour = (*METHOD_COLOURS[:5], BROWN)[i]
    return {
        "color": colour, "linewidth": 1.8, "marker": MARKERS[i], "markersize": 5, "zorder": 3,
    }  # fmt: skip


def _lines(experiment: Experiment, table: str, entries: Sequence[Entry], axis: str) -> str | None:
    from infoshed.report.svg import INK, canvas

    key = experiment.headline
    points: dict[str, list[tuple[float, float, float, float]]] = {}
    for entry in entries:
        if entry.chosen and key in entry.figures:
            mean, low, high = (100 * v for v in entry.figures[key])
            points.setdefault(entry.contender, []).append((entry.params[axis], mean, low, high))
    if len({x for group in points.values() for x, *_ in group}) < 2:
        return None
    with canvas(560, 400) as fig:
        ax = fig.add_subplot()
        ends = []
        for name, group in points.items():
            x, mean, low, high = zip(*sorted(group), strict=True)
            look = _look(name)
            ax.plot(x, mean, **look)
            ax.vlines(x, low, high, color=look["color"], linewidth=look["linewidth"])
            ends.append((mean[0], name, look["color"] if name in LEADING else GREY, x[0]))
        for other in published(experiment.name, table):
            pairs = sorted((float(k), v) for k, v in other.values.items())
            x, y = zip(*pairs, strict=True)
            ax.plot(x, y, color=INK, linewidth=1, linestyle=":", marker="x", markersize=4)
            ends.append((y[0], f"{other.method}, published", INK, x[0]))
        _name_ends(ax, ends)
        ax.set_xticks(sorted({x for group in points.values() for x, *_ in group}))
        ax.set_xlabel(axis)
        ax.set_ylabel(experiment.columns[key])
        ax.grid(axis="y")
        return _finish(fig, f"{experiment.columns[key]} against {axis} by method", table)


def _name_ends(ax, ends: Sequence[tuple[float, str, str, float]]) -> None:
    """Names at the left end of the lines, pushed apart where they would overlap."""
    from infoshed.report.svg import shorten

    low, high = ax.get_ylim()
    gap, below = (high - low) / 30, float("-inf")
    for y, name, colour, x in sorted(ends):
        below = max(y, below + gap)
        ax.annotate(
            shorten(name, 34), (x, y), xytext=(-8, below), textcoords=("offset points", "data"),
            ha="right", va="center", color=colour, fontsize=8, annotation_clip=False,
        )  # fmt: skip
    left, right = ax.get_xlim()
    ax.set_xlim(left - 0.5 * (right - left), right)


def _trade_off(experiment: Experiment, table: str, entries: Sequence[Entry]) -> str | None:
    from infoshed.report.svg import INK, canvas

    x_key, y_key = "gap_parity", experiment.headline
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for entry in entries:
        if x_key in entry.figures and y_key in entry.figures:
            point = (entry.strength or 0.0, entry.figures[x_key].mean, entry.figures[y_key].mean)
            lines.setdefault(entry.contender, []).append(point)
    if not lines:
        return None
    with canvas(560, 430) as fig:
        ax = fig.add_subplot()
        for name, points in lines.items():
            _, x, y = zip(*sorted(points), strict=True)
            label = name if name in LEADING else "other methods, see the table"
            ax.plot(x, [100 * v for v in y], label=label, **_look(name))
        others = published(experiment.name, table)
        if others:
            x, y = zip(*((o.values[x_key], o.values[y_key]) for o in others), strict=True)
            ax.plot(x, y, "x", color=INK, markersize=5, label="published, see the table")
        entries_by_name = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        fig.legend(
            entries_by_name.values(), entries_by_name, loc="outside upper left", ncols=3,
            handlelength=2.2,
        )  # fmt: skip
        ax.set_xlabel(experiment.columns[x_key])
        ax.set_ylabel(experiment.columns[y_key])
        ax.grid()
        return _finish(fig, "Accuracy against the parity gap by method and strength", table)


def _bars(experiment: Experiment, table: str, entries: Sequence[Entry]) -> str | None:
    from infoshed.report.svg import INK, canvas, shorten

    key = experiment.headline
    bars = [
        (e.contender, _look(e.contender)["color"], [100 * v for v in e.figures[key]])
        for e in entries
        if e.chosen and key in e.figures
    ]
    bars += [
        (f"{o.method}, published", "#ffffff", [o.values[key]] * 3)
        for o in published(experiment.name, table)
        if key in o.values
    ]
    if not bars:
        return None
    with canvas(480, 22 * len(bars) + 60) as fig:
        ax = fig.add_subplot()
        for i, (_, colour, (mean, low, high)) in enumerate(bars):
            ax.barh(i, mean, height=0.7, color=colour, edgecolor=INK, linewidth=0.6)
            ax.plot([low, high], [i, i], color=INK, linewidth=1.2)
            ax.annotate(f"{mean:.1f}", (1, i), xycoords=("axes fraction", "data"), xytext=(4, 0),
                        textcoords="offset points", va="center")  # fmt: skip
        ax.set_yticks(range(len(bars)), [shorten(name, 34) for name, _, _ in bars])
        ax.set_ylim(len(bars) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.set_xlabel(experiment.columns[key])
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        return _finish(fig, f"{experiment.columns[key]} by method", table)


def _finish(fig, label: str, table: str) -> str:
    from infoshed.report.svg import to_svg

    prefix = re.sub(r"[^a-z0-9]+", "-", table.lower())
    return standalone(to_svg(fig, label=label, prefix=prefix))


def standalone(svg: str) -> str:
    """The figure with ink and page of its own, for a file that no page surrounds."""
    svg = svg.replace("currentColor", "#1f2328").replace("var(--page, #fff)", "#fff")
    end = svg.index(">", svg.index("<svg"))
    return (
        svg[:end] + ' font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
        + svg[end + 1 :]
    )  # fmt: skip
