"""From held-out scores to a value, an interval and a p-value."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from infoshed.offline.crossfit import Judge, held_out_scores
from infoshed.offline.stack import pool, pool_weights
from infoshed.seeds import numpy_generator

PERMUTATIONS = 999
NORMAL = 1.96
UNSEEN = 3.0  # nats over all rows that may go unseen: e^-3 is 5%
LEAST_P, LARGEST_P = 1 / (1 + PERMUTATIONS), 0.95
SAFETY = 1.25  # Cauchy's rule is exact in the far tail only: 5 to 7% at the 5% level without


@dataclass(frozen=True)
class Reading:
    """What came out, before it is clipped to what is possible.

    Args:
        value, low, high: nats, 95% interval. null_p: see `MIEstimate`. rows: used.
        judges: nats of every judge alone. ceiling: the most the estimator can show, or None.
        rising: how much the held-out value rose from half of the rows to all of them, or None.
    """

    value: float
    low: float
    high: float
    null_p: float
    rows: int
    judges: dict[str, float]
    ceiling: float | None = None
    rising: float | None = None


def read(
    judge: Judge,
    fold: np.ndarray,
    log_prior: np.ndarray,
    target: np.ndarray,
    weights: np.ndarray,
    blocks: np.ndarray,
    groups: np.ndarray | None,
    weighted: bool,
    seed: int,
) -> Reading:
    """Cross-fit, pool, extrapolate.

    Args:
        judge: see `crossfit`. fold: (n,). log_prior: (n, m). target: (n,). weights: (n,), mean 1.
        blocks: rows among which values may be exchanged if z tells nothing about them (n,).
        groups: rows of a group (n,) say the same thing once, and are exchanged as one; or None.
        weighted: whether rows differ in weight: they cannot be permuted then.
    """
    n, m = log_prior.shape
    names, full = held_out_scores(judge, fold, target, m, seed)
    _, half = held_out_scores(judge, fold, target, m, seed, 2, groups)
    rows = np.arange(n)
    pooled, value_full, value_half = np.zeros((n, m)), np.zeros(n), np.zeros(n)
    for k in range(int(fold.max()) + 1):
        test, rest = fold == k, fold != k
        w = pool_weights(full[:, rest], log_prior[rest], target[rest], weights[rest])
        pooled[test] = pool(full[:, test], log_prior[test], w)
        # The same weights for both: how far judges are cooled depends on the number of rows too,
        # and the first-order law holds for fixed weights only.
        inside, hit = np.arange(test.sum()), target[test]
        value_full[test] = pooled[test][inside, hit]
        value_half[test] = pool(half[:, test], log_prior[test], w)[inside, hit]
    share = weights / weights.sum()
    plain = float(share @ value_full)
    values = 2 * value_full - value_half
    value = float(share @ values)
    error = _standard_error(share * (values - value), groups)
    rising = float(share @ (value_full - value_half))
    # All of the correction is in doubt; and it falls short more often than it overshoots, where
    # judges are cooled or learn more slowly than 1/N.
    below = float(np.hypot(NORMAL * error, rising))
    above = float(np.hypot(NORMAL * error, 2 * rising))
    above = max(above, UNSEEN / n)
    if weighted:
        spread = _standard_error(share * (value_full - plain), groups)
        null_p = max(float(ndtr(-plain / spread)), LEAST_P) if spread > 0 else 1.0
    else:
        one = rows if groups is None else np.unique(groups, return_index=True)[1]
        rng = numpy_generator(seed, "permutations")
        null_p = combined_p([
            permutation_p(evenly(full[:, part]), target[part], blocks[part], rng)
            for part in (one[fold[one] == k] for k in range(int(fold.max()) + 1))
            if len(part) > 1
        ])  # fmt: skip
    single = {
        name: float(share @ pool(scores[None], log_prior, np.ones(1))[rows, target])
        for name, scores in zip(names, full, strict=True)
    }
    return Reading(
        value, value - below, value + above, null_p, n, single, rising=rising,
    )  # fmt: skip


def _standard_error(terms: np.ndarray, groups: np.ndarray | None) -> float:
    """Of a sum of centred terms (n,) that are independent between groups."""
    if groups is not None:
        terms = np.bincount(groups, terms)
    return float(np.sqrt(terms @ terms))


def evenly(scores: np.ndarray) -> np.ndarray:
    """Sum over judges (J, n, m) -> (n, m), each on unit scale.

    For the test of independence the judges are not weighted by how they did: on the other folds
    they did well or badly together with this one, since each fold's judges have seen the others.
    """
    spread = scores.std(axis=(1, 2), keepdims=True)
    return (scores / np.where(spread > 0, spread, 1)).sum(0)


def permutation_p(
    pooled: np.ndarray, target: np.ndarray, blocks: np.ndarray, rng: np.random.Generator
) -> float:
    """Share of permutations of c within `blocks` that fit the held-out scores as well as c does.

    Args:
        pooled: scores (n, m). target: (n,). blocks: (n,).
    """
    # Where permutations tie, as they do where z is constant or a block has one row, rounding must
    # not decide: sums are of one order and of double precision.
    pooled = pooled.astype(np.float64)
    order = np.argsort(blocks, kind="stable")
    found = pooled[order, target[order]].sum()
    slack = 1e-7 * np.abs(pooled).sum(0).max()
    start = blocks[order].astype(np.float64)
    as_good = 0
    for _ in range(PERMUTATIONS):
        mixed = order[np.argsort(start + rng.random(len(start)))]
        as_good += pooled[order, target[mixed]].sum() >= found - slack
    return float(1 + as_good) / (1 + PERMUTATIONS)


def combined_p(values: list[float]) -> float:
    """One p-value of several that depend on each other, by Cauchy's combination.

    The p-value of a fold holds given its judges. The judges of different folds share rows, so the
    folds' statistics may not be added up as if they were independent: under independence of z
    and c that alarms in 8% of cases at the 5% level. (Liu and Xie, arXiv 1808.09011.)
    """
    if min(values, default=1.0) >= 1.0:
        return 1.0
    # At 1, a fold in which nothing was learned would outvote all others.
    p = np.clip(values, LEAST_P, LARGEST_P)
    score = np.tan((0.5 - p) * np.pi).mean()
    return min(1.0, max(LEAST_P, round(SAFETY * float(0.5 - np.arctan(score) / np.pi), 6)))
