"""The page of trained runs: report content in, one HTML string out.

Each section of the page is a small view (verdict, charts with the tables behind them, samples)
that a function here derives from the content; ``training.html.j2`` sets them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from infoshed.report import figures
from infoshed.report.chart import MISSING, Chart, Table, number
from infoshed.report.content import ReportContent, RunContent
from infoshed.report.curves import curve_charts
from infoshed.report.headline import (
    BIASED,
    UNBIASED,
    accuracies,
    headline_split,
    mean_text,
    range_text,
    verdict,
)
from infoshed.report.html import render_template
from infoshed.report.pictures import png_uri
from infoshed.tables import parts_of, reading_text
from infoshed.targets import ACCURACY
from infoshed.types import DRAWN_ALIKE

MAX_SAMPLES = 40
MAX_TRAIN_SAMPLES = 80


def render(content: ReportContent) -> str:
    """The HTML page of ``content``; the same content gives the same string, byte for byte."""
    accuracy, samples = _accuracy_chart(content), _samples(content)
    confusion, embeddings = _confusion_charts(content), _embedding_charts(content)
    curves = curve_charts(
        content.runs, content.attribute, content.attribute_entropy, content.label_information
    )
    configuration, leakage = _configuration(content), _leakage_table(content)
    again = content.command or content.versions or configuration
    sections = {
        ("data", "The data"): True,
        ("accuracy", content.score.heading): accuracy,
        ("samples", "Image by image"): samples,
        ("confusion", "Where the errors go"): confusion,
        ("representation", "What the representation keeps"): embeddings or leakage,
        ("training", "Training"): curves,
        ("caution", "How far this goes"): True,
        ("again", "To run it again"): again,
    }
    return render_template(
        "training.html.j2",
        content.title,
        verdict(content),
        [name for name, present in sections.items() if present],
        content=content,
        information=_information(content),
        training_rows=_training_rows(content),
        compared=all(accuracies(content.runs, split) for split in (BIASED, UNBIASED)),
        several_seeds=any(len(runs) > 1 for runs in content.methods().values()),
        drawn_alike=all(split in DRAWN_ALIKE for run in content.runs for split in run.accuracy),
        learned="class" if content.score is ACCURACY else "target",
        accuracy=accuracy,
        splits=_split_table(content),
        samples=samples,
        confusion=confusion,
        embeddings=embeddings,
        leakage=leakage,
        curves=curves,
        parts=_parts_table(content),
        configuration=configuration,
    )


def _information(content: ReportContent) -> str | None:
    """What c says about y in the training data, in one sentence."""
    entropy, information = content.attribute_entropy, content.label_information
    parts = []
    if entropy is not None:
        parts.append(f"the {content.attribute} has an entropy of H(C) = {entropy:.3f} nats")
    if information is not None:
        share = f" ({information / entropy:.0%} of it)" if entropy else ""
        known = f"the class and the {content.attribute} share I(Y;C) = {information:.3f} nats"
        parts.append(known + share)
    return f"In the training data {', and '.join(parts)}." if parts else None


def _training_rows(content: ReportContent) -> list[tuple[str, list[str]]]:
    """(class name, image URIs) of the training samples, a few of each class."""
    images, labels = content.train_samples, content.train_sample_labels
    if images is None or labels is None:
        return []
    present = np.unique(labels)[:MAX_TRAIN_SAMPLES]
    each = min(8, max(1, MAX_TRAIN_SAMPLES // max(len(present), 1)))
    return [
        (content.classes[y], [png_uri(image) for image in images[labels == y][:each]])
        for y in present
    ]


def _accuracy_chart(content: ReportContent) -> Chart | None:
    methods, score, title = content.methods(), content.score, content.score.heading
    names = list(dict.fromkeys(split for run in content.runs for split in run.accuracy))
    # The comparison is what the page is for; other splits are in the table of all.
    shown = [split for split in (BIASED, UNBIASED) if split in names] or names
    if not shown:
        return None
    groups = {
        split: {
            name: values for name, runs in methods.items() if (values := accuracies(runs, split))
        }
        for split in shown
    }
    several = any(len(runs) > 1 for runs in methods.values())
    rows = [
        [f"{name}, {split}", mean_text(values, score), range_text(values, score), str(len(values))]
        for split, group in groups.items()
        for name, values in group.items()
    ]
    spoken = "; ".join(
        f"{name} on {split} data {mean_text(v, score)}"
        for split, g in groups.items()
        for name, v in g.items()
    )
    svg = figures.accuracy_bars(
        groups,
        chance=content.chance,
        label=f"Bar chart of the {score.title}. {spoken}.",
        prefix="accuracy",
        text=score.text,
    )
    caption = "Share of rows classified correctly."
    if not score.share:
        caption = "Share of the variance that is explained; no bar where it is below 0."
    elif content.chance is None:
        caption = "Share of labels that are right."
    if several:
        caption += " Bars: mean over the seeds; dots: single seeds; line: lowest to highest."
    table = Table(title, ("method, data", "mean", "range", "seeds"), rows)
    return Chart(title, Markup(svg), caption, table)


def _split_table(content: ReportContent) -> Table | None:
    """Accuracy of each run on each split."""
    names = list(dict.fromkeys(split for run in content.runs for split in run.accuracy))
    if not names:
        return None
    rows = [
        [f"{run.method}, seed {run.seed}"]
        + [
            content.score.text(run.accuracy[name]) if name in run.accuracy else MISSING
            for name in names
        ]
        for run in content.runs
    ]
    return Table(f"{content.score.heading} of each run", ("run", *names), rows)


@dataclass(frozen=True)
class Call:
    """One method's prediction for one sample."""

    method: int
    name: str
    predicted: str
    right: bool


