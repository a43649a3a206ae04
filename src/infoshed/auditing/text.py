"""Audits for people: the verdict in a sentence first, then tables."""

from collections.abc import Iterable, Mapping

from infoshed.auditing.data import DataAudit, TableAudit
from infoshed.auditing.interval import Interval
from infoshed.auditing.record import AttributeAudit, Audit, Outcomes
from infoshed.offline import MIEstimate
from infoshed.tables import text_table

LISTED = 12


def verdict(part: AttributeAudit) -> str:
    """One sentence: whether z leaks the attribute, how much, with the interval."""
    found, name = part.information, part.name
    share = ""
    if part.upper_share is not None and found.share_of_entropy is not None:
        share = f", {_percent(found.share_of_entropy)} of H({name})"
    if not part.leaks:
        most = "" if part.upper_share is None else f", {_percent(part.upper_share)} of H({name})"
        return (
            f"no leak of {name} was found: z tells at most {_nats(found)[2]} nats about it (upper "
            f"end of the 95% interval{most})"
        )
    nats, low, high = _nats(found)
    text = f"z leaks {name}: it tells {nats} nats about it (95% interval {low} to {high}){share}"
    if part.worst_probe.low is not None and part.worst_probe.low > found.high:
        kind = "nats" if part.discrete else "of R^2"
        text += f"; a fresh probe finds more still, {_interval(part.worst_probe)} {kind}"
    if part.given_y is not None:
        nats, low, high = _nats(part.given_y)
        text += f"; {nats} ({low} to {high}) beyond y"
    return text


def audit_text(audit: Audit) -> str:
    """The whole audit: verdicts, then the tables of every attribute."""
    lines = [verdict(part) for part in audit.parts]
    about = "" if audit.target is None else f"; y is {audit.target}"
    lines.append(f"\n{audit.rows:,} rows, {audit.columns:,} columns of z{about}")
    lines += [f"note: {note}" for note in audit.notes]
    for part in audit.parts:
        lines += ["", f"== {part.name} ==", "", _information(part), "", _probes(part)]
        if part.outcomes is not None:
            lines += ["", _groups(part.outcomes), "", _figures(part.outcomes)]
            residual = part.outcomes.residual
            if residual is not None:
                lines.append(f"what errors tell about {part.name}: {_estimate(residual)}")
            lines += [f"{what}: {why}" for what, why in _reasons(part.outcomes.reasons)]
        if part.left_out:
            cells = [f"{name} ({rows})" for name, rows in part.left_out.items()]
            lines.append(f"left out of what is said about groups, too few rows: {_listed(cells)}")
        lines += [f"note: {note}" for note in part.notes]
        warnings = [*part.information.warnings, *(part.given_y.warnings if part.given_y else ())]
        lines += [f"warning: {warning}" for warning in dict.fromkeys(warnings)]
    return "\n".join(lines)


def data_text(audit: DataAudit) -> str:
    """The audit of a table: advice first, then the figures and the cells."""
    lines = [table.advice[0] for table in audit.tables]
    lines.append(f"\n{audit.rows:,} rows")
    for table in audit.tables:
        lines += ["", f"== {audit.target} and {table.attribute} ==", ""]
        lines += [_data_figures(table, audit), "", _cells(table, audit.target)]
        lines += [f"advice: {line}" for line in table.advice[1:]]
    return "\n".join(lines)


def data_lines(audit: DataAudit) -> list[str]:
    """The audit of a table in a line for each attribute: how biased, and what to do."""
    lines = []
    for table in audit.tables:
        c, y = table.attribute, audit.target
        share = ""
        if table.c_entropy:
            share = f", {_percent(table.information.value / table.c_entropy)} of H({c})"
        guess = "R^2" if audit.quantity else "accuracy"
        lines.append(
            f"how biased: {y} and {c} share {_interval(table.information)} nats{share}; {guess} of "
            f"{y} from {c} alone {_number(table.guess.value)}, without it {_number(table.chance)}; "
            f"{table.advice[0]}"
        )
    return lines


def _information(part: AttributeAudit) -> str:
    rows = [["I(Z;C)", *_estimate_cells(part.information)]]
    if part.given_y is not None:
        rows.append(["I(Z;C|Y)", *_estimate_cells(part.given_y)])
    if part.label_nats is not None:
        rows.append(["I(Y;C), what y itself tells", _number(part.label_nats), "", "", ""])
    return text_table(["information, nats", "", "95% interval", "share of entropy", "p"], rows)


