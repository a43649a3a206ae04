"""The f-divergence bound on the critic that scores every value of a discrete c at once.

    I(Z;C) >= E f(z,c) - E_z sum_c p(c) e^(f(z,c) - 1),    f = 1 + scores

Looser than the other two readings of the same scores (see `bounds`), and the only one of the three
that is an average over rows without any normalisation. Scores are kept within +-20 nats.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.class_scoring import ClassScoring


class ClassNWJ(ClassScoring):
    """See the module."""

    summary = "NWJ f-divergence bound, all values of c scored at once"
    reference = "Nguyen, Wainwright and Jordan 2010, with the marginal over c summed exactly"

    @staticmethod
    def part(scores: Tensor, log_prior: Tensor, c: Tensor, weights: Tensor | None) -> Tensor:
        return bounds.class_nwj(1 + bounds.bounded(scores), log_prior, c, weights)
