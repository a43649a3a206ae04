"""Plain-text tables for the terminal."""

import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from statistics import mean
from typing import TYPE_CHECKING, Any

from infoshed.pressure import FLOOR, LEAST
from infoshed.run import Run

if TYPE_CHECKING:
    from infoshed.offline import MIEstimate

SLACK = 0.2  # over a budget, which an estimate on a few batches may swing by
HARDLY = 10 * LEAST  # strength, the average of an epoch, below which a budget does not bind
SIDES = {"lower": "below", "upper": "above"}


def text_table(header: list[str], rows: Iterable[list[str]], left: int = 1) -> str:
    """Columns aligned, the first `left` of them to the left and the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def render(line: list[str]) -> str:
        sized = list(zip(line, widths, strict=True))
        cells = [cell.ljust(w) for cell, w in sized[:left]]
        cells += [cell.rjust(w) for cell, w in sized[left:]]
        return "  ".join(cells).rstrip()

    return "\n".join([render(header), "  ".join("-" * w for w in widths), *map(render, lines[1:])])


def folded(text: str) -> str:
    """`text` with long sentences folded to the width of the terminal; as it is where standard
    output is none. Rows of tables, which have two spaces between cells, are left alone."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(
        line if "  " in line else textwrap.fill(line, width, subsequent_indent="  ") or line
        for line in text.splitlines()
    )


