"""The leave-one-out upper bound.

    I(Z;C) <= E [log q(c_i|z_i) - log 1/(n-1) sum_{j != i} q(c_i|z_j)]      (arXiv 1905.06922)

The marginal of c is the mean of q over the other rows of the batch, of the same class for I(Z;C|Y).
An upper bound in expectation for the true q; for a fitted one neither, though it is close where
CLUB is far too high. All pairs of rows are compared: O(n^2) in memory.
"""

from torch import Tensor

from infoshed.estimators import bounds
from infoshed.estimators.pairs import pairing
from infoshed.estimators.variational import Variational


class LeaveOneOut(Variational):
    """See the module."""

    summary = "leave-one-out upper bound from a model q(c|z); upper where q is good"
    reference = "arXiv 1905.06922, eq. 13"
    bound = "upper"

    def read_classes(
        self, k: int, log_q: Tensor, code: Tensor, y: Tensor | None, weights: Tensor | None
    ) -> Tensor:
        return self.read_pairs(log_q.T[code], y, weights)

    def read_pairs(self, log_q: Tensor, y: Tensor | None, weights: Tensor | None) -> Tensor:
        return bounds.leave_one_out(log_q, pairing(len(log_q), y, weights, log_q), weights)
