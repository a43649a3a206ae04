"""InfoNCE: which c of the batch belongs to this z?

    I(Z;C) >= E [f(z_i,c_i) - log mean_j e^f(z_i,c_j)]               (arXiv 1807.03748)

Low in variance, and never above log n for n rows in the batch: information beyond that is not
seen. All n^2 pairs are scored, so the critic is separable, f = g(z) . h(c) / sqrt(k) + b(c); a term
in z alone would cancel. For I(Z;C|Y), g and h read y as well and j runs over the rows of the class
of i, which caps the estimate by the log of their number. Memory is O(n^2).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.base import Estimator
from infoshed.estimators.pairs import pairing
from infoshed.nn import mlp


class InfoNCE(Estimator):
    """See the module.

    Args:
        hidden: widths of the hidden layers of g and h. width: k, of their outputs. Others as in
            `Estimator`.
    """

    summary = "InfoNCE bound over all pairs of the batch; capped by the log of its rows"
    reference = "arXiv 1807.03748; arXiv 1905.06922, eq. 12"
    bound = "lower"
    takes = frozenset({"discrete", "several", "continuous"})

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        hidden: Sequence[int] = (64, 64),
        width: int = 32,
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        self.of_z = mlp((dim + self.classes, *hidden, width), lambda: nn.LeakyReLU(0.2))
        self.of_c = mlp(
            (attribute.width + self.classes, *hidden, width + 1), lambda: nn.LeakyReLU(0.2)
        )

    @classmethod
    def limit(cls, rows: int) -> float:
        return math.log(rows)

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        g = self.of_z(self.with_class(z, y))
        h = self.of_c(self.with_class(self.attribute.features(c).to(z.dtype), y))
        scores = g @ h[:, :-1].T / g.shape[1] ** 0.5 + h[:, -1]
        return bounds.infonce(scores, pairing(len(z), y, weights, z), weights)
