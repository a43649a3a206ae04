"""The f-divergence bound on pairs and shuffled pairs.

    I(Z;C) >= E_p(z,c) f - E_p(z)p(c) e^(f - 1),    f = 1 + T        (Nguyen et al. 2010)

It needs no logarithm of a mean, so that a batch gives an unbiased estimate of the bound; the price
is the variance of e^T. T starts at 0, where the bound is 0, and is kept within +-20 nats.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.pairs import PairCritic, Scores


def read_log_ratio(scores: Scores) -> Tensor:
    """NWJ of scores that stand for the log density ratio log p(c|z)/p(c), a scalar in nats."""
    joint, marginal = bounds.bounded(scores.joint), bounds.bounded(scores.marginal)
    return bounds.nwj(1 + joint, 1 + marginal, scores.weights, scores.marginal_weights)


class NWJ(PairCritic):
    """See the module."""

    summary = "NWJ f-divergence bound, c shuffled in the batch; unbiased, high variance"
    reference = "Nguyen, Wainwright and Jordan 2010, arXiv 0809.0853"
    bound = "lower"

    def read(self, scores: Scores) -> Tensor:
        return read_log_ratio(scores)