@dataclass(frozen=True)
class Samples:
    """Sample images with (image URI, true class, calls), and a line on how many are right."""

    items: Sequence[tuple[str, str, Sequence[Call]]]
    summary: str


def _samples(content: ReportContent) -> Samples | None:
    images, labels = content.samples, content.sample_labels
    if images is None or labels is None or not len(images):
        return None
    shown = range(min(len(images), MAX_SAMPLES))
    methods = content.methods()
    tellers = {
        name: run
        for name, runs in methods.items()
        if (run := _first(runs, lambda run: run.predictions is not None))
    }
    order = list(methods)
    items = []
    for index in shown:
        calls = []
        for name, run in tellers.items():
            assert run.predictions is not None
            predicted = int(run.predictions[index])
            right = predicted == int(labels[index])
            calls.append(Call(order.index(name), name, content.classes[predicted], right))
        items.append((png_uri(images[index]), content.classes[labels[index]], calls))
    scores = [
        f"{name} (seed {run.seed}) {sum(calls[place].right for _, _, calls in items)}"
        for place, (name, run) in enumerate(tellers.items())
    ]
    summary = f"Right among these {len(items)}: {', '.join(scores)}." if scores else ""
    return Samples(items, summary)


def _first(runs: Sequence[RunContent], wanted: Callable[[RunContent], bool]) -> RunContent | None:
    return next((run for run in runs if wanted(run)), None)


def _confusion_charts(content: ReportContent) -> list[Chart]:
    """One matrix per method on the headline split, the counts of its seeds added up."""
    split = headline_split(content)
    recorded = dict.fromkeys(name for run in content.runs for name in run.confusion or {})
    if split not in recorded:
        split = next(iter(recorded), None)
    charts = []
    for index, (name, runs) in enumerate(content.methods().items()):
        found = [run.confusion[split] for run in runs if run.confusion and split in run.confusion]
        if not found:
            continue
        counts = np.sum(found, axis=0)
        right = np.trace(counts) / max(counts.sum(), 1)
        svg = figures.share_matrix(
            counts,
            content.classes,
            content.classes,
            axes=("true class", "predicted class"),
            label=f"Confusion matrix of {name} on {split} data; {right:.1%} on the diagonal.",
            prefix=f"confusion-{index}",
        )
        rows = [
            [true, *(f"{count:g}" for count in row)]
            for true, row in zip(content.classes, counts, strict=True)
        ]
        table = Table(f"{name}: counts, rows the true class", ("true", *content.classes), rows)
        seeds = f", {len(found)} seeds added up" if len(found) > 1 else ""
        caption = f"{split} data{seeds}; per cent of each true class."
        charts.append(Chart(name, Markup(svg), caption[0].upper() + caption[1:], table))
    return charts


