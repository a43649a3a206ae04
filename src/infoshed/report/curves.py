"""Curves over the epochs: one panel for each metric that any run recorded."""

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from infoshed.report import figures
from infoshed.report.chart import MISSING, Chart, Table, number
from infoshed.report.content import ReportContent

MAX_TABLE_ROWS = 50

# metric -> title, unit and what the reader should know
CURVES = {
    "task_loss": ("Task loss", "nats", "Cross-entropy of the class on training batches."),
    "mi": (
        "Estimated information",
        "nats",
        "What the critic finds in z about the {attribute}: a lower bound, see the caution below.",
    ),
    "mi_held_out": (
        "Estimated information, held out",
        "nats",
        "The same critic on validation rows, which it is never fitted on.",
    ),
    "mi_gap": (
        "Gap of the critic",
        "nats",
        "Estimate on training batches minus held out: what the critic knows of its rows by heart.",
    ),
    "val_accuracy": (
        "Validation accuracy",
        "share",
        "Held-out data with the bias of the training data; a fooled classifier does well here too.",
    ),
    "val_accuracy_weighted": (
        "Validation accuracy, weighted",
        "share",
        "The same held-out data, weighted so that the {attribute} no longer tells the class. Pairs "
        "of class and {attribute} that never occur there are not judged: it can be far too kind.",
    ),
}


def curve_charts(content: ReportContent) -> list[Chart]:
    """One panel per metric that any run recorded."""
    methods = content.methods()
    charts = []
    for key, (title, unit, note) in CURVES.items():
        lines = {}
        for name, runs in methods.items():
            found = [line for run in runs if len((line := run.metric(key))[0])]
            if found:
                lines[name] = found
        if not lines:
            continue
        references = {}
        if key == "mi":
            kinds = {
                run.information for runs in methods.values() for run in runs if run.method in lines
            }
            title = f"Estimated {' and '.join(sorted(kinds))}"
            known = {"H(C)": content.attribute_entropy}
            if "I(Z;C)" in kinds:  # given y, the label's own information is no yardstick
                known["I(Y;C)"] = content.label_information
            references = {
                f"{name} = {value:.2f}": value for name, value in known.items() if value is not None
            }
        if key == "mi_held_out":  # what a budget is held on
            held = [run.metric("budget")[1] for runs in methods.values() for run in runs]
            references = {
                f"budget = {b:.3g}": b for b in sorted({float(v[-1]) for v in held if len(v)})
            }
        means = {name: figures.mean_line(found) for name, found in lines.items()}
        show = (lambda value: f"{value:.1%}") if unit == "share" else number
        ends = "; ".join(f"{name} ends at {show(mean[-1])}" for name, (_, mean) in means.items())
        svg = figures.curves(
            lines,
            methods=list(methods),
            unit=unit,
            references=references,
            label=f"{title} over the epochs. {ends}.",
            prefix=f"curve-{key}",
        )
        table = _curve_table(title, unit, means, show)
        charts.append(Chart(title, Markup(svg), note.format(attribute=content.attribute), table))
    return charts


def _curve_table(
    title: str,
    unit: str,
    means: dict[str, tuple[np.ndarray, np.ndarray]],
    show: Callable[[float], str],
) -> Table:
    """Means per method and epoch; of a long training evenly picked epochs, the last included."""
    by_epoch = {
        name: dict(zip(epochs.tolist(), values.tolist(), strict=True))
        for name, (epochs, values) in means.items()
    }
    epochs = sorted({epoch for values in by_epoch.values() for epoch in values})
    picked = np.unique(np.linspace(0, len(epochs) - 1, MAX_TABLE_ROWS).round().astype(int))
    rows = []
    for epoch in (epochs[index] for index in picked):
        cells = [
            show(values[epoch]) if epoch in values else MISSING for values in by_epoch.values()
        ]
        rows.append([f"{epoch:g}", *cells])
    suffix = "" if unit == "share" else f", {unit}"
    return Table(f"{title}{suffix}, mean over the seeds", ("epoch", *by_epoch), rows)
