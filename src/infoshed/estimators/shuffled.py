"""The critic of the paper: T(z, c) on pairs, the marginal from shuffling c inside the batch.

    I(Z;C) >= E_p(z,c) T - log E_p(z)p(c) e^T          (Donsker-Varadhan; arXiv 1801.04062)

It takes any c, continuous ones too, and pays for it with the variance of its gradient. For
I(Z;C|Y) the critic reads y as well and c is shuffled among rows of the same class.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.base import Estimator
from infoshed.nn import mlp


class ShuffledDonskerVaradhan(Estimator):
    """MINE with one shuffle per batch; the critic is an MLP on [c, z]."""

    summary = "Donsker-Varadhan bound (MINE), c shuffled in the batch; any attribute"
    reference = "arXiv 1801.04062; used in arXiv 2003.06430"
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
        hidden: Sequence[int] = (64, 64, 64),
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        self.network = mlp(
            (attribute.width + dim + self.classes, *hidden, 1), lambda: nn.LeakyReLU(0.2)
        )

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        features = self.attribute.features(c).to(z.dtype)
        z = self.with_class(z, y)
        order = torch.randperm(len(c), generator=generator)
        if y is not None:
            # Both sides sorted by class (stably): c moves only among rows of the same class.
            shuffled = order[torch.argsort(y[order], stable=True)]
            order = torch.empty_like(order).scatter_(0, torch.argsort(y, stable=True), shuffled)
        # One pass over both halves: the network is small, so calls cost more than rows.
        pairs = torch.cat([torch.cat([features, z], 1), torch.cat([features[order], z], 1)])
        joint, marginal = self.network(pairs)[:, 0].chunk(2)
        crossed = None if weights is None else weights * weights[order]
        return bounds.donsker_varadhan(joint, marginal, weights, crossed)
