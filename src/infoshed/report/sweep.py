"""The page of a sweep: what every setting costs and sheds, and which one is taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from infoshed.experiments.choice import Choice, label, table_head, table_rows, verdict
from infoshed.experiments.selection import RULE
from infoshed.experiments.trade_off import trade_off_lines
from infoshed.report.chart import Chart, Table
from infoshed.report.document import (
    Block,
    Caution,
    Document,
    Items,
    Panels,
    Section,
    Text,
    again,
    render_document,
    sentence,
)
from infoshed.report.trade_off import trade_off
from infoshed.targets import Score

LIMITS = (
    "The rule sees biased data only. It cannot know what unbiased data would say; where the bias "
    "is so strong that no row breaks it, nothing here can.",
    "A few seeds give a range, not a confidence interval, and the best of many settings looks "
    "better than it is. Audit the chosen run on rows that it has not seen: infoshed audit RUN.",
)


@dataclass(frozen=True)
class SweepContent:
    """What the page shows: the choices, the folder, how to get it again, and versions."""

    choices: Sequence[Choice]
    folder: str
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def render_sweep(content: SweepContent) -> str:
    """The HTML page; the same content gives the same string, byte for byte."""
    choices = content.choices
    lines = trade_off_lines(choices)
    curve: list[Block] = []
    if lines is not None:
        score = choices[0].score
        title = f"{score.heading} against leakage"
        rows = [
            [f"{name}, {p.name}" if len(lines) > 1 else p.name, _nats(p.leakage),
             _text(score, p.score), "chosen" if p.chosen else ""]
            for name, points in lines.items() for p in points
        ]  # fmt: skip
        svg = trade_off(
            lines, score, prefix="trade-off",
            label=f"{title}. " + "; ".join(f"{r[0]}: {r[2]} at {r[1]} nats" for r in rows) + ".",
        )  # fmt: skip
        caption = (
            "Up is better predicted, left is less leakage; both on the biased validation split. "
            "Mean over the seeds, bars from lowest to highest; the ring is the chosen setting."
        )
        table = Table(title, ("setting", "leakage, nats", score.title, "rule"), rows)
        curve = [Panels([Chart(title, Markup(svg), caption, table)])]
    done = Text(
        "Every setting was trained with every seed. Leakage is what the logits tell about the "
        "attribute beyond the label, I(logits;C|Y) in nats, on validation rows; J is the sum that "
        "the rule below looks at."
    )
    return render_document(
        Document(
            f"{content.folder}: which strength to take",
            (headline(choices[0]), _detail(choices)),
            [
                Section("done", "What was done", [done]),
                Section("trade-off", "What each setting costs", curve),
                *(_settings(choice, i) for i, choice in enumerate(choices)),
                Section("rule", "The rule", [Text(RULE.replace("`", ""))]),
                Section("limits", "How far this goes", [Caution(LIMITS)]),
                again(content.command, content.versions, []),
            ],
        )
    )


def headline(choice: Choice) -> str:
    """What is chosen, in a sentence with its figures."""
    chosen = choice.chosen
    if chosen is None:
        return f"{choice.title}: nothing to choose, no setting has figures from every run."
    found, leakage = chosen.figures[choice.figure], chosen.figures["val_leakage"]
    said = _text(choice.score, found)
    said = f"{said} accuracy" if choice.score.share else f"{choice.score.title} {said}"
    return (
        f"{choice.title}: the rule takes {label(chosen)}, with {said} and {_nats(leakage)} nats of "
        "leakage on biased validation data."
    )


def _detail(choices: Sequence[Choice]) -> str:
    chosen = choices[0].chosen
    seeds = ""
    if chosen is not None:
        one = chosen.seeds == 1
        seeds = "One seed. " if one else f"Mean of {chosen.seeds} seeds (lowest to highest). "
    more = len(choices) - 1
    others = f"{more} more sweep{'s' * (more > 1)} below. " if more else ""
    missing = sum(choice.missing for choice in choices)
    return seeds + others + (f"The grid is incomplete: {missing} runs are missing." * (missing > 0))


def _settings(choice: Choice, index: int) -> Section:
    said = [sentence(line) for line in verdict(choice)]
    table = Table(choice.title, table_head(choice), table_rows(choice))
    return Section(f"settings-{index}", choice.title, [Items(said), table])


def _nats(spread: tuple[float, float, float]) -> str:
    mean, low, high = spread
    return f"{mean:.3f}" + (f" ({low:.3f} to {high:.3f})" if low != high else "")


def _text(score: Score, spread: tuple[float, float, float]) -> str:
    mean, low, high = (score.text(v) for v in spread)
    return mean + (f" ({low.removesuffix('%')} to {high})" if low != high else "")