def _embedding_charts(content: ReportContent) -> list[tuple[str, list[Chart]]]:
    """Per method the representation of one run, coloured by the class and by the attribute."""
    groups = []
    for index, (name, runs) in enumerate(content.methods().items()):
        run = _first(runs, lambda run: run.embedding is not None and len(run.embedding) > 0)
        if run is None:
            continue
        charts = []
        if run.embedding_y is not None:
            names = dict(enumerate(content.classes))
            charts.append(_embedding_chart(run, run.embedding_y, names, "class", f"{index}-y"))
        if run.embedding_c is not None:
            c = run.embedding_c
            levels = dict(enumerate(content.attribute_levels))
            names = None
            if c.ndim == 1:
                names = {int(value): levels.get(int(value), str(value)) for value in np.unique(c)}
            charts.append(_embedding_chart(run, c, names, content.attribute, f"{index}-c"))
        if charts:
            groups.append((f"{name}, seed {run.seed}", charts))
    return groups


def _embedding_chart(
    run: RunContent, values: np.ndarray, names: dict[int, str] | None, by: str, key: str
) -> Chart:
    z = run.embedding
    assert z is not None
    svg = figures.embedding(
        z,
        values,
        names,
        label=f"Scatter plot of the representation of {run.method}, coloured by the {by}.",
        prefix=f"embedding-{key}",
    )
    shown = min(len(z), figures.MAX_POINTS)
    caption = f"{shown} of {len(z)} rows" if shown < len(z) else f"{len(z)} rows"
    if names is None:
        caption += f", each dot in the {by} of its row."
        part = [("all", z)]
        caption_table = f"Points of {run.method}"
    else:
        named = len(names) <= figures.MAX_NAMED
        caption += f", names at the median of each {by}." if named else f", coloured by {by}."
        part = [(names[value], z[values == value]) for value in names if (values == value).any()]
        caption_table = f"Points of {run.method} by {by}"
    rows = [
        [name, str(len(points)), *(number(value) for value in _moments(points))]
        for name, points in part
    ]
    head = (by, "rows", "mean 1", "mean 2", "deviation 1", "deviation 2")
    return Chart(f"By {by}", Markup(svg), caption, Table(caption_table, head, rows))


def _leakage_table(content: ReportContent) -> Table | None:
    """What fresh judges read of each attribute in z of each run."""
    rows = [
        [f"{run.method}, seed {run.seed}", part["attribute"], reading_text(part),
         MISSING if part["label_nats"] is None else number(part["label_nats"]),
         f"{part['rows']:,}"]
        for run in content.runs
        for part in run.leakage
    ]  # fmt: skip
    head = ("run", "attribute", "I(Z;C), nats", "I(Y;C) in training, nats", "validation rows")
    return Table("Information that fresh judges read in z", head, rows) if rows else None


def _moments(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points.mean(axis=0), points.std(axis=0)])


def _parts_table(content: ReportContent) -> Table | None:
    """What is said of each part of the attribute that had a strength or a budget of its own, after
    the last epoch of each run."""
    rows = []
    for run in content.runs:
        last = run.metrics[-1] if run.metrics else {}
        for name in parts_of(last):
            keys = (f"mi_{name}", f"mi_held_out_{name}", f"strength_{name}", f"budget_{name}")
            cells = [MISSING if last.get(key) is None else number(last[key]) for key in keys]
            rows.append([f"{run.method}, seed {run.seed}", name, *cells])
    head = ("run", "part", "information (nats)", "held out (nats)", "strength", "budget (nats)")
    return Table("Parts of the attribute, last epoch", head, rows) if rows else None


def _configuration(content: ReportContent) -> Table | None:
    """Each method's configuration; values that differ between its seeds are all named."""
    methods = content.methods()
    keys = dict.fromkeys(key for run in content.runs for key in run.config)
    if not keys:
        return None
    rows = []
    for key in keys:
        cells = []
        for runs in methods.values():
            values = dict.fromkeys(
                MISSING if run.config[key] is None else str(run.config[key])
                for run in runs
                if key in run.config
            )
            cells.append(", ".join(values) or MISSING)
        rows.append([key, *cells])
    return Table("Configuration", ("setting", *methods), rows)
