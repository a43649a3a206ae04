"""One named estimator, cross-fitted: fitted on four folds, read on the fifth.

The critic is stopped early on rows of the training folds that it is not fitted on. Estimators
without parameters are simply read on every fold. The interval is Student's over chunks of held-out
rows; it knows nothing of the bias that many of these estimators have (see docs/estimators.md),
which is why `estimator="auto"` does not go this way.
"""

import numpy as np
import torch
from scipy.special import ndtr
from scipy.stats import t as student
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.estimators import ESTIMATORS, Estimator, build_estimator
from infoshed.estimators.pairs import shuffle
from infoshed.offline.result import LEAST_P, Reading
from infoshed.offline.stopping import HELD_OUT, fit_stopped
from infoshed.offline.views import standardize
from infoshed.optim import adam
from infoshed.seeds import seeded, torch_generator

BATCH = 256
CHUNK = 500
EPOCHS = 60
PATIENCE = 5
LEARNING_RATE = 1e-3
PERMUTATIONS = 99

Rows = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


def read_named(
    name: str,
    z: np.ndarray,
    attribute: Attribute,
    codes: np.ndarray,
    y: np.ndarray | None,
    weights: np.ndarray | None,
    fold: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> Reading:
    """Cross-fit the estimator called `name` of `ESTIMATORS`.

    Args:
        z: (n, d). codes: of c (n, columns). y: classes (n,). weights: (n,). fold: (n,).
        groups: rows of a group (n,), copies of one, are read as one that weighs as much as they
            all: neighbours at distance 0 tell nothing; or None.

    Raises `InfoshedError` when it does not take such an attribute or such a z.
    """
    n = len(z)
    if groups is not None:
        _, first, place = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(first)  # not by z: an estimate compares the rows of a chunk
        first, total = first[order], np.bincount(place, weights)[order]
        weights = None if total.min() == total.max() else total / total.mean()
        z, codes, fold = z[first], codes[first], fold[first]
        y = None if y is None else y[first]
    x = torch.from_numpy(standardize(z).astype(np.float32))
    data: Rows = (
        x,
        torch.from_numpy(codes),
        None if y is None else torch.from_numpy(y),
        None if weights is None else torch.from_numpy(weights.astype(np.float32)),
    )
    values, null = [], []
    for k in range(int(fold.max()) + 1):
        train = _take(data, torch.from_numpy(np.flatnonzero(fold != k)))
        test = _take(data, torch.from_numpy(np.flatnonzero(fold == k)))
        if len(test[0]) < 2:  # few rows, and copies among them
            continue
        with seeded(seed, f"estimator/{k}"):
            estimator = build_estimator(
                name, x.shape[1], attribute, data[1], data[2], weights=data[3], scaled=False
            )
        generator = torch_generator(seed, f"estimator/{k}")
        if estimator.fitted:
            _fit(estimator, train, generator)
        values.append(_chunks(estimator, test, generator))
        null.append([
            np.mean(_chunks(estimator, _crossed(test, generator), generator))
            for _ in range(PERMUTATIONS)
        ])  # fmt: skip
    every = np.concatenate(values)
    value = float(np.mean([v.mean() for v in values]))
    error = every.std(ddof=1) / len(every) ** 0.5 if len(every) > 1 else np.inf
    reach = float(student.ppf(0.975, max(len(every) - 1, 1)) * error)
    crossed = np.mean(null, 0)
    null_p = (1 + int((crossed >= value - 1e-12).sum())) / (1 + PERMUTATIONS)
    if weights is not None:
        # A permutation would part weights and c. What it shows is the bias, and a normal law the
        # rest.
        spread = float(np.hypot(error, crossed.std(ddof=1)))
        null_p = max(float(ndtr((crossed.mean() - value) / spread)), LEAST_P) if spread > 0 else 1.0
    return Reading(
        value, value - reach, value + reach, null_p, n, {name: value},
        ESTIMATORS[name].limit(CHUNK),
    )  # fmt: skip


def _take(data: Rows, rows: Tensor) -> Rows:
    z, c, y, w = data
    return z[rows], c[rows], None if y is None else y[rows], None if w is None else w[rows]


def _crossed(data: Rows, generator: torch.Generator) -> Rows:
    """The rows with c permuted, among rows of the same y where there is one."""
    z, c, y, w = data
    return z, c[shuffle(len(z), y, generator, z.device)], y, w


def _fit(estimator: Estimator, data: Rows, generator: torch.Generator) -> None:
    n = len(data[0])
    order = torch.randperm(n, generator=generator)
    held_out = max(2, n // HELD_OUT)  # an estimate needs two rows
    keep, fit = order[:held_out], order[held_out:]
    optimizer = adam(estimator.parameters(), LEARNING_RATE)

    def batches() -> list[Tensor]:
        mixed = fit[torch.randperm(len(fit), generator=generator)]
        return [rows for rows in mixed.split(BATCH) if len(rows) > 1]

    def loss(rows: Tensor) -> Tensor:
        z, c, y, w = _take(data, rows)
        return estimator.loss(z, c, y, weights=w, generator=generator)

    fit_stopped(
        estimator,
        optimizer,
        batches,
        loss,
        lambda: float(loss(keep)),
        epochs=EPOCHS,
        patience=PATIENCE,
    )


@torch.no_grad()
def _chunks(estimator: Estimator, data: Rows, generator: torch.Generator) -> np.ndarray:
    values = []
    for rows in torch.arange(len(data[0])).tensor_split(max(1, len(data[0]) // CHUNK)):
        z, c, y, w = _take(data, rows)
        values.append(float(estimator(z, c, y, weights=w, generator=generator)))
    return np.array(values)
