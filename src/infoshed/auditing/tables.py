"""Tables of an audit, as heads and rows of text: the same on the terminal and on a page."""

from collections.abc import Iterable, Mapping

from infoshed.auditing.data import DataAudit, TableAudit
from infoshed.auditing.record import AttributeAudit, Outcomes
from infoshed.auditing.words import (
    ends_text,
    interval_text,
    nats_text,
    number_text,
    p_text,
    percent_text,
)
from infoshed.offline import MIEstimate

Rows = tuple[list[str], list[list[str]]]

PROBE_FIGURES = {
    "nats": "nats",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "r2": "R^2",
}


def information_rows(part: AttributeAudit) -> Rows:
    """I(Z;C), I(Z;C|Y) and what y itself tells."""
    rows = [["I(Z;C)", *_estimate_cells(part.information)]]
    if part.given_y is not None:
        rows.append(["I(Z;C|Y)", *_estimate_cells(part.given_y)])
    if part.label_nats is not None:
        rows.append(["I(Y;C), what y itself tells", number_text(part.label_nats), "", "", ""])
    return ["information", "nats", "95% interval", "share of entropy", "p"], rows


def _estimate_cells(found: MIEstimate) -> list[str]:
    share = "" if found.share_of_entropy is None else percent_text(found.share_of_entropy)
    nats, low, high = nats_text(found)
    return [nats, f"{low} to {high}", share, p_text(found.null_p)]


def estimate_line(found: MIEstimate) -> str:
    """An estimate with interval and p-value."""
    nats, interval, _, p = _estimate_cells(found)
    return f"{nats} nats ({interval}, p {p})"


def probe_rows(part: AttributeAudit) -> Rows:
    """Every probe, the worst with intervals, and chance."""
    panel = part.probes.probes
    used = [key for key in PROBE_FIGURES if any(getattr(p, key) is not None for p in panel)]
    rows = [[p.probe, *(number_text(getattr(p, key)) for key in used)] for p in panel]
    worst = part.probes.worst
    rows.append(["the worst", *(interval_text(worst[k]) if k in worst else "" for k in used)])
    chance = chance_figures(part)
    if chance:
        rows.append(["chance", *(number_text(chance[key]) for key in used)])
    title = f"fresh probes, {part.probes.fit_rows:,} rows fit, {part.probes.judged_rows:,} judged"
    return [title, *(PROBE_FIGURES[key] for key in used)], rows


def chance_figures(part: AttributeAudit) -> dict[str, float]:
    """What a probe has that knows nothing of z; empty for a quantity."""
    if part.probes.chance is None or part.probes.levels is None:
        return {}
    return {
        "nats": 0.0, "accuracy": part.probes.chance, "auc": 0.5,
        "balanced_accuracy": 1 / part.probes.levels,
    }  # fmt: skip


def group_rows(outcomes: Outcomes) -> Rows:
    """What predictions do in every group."""
    used = group_figures(outcomes)
    rows = [
        [name, f"{group.rows:,}", *(interval_text(group.figures.get(key)) for key in used)]
        for name, group in outcomes.groups.items()
    ]
    return ["group", "rows", *(key.replace("_", " ") for key in used)], rows


def group_figures(outcomes: Outcomes) -> list[str]:
    """Names of what is known by group."""
    return list(dict.fromkeys(key for g in outcomes.groups.values() for key in g.figures))


def figure_rows(outcomes: Outcomes) -> Rows:
    """Figures over all groups."""
    rows = [[key.replace("_", " "), interval_text(v)] for key, v in outcomes.figures.items()]
    return ["predictions", "with 95% interval"], rows


def before_rows(part: AttributeAudit, other: AttributeAudit) -> Rows:
    """An attribute in z before, `other`, and after: information, the worst probe, predictions."""
    rows = [["I(Z;C), nats", other.information, part.information]]
    if part.given_y is not None and other.given_y is not None:
        rows.append(["I(Z;C|Y), nats", other.given_y, part.given_y])
    cells = [[name, *map(ends_text, pair)] for name, *pair in rows]
    unit = "nats" if part.discrete else "R^2"
    probes = map(interval_text, (other.worst_probe, part.worst_probe))
    cells.append([f"the worst fresh probe, {unit}", *probes])
    if part.outcomes is not None and other.outcomes is not None:
        then, now = other.outcomes.figures, part.outcomes.figures
        cells += [
            [key.replace("_", " "), interval_text(then[key]), interval_text(now[key])]
            for key in now if key in then
        ]  # fmt: skip
    return ["with 95% intervals", "before", "after"], cells


def aligned_note(outcomes: Outcomes, c: str) -> str | None:
    """What aligned and conflicting rows are; None where no figure is about them."""
    if "accuracy_aligned" not in outcomes.figures:
        return None
    return (
        f"aligned rows have a pair of target and {c} that is commoner in the training data (in the "
        "audited rows, where none are given) than if neither told the other; conflicting rows are "
        "the rest"
    )


def reason_lines(reasons: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What is not defined, by reason."""
    for why in dict.fromkeys(reasons.values()):
        names = [name.replace("_", " ") for name, reason in reasons.items() if reason == why]
        yield f"no {', '.join(names)}", why


def data_rows(table: TableAudit, audit: DataAudit) -> Rows:
    """The figures of a table of y and c."""
    c, y = table.attribute, audit.target
    guess = "R^2" if audit.quantity else "accuracy"
    rows = [
        [f"I(C;Y), nats, p {p_text(table.p)}", interval_text(table.information)],
        *([f"H({name}), nats", number_text(value)]
          for name, value in ((y, table.y_entropy), (c, table.c_entropy)) if value is not None),
        [f"{guess} of {y} from {c} alone", interval_text(table.guess)],
        [f"{guess} without {c}", number_text(table.chance)],
        ["effective rows after reweighing", f"{table.effective_rows:,.0f} of {audit.rows:,}"],
        ["cells without rows, with few rows", f"{len(table.empty)}, {len(table.tiny)}"],
    ]  # fmt: skip
    return [f"verdict: {table.verdict}", ""], rows


def cell_rows(table: TableAudit, target: str, most: int | None = None) -> Rows:
    """Rows of every cell, of the first `most` classes and groups."""
    shown = table.groups[:most]
    rows = [
        [name, *(f"{n:,}" for n in counts[: len(shown)])]
        for name, counts in zip(table.classes, table.counts, strict=True)
    ]
    return [f"rows: {target} \\ {table.attribute}", *shown], rows[:most]
