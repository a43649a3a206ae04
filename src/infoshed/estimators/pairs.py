"""Critics that read pairs: T(z, c) on rows as they come, and on rows whose c was shuffled.

Shuffling c inside the batch gives samples of p(z)p(c); among rows of the same class, samples of
p(z|y)p(c|y). So any c will do, continuous ones too, and the price is the variance of a marginal
that was sampled once instead of summed. Rows left in their place by chance (one in n, and all of
a class with one row) make the estimate lower, by O(1/n).

Weights: a shuffled pair carries w_i w_j over the mean weight of its class, which is p(z|y)p(c|y)
under the weighted law.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators.base import Estimator
from infoshed.nn import mlp


class Scores(NamedTuple):
    """Arguments of the bounds from samples: T on the pairs and on the shuffled pairs, (n,) each,
    and the weights of both, of mean 1, or None."""

    joint: Tensor
    marginal: Tensor
    weights: Tensor | None
    marginal_weights: Tensor | None


class PairCritic(Estimator):
    """An MLP T on [c, z] (and one-hot y), fitted by `criterion` and read by `read`.

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
        hidden: Sequence[int] = (64, 64, 64),
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        self.network = mlp(
            (attribute.width + dim + self.classes, *hidden, 1), lambda: nn.LeakyReLU(0.2)
        )

    @abstractmethod
    def read(self, scores: Scores) -> Tensor:
        """The estimate, a scalar in nats."""

    def criterion(self, scores: Scores) -> Tensor:
        """What the critic ascends, a scalar; the estimate unless overridden."""
        return self.read(scores)

    def scores(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Scores:
        """T on the batch; arguments as in `estimate`."""
        features = self.attribute.features(c).to(z.dtype)
        order = shuffle(len(c), y, generator, z.device)
        z = self.with_class(z, y)
        # One pass over both halves: the network is small, so calls cost more than rows.
        pairs = torch.cat([torch.cat([features, z], 1), torch.cat([features[order], z], 1)])
        joint, marginal = self.network(pairs)[:, 0].chunk(2)
        if weights is None:
            return Scores(joint, marginal, None, None)
        crossed = weights * weights[order] / class_means(weights, y, self.classes)
        return Scores(joint, marginal, weights, crossed / crossed.mean())

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        return self.read(self.scores(z, c, y, weights, generator))

    def objective(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        return self.criterion(self.scores(z, c, y, weights, generator))


def shuffle(
    n: int, y: Tensor | None, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """A random order of n rows, on `device`; with classes y (n,), within the rows of each."""
    order = torch.randperm(n, generator=generator).to(device)
    if y is None:
        return order
    # Both sides sorted by class (stably): rows move only among rows of the same class.
    shuffled = order[torch.argsort(y[order], stable=True)]
    return torch.empty_like(order).scatter_(0, torch.argsort(y, stable=True), shuffled)


def class_means(weights: Tensor, y: Tensor | None, classes: int) -> Tensor:
    """For every row the mean weight of its class, (n,); the mean of all without classes."""
    if y is None:
        return weights.mean()
    sums = weights.new_zeros(classes).index_add_(0, y, weights)
    rows = weights.new_zeros(classes).index_add_(0, y, torch.ones_like(weights))
    return (sums / rows.clamp_min(1))[y]


def pairing(n: int, y: Tensor | None, weights: Tensor | None, like: Tensor) -> Tensor:
    """Importance of row j as a partner of row i, (n, n), where all pairs of a batch are read: the
    weight of j, and 0 where i and j are of different classes. Type and device as `like`."""
    partner = torch.ones_like(like[:, 0]) if weights is None else weights
    if y is None:
        return partner.expand(n, n)
    return partner * (y[:, None] == y)
