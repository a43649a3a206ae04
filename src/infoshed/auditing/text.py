"""Audits for people: the verdict in a sentence first, then tables."""

from infoshed.auditing.data import DataAudit
from infoshed.auditing.record import RARE, SIGNIFICANT, AttributeAudit, Audit
from infoshed.auditing.tables import (
    aligned_note,
    before_rows,
    cell_rows,
    data_rows,
    estimate_line,
    figure_rows,
    group_rows,
    information_rows,
    probe_rows,
    reason_lines,
)
from infoshed.auditing.words import (
    interval_text,
    nats_text,
    nats_texts,
    number_text,
    percent_text,
)
from infoshed.tables import text_table

LISTED = 12


def verdict(part: AttributeAudit) -> str:
    """One sentence: whether z leaks the attribute, how much, with the interval."""
    found, name = part.information, part.name
    share = ""
    if part.upper_share is not None and found.share_of_entropy is not None:
        share = f", {percent_text(found.share_of_entropy)} of H({name})"
    if not part.leaks and part.sparse:
        return (
            f"whether z leaks {name} cannot be told: most rows have one of its "
            f"{len(part.groups):,} values that fewer than {RARE} rows share, too few to learn; "
            "merge values, or give numbers as a quantity"
        )
    if not part.leaks:
        most = (
            "" if part.upper_share is None else f", {percent_text(part.upper_share)} of H({name})"
        )
        return (
            f"no leak of {name} was found: z tells at most {upper_text(part)} nats about it "
            f"(upper end of the 95% interval{most})"
        )
    nats, low, high = nats_text(found)
    text = f"z leaks {name}: it tells {nats} nats about it (95% interval {low} to {high}){share}"
    probe = part.worst_probe.low
    if found.low <= 0 and found.null_p < SIGNIFICANT:
        text += f"; that it tells anything is the permutation test's, p = {found.null_p:.2g}"
    elif found.low <= 0 and probe is not None and 0 < probe <= found.high:
        kind = "nats" if part.discrete else "of R^2"
        text += f"; a fresh probe finds {interval_text(part.worst_probe)} {kind}"
    if part.worst_probe.low is not None and part.worst_probe.low > found.high:
        kind = "nats" if part.discrete else "of R^2"
        text += f"; a fresh probe finds more still, {interval_text(part.worst_probe)} {kind}"
    if part.given_y is not None:
        nats, low, high = nats_text(part.given_y)
        text += f"; {nats} ({low} to {high}) beyond y"
    return text


def upper_text(part: AttributeAudit) -> str:
    """`upper_nats`, with the decimals of an estimate that ends there."""
    return nats_texts(part.information.nats, part.information.low, part.upper_nats)[2]


def worst_note(part: AttributeAudit) -> str | None:
    """Why the worst probe lies below one that it was picked from; None where it does not."""
    key = "nats" if part.discrete else "r2"
    best = max(getattr(p, key) for p in part.probes.probes)
    if round(part.worst_probe.value, 3) >= round(best, 3):
        return None
    return (
        f"the worst probe ({number_text(part.worst_probe.value)}) may lie below the best row "
        f"({number_text(best)}): it is picked on one half of the judged rows and judged on the "
        "other, since the best of several noisy figures is too good"
    )


def warnings(part: AttributeAudit) -> list[str]:
    """What to know before relying on the figures, each once."""
    said = part.information.warnings
    given = part.given_y.warnings if part.given_y else ()
    # Given y other judges may be at a loss than without: what is linear through y is not beyond it.
    return [*said, *(f"given y: {line}" for line in given if line not in said)]


def audit_text(audit: Audit, before: Audit | None = None) -> str:
    """The whole audit: verdicts, then the tables of every attribute; `before` is the audit of
    what it is compared with."""
    lines = [verdict(part) for part in audit.parts]
    if before is not None:
        lines += [f"before: {verdict(part)}" for part in before.parts]
    about = "" if audit.target is None else f"; y is {audit.target}"
    lines.append(f"\n{audit.rows:,} rows, {audit.columns:,} columns of z{about}")
    lines += [f"note: {note}" for note in audit.notes]
    others = {} if before is None else {part.name: part for part in before.parts}
    for part in audit.parts:
        tables = [text_table(*information_rows(part)), "", text_table(*probe_rows(part))]
        if part.name in others:
            tables = [text_table(*before_rows(part, others[part.name])), "", *tables]
        lines += ["", f"== {part.name} ==", "", *tables]
        note = worst_note(part)
        lines += [note] if note else []
        if part.outcomes is not None:
            head, rows = group_rows(part.outcomes)
            lines += ["", text_table(head, rows[:LISTED])]
            more = len(rows) - LISTED
            lines += [f"... and {more} more groups; all with --json"] if more > 0 else []
            lines += ["", text_table(*figure_rows(part.outcomes))]
            aligned = aligned_note(part.outcomes, part.name)
            lines += [aligned] if aligned else []
            residual = part.outcomes.residual
            if residual is not None:
                lines.append(f"what errors tell about {part.name}: {estimate_line(residual)}")
            lines += [f"{what}: {why}" for what, why in reason_lines(part.outcomes.reasons)]
        lines += [f"left out of what is said about groups, too few rows: {line}"
                  for line in left_out(part)]  # fmt: skip
        lines += [f"note: {note}" for note in part.notes]
        lines += [f"warning: {warning}" for warning in warnings(part)]
    return "\n".join(lines)


def left_out(part: AttributeAudit) -> list[str]:
    """The groups that were left out, in a line; no line where there are none."""
    cells = [f"{name} ({rows})" for name, rows in part.left_out.items()]
    more = f"; and {len(cells) - LISTED} more" if len(cells) > LISTED else ""
    return ["; ".join(cells[:LISTED]) + more] if cells else []


def data_text(audit: DataAudit) -> str:
    """The audit of a table: advice first, then the figures and the cells."""
    lines = [table.advice[0] for table in audit.tables]
    lines.append(f"\n{audit.rows:,} rows")
    for table in audit.tables:
        lines += ["", f"== {audit.target} and {table.attribute} ==", ""]
        cells = text_table(*cell_rows(table, audit.target, LISTED))
        hidden = max(len(table.groups), len(table.classes)) > LISTED
        lines += [text_table(*data_rows(table, audit)), "", cells]
        lines += ["... cut; all cells with --json"] if hidden else []
        lines += [f"advice: {line}" for line in table.advice[1:]]
    return "\n".join(lines)


def data_lines(audit: DataAudit) -> list[str]:
    """The audit of a table in a line for each attribute: how biased, and what to do."""
    lines = []
    for table in audit.tables:
        c, y = table.attribute, audit.target
        share = ""
        if table.c_entropy:
            share = f", {percent_text(table.information.value / table.c_entropy)} of H({c})"
        guess = "R^2" if audit.quantity else "accuracy"
        found, without = number_text(table.guess.value), number_text(table.chance)
        lines.append(
            f"how biased: {y} and {c} share {interval_text(table.information)} nats{share}; "
            f"{guess} of {y} from {c} alone {found}, without it {without}; {table.advice[0]}"
        )
    return lines