def _estimate_cells(found: MIEstimate) -> list[str]:
    share = "" if found.share_of_entropy is None else _percent(found.share_of_entropy)
    nats, low, high = _nats(found)
    return [nats, f"{low} to {high}", share, _p(found.null_p)]


def _estimate(found: MIEstimate) -> str:
    nats, interval, _, p = _estimate_cells(found)
    return f"{nats} nats ({interval}, p {p})"


def _probes(part: AttributeAudit) -> str:
    columns = {
        "nats": "nats",
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "auc": "AUC",
        "r2": "R^2",
    }
    used = [key for key in columns if any(getattr(p, key) is not None for p in part.probes.probes)]
    rows = [[p.probe, *(_number(getattr(p, key)) for key in used)] for p in part.probes.probes]
    worst = part.probes.worst
    rows.append(["the worst", *(_interval(worst[k]) if k in worst else "" for k in used)])
    if part.probes.chance is not None and part.probes.levels is not None:
        chance = {"nats": 0.0, "accuracy": part.probes.chance, "auc": 0.5}
        chance["balanced_accuracy"] = 1 / part.probes.levels
        rows.append(["chance", *(_number(chance[key]) for key in used)])
    title = f"fresh probes, {part.probes.fit_rows:,} rows fit, {part.probes.judged_rows:,} judged"
    return text_table([title, *(columns[key] for key in used)], rows)


def _groups(outcomes: Outcomes) -> str:
    groups = list(outcomes.groups.items())
    used = list(dict.fromkeys(key for _, group in groups for key in group.figures))
    rows = [
        [name, f"{group.rows:,}", *(_interval(group.figures.get(key)) for key in used)]
        for name, group in groups[:LISTED]
    ]
    table = text_table(["group", "rows", *(key.replace("_", " ") for key in used)], rows)
    more = len(groups) - LISTED
    return table + f"\n... and {more} more groups; all with --json" * (more > 0)


def _figures(outcomes: Outcomes) -> str:
    rows = [[key.replace("_", " "), _interval(v)] for key, v in outcomes.figures.items()]
    return text_table(["predictions", "with 95% interval"], rows)


def _reasons(reasons: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What is not defined, by reason."""
    for why in dict.fromkeys(reasons.values()):
        names = [name.replace("_", " ") for name, reason in reasons.items() if reason == why]
        yield f"no {', '.join(names)}", why


def _data_figures(table: TableAudit, audit: DataAudit) -> str:
    c, y = table.attribute, audit.target
    guess = "R^2" if audit.quantity else "accuracy"
    rows = [
        [f"I(C;Y), nats, p {_p(table.p)}", _interval(table.information)],
        *([f"H({name}), nats", _number(value)]
          for name, value in ((y, table.y_entropy), (c, table.c_entropy)) if value is not None),
        [f"{guess} of {y} from {c} alone", _interval(table.guess)],
        [f"{guess} without {c}", _number(table.chance)],
        ["effective rows after reweighing", f"{table.effective_rows:,.0f} of {audit.rows:,}"],
        ["cells without rows, with few rows", f"{len(table.empty)}, {len(table.tiny)}"],
    ]  # fmt: skip
    return text_table([f"verdict: {table.verdict}", ""], rows)


def _cells(table: TableAudit, target: str) -> str:
    shown = table.groups[:LISTED]
    rows = [
        [name, *(f"{n:,}" for n in counts[: len(shown)])]
        for name, counts in zip(table.classes, table.counts, strict=True)
    ]
    text = text_table([f"rows: {target} \\ {table.attribute}", *shown], rows[:LISTED])
    hidden = len(table.groups) > LISTED or len(rows) > LISTED
    return text + "\n... cut; all cells with --json" * hidden


def _listed(items: list[str]) -> str:
    more = f"; and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return "; ".join(items[:LISTED]) + more


def _interval(found: Interval | None) -> str:
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{_number(found.value)} (no interval)"
    return f"{_number(found.value)} ({_number(found.low)} to {_number(found.high)})"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.4g}"


def _nats(found: MIEstimate) -> tuple[str, str, str]:
    """The estimate and the ends of its interval."""
    # Below a tenth of a nat the differences that matter are in the later digits.
    digits = 2 if found.high >= 0.1 else 4
    return f"{found.nats:.{digits}f}", f"{found.low:.{digits}f}", f"{found.high:.{digits}f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _p(p: float) -> str:
    return "<= 0.001" if p <= 0.001 else f"{p:.2g}"
