"""The critic of the paper: Donsker-Varadhan on pairs and shuffled pairs.

    I(Z;C) >= E_p(z,c) T - log E_p(z)p(c) e^T          (Donsker-Varadhan; arXiv 1801.04062)

The gradient of the logarithm is taken in the batch, as the paper does; see `mine` for its bias.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.pairs import PairCritic, Scores


class ShuffledDonskerVaradhan(PairCritic):
    """MINE with one shuffle per batch; the critic is an MLP on [c, z]."""

    summary = "Donsker-Varadhan bound (MINE), c shuffled in the batch; any attribute"
    reference = "arXiv 1801.04062; used in arXiv 2003.06430"
    bound = "lower"

    def read(self, scores: Scores) -> Tensor:
        return bounds.donsker_varadhan(*scores)
