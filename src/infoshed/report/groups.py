"""What the page of an audit says of predictions: gaps between groups, and every group's figures."""

from collections.abc import Mapping, Sequence

from infoshed.auditing.record import AttributeAudit, Outcomes
from infoshed.auditing.tables import aligned_note, estimate_line, group_figures, reason_lines
from infoshed.auditing.words import interval_text
from infoshed.report.chart import Chart, Table
from infoshed.report.document import Block, Heading, Panels, Text, items, sentence
from infoshed.report.intervals import Ends, ends, interval_chart

GROUPS = 24  # that are drawn
GAP = "_difference"
GROUP_NOTES = {
    "accuracy": "Share of right predictions.",
    "selection_rate": "Share that is predicted positive; equal shares are statistical parity.",
    "true_positive_rate": "Share of the truly positive that is predicted positive.",
    "false_positive_rate": "Share of the truly negative that is predicted positive.",
    "calibration_bias": "Mean score minus the share that came true: above 0 is overconfident.",
    "calibration_error": "How far scores are from what came true, over ten bins of the score.",
    "mean_absolute_error": "Mean of |y - prediction|.",
    "mean_error": "Mean of y - prediction: above 0 is predicted too low.",
    "mean_prediction": "Mean of the prediction.",
}


def outcome_blocks(outcomes: Outcomes, part: AttributeAudit, key: str) -> list[Block]:
    """Predictions: gaps over all groups, then a panel for each figure by group."""
    charts = []
    for gap, title in ((False, "Predictions"), (True, "Gaps between groups")):
        names = [name for name in outcomes.figures if name.endswith(GAP) is gap]
        if not names:
            continue
        rows: dict[str, list[Ends | None]] = {
            short_name(name): [ends(outcomes.figures[name])] for name in names
        }
        table = Table(f"{title}, {part.name}", ("figure", "with 95% interval"), [
            [name.replace("_", " "), interval_text(outcomes.figures[name])] for name in names
        ])  # fmt: skip
        note = "Differences between groups" if gap else "Over all groups, and in the worst"
        aligned = None if gap else aligned_note(outcomes, part.name)
        note += "; with 95% intervals." + (f" {sentence(aligned)}" if aligned else "")
        charts.append(interval_chart(
            title, rows, ["figure"], _unit(names), table, f"{key}-{title}", note,
            references={"no gap": 0.0} if gap else {},
        ))  # fmt: skip
    groups = dict(list(outcomes.groups.items())[:GROUPS])
    for name in group_figures(outcomes):
        values = {g: [ends(o.figures[name]) if name in o.figures else None] for g, o in
                  groups.items()}  # fmt: skip
        title = name.replace("_", " ").capitalize() + f" by {part.name}"
        table = Table(title, ("group", "rows", "with 95% interval"), [
            [g, f"{o.rows:,}", interval_text(o.figures.get(name))]
            for g, o in outcomes.groups.items()
        ])  # fmt: skip
        more = len(outcomes.groups) - len(groups)
        note = GROUP_NOTES.get(name, "") + (
            f" {more} more groups are in the table." if more else ""
        )
        charts.append(
            interval_chart(title, values, [name], _unit([name]), table, f"{key}-{name}", note)
        )
    blocks: list[Block] = [Heading(f"Predictions by group of {part.name}"), Panels(charts)]
    if outcomes.residual is not None:
        blocks.append(Text(
            f"What errors tell about {part.name}: {estimate_line(outcomes.residual)}."
        ))  # fmt: skip
    return [*blocks, *items([f"{what}: {why}" for what, why in reason_lines(outcomes.reasons)])]


def outcomes_before(part: AttributeAudit, other: AttributeAudit) -> list[Chart]:
    """Predictions of `other`, before, and of `part`, after; none where one has none."""
    if part.outcomes is None or other.outcomes is None:
        return []
    old, new = other.outcomes.figures, part.outcomes.figures
    names = [name for name in new if name in old]
    rows = {short_name(name): [ends(old[name]), ends(new[name])] for name in names}
    lines = [[n.replace("_", " "), interval_text(old[n]), interval_text(new[n])] for n in names]
    title = f"Predictions before and after, {part.name}"
    table = Table(title, ("figure", "before", "after"), lines)
    return [interval_chart(
        title, rows, ["before", "after"], _unit(names), table, f"before-{part.name}",
        "Accuracy and differences between groups, with 95% intervals.",
    )]  # fmt: skip


def short_name(figure: str) -> str:
    """Of a figure, to stand beside a chart; the table has it in full."""
    short = figure.replace("mean_absolute_error", "MAE").removesuffix(GAP)
    return short.replace("_", " ") + (" gap" if figure.endswith(GAP) else "")


def _unit(names: Sequence[str] | Mapping[str, object]) -> str:
    """Errors and predictions of a quantity are in its own units, all else is shares."""
    return "in units of y" if any(name.startswith(("mean_", "worst_group_mean")) for name in
                                  names) else "share"  # fmt: skip
