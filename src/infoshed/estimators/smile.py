"""SMILE: fitted as a classifier of pairs, read by Donsker-Varadhan with a clipped partition.

    fit   max  E_p(z,c) log sigma(T) + E_p(z)p(c) log sigma(-T)
    read  E_p(z,c) T - log E_p(z)p(c) e^clip(T, -tau, tau),    tau = 5       (arXiv 1910.06222)

Clipping bounds the variance of the partition function, by e^(2 tau) / n, and gives up the bound:
where the log density ratio exceeds tau, the reading may lie above the information.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.pairs import PairCritic, Scores


class Smile(PairCritic):
    """See the module."""

    summary = "SMILE: critic fitted by Jensen-Shannon, read by clipped Donsker-Varadhan"
    reference = "arXiv 1910.06222"
    bound = "neither"

    def read(self, scores: Scores) -> Tensor:
        return bounds.smile(*scores)

    def criterion(self, scores: Scores) -> Tensor:
        return bounds.jensen_shannon(*scores)
