"""The judges of a discrete attribute: each says log q(c|z)/p(c) for every value c.

    linear, linear-scores   discriminant analysis of whitened z, and of its whitened normal scores
    variance                independent Gaussian columns, a mean and a variance for each value
    subspace-quadratic      quadratic discriminant analysis of the informative directions
    subspace-net            a small net on the informative directions: parity, kinks
    net                     a small net on whitened normal scores
    trees                   extremely randomised trees on informative directions and columns
    table                   counts of repeated rows, where z itself is discrete

The first four are closed forms and make up most of any estimate on well-behaved data; the others
are there for structure that those cannot see. With y, values are pairs (y, c): every
judge scores all pairs and only those with the known y count, so that means and variances are those
of c within y, while covariances and directions are shared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.ensemble import ExtraTreesClassifier

from infoshed.offline.crossfit import Judge
from infoshed.offline.net import net_scores
from infoshed.offline.stopping import stopping_rows
from infoshed.offline.subspace import class_means, informative_directions, within_covariance
from infoshed.offline.views import Views

LARGEST = 30.0  # log ratios beyond are cut: no finite sample supports them
SUBSPACE_CLIP = 6.0
COLUMNS = 8
TREES = 40
SHARE: Any = 0.5  # of the columns, tried at each split
LEAF = 5


@dataclass(frozen=True)
class DiscreteProblem:
    """What the judges are fitted on.

    Args:
        views: of z. cells: (n,) position of (y, c), y * m + c; plain c without y.
        c: codes (n,). y: classes (n,), zeros where there is none. m: number of values of c.
        log_prior: log p(c|y) (n, m). weights: (n,) of mean 1.
        table: (n,) which distinct row of z it is, where z is discrete; else None.
        groups: (n,) which rows are copies of one; or None.
    """

    views: Views
    c: np.ndarray
    y: np.ndarray
    m: int
    log_prior: np.ndarray
    weights: np.ndarray
    table: np.ndarray | None
    groups: np.ndarray | None

    @property
    def cells(self) -> np.ndarray:
        return self.y * self.m + self.c

    @property
    def size(self) -> int:
        """Number of pairs (y, c)."""
        return (int(self.y.max()) + 1) * self.m

    def columns(self, rows: np.ndarray) -> np.ndarray:
        """The cells that each of `rows` can be in, (rows, m)."""
        return self.y[rows, None] * self.m + np.arange(self.m)


def judges(problem: DiscreteProblem, quick: bool = False) -> Judge:
    """`judge(train, test, seed)`: scores (test, m) by name, fitted on `train` (positions of rows).

    With `quick`, the closed-form judges only.
    """

    def judge(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        scores = _scores(problem, train, test, seed, quick)
        rows, prior = problem.columns(test), problem.log_prior[test]
        return {
            name: _ratio(np.take_along_axis(value, rows, 1), prior).astype(np.float32)
            for name, value in scores.items()
        }

    return judge


def _scores(
    problem: DiscreteProblem, train: np.ndarray, test: np.ndarray, seed: int, quick: bool
) -> dict[str, np.ndarray]:
    """Scores (test, size) of every judge, up to a function of the row."""
    views, size, cells = problem.views, problem.size, problem.cells[train]
    w = problem.weights[train]
    rng = np.random.default_rng(seed)
    white, normal = views.whitened, views.whitened_scores
    scores = {
        "linear": _linear(white[train], cells, size, w, white[test]),
        "linear-scores": _linear(normal[train], cells, size, w, normal[test]),
        "variance": _variance(views.scaled[train], cells, size, w, views.scaled[test]),
    }
    # The nets stop by rows which they must not have seen through the directions either.
    groups = None if problem.groups is None else problem.groups[train]
    held_out = stopping_rows(rng.permutation(len(train)), groups)
    fit = train[~held_out]
    directions, first_two = informative_directions(
        white[fit], problem.cells[fit], size, problem.weights[fit], rng, cubes=not quick
    )
    near, far = (
        np.clip(white[rows] @ directions, -SUBSPACE_CLIP, SUBSPACE_CLIP) for rows in (train, test)
    )
    scores["subspace-quadratic"] = _quadratic(
        near[:, :first_two], cells, size, w, far[:, :first_two]
    )
    if problem.table is not None:
        scores["table"] = _table(problem, train, test)
    if quick:
        return scores
    columns = _screened(views.scores[fit], problem.cells[fit])
    scores["trees"] = _trees(
        np.concatenate([near, views.scaled[train][:, columns]], 1), cells, size, w,
        np.concatenate([far, views.scaled[test][:, columns]], 1), seed,
    )  # fmt: skip
    common = (problem.log_prior[train], problem.c[train], w, held_out)
    own = None if size == problem.m else problem.columns(train)
    scores["subspace-net"] = net_scores(
        near, *common, far, own, size, seed, hidden=64, dropout=0.0, decay=1e-3, batch=256
    )
    scores["net"] = net_scores(normal[train], *common, normal[test], own, size, seed)
    return scores


def _ratio(scores: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    """Scores, up to a constant in each row, to log q(c|z) / p(c)."""
    posterior = scores + log_prior
    posterior = posterior - logsumexp(posterior, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isneginf(log_prior), 0.0, posterior - log_prior)
    return np.clip(ratio, -LARGEST, LARGEST)


def _linear(
    x: np.ndarray, cells: np.ndarray, m: int, w: np.ndarray, test: np.ndarray
) -> np.ndarray:
    n, d = x.shape
    means, _ = class_means(x, cells, m, w)
    # An inverted sample covariance is too large by n / (n - d - 2) on average.
    shrink = max(0.05, (n - d - 2) / n)
    directions = np.linalg.solve(within_covariance(x, cells, means, w), means.T) * shrink
    return test @ directions - 0.5 * (means * directions.T).sum(1)


def _variance(
    x: np.ndarray, cells: np.ndarray, m: int, w: np.ndarray, test: np.ndarray, ridge: float = 10.0
) -> np.ndarray:
    means, totals = class_means(x, cells, m, w, ridge=1e-9)
    squares, _ = class_means(x * x, cells, m, w, ridge=1e-9)
    totals = totals[:, None]
    variances = ((squares - means**2) * totals + ridge) / (totals + ridge)
    precision = 1 / np.maximum(variances, 1e-6)
    # -(x - a)^2 p / 2 summed over columns, as three products instead of an (n, m, d) array
    return (
        -0.5 * (test * test) @ precision.T
        + test @ (means * precision).T
        - 0.5 * (means**2 * precision - np.log(precision)).sum(1)
    )


def _quadratic(
    x: np.ndarray, cells: np.ndarray, m: int, w: np.ndarray, test: np.ndarray, ridge: float = 20.0
) -> np.ndarray:
    k = x.shape[1]
    shared = np.cov(x, rowvar=False, aweights=w).reshape(k, k) + 1e-6 * np.eye(k)
    scores = np.zeros((len(test), m))
    for value in range(m):
        rows, weight = x[cells == value], w[cells == value]
        total = weight.sum()
        mean = weight @ rows / (total + 1)
        rest = rows - mean
        covariance = ((rest * weight[:, None]).T @ rest + ridge * shared) / (total + ridge)
        factor = np.linalg.cholesky(covariance)
        distance = np.linalg.solve(factor, (test - mean).T)
        scores[:, value] = -0.5 * (distance**2).sum(0) - np.log(np.diag(factor)).sum()
    return scores


def _screened(scores: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The `COLUMNS` columns in whose deciles c differs most (by a chi-squared statistic)."""
    n, d = scores.shape
    if d <= COLUMNS:
        return np.arange(d)
    counts = np.bincount(cells).astype(float)
    statistic = np.zeros(d)
    for j in range(d):
        edges = np.quantile(scores[:, j], np.linspace(0.1, 0.9, 9))
        bins = np.searchsorted(edges, scores[:, j])
        table = np.zeros((10, len(counts)))
        np.add.at(table, (bins, cells), 1)
        expected = np.outer(table.sum(1), counts) / n
        statistic[j] = ((table - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    return np.argsort(-statistic, kind="stable")[:COLUMNS]


def _trees(
    x: np.ndarray, cells: np.ndarray, m: int, w: np.ndarray, test: np.ndarray, seed: int
) -> np.ndarray:
    forest = ExtraTreesClassifier(
        TREES, min_samples_leaf=LEAF, max_features=SHARE, random_state=seed % 2**32, n_jobs=1
    ).fit(x, cells, sample_weight=w)
    shares = np.full((len(test), m), 1e-3)
    shares[:, forest.classes_] += forest.predict_proba(test)
    return np.log(shares) - np.log(np.bincount(cells, w, m) + 1)


def _table(problem: DiscreteProblem, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    assert problem.table is not None
    rows = problem.table
    counts = np.zeros((rows.max() + 1, problem.size))
    np.add.at(counts, (rows[train], problem.cells[train]), problem.weights[train])
    share = (counts.sum(0) + 1) / (counts.sum() + problem.size)
    # One row of the marginal distribution as a prior for every distinct row of z.
    return np.log(counts[rows[test]] + share) - np.log(share)
