"""Values with intervals in rows: a dot and a whisker for each, several series side by side."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator, PercentFormatter

from infoshed.auditing.interval import Interval
from infoshed.offline import MIEstimate
from infoshed.report.chart import Chart, Table
from infoshed.report.figures import METHOD_COLOURS
from infoshed.report.svg import INK, canvas, shorten, to_svg

MARKERS = ("o", "s", "D", "^")
_DASHES = ((0, (1, 1.6)), (0, (5, 2, 1, 2)))

Ends = tuple[float, float | None, float | None]


def ends(found: MIEstimate | Interval) -> Ends:
    """The value with the ends of its interval."""
    value = found.nats if isinstance(found, MIEstimate) else found.value
    return value, found.low, found.high


def interval_chart(
    title: str,
    rows: Mapping[str, Sequence[Ends | None]],
    series: Sequence[str],
    unit: str,
    table: Table,
    prefix: str,
    caption: str,
    references: Mapping[str, float] | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
) -> Chart:
    """`interval_rows` with its caption and the table behind it, which is also what is read out."""
    spoken = "; ".join(
        f"{line[0]}: {line[-1] if len(line) < 4 else line[1]}" for line in table.rows
    )
    svg = interval_rows(
        rows, series=series, unit=unit, references=references or {}, label=f"{title}. {spoken}.",
        prefix="".join(c if c.isascii() and c.isalnum() else "-" for c in prefix), bounds=bounds,
    )  # fmt: skip
    return Chart(title, Markup(svg), caption, table)


def interval_rows(
    rows: Mapping[str, Sequence[Ends | None]],
    *,
    series: Sequence[str],
    unit: str,
    references: Mapping[str, float],
    label: str,
    prefix: str,
    bounds: tuple[float | None, float | None] = (None, None),
) -> str:
    """Dots with whiskers.

    Args:
        rows: name -> a value with the ends of its interval (None where there is no interval) for
            each of the series; None where it has no value.
        series: names; one alone is not named.
        unit: of the values; "share" shows per cent.
        references: name -> value, drawn as upright lines.
        bounds: ends of the axis that are fixed, such as 0.
    """
    many = len(series) > 1
    step = 1.0 if many else 1.25
    show = (lambda v: f"{v:.1%}") if unit == "share" else (lambda v: f"{v:.3g}")
    lines = sum(1 for values in rows.values() for value in values if value is not None)
    legend = 18 * (many + (len(references) > 0))
    with canvas(331, 21 * step * lines + 9 * len(rows) * many + 52 + legend) as fig:
        ax = fig.add_subplot()
        y, ticks, names, drawn = 0.0, [], [], set()
        for name, values in rows.items():
            places = []
            for i, value in enumerate(values):
                if value is None:
                    continue
                middle, low, high = value
                colour = METHOD_COLOURS[i % len(METHOD_COLOURS)]
                if low is not None and high is not None:
                    ax.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
                ax.plot(
                    [middle], [y], MARKERS[i % len(MARKERS)], color=colour, markersize=6,
                    label=None if i in drawn else shorten(series[i], 30),
                )  # fmt: skip
                drawn.add(i)
                ax.annotate(
                    show(middle), (1, y), xycoords=("axes fraction", "data"), xytext=(5, 0),
                    textcoords="offset points", va="center", fontsize=9.5,
                )  # fmt: skip
                places.append(y)
                y += 1
            if places:
                ticks.append(sum(places) / len(places))
                names.append(shorten(name, 24))
                y += 0.45 * many
        if not many:
            for line in ax.get_lines():
                line.set_label("_nolegend_")
        for i, (name, value) in enumerate(references.items()):
            ax.axvline(value, color=INK, linewidth=1.1, linestyle=_DASHES[i % 2], label=name)
        ax.set_yticks(ticks, names)
        ax.set_ylim(y - 0.3 - 0.45 * many, -0.7)
        low, high = ax.get_xlim()
        low, high = (
            (low if bounds[0] is None else bounds[0]), (high if bounds[1] is None else bounds[1])
        )  # fmt: skip
        pad = 0.02 * (high - low)
        ax.set_xlim(low - pad, high + pad)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        if unit == "share":
            ax.xaxis.set_major_formatter(PercentFormatter(1))
        else:
            ax.set_xlabel(unit)
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.spines["left"].set_visible(False)
        if ax.get_legend_handles_labels()[0]:
            fig.legend(
                loc="outside upper left", ncols=2, borderaxespad=0.1, handlelength=1.8,
                numpoints=1,
            )  # fmt: skip
        return to_svg(fig, label=label, prefix=prefix)
