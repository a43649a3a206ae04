"""DebiasedClassifier on a table of known truth, beside logistic regressions and fairlearn's net.

    python benchmarks/scikit_learn.py [--draws 20]
    python benchmarks/scikit_learn.py --table         # print the committed rows

Data set `two-signals`: 30,000 training rows of 100 columns, an attribute that agrees with the class
in 90% of them, and tests of 50,000 rows in which it does not. For every draw and contender:
accuracy and the gap in P(prediction = 1) between the two groups on unbiased rows, CPU seconds of
the fit, and, where there is a representation z (ours, and the hidden layer of fairlearn's
AdversarialFairnessClassifier, 50 units as in its guide), what fresh probes read of the attribute
in z of 20,000 unbiased rows. `dim=50` is ours at the same width; with the plain task loss it
comes to a gap like that of fairlearn's, so that the leakage of both can be compared at equal gap.
fairlearn's alpha, the weight of the adversary, is its default and two at which its training does
not tip over.
Resumable; rows are appended to benchmarks/results/scikit_learn.jsonl.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairlearn.adversarial import AdversarialFairnessClassifier
from sklearn.linear_model import LogisticRegression

from infoshed import DataSet, DebiasedClassifier, load
from infoshed.auditing import probe_leakage
from infoshed.auditing.probes import PROBES
from infoshed.experiments.rows import append_row, read_rows, revision
from infoshed.run import versions
from infoshed.seeds import seeded

RESULTS = Path(__file__).parent / "results" / "scikit_learn.jsonl"
PROBED = 20_000  # unbiased rows, half of them to fit the probes
Fitted = tuple[np.ndarray, np.ndarray | None]  # predictions of unbiased rows, and z of the probed


def ours(method: str = "mi", **settings: Any) -> Callable[[DataSet, int], Fitted]:
    def fit(data: DataSet, draw: int) -> Fitted:
        x, y, c = data.train.x.numpy(), data.train.y.numpy(), data.train.c[:, 0].numpy()
        model = DebiasedClassifier(method, random_state=draw, **settings)
        model.fit(x, y, sensitive_features=c)
        test = data.tests["unbiased"].x.numpy()
        return model.predict(test), model.transform(test[:PROBED])

    return fit


def logistic(reweighed: bool) -> Callable[[DataSet, int], Fitted]:
    def fit(data: DataSet, draw: int) -> Fitted:
        x, y, c = data.train.x.numpy(), data.train.y.numpy(), data.train.c[:, 0].numpy()
        cells = np.bincount(2 * y + c, minlength=4).reshape(2, 2)
        weights = (cells.sum(1)[y] * cells.sum(0)[c]) / (len(y) * cells[y, c])
        model = LogisticRegression(solver="newton-cholesky")
        model.fit(x, y, sample_weight=weights if reweighed else None)
        return np.asarray(model.predict(data.tests["unbiased"].x.numpy())), None

    return fit


def adversarial(alpha: float, epochs: int) -> Callable[[DataSet, int], Fitted]:
    def fit(data: DataSet, draw: int) -> Fitted:
        x, y, c = data.train.x.numpy(), data.train.y.numpy(), data.train.c[:, 0].numpy()
        with seeded(draw, "fairlearn"):
            model = AdversarialFairnessClassifier(
                backend="torch",
                predictor_model=[50, "leaky_relu"],
                adversary_model=[3, "leaky_relu"],
                batch_size=256,
                epochs=epochs,
                alpha=alpha,
                shuffle=True,
                random_state=draw,
            )
            model.fit(x, y, sensitive_features=c)
        test = data.tests["unbiased"].x
        layers: Any = model.backendEngine_.predictor_model.layers_
        with torch.no_grad():
            z = layers[1](layers[0](test[:PROBED])).numpy()
        return np.asarray(model.predict(test.numpy())).ravel(), z

    return fit


CONTENDERS: dict[str, Callable[[DataSet, int], Fitted]] = {
    "DebiasedClassifier()": ours(),
    "DebiasedClassifier(dim=50)": ours(dim=50),
    "the same with the plain task loss": ours(dim=50, options={"loss": "plain"}),
    'DebiasedClassifier("reweigh")': ours("reweigh"),
    'DebiasedClassifier("reweigh", encoder="linear")': ours("reweigh", encoder="linear"),
    'DebiasedClassifier("plain")': ours("plain"),
    "logistic regression": logistic(False),
    "logistic regression, reweighed": logistic(True),
    "fairlearn's net, alpha 0.3, 20 epochs": adversarial(0.3, 20),
    "fairlearn's net, alpha 0.5, 5 epochs": adversarial(0.5, 5),
    "fairlearn's net, alpha 1, 20 epochs": adversarial(1.0, 20),
}


def measure(name: str, data: DataSet, draw: int) -> dict[str, Any]:
    """One fit as a row. `failed`: it raised, or predicts one class only."""
    started = time.process_time()
    try:
        guess, z = CONTENDERS[name](data, draw)
    except Exception as error:  # counted: that fits fail is one of the questions
        return {"failed": True, "error": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.process_time() - started
    test = data.tests["unbiased"]
    y, c = test.y.numpy(), test.c[:, 0].numpy()
    row = {
        "failed": len(np.unique(guess)) < 2,
        "accuracy": float((guess == y).mean()),
        "gap": float(abs(guess[c == 1].mean() - guess[c == 0].mean())),
        "cpu_seconds": round(seconds, 2),
    }
    if z is None or not np.isfinite(z).all():
        return row
    half, c = PROBED // 2, c[:PROBED]
    panel = {k: v for k, v in PROBES.items() if k in ("linear", "boosting")}
    (part,) = probe_leakage(z[:half], c[:half], z[half:], c[half:], probes=panel, seed=draw).parts
    return row | {
        "z_auc": max(score.auc or 0.0 for score in part.probes),
        "z_nats": max(score.nats or 0.0 for score in part.probes),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of the rows."""
    lines = [
        "| contender | draws | failed | accuracy | parity gap (largest) | CPU s "
        "| c read in z: AUC | nats |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in CONTENDERS:
        group = [row for row in rows if row["contender"] == name]
        good = [row for row in group if "accuracy" in row]
        if not good:
            continue
        failed = sum(row["failed"] for row in group)
        accuracy, gap, seconds = (
            np.array([row[key] for row in good]) for key in ("accuracy", "gap", "cpu_seconds")
        )
        read = [[row[k] for row in good if k in row] for k in ("z_auc", "z_nats")]
        leak = [f"{np.mean(r):.3f}" if r else "" for r in read]
        lines.append(
            f"| {name} | {len(group)} | {failed} | {accuracy.mean():.4f} ({accuracy.min():.3f} to "
            f"{accuracy.max():.3f}) | {gap.mean():.4f} ({gap.max():.3f}) | {seconds.mean():.1f} | "
            f"{leak[0]} | {leak[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = {row["key"] for row in read_rows(RESULTS)}
    about = {"versions": versions(), "revision": revision()}
    for draw in range(0 if arguments.table else arguments.draws):
        left = [name for name in CONTENDERS if f"{name}/{draw}" not in done]
        data = load("two-signals", seed=draw) if left else None
        for name in left:
            assert data is not None
            row = measure(name, data, draw)
            key = {"key": f"{name}/{draw}", "contender": name, "draw": draw}
            append_row(RESULTS, key | row | about)
    print(table(read_rows(RESULTS)))


if __name__ == "__main__":
    main()
