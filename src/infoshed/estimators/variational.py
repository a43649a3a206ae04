"""Models q(c|z) of the conditional, fitted by likelihood; upper bounds read them.

    max over q  E log q(c|z)

For discrete c, q is a softmax (one per part); for continuous c a Gaussian with diagonal covariance,
its mean and log-variances an MLP of z. With y it is q(c|z,y).
"""

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.base import Estimator
from infoshed.nn import mlp

# Log-variances within +-8: a model that meets c exactly would send its likelihood to infinity.
LOG_VARIANCE_LIMIT = 8.0


class Variational(Estimator):
    """Base of the bounds that read q(c|z).

    Args:
        hidden: widths of the hidden layers. Others as in `Estimator`.
    """

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
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        outputs = sum(attribute.heads) or 2 * attribute.width
        self.network = mlp((dim + self.classes, *hidden, outputs), lambda: nn.LeakyReLU(0.2))

    @abstractmethod
    def read_classes(
        self,
        k: int,
        log_q: Tensor,
        code: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
    ) -> Tensor:
        """The estimate for part k of a discrete c: log q(c|z_i) of all its values (n, m), codes
        (n,)."""

    @abstractmethod
    def read_pairs(self, log_q: Tensor, y: Tensor | None, weights: Tensor | None) -> Tensor:
        """The estimate from log q(c_i|z_j), (n, n)."""

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        if not self.attribute.heads:
            mean, log_variance = self.gaussian(z, y)
            return self.read_pairs(gaussian_log_density(c[:, None], mean, log_variance), y, weights)
        parts = zip(self.log_classes(z, y), c.T, strict=True)
        return torch.stack(
            [self.read_classes(k, q, code, y, weights) for k, (q, code) in enumerate(parts)]
        ).sum()

    def objective(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """The log-likelihood of c, summed over parts."""
        if not self.attribute.heads:
            return bounds.weighted_mean(gaussian_log_density(c, *self.gaussian(z, y)), weights)
        parts = zip(self.log_classes(z, y), c.T, strict=True)
        return torch.stack(
            [bounds.weighted_mean(q.gather(1, code[:, None])[:, 0], weights) for q, code in parts]
        ).sum()

    def log_classes(self, z: Tensor, y: Tensor | None) -> list[Tensor]:
        """log q(c_k|z) for the parts of a discrete c, (n, m_k) each."""
        parts = self.network(self.with_class(z, y)).split(self.attribute.heads, 1)
        return [part.log_softmax(1) for part in parts]

    def gaussian(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log-variances of q(c|z) for continuous c, (n, width) each."""
        mean, log_variance = self.network(self.with_class(z, y)).chunk(2, 1)
        return mean, bounds.bounded(log_variance, LOG_VARIANCE_LIMIT)


def gaussian_log_density(c: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log N(c; mean, exp(log_variance)) summed over the last axis; shapes broadcast."""
    scaled = (c - mean).square() * (-log_variance).exp()
    return -0.5 * (scaled + log_variance + math.log(2 * math.pi)).sum(-1)
