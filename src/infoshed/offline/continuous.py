"""The judges of a continuous attribute: each scores candidates c_j for every z_i.

A row's candidates are the c of up to `BLOCK` rows of its own fold (and of its own y), itself among
them. Scores s(z, c) = log q(c|z)/p(c), up to a function of z, then play the part that scores of
values play for a discrete attribute, and the estimate is the contrastive bound

    I(Z;C)  >=  E log  exp s(z_i, c_i) / mean_j exp s(z_i, c_j)          (arXiv 1807.03748)

which cannot exceed log BLOCK = 6.9 nats. Judges read c by its normal scores too: I(Z;C) does not
change under monotone maps of the columns of c.

    gaussian          canonical correlations of z and c
    gaussian-scores   the same of their normal scores: a Gaussian copula
    separable         a net g(z).h(c) + b(c), fitted to tell true pairs from crossed ones
    mixture           a mixture density of c given z, where c has few columns
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from infoshed.nn import mlp
from infoshed.offline.crossfit import Judge
from infoshed.offline.stopping import fit_stopped, stopping_rows
from infoshed.offline.views import Views

BLOCK = 1000
BATCH = 256
PATIENCE = 6
LARGEST = 60.0  # differences of scores beyond are cut
LARGEST_CORRELATION = 0.9999
MIXTURE_COLUMNS = 6
COMPONENTS = 8


@dataclass(frozen=True)
class ContinuousProblem:
    """What the judges are fitted on.

    Args:
        z, c: their views, n rows each. y: classes (n,), zeros where there is none.
        weights: (n,) of mean 1.
        candidates: (n, b) positions of the rows whose c are tried; see `make_candidates`.
        groups: (n,) which rows are copies of one; or None.
    """

    z: Views
    c: Views
    y: np.ndarray
    weights: np.ndarray
    candidates: np.ndarray
    groups: np.ndarray | None


def make_candidates(
    fold: np.ndarray, y: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates (n, b), their log prior (n, b), and where the own c stands among them (n,).

    Rows of one fold and one y are dealt into blocks of at most `BLOCK`. Places beyond the end of a
    smaller block hold row 0 with log prior -inf.
    """
    n = len(fold)
    blocks = []
    for k in np.unique(fold):
        for value in np.unique(y[fold == k]):
            rows = rng.permutation(np.flatnonzero((fold == k) & (y == value)))
            blocks += np.array_split(rows, -(-len(rows) // BLOCK))
    width = max(map(len, blocks))
    candidates = np.zeros((n, width), np.int64)
    log_prior = np.full((n, width), -np.inf)
    target = np.zeros(n, np.int64)
    for rows in blocks:
        candidates[rows, : len(rows)] = rows
        share = np.maximum(weights[rows], 1e-12)
        log_prior[rows, : len(rows)] = np.log(share / share.sum())
        target[rows] = np.arange(len(rows))
    return candidates, log_prior, target


def judges(problem: ContinuousProblem, quick: bool = False) -> Judge:
    """`judge(train, test, seed)`: scores (test, b) by name, fitted on `train` (positions of rows).

    With `quick`, the closed-form judges only.
    """

    def judge(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        scores = _scores(problem, train, test, seed, quick)
        return {name: _cut(s) for name, s in scores.items()}

    return judge


def _cut(scores: np.ndarray) -> np.ndarray:
    """Relative to the best candidate of each row: only differences within a row say anything, and
    what is cut must not depend on the function of z that a score is short of."""
    return np.maximum(scores - scores.max(1, keepdims=True), -LARGEST).astype(np.float32)


def _scores(
    problem: ContinuousProblem, train: np.ndarray, test: np.ndarray, seed: int, quick: bool
) -> dict[str, np.ndarray]:
    z, c, y = problem.z, problem.c, problem.y
    w = problem.weights[train]
    scores = {
        name: _gaussian(a, b, y, w, train, test, problem.candidates)
        for name, a, b in (
            ("gaussian", z.whitened, c.whitened),
            ("gaussian-scores", z.whitened_scores, c.whitened_scores),
        )
    }
    if quick:
        return scores
    x, values = z.whitened_scores, c.whitened_scores
    classes = int(y.max()) + 1
    if classes > 1:
        x = np.concatenate([x, np.eye(classes, dtype=np.float32)[y]], 1)
    groups = None if problem.groups is None else problem.groups[train]
    held_out = stopping_rows(np.random.default_rng(seed).permutation(len(train)), groups)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        critics: dict[str, _Critic] = {"separable": _Separable(x.shape[1], values.shape[1])}
        if values.shape[1] <= MIXTURE_COLUMNS:
            critics["mixture"] = _Mixture(x.shape[1], values[train], seed)
        for name, critic in critics.items():
            score = _trained(critic, x, values, y, w, train, held_out)
            scores[name] = _by_block(test, problem.candidates, score)
    return scores


def _gaussian(
    a: np.ndarray,
    b: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    candidates: np.ndarray,
) -> np.ndarray:
    """Log ratio of a joint Gaussian to its margins, around the means of every y."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    for value in np.unique(y):
        inside = train[y[train] == value]
        rows = y == value
        if len(inside):
            weight = w[y[train] == value]
            a[rows] -= np.average(a[inside], 0, weight)
            b[rows] -= np.average(b[inside], 0, weight)
    n = len(train)
    half_a, half_b = (_inverse_root(_covariance(v[train], w)) for v in (a, b))
    cross = half_a @ ((a[train] * w[:, None]).T @ b[train] / n) @ half_b
    left, correlations, right = np.linalg.svd(cross, full_matrices=False)
    # A squared sample correlation is too large by about (1 - r^2) (d - 1) / n.
    spread = max(a.shape[1], b.shape[1]) - 1
    squared = correlations**2 - (1 - correlations**2) * spread / n
    rho = np.sqrt(np.clip(squared, 0, LARGEST_CORRELATION**2))
    u, v = (a @ half_a @ left)[:, : len(rho)], (b @ half_b @ right.T)[:, : len(rho)]
    gain = rho / (1 - rho**2)
    quadratic = 0.5 * rho * gain
    linear = u * gain
    own = (v * v) @ quadratic
    return _by_block(test, candidates, lambda i, j: linear[i] @ v[j].T - own[j])


def _covariance(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    n, d = v.shape
    return (v * w[:, None]).T @ v / n + 0.1 * d / n * np.eye(d)


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors / np.sqrt(np.maximum(values, 1e-9)) @ vectors.T


def _by_block(
    test: np.ndarray,
    candidates: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Scores (test, b) from `score(rows, their common candidates)`, block by block."""
    out = np.zeros((len(test), candidates.shape[1]), np.float32)
    # Rows of one block have the same candidates, first one included.
    _, block = np.unique(candidates[test, :2], axis=0, return_inverse=True)
    block = block.ravel()
    for k in range(block.max() + 1):
        inside = np.flatnonzero(block == k)
        out[inside] = score(test[inside], candidates[test[inside[0]]])
    return out


class _Critic(nn.Module, ABC):
    """Scores pairs; fitted by `loss`."""

    @abstractmethod
    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Every x (n, d) with every c (k, e): (n, k)."""

    @abstractmethod
    def loss(self, x: Tensor, c: Tensor, w: Tensor) -> Tensor:
        """On true pairs with weights."""


class _Separable(_Critic):
    """g(z).h(c) + b(c), by telling the true c among those of the batch and the true z as well."""

    def __init__(self, d: int, e: int, width: int = 32, hidden: int = 128):
        super().__init__()
        self.g = mlp((d, hidden, hidden, width + 1))
        self.h = mlp((e, hidden, hidden, width + 1))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        g, h = self.g(x), self.h(c)
        return g[:, :-1] @ h[:, :-1].T / g.shape[1] ** 0.5 + h[:, -1] + g[:, -1:]

    def loss(self, x: Tensor, c: Tensor, w: Tensor) -> Tensor:
        scores = self(x, c)
        truth = torch.arange(len(x))
        prior = w.clamp_min(1e-12).log()
        rows = F.cross_entropy(scores + prior, truth, reduction="none")
        columns = F.cross_entropy(scores.T + prior, truth, reduction="none")
        return ((rows + columns) * w).sum() / (2 * w.sum())


class _Mixture(_Critic):
    """log q(c|z) / p(c), q a mixture of axis-aligned Gaussians whose parameters a net gives.

    p(c) is standard normal where c has one column (its normal scores are just that), otherwise a
    mixture of full Gaussians.
    """

    def __init__(self, d: int, c: np.ndarray, seed: int, hidden: int = 128):
        super().__init__()
        self.e = c.shape[1]
        self.network = mlp((d, hidden, hidden, COMPONENTS * (1 + 2 * self.e)))
        self.marginal = None
        if self.e > 1:
            count = min(COMPONENTS, len(c))
            self.marginal = GaussianMixture(count, reg_covar=1e-3, random_state=seed)
            with warnings.catch_warnings():
                # Fewer distinct values than components, or a slow fit: still a density.
                warnings.simplefilter("ignore", ConvergenceWarning)
                self.marginal.fit(c)

    def density(self, x: Tensor, c: Tensor) -> Tensor:
        """log q(c|z) with broadcasting: x (n, d), c (n, k, e) or (1, k, e) -> (n, k)."""
        logits, means, log_scales = self.network(x).split(
            [COMPONENTS, COMPONENTS * self.e, COMPONENTS * self.e], 1
        )
        shape = (len(x), 1, COMPONENTS, self.e)
        log_scales = 6 * torch.tanh(log_scales / 6).view(shape)
        residual = (c[:, :, None] - means.view(shape)) * torch.exp(-log_scales)
        each = (-0.5 * residual**2 - log_scales).sum(3) + logits.log_softmax(1)[:, None]
        return torch.logsumexp(each, 2)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        if self.marginal is None:
            own = -0.5 * c[:, 0] ** 2
        else:
            own = torch.from_numpy(self.marginal.score_samples(c.numpy())).float()
        chunks = [self.density(part, c[None]) for part in x.split(100)]
        return torch.cat(chunks) - own

    def loss(self, x: Tensor, c: Tensor, w: Tensor) -> Tensor:
        return -(self.density(x, c[:, None])[:, 0] * w).sum() / w.sum()


def _trained(
    critic: _Critic,
    x: np.ndarray,
    c: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    lr: float = 2e-3,
    decay: float = 1e-3,
    epochs: int = 40,
    steps: int = 1000,
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Fit with early stopping; returns scores as a function of rows of z and rows of c."""
    inputs, values = torch.from_numpy(x).float(), torch.from_numpy(c).float()
    rows, weights = torch.from_numpy(train), torch.from_numpy(w).float()
    classes = torch.from_numpy(y[train])
    keep, fit = (torch.from_numpy(np.flatnonzero(mask)) for mask in (held_out, ~held_out))

    def batches(part: Tensor) -> list[Tensor]:
        """Random batches within the rows of one y: crossed pairs must share it."""
        part = part[torch.randperm(len(part))]
        groups = [part[classes[part] == k] for k in classes[part].unique()]
        return [b for group in groups for b in group.split(BATCH) if len(b) > 1]

    def loss(part: Tensor) -> Tensor:
        return critic.loss(inputs[rows[part]], values[rows[part]], weights[part])

    optimizer = torch.optim.AdamW(critic.parameters(), lr, weight_decay=decay, fused=True)
    judged = batches(keep)
    fit_stopped(
        critic,
        optimizer,
        lambda: batches(fit),
        loss,
        lambda: sum(float(loss(part)) * len(part) for part in judged),
        epochs=epochs,
        patience=PATIENCE,
        steps=steps,
    )

    @torch.no_grad()
    def score(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        raw = critic(inputs[torch.from_numpy(i)], values[torch.from_numpy(j)]).numpy()
        return raw - logsumexp(raw, axis=1, keepdims=True)  # a function of z: no matter

    return score
