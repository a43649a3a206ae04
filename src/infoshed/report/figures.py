"""The figures of the page: plain data in, one ``<svg>`` string out.

Each figure is one panel, narrow enough to be read on a phone; the page sets panels side by side.
Colours are never the only carrier: bars are named, lines differ in dash, groups of points are
labelled where they lie.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator, PercentFormatter

from infoshed.report.svg import INK, PAGE, canvas, shorten, to_svg

# Okabe and Ito's colours that stand out on white and on near-black; the same in the style sheet.
METHOD_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#8c6bb1", "#7f7f7f")
_DASHES = ("--", "-", "-.", ":")
_GROUP_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
    *("#56b4e9", "#8c6bb1", "#7f7f7f", "#a6761d", "#b2182b"),
)
_CELL = "#1565a9"
MAX_POINTS = 600
MAX_NAMED = 12

Lines = Sequence[tuple[np.ndarray, np.ndarray]]


def accuracy_bars(
    accuracy: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    chance: float | None,
    label: str,
    prefix: str,
    text: Callable[[float], str] = "{:.1%}".format,
) -> str:
    """Bars of the mean accuracy, or of another score of at most 1, grouped by split.

    accuracy: split -> method -> accuracy in [0, 1] of each seed. The bar is their mean, dots are
        the seeds, the line through them spans lowest to highest.
    chance: accuracy of always saying the commonest class, a dotted line; None for no line.
    text: writes a value.
    """
    methods = list(dict.fromkeys(name for group in accuracy.values() for name in group))
    rows = sum(len(group) for group in accuracy.values())
    height = 26 * rows + 32 * len(accuracy) + 42
    with canvas(331, height) as fig:
        ax = fig.add_subplot()
        y, ticks, names = 0.0, [], []
        for split, group in accuracy.items():
            box = {"boxstyle": "square,pad=0.3", "fc": PAGE, "lw": 0}  # no line through the name
            name = f"{shorten(split, 30)} data"
            ax.text(0, y - 0.05, name, weight="bold", va="center", bbox=box)
            for method, values in group.items():
                y += 1
                ticks.append(y)
                names.append(shorten(method))
                mean = float(np.mean(values))
                colour = METHOD_COLOURS[methods.index(method) % len(METHOD_COLOURS)]
                ax.barh(y, max(mean, 0), height=0.72, color=colour)
                ax.annotate(
                    text(mean),
                    (1, y),
                    xycoords=("axes fraction", "data"),
                    xytext=(5, 0),
                    textcoords="offset points",
                    va="center",
                )
                if len(values) > 1:
                    offsets = np.linspace(-0.18, 0.18, len(values))
                    ax.plot([min(values), max(values)], [y, y], color=INK, linewidth=1)
                    ax.plot(values, y + offsets, "o", color=INK, markersize=3.2, clip_on=False)
            y += 1.35
        if chance is not None:
            ax.axvline(chance, color=INK, linewidth=1, linestyle=":")
            ax.annotate(
                "the commonest class",
                (chance, 0),
                xycoords=("data", "axes fraction"),
                xytext=(4 if chance < 0.6 else -4, 5),
                textcoords="offset points",
                ha="left" if chance < 0.6 else "right",
                fontsize=9,
            )
        ax.set_yticks(ticks, names)
        ax.set_ylim(y - 0.25, -0.5)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.spines["left"].set_visible(False)
        return to_svg(fig, label=label, prefix=prefix)


def mean_line(lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """(e,) epochs and (e,) mean over the lines that have a value at that epoch."""
    values: dict[float, list[float]] = {}
    for epochs, line in lines:
        for epoch, value in zip(epochs, line, strict=True):
            values.setdefault(epoch, []).append(value)
    epochs = sorted(values)
    return np.asarray(epochs), np.asarray([np.mean(values[epoch]) for epoch in epochs])


def curves(
    lines: Mapping[str, Lines],
    *,
    methods: Sequence[str],
    unit: str,
    references: Mapping[str, float],
    label: str,
    prefix: str,
) -> str:
    """A quantity over the epochs: per method the mean of the seeds, thin lines the seeds.

    lines: method -> one (epochs, values) pair per seed.
    methods: all methods of the page, in order, so that a method looks the same in each panel.
    unit: name of the vertical axis; "share" shows per cent.
    references: name -> value, drawn as level lines.
    """
    with canvas(300, 222) as fig:
        ax = fig.add_subplot()
        for method, seeds in lines.items():
            index = list(methods).index(method)
            colour = METHOD_COLOURS[index % len(METHOD_COLOURS)]
            single = sum(len(epochs) for epochs, _ in seeds) == len(seeds)
            marker = "o" if single else ""  # one epoch makes no line
            if len(seeds) > 1:
                for epochs, values in seeds:
                    ax.plot(epochs, values, color=colour, linewidth=0.8, alpha=0.45)
            ax.plot(
                *mean_line(seeds),
                color=colour,
                linewidth=2,
                linestyle=_DASHES[index % len(_DASHES)] if len(methods) > 1 else "-",
                marker=marker,
                label=shorten(method),
            )
        for index, (name, value) in enumerate(references.items()):
            dash = (0, (1, 1.6)) if index % 2 == 0 else (0, (5, 2, 1, 2))
            ax.axhline(value, color=INK, linewidth=1.1, linestyle=dash, label=name)
        if unit == "share":
            ax.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            ax.set_ylabel(unit)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(6))
        ax.margins(x=0.02, y=0.07)
        ax.grid(axis="y")
        fig.legend(loc="outside upper left", ncols=2, borderaxespad=0.1, handlelength=2.4)
        return to_svg(fig, label=label, prefix=prefix)


def share_matrix(
    counts: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    axes: tuple[str, str],
    label: str,
    prefix: str,
) -> str:
    """A table of counts, each row divided by its sum and shown in per cent.

    counts: (rows, columns); a row without any count stays empty. axes: what rows and columns are.
    """
    m = max(counts.shape)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = np.empty((*counts.shape, 4))
    cells[..., :3] = to_rgb(_CELL)
    cells[..., 3] = share  # the page shines through, light or dark
    short = min(1.0, max(0.35, 1.15 * counts.shape[0] / counts.shape[1]))
    with canvas(300, 40 + 250 * short) as fig:
        ax = fig.add_subplot()
        ax.imshow(cells, interpolation="none", aspect="auto", vmin=0)
        if m <= 12:
            for (row, column), value in np.ndenumerate(share):
                if value >= 0.005:
                    colour = "#ffffff" if value > 0.6 else INK
                    size = 8 if m > 6 else 10
                    text = f"{100 * value:.0f}"
                    ax.text(column, row, text, ha="center", va="center", color=colour, size=size)
        for axis, names in ((ax.xaxis, columns), (ax.yaxis, rows)):
            step = -(-len(names) // 20)
            axis.set_ticks(range(0, len(names), step), [shorten(n, 10) for n in names[::step]])
        if max(len(shorten(name, 10)) for name in columns) * len(columns) > 50:
            ax.tick_params(axis="x", labelrotation=90)
        ax.set_xlabel(shorten(axes[1], 40))
        ax.set_ylabel(shorten(axes[0], 30))
        ax.spines[["top", "right"]].set_visible(True)
        return to_svg(fig, label=label, prefix=prefix)


def embedding(
    points: np.ndarray,
    values: np.ndarray,
    names: Mapping[int, str] | None,
    *,
    label: str,
    prefix: str,
) -> str:
    """Points in the plane, coloured by a class, by an attribute value or by their own colour.

    points: (n, 2); at most ``MAX_POINTS`` are drawn, evenly picked from all.
    values: (n,) integers, or (n, 3) RGB in [0, 1].
    names: integer value -> its name, set near the median of its points where there are at most
        ``MAX_NAMED``; None for RGB.
    """
    picked = np.unique(np.linspace(0, len(points) - 1, MAX_POINTS).round().astype(int))
    xy = points[picked]
    low = points.min(axis=0)
    span = np.maximum(points.max(axis=0) - low, 1e-9)
    with canvas(300, 276) as fig:
        ax = fig.add_subplot()
        if names is None:
            # A rim in the ink of the page keeps a white or a black dot visible.
            _dots(ax, xy, INK, size=5.3)
            # Sixteen steps per channel look the same at this size and share a path.
            colours, group = np.unique(
                np.round(values[picked] * 15) / 15, axis=0, return_inverse=True
            )
            for index, colour in enumerate(colours):
                _dots(ax, xy[group.ravel() == index], tuple(colour), size=4.2)
        else:
            for value in np.unique(values):
                colour = _GROUP_COLOURS[int(value) % len(_GROUP_COLOURS)]
                _dots(ax, xy[values[picked] == value], colour, size=4.2)
            if len(names) <= MAX_NAMED:
                _name_groups(ax, points, values, names)
        ax.set_xlim(low[0] - 0.06 * span[0], low[0] + 1.06 * span[0])
        ax.set_ylim(low[1] - 0.06 * span[1], low[1] + 1.06 * span[1])
        ax.set_xlabel("z, first dimension")
        ax.set_ylabel("z, second dimension")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_major_locator(MaxNLocator(5))
        return to_svg(fig, label=label, prefix=prefix)


def _dots(ax: Axes, xy: np.ndarray, colour: str | tuple[float, ...], *, size: float) -> None:
    """Dots of one colour as one path: a tenth of the bytes of one element per dot.

    Each dot is a line of no length, whose round ends are what is seen.
    """
    if not len(xy):
        return
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], dtype=np.uint8), len(xy))
    path = Path(np.repeat(xy, 2, axis=0), codes)
    path.should_simplify = False
    ax.add_patch(
        PathPatch(path, facecolor="none", edgecolor=colour, linewidth=size, capstyle="round")
    )


def _name_groups(
    ax: Axes, points: np.ndarray, values: np.ndarray, names: Mapping[int, str]
) -> None:
    """Each group's name near the median of its points, names pushed apart where they meet."""
    low = points.min(axis=0)
    span = np.maximum(points.max(axis=0) - low, 1e-9)
    present = [value for value in names if (values == value).any()]
    texts = [shorten(names[value], 12) for value in present]
    size = np.array([0.045 + 0.026 * max(map(len, texts)), 0.075])
    medians = np.array([np.median(points[values == value], axis=0) for value in present])
    for text, place in zip(texts, _apart((medians - low) / span, size), strict=True):
        box = {"boxstyle": "round,pad=0.2", "fc": PAGE, "alpha": 0.82, "lw": 0}
        x, y = low + place * span
        ax.text(x, y, text, ha="center", va="center", weight="bold", bbox=box)


def _apart(places: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(g, 2) centres of labels of one ``size``, in shares of the axes, none covering another."""
    places = places.copy()
    for _ in range(200):
        moved = False
        for i in range(len(places)):
            for j in range(i):
                gap = places[i] - places[j]
                overlap = size - np.abs(gap)
                if (overlap > 1e-6).all():
                    axis = int(np.argmin(overlap))
                    push = 0.5 * overlap[axis] * (1 if gap[axis] >= 0 else -1)
                    places[i, axis] += push
                    places[j, axis] -= push
                    moved = True
        places = places.clip(size / 2, 1 - size / 2)
        if not moved:
            break
    return places
