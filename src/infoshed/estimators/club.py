"""CLUB, the contrastive log-ratio upper bound.

    I(Z;C) <= E_p(z,c) log q(c|z) - E_p(z)p(c) log q(c|z)            (arXiv 2006.12013)

An upper bound only where q is good: KL(p(z,c) || q(c|z)p(z)) <= KL(p(z)p(c) || q(c|z)p(z)); a q
that knows nothing reads 0. For discrete c the second mean is summed over the values with p(c), or
p(c|y), counted in training; for continuous c it runs over all pairs of rows, O(n^2) in memory.
Even with the true q it overstates: for c a function of z it is unbounded (and cut at H(C)).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.class_scoring import log_prior
from infoshed.estimators.pairs import pairing
from infoshed.estimators.variational import Variational


class Club(Variational):
    """See the module."""

    summary = "CLUB, a contrastive upper bound from a model q(c|z); upper where q is good"
    reference = "arXiv 2006.12013"
    bound = "upper"

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        hidden: Sequence[int] = (64, 64),
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, hidden=hidden, scaled=scaled)
        prior = torch.empty(0)
        if attribute.heads:
            prior = log_prior(attribute.heads, c, y, self.classes, weights)
        self.register_buffer("log_prior", prior)

    def read_classes(
        self, k: int, log_q: Tensor, code: Tensor, y: Tensor | None, weights: Tensor | None
    ) -> Tensor:
        prior = self.get_buffer("log_prior").split(self.attribute.heads, -1)[k]
        return bounds.class_club(log_q, prior if y is None else prior[y], code, weights)

    def read_pairs(self, log_q: Tensor, y: Tensor | None, weights: Tensor | None) -> Tensor:
        return bounds.club(log_q, pairing(len(log_q), y, weights, log_q), weights)
