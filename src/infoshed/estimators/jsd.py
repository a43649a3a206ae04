"""Fitted as a classifier of pairs, read as a bound of the information.

    fit   max  E_p(z,c) log sigma(T) + E_p(z)p(c) log sigma(-T)
    read  I(Z;C) >= 1 + E_p(z,c) T - E_p(z)p(c) e^T                  (NWJ at f = 1 + T)

The criterion is greatest at the log density ratio, where NWJ is exact, and its gradient stays
bounded. NWJ rather than Donsker-Varadhan reads it because that is unbiased in a batch; where the
ratio is far off, the reading is far below, even negative, and never above in expectation.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.nwj import read_log_ratio
from infoshed.estimators.pairs import PairCritic, Scores


class JensenShannon(PairCritic):
    """See the module."""

    summary = "critic fitted by Jensen-Shannon, its log density ratio read by NWJ"
    reference = "arXiv 1905.06922, section 2.3; arXiv 1808.06670"
    bound = "lower"

    def read(self, scores: Scores) -> Tensor:
        return read_log_ratio(scores)

    def criterion(self, scores: Scores) -> Tensor:
        return bounds.jensen_shannon(*scores)
