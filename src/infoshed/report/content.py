"""The content of a report: what was measured, as plain data, checked where it enters.

Notation: x is an image, y its class, c the bias attribute (such as a colour), z the learned
representation. Information and entropy are in nats, accuracies are shares in [0, 1].
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from infoshed.targets import ACCURACY, Score

# Not allowed in XML, or not encodable as UTF-8 (undecodable bytes of file names become surrogates).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """``text`` with every character that XML or UTF-8 cannot hold replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _require(condition: bool, expected: str, got: object) -> None:
    if not condition:
        raise ValueError(f"expected {expected}, got {got}")


def _require_classes(name: str, values: np.ndarray, n: int, m: int) -> None:
    _require(values.shape == (n,), f"{name} of shape ({n},)", f"shape {values.shape}")
    _require(values.dtype.kind in "iu", f"{name} of an integer type", f"dtype {values.dtype}")
    if n:
        low, high = int(values.min()), int(values.max())
        _require(low >= 0 and high < m, f"{name} in 0..{m - 1}", f"values in {low}..{high}")


@dataclass(frozen=True, eq=False)
class RunContent:
    """One trained classifier.

    method: name of the training method, such as "plain" or "mi".
    seed: seed of the run; (method, seed) is unique within a report.
    accuracy: split name -> the target's score: accuracy in [0, 1], R2 of numbers; "biased" and
        "unbiased" are the splits that the page compares, others ("validation", ...) are listed.
    metrics: one row per epoch with any of "epoch" (counted from 1), "task_loss" (nats), "mi" (the
        estimate of I(Z;C), nats), "mi_held_out", "mi_gap", "mi_share", "accuracy" (training
        batches), "val_accuracy", "val_accuracy_weighted", "strength" and "seconds"; a key may
        be missing or None.
    config: configuration, name -> str, int, float, bool or None.
    confusion: split name -> (m, m) counts, rows the true class, columns the predicted one.
    embedding: (n, 2) z in two dimensions.
    embedding_y: (n,) integer class of each point.
    embedding_c: (n,) integer attribute value, or (n, 3) RGB in [0, 1] for a colour.
    predictions: (k,) predicted class of the report's sample images.
    information: what the metric "mi" estimates: "I(Z;C)", or "I(Z;C|Y)".
    leakage: as `Run.leakage`, what fresh judges read in z.

    Raises ValueError for values outside their range and arrays of another shape.
    """

    method: str
    seed: int
    accuracy: dict[str, float]
    metrics: list[dict[str, Any]]
    config: dict[str, Any]
    confusion: dict[str, np.ndarray] | None = None
    embedding: np.ndarray | None = None
    embedding_y: np.ndarray | None = None
    embedding_c: np.ndarray | None = None
    predictions: np.ndarray | None = None
    information: str = "I(Z;C)"
    leakage: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        who = f"of run {self.method!r}, seed {self.seed}"
        for split, value in self.accuracy.items():
            _require(value <= 1, f"accuracy[{split!r}] {who} of at most 1", value)
        for split, counts in (self.confusion or {}).items():
            name = f"confusion[{split!r}] {who}"
            square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
            _require(square, f"{name} of shape (m, m)", f"shape {counts.shape}")
            _require(bool((counts >= 0).all()), f"{name} with counts >= 0", "a negative one")
        if self.embedding is None:
            return
        z = self.embedding
        flat = z.ndim == 2 and z.shape[1] == 2
        _require(flat, f"embedding {who} of shape (n, 2)", f"shape {z.shape}")
        _require(bool(np.isfinite(z).all()), f"embedding {who} of finite values", "NaN or infinity")
        if self.embedding_c is not None:
            self._check_attribute(self.embedding_c, len(z), f"embedding_c {who}")

    @staticmethod
    def _check_attribute(c: np.ndarray, n: int, name: str) -> None:
        shapes = f"{name} of shape ({n},) or ({n}, 3)"
        _require(c.shape in ((n,), (n, 3)), shapes, f"shape {c.shape}")
        if c.ndim == 2:
            in_range = bool(((c >= 0) & (c <= 1)).all())
            _require(in_range, f"{name} as RGB in [0, 1]", "values outside")
        else:
            integer = f"{name} of an integer type for shape ({n},)"
            _require(c.dtype.kind in "iu", integer, f"dtype {c.dtype}")

    def metric(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """(e,) epochs and (e,) values of one metric, of the rows where it is a finite number."""
        epochs, values = [], []
        for index, row in enumerate(self.metrics, start=1):
            value = row.get(key)
            if value is not None and math.isfinite(value):
                epoch = row.get("epoch")
                epochs.append(index if epoch is None else epoch)
                values.append(float(value))
        return np.asarray(epochs), np.asarray(values)


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything on the page.

    title, dataset, description: text; the description says in a sentence or two what the data is.
    classes: the m class names, by class index; of numbers and labels those of their strata.
    attribute: what c is, as a noun ("colour").
    attribute_levels: names of the attribute's values, by integer value; the value itself where
        there is none.
    attribute_entropy: H(C) of the training data, nats.
    label_information: I(Y;C) of the training data, nats.
    runs: at least one; the first one's method is the baseline where there are several methods.
    samples, sample_labels: (k, h, w, 3) uint8 images and their (k,) classes, drawn from
        ``sample_split``; each run's predictions belong to them.
    train_samples, train_sample_labels: (k2, h, w, 3) uint8 training images and (k2,) classes.
    command: how to get the same result again.
    versions: name -> version of the software used.
    score: what the runs are judged by.
    chance: the score of always saying the commonest class; None where there are no classes.

    A field that is None (or empty) is left out of the page. Raises ValueError for runs, labels
    and images that do not fit each other.
    """

    title: str
    dataset: str
    description: str
    classes: tuple[str, ...]
    attribute: str
    attribute_entropy: float | None
    label_information: float | None
    runs: tuple[RunContent, ...]
    samples: np.ndarray | None = None
    sample_labels: np.ndarray | None = None
    sample_split: str = ""
    train_samples: np.ndarray | None = None
    train_sample_labels: np.ndarray | None = None
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    attribute_levels: tuple[str, ...] = ()
    score: Score = ACCURACY
    chance: float | None = None

    def __post_init__(self) -> None:
        m = len(self.classes)
        _require(m >= 2, "at least two classes", m)
        _require(len(self.runs) >= 1, "at least one run", "none")
        names = [(run.method, run.seed) for run in self.runs]
        twice = sorted({name for name in names if names.count(name) > 1})
        _require(not twice, "each (method, seed) once", f"{twice} more than once")
        self._check_images("sample", self.samples, self.sample_labels)
        self._check_images("train_sample", self.train_samples, self.train_sample_labels)
        for run in self.runs:
            who = f"of run {run.method!r}, seed {run.seed}"
            for split, counts in (run.confusion or {}).items():
                expected = f"confusion[{split!r}] {who} of shape ({m}, {m})"
                _require(counts.shape == (m, m), expected, f"shape {counts.shape}")
            if run.embedding is not None and run.embedding_y is not None:
                _require_classes(f"embedding_y {who}", run.embedding_y, len(run.embedding), m)
            if run.predictions is not None and self.samples is not None:
                _require_classes(f"predictions {who}", run.predictions, len(self.samples), m)

    def _check_images(
        self, name: str, images: np.ndarray | None, labels: np.ndarray | None
    ) -> None:
        if images is None:
            return
        expected = f"{name}s of shape (k, h, w, 3) and type uint8"
        good = images.ndim == 4 and images.shape[3] == 3 and images.dtype == np.uint8
        _require(good, expected, f"shape {images.shape} and type {images.dtype}")
        _require(labels is not None, f"{name}_labels with {name}s", None)
        assert labels is not None
        _require_classes(f"{name}_labels", labels, len(images), len(self.classes))

    def methods(self) -> dict[str, list[RunContent]]:
        """method -> its runs, methods and runs in the order given."""
        return by_method(self.runs)


def by_method(runs: Iterable[RunContent]) -> dict[str, list[RunContent]]:
    """method -> its runs, methods and runs in the order given."""
    grouped: dict[str, list[RunContent]] = {}
    for run in runs:
        grouped.setdefault(run.method, []).append(run)
    return grouped