def terminal_text(page: str) -> str:
    """Markdown as the library writes it, for the terminal: tables aligned, without pictures and
    marks."""
    parts: list[str] = []
    for block in re.split(r"\n{2,}", page):
        lines = block.splitlines()
        if lines and all(line.startswith("|") for line in lines):
            cells = [
                [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                for line in lines
            ]
            parts.append(text_table(cells[0], cells[2:]))
        elif block.startswith("#"):
            title = block.lstrip("# ")
            parts.append(f"{title}\n{'=' * len(title)}")
        elif not block.startswith(("![", "</")):
            summary = re.match(r"<details><summary>(.*)</summary>", block)
            parts.append(f"{summary[1]}:" if summary else block.replace("`", ""))
    return "\n\n".join(parts)


def results_table(runs: list[Run]) -> str:
    """Accuracy per method: mean over seeds with the range, and every seed."""
    methods = list(dict.fromkeys(run.config.method for run in runs))
    splits = list(runs[0].results)
    rows = []
    for method in methods:
        chosen = [run for run in runs if run.config.method == method]
        for split in splits:
            values = [run.results[split]["accuracy"] for run in chosen]
            seeds = " ".join(f"{v:.1%}" for v in values)
            spread = f"{min(values):.1%} to {max(values):.1%}"
            rows.append([method, split, f"{mean(values):.1%}", spread, seeds])
    return text_table(["method", "accuracy on", "mean", "range", "each seed"], rows)


def parts_of(row: dict[str, Any]) -> list[str]:
    """The parts of c that a row of metrics has figures of: `mi_NAME`, `strength_NAME`."""
    return [key.removeprefix("strength_") for key in row if key.startswith("strength_")]


def run_table(run: Run) -> str:
    """The figures of one run."""
    last = run.metrics[-1] if run.metrics else {}
    entropy, score = run.attribute.entropy, run.target.score
    rows = [
        [f"{title}, {name}{' (as biased as training)' * (name == 'test')}", text]
        for name, result in run.results.items()
        for title, text in run.target.lines(result)
    ]
    if not run.results:
        rows.append(["not finished", f"{len(run.metrics)} of {run.config.epochs} epochs"])
    weighted = f"val_{score.key}_weighted"
    if weighted in last:
        title = f"{score.title}, validation reweighed to unbiased"
        rows.append([title, score.text(last[weighted])])
    if "task_loss" in last:
        rows.append(["task loss, last epoch (nats)", f"{last['task_loss']:.4f}"])
    if last.get("mi") is not None:
        share = f" = {last['mi'] / entropy:.1%} of H(C)" if entropy else ""
        rows.append([f"{run.information} while training (nats)", f"{last['mi']:.3f}{share}"])
    parts = parts_of(last)
    for name in parts:
        rows.append([f"information estimate, {name} (nats)", f"{last[f'mi_{name}']:.3f}"])
    for name in parts or [""] * ("strength" in last):
        of, key = f" of {name}" if name else "", f"strength_{name}" if name else "strength"
        rows.append([f"strength{of}, last epoch", f"{last[key]:.3g}"])
        if (held := budget_text(run, name)) is not None:
            rows.append([f"budget{of} (nats)", held])
    for part in run.leakage:
        rows.append([f"I(Z;C) by fresh judges, {part['attribute']} (nats)", reading_text(part)])
    rows.append(["seconds", f"{run.seconds:.1f}"])
    return text_table(
        [f"{run.config.dataset}, {run.config.method}, seed {run.config.seed}", ""], rows
    )


def budget_text(run: Run, part: str = "") -> str | None:
    """A run's budget, of a part where the parts have their own, and how it was kept by what the
    training critic read; None where there is none."""
    last, of = run.metrics[-1], f"_{part}" * bool(part)
    nats, held = last.get(f"budget{of}"), last.get(f"mi_held_out{of}")
    if nats is None:
        return None
    asked = run.metrics[0].get(f"budget{of}", nats)
    text = f"{nats:.3g}" + (f" (raised from {asked:.3g} by the alarm)" if nats > asked else "")
    if held is None or math.isnan(held):
        text += ", not measured"
    else:
        over = held > nats + SLACK * max(nats, FLOOR)
        loose = last[f"strength{of}"] < HARDLY
        verdict = "not held" if over else "not binding" if loose else "held"
        text += f", {verdict}: {held:.3g} of {run.information} on validation rows"
        text += ", with hardly any pressure" if loose else ""
    rang = sum(bool(row.get("alarm")) for row in run.metrics)
    return text + (f"; alarm in {rang} of {len(run.metrics)} epochs" if rang else "")


def nats_texts(nats: float, low: float, high: float) -> tuple[str, str, str]:
    """An estimate and the ends of its interval."""
    # Below a tenth of a nat the differences that matter are in the later digits.
    digits = 2 if high >= 0.1 else 4
    return f"{nats:.{digits}f}", f"{low:.{digits}f}", f"{high:.{digits}f}"


def reading_text(part: dict[str, Any]) -> str:
    """An entry of `Run.leakage`: nats with their interval, and the share of H(C)."""
    nats, low, high = nats_texts(part["nats"], part["low"], part["high"])
    share = part["share_of_entropy"]
    return f"{nats} ({low} to {high})" + ("" if share is None else f" = {share:.1%} of H(C)")


def leakage_text(run: Run) -> str:
    """What the fresh judges of a run looked at, and what to hold their figures against."""
    told = [part for part in run.leakage if part["label_nats"] is not None]
    text = f"Fresh judges looked at z of {run.leakage[0]['rows']:,} validation rows."
    if told:
        of = ", ".join(f"{part['label_nats']:.2g} nats of {part['attribute']}" for part in told)
        text += f" The target itself tells {of} in the training rows."
    return text


def estimate_text(estimate: "MIEstimate", rows: str) -> str:
    """An estimate for people: the figure, what it rests on (`rows`, in words), and every warning on
    a line."""
    name = "C|Y" if estimate.conditional else "C"
    # Below a tenth of a nat the differences that matter are in the later digits.
    digits = 2 if estimate.high >= 0.1 else 4
    nats, low, high = (f"{v:.{digits}f}" for v in (estimate.nats, estimate.low, estimate.high))
    if estimate.unit == "nats":
        lines = [f"I(Z;{name}) = {nats} nats ({low} to {high}, 95% interval)"]
    else:
        lines = [f"{estimate.unit} = {nats} ({low} to {high}, 95% interval)"]
    if estimate.share_of_entropy is not None:
        share = f"{estimate.share_of_entropy:.{0 if estimate.share_of_entropy >= 0.1 else 1}%}"
        lines[0] += f", {share} of H({name}) = {estimate.entropy:.2f} nats"
    p = "p < 0.001" if estimate.null_p < 0.001 else f"p = {estimate.null_p:.2g}"
    lines += [f"any dependence at all: {p}", rows]
    if len(estimate.judges) > 1:
        judges = [f"{judge} {value:.{digits}f}" for judge, value in estimate.judges.items()]
        lines.append(f"judges, each alone: {', '.join(judges)}")
    else:
        bound = "" if estimate.bound == "neither" else f", a bound from {SIDES[estimate.bound]}"
        lines.append(f"estimator: {estimate.estimator}{bound}")
    return "\n".join(lines + [f"warning: {warning}" for warning in estimate.warnings])


def catalogue(*tables: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """One line for every data set, method and estimator, from their own descriptions."""
    datasets, methods, estimators = tables
    return {
        "data sets": {name: (make.__doc__ or "").split("\n")[0] for name, make in datasets.items()},
        "methods": {name: kind.summary for name, kind in methods.items()},
        "estimators": {name: kind.summary for name, kind in estimators.items()},
    }
