"""The page of an audit: what z tells about each attribute, and how predictions treat its groups.

The verdict stands first, in a sentence with its interval; every chart has its table behind it. What
was compared with (``before``) and the training of a run are shown where they are there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infoshed.auditing.record import SIGNIFICANT, AttributeAudit, Audit
from infoshed.auditing.tables import chance_figures, information_rows, probe_rows
from infoshed.auditing.text import left_out, upper_text, verdict, warnings, worst_note
from infoshed.auditing.words import ends_text, nats_text, percent_text
from infoshed.offline import MIEstimate
from infoshed.report.chart import Chart, Table
from infoshed.report.content import RunContent
from infoshed.report.curves import curve_charts
from infoshed.report.document import (
    Block,
    Caution,
    Document,
    Heading,
    Items,
    Panels,
    Section,
    Text,
    again,
    items,
    render_document,
    sentence,
)
from infoshed.report.groups import GROUPS, outcome_blocks, outcomes_before
from infoshed.report.intervals import Ends, ends, interval_chart

NAMED = 4
NOTHING = 5e-4  # nats that are shown as 0
LIMITS = (
    "Fresh probes can prove that z tells an attribute; nothing proves that it does not. A "
    "learner of another kind, or more rows, may find what these did not.",
    "What holds for these rows holds for others that are drawn like them. Rows that the encoder "
    "was trained on say less than rows that are new to it.",
    "Every interval covers 95% by itself, not all of them together; and a difference between the "
    "largest and the smallest group cannot be negative, so that an interval above 0 is no test.",
)


@dataclass(frozen=True)
class Training:
    """Runs with their metrics, what c is called, and H(C) and I(Y;C) of the training data in
    nats."""

    runs: Sequence[RunContent]
    attribute: str
    entropy: float | None
    label_information: float | None


@dataclass(frozen=True)
class AuditContent:
    """What the page shows.

    Args:
        audit: of it. subject: what was audited, such as the name of a file.
        before: the audit of what it is compared with, and what that is; or None.
        training: of a run; or None.
        settings: name and value of all that decided the figures.
        command: how to get the same again. versions: of the software.
    """

    audit: Audit
    subject: str
    before: tuple[str, Audit] | None = None
    training: Training | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def render_audit(content: AuditContent) -> str:
    """The HTML page; the same content gives the same string, byte for byte."""
    audit = content.audit
    names = ", ".join(part.name for part in audit.attributes)
    sections = [_done(content), *_summary(audit)]
    if content.before is not None:
        sections.append(_before(audit, *content.before))
    several = len(audit.parts) > 1
    sections += [_part(part, i, several, audit.target) for i, part in enumerate(audit.parts)]
    if content.training is not None:
        sections.append(_training(content.training))
    sections += [
        Section("limits", "How far this goes", [Caution(LIMITS)]),
        again(content.command, content.versions, list(content.settings.items())),
    ]
    return render_document(
        Document(f"{content.subject}: what it tells about {names}", headline(content), sections)
    )


def headline(content: AuditContent) -> tuple[str, str]:
    """The verdict on all attributes in a sentence, and what it rests on."""
    audit = content.audit
    detail = f"{audit.rows:,} rows; fresh probes and mutual information, judged on held-out rows."
    if content.before is not None:
        subject, before = content.before
        old = [f"{part.name} {ends_text(part.information)}" for part in before.attributes]
        detail += f" Before ({subject}), in nats: {_listed(old)}."
    if len(audit.attributes) == 1:
        text = verdict(audit.attributes[0])
        return sentence(text), detail
    leaking = sorted((p for p in audit.attributes if p.leaks), key=lambda p: -_size(p))
    sparse = [part.name for part in audit.attributes if part.sparse and not part.leaks]
    clean = [part for part in audit.attributes if not (part.leaks or part.sparse)]
    found = [f"{part.name} ({_found(part)})" for part in leaking[:1]]
    found += [f"{part.name} ({nats_text(part.information)[0]})" for part in leaking[1:]]
    said = [f"z leaks {_listed(found)}"] if found else []
    if clean:
        missed = [f"{p.name} (at most {upper_text(p)} nats)" for p in clean]
        said.append(f"no leak of {_listed(missed)} was found")
    if sparse:
        said.append(f"of {_listed(sparse)} too few rows share a value to tell")
    text = "; ".join(said)
    return sentence(text), detail


def _size(part: AttributeAudit) -> float:
    share = part.information.share_of_entropy
    return part.information.nats if share is None else share


def _found(part: AttributeAudit) -> str:
    nats, low, high = nats_text(part.information)
    share = part.information.share_of_entropy
    of = "" if share is None else f", {percent_text(share)} of what there is to know"
    return f"{nats} nats, 95% interval {low} to {high}{of}"


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:NAMED]]
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _done(content: AuditContent) -> Section:
    audit = content.audit
    about = "" if audit.target is None else f", beside the target y, {audit.target}"
    blocks: list[Block] = [
        Text(
            f"{audit.rows:,} rows of the representation z ({content.subject}, {audit.columns:,} "
            f"columns) were looked at for what they tell about "
            f"{_listed([part.name for part in audit.attributes])}{about}."
        ),
        Text(
            "Learners of four kinds, fresh probes, were fitted on one half of the rows and judged "
            "on the other; the mutual information I(Z;C), all that z tells about an attribute c, "
            "was estimated by further judges, each judging only rows which it had not seen. It is "
            "in nats and as a share of H(C), all there is to know about c (1 nat is 1.44 bits)."
        ),
    ]
    if len(audit.parts) > len(audit.attributes):
        blocks.append(
            Text("After each attribute by itself, all of them are taken together: a group is then "
                 "a combination of values.")
        )  # fmt: skip
    return Section("done", "What was done", [*blocks, *items(audit.notes)])


def _summary(audit: Audit) -> list[Section]:
    """All parts beside one another, where there are several."""
    if len(audit.parts) == 1:
        return []
    blocks: list[Block] = [Items([verdict(part) for part in audit.parts])]
    shares = [part for part in audit.parts if part.information.entropy]
    if shares:
        rows = {part.name: [_share(part.information)] for part in shares}
        every = len(shares) == len(audit.parts)
        whole = "." if every else "; a quantity has no H(C), see the table."
        table = Table(
            "Leakage by attribute",
            ("attribute", "nats", "95% interval", "share of H(C)", "p", "given y, nats"),
            [[part.name, *information_rows(part)[1][0][1:], _given(part)] for part in audit.parts],
        )
        blocks.append(Panels([interval_chart(
            "Leakage by attribute", rows, ["I(Z;C)"], "share", table, "summary",
            "Share of H(C) that z tells, with 95% intervals" + whole, bounds=(0, 1),
        )]))  # fmt: skip
    return [Section("summary", "All attributes", blocks)]


def _given(part: AttributeAudit) -> str:
    return "" if part.given_y is None else ends_text(part.given_y)


def _share(found: MIEstimate) -> Ends:
    assert found.entropy
    return found.nats / found.entropy, found.low / found.entropy, found.high / found.entropy


def _before(audit: Audit, subject: str, before: Audit) -> Section:
    """Leakage and predictions before and after, side by side."""
    rows: dict[str, list[Ends | None]] = {}
    lines = []
    others = {part.name: part for part in before.parts}
    charts = []
    for part in audit.parts:
        other = others.get(part.name)
        if other is None:
            continue
        pairs = {f"{part.name}, I(Z;C)": (other.information, part.information)}
        if other.given_y is not None and part.given_y is not None:
            pairs[f"{part.name}, I(Z;C|Y)"] = (other.given_y, part.given_y)
        for name, pair in pairs.items():
            rows[name] = [ends(found) for found in pair]
            lines.append([name, *(ends_text(found) for found in pair)])
        charts += outcomes_before(part, other)
    table = Table("Leakage before and after, nats", ("information", "before", "after"), lines)
    leakage = interval_chart(
        "Leakage before and after", rows, ["before", "after"], "nats", table, "before",
        "Information in nats, with 95% intervals.", bounds=(0, None),
    )  # fmt: skip
    text = Text(f"Before is {subject}, audited on the same rows in the same way.")
    return Section("before", "Before and after", [text, Panels([leakage, *charts])])


def _part(part: AttributeAudit, index: int, several: bool, target: str | None) -> Section:
    """All about one attribute."""
    key = f"part-{index}"
    blocks: list[Block] = [Text(sentence(verdict(part)))] if several else []
    blocks += [Text(line) for line in _reading(part, target)]
    blocks.append(Panels([_information(part, key), _probes(part, key)]))
    note = worst_note(part)
    blocks += [Text(sentence(note))] if note else []
    if part.outcomes is not None:
        blocks += outcome_blocks(part.outcomes, part, key)
    groups = [f"{name}: {rows:,} rows" for name, rows in part.groups.items()]
    if part.outcomes is None and len(groups) <= GROUPS:
        table = Table(f"Groups of {part.name}", ("group", "rows"),
                      [[name, f"{rows:,}"] for name, rows in part.groups.items()])  # fmt: skip
        blocks.append(table)
    said = [f"Left out of what is said about groups, too few rows: {line}." for line in
            left_out(part)]  # fmt: skip
    blocks += items([*said, *part.notes])
    cautions = warnings(part)
    if cautions:
        blocks += [Heading("What to know before relying on this")]
        blocks += [Caution([sentence(line) for line in cautions])]
    heading = f"{part.name}: leakage and groups" if part.outcomes else f"{part.name}: leakage"
    return Section(key, heading, blocks)


def _reading(part: AttributeAudit, target: str | None) -> list[str]:
    """The figures in plain sentences."""
    found = part.information
    lines = []
    if found.entropy:
        share = percent_text(found.nats / found.entropy)
        lines.append(
            f"All there is to know about {part.name} in these {part.rows:,} rows is "
            f"{found.entropy:.2f} nats; z tells {share} of it, and at most "
            f"{percent_text(part.upper_share or 0.0)} "
            + (
                "since most values are too rare to learn."
                if part.sparse
                else "by the upper end of the intervals."
            )
        )
    p = "at most 0.001" if found.null_p <= 0.001 else f"{found.null_p:.2g}"
    lines.append(
        f"Permutation test: if z told nothing about {part.name}, so strong a dependence would be "
        f"seen with a probability of {p}; below {SIGNIFICANT} it counts as a leak."
    )
    if part.given_y is not None:
        own = ""
        if part.label_nats is not None and part.label_nats >= NOTHING:
            own = (
                f"{target} by itself tells {part.label_nats:.3g} nats about {part.name}, and so "
                "must every z that predicts it perfectly. "
            )
        lines.append(
            f"{own}Given {target}, z tells {ends_text(part.given_y)} nats more: this is what "
            "can be shed without losing the target."
        )
    return lines


def _information(part: AttributeAudit, key: str) -> Chart:
    rows: dict[str, list[Ends | None]] = {"I(Z;C)": [ends(part.information)]}
    if part.given_y is not None:
        rows["I(Z;C|Y)"] = [ends(part.given_y)]
    references = {}
    if part.information.entropy:
        references[f"H(C) = {part.information.entropy:.2f}"] = part.information.entropy
    if part.label_nats is not None:
        references[f"I(Y;C) = {part.label_nats:.2f}"] = part.label_nats
    title, (head, lines) = f"Information about {part.name}", information_rows(part)
    return interval_chart(
        title, rows, ["information"], "nats", Table(title, head, lines), f"{key}-information",
        "What z tells, and what it tells beyond y, with 95% intervals."
        if part.given_y is not None else "What z tells, with a 95% interval.",
        references=references, bounds=(0, None),
    )  # fmt: skip


def _probes(part: AttributeAudit, key: str) -> Chart:
    figure = "nats" if part.discrete else "r2"
    rows: dict[str, list[Ends | None]] = {
        p.probe: [(float(getattr(p, figure)), None, None)] for p in part.probes.probes
    }
    rows["the worst"] = [ends(part.worst_probe)]
    references = {"chance": 0.0} if chance_figures(part) else {"nothing found": 0.0}
    head, lines = probe_rows(part)
    unit = "nats" if part.discrete else "R^2"
    return interval_chart(
        "Leakage by probe", rows, ["found"], unit, Table(head[0], ("probe", *head[1:]), lines),
        f"{key}-probes",
        f"What each fresh learner reads of {part.name} on rows it has not seen; the worst with a "
        "95% interval.",
        references=references,
    )  # fmt: skip


def _training(training: Training) -> Section:
    charts = curve_charts(
        training.runs, training.attribute, training.entropy, training.label_information
    )
    text = Text(
        "What was estimated while training: a lower bound by the critic that was trained "
        "alongside. The audit above does not rest on it."
    )
    return Section("training", "Training", [text, Panels(charts)] if charts else [])
