"""Curves over the epochs: one panel for each metric that any run recorded."""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from infoshed.methods import METHODS, Method
from infoshed.report import figures
from infoshed.report.chart import MISSING, Chart, Table, number
from infoshed.report.content import RunContent, by_method

MAX_TABLE_ROWS = 50
UNEVENTFUL = ("skipped", "strength")  # shown where they change

# metric -> title, unit and what the reader should know
CURVES = {
    "task_loss": (
        "Task loss",
        "nats",
        "Loss of the target, cross-entropy of classes, on training batches.",
    ),
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
    "critic_gradient": (
        "Gradient of the critic",
        "norm",
        "Near 0 with an estimate near 0, the critic has gone quiet: only fresh probes tell why.",
    ),
    "skipped": (
        "Critic batches skipped",
        "share",
        "Batches with values that were not finite.",
    ),
    "strength": (
        "Strength",
        "",
        "What is pressed with: to hold a budget, or as asked where it moves.",
    ),
    "val_accuracy": (
        "Validation accuracy",
        "share",
        "Held-out data with the bias of the training data; a fooled classifier does well here too.",
    ),
    "val_r2": (
        "Validation R2",
        "",
        "Held-out data with the bias of the training data; a fooled model does well here too.",
    ),
    "val_r2_weighted": (
        "Validation R2, weighted",
        "",
        "The same held-out data, weighted so that the {attribute} no longer tells the target.",
    ),
    "val_accuracy_weighted": (
        "Validation accuracy, weighted",
        "share",
        "The same held-out data, weighted so that the {attribute} no longer tells the class. Pairs "
        "of class and {attribute} that never occur there are not judged: it can be far too kind.",
    ),
}


def curve_charts(
    runs: Sequence[RunContent],
    attribute: str,
    entropy: float | None,
    label_information: float | None,
) -> list[Chart]:
    """One panel per metric that any run recorded.

    entropy: H(C) of the ``attribute`` in the training data, label_information: I(Y;C), in nats.
    """
    methods = by_method(runs)
    charts = []
    for key, (title, unit, note) in CURVES.items():
        lines = {}
        for name, group in methods.items():
            found = [line for run in group if len((line := run.metric(key))[0])]
            if found:
                lines[name] = found
        if not lines or (key in UNEVENTFUL and not any(_varies(v) for v in lines.values())):
            continue
        references = {}
        if key == "mi":
            kinds = {run.information for run in runs if run.method in lines}
            title = f"Estimated {' and '.join(sorted(kinds))}"
            known = {"H(C)": entropy}
            if "I(Z;C)" in kinds:  # given y, the label's own information is no yardstick
                known["I(Y;C)"] = label_information
            references = {
                f"{name} = {value:.2f}": value for name, value in known.items() if value is not None
            }
        if key == "mi_held_out":  # what a budget is held on
            held = [run.metric("budget")[1] for run in runs]
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
        note = note.format(attribute=attribute)
        late = [name for name in lines if key.startswith("val_") and _finishes(name)]
        if late:
            note += f" {' and '.join(late)}: before the last step, which follows the last epoch."
        charts.append(Chart(title, Markup(svg), note, table))
    return charts


def _finishes(method: str) -> bool:
    """Whether a method changes the model once training has ended."""
    return method in METHODS and METHODS[method].finish is not Method.finish


def _varies(lines: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    """Whether any line is anything but flat."""
    return any(np.ptp(values) > 0 for _, values in lines)


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
    suffix = "" if unit in ("share", "") else f", {unit}"
    return Table(f"{title}{suffix}, mean over the seeds", ("epoch", *by_epoch), rows)
