"""MINE with the corrected gradient: the mean of e^T is averaged over batches where it divides.

    d/dtheta log E e^T = E[e^T dT/dtheta] / E e^T

In one batch both means are noisy and their ratio is biased, more so the smaller the batch. So the
denominator is an exponential average over batches (arXiv 1801.04062, section 3.2), kept as its
logarithm: with the newest batch in it the ratio never exceeds 1 / momentum, whatever T is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.estimators import bounds
from infoshed.estimators.pairs import PairCritic, Scores


class Mine(PairCritic):
    """`ShuffledDonskerVaradhan`, fitted with the gradient corrected by a moving average.

    Args:
        momentum: weight of the newest batch in the average once it has warmed up. Others as in
            `PairCritic`.
    """

    summary = "MINE: Donsker-Varadhan bound, its gradient corrected by a moving average"
    reference = "arXiv 1801.04062, section 3.2"
    bound = "lower"

    log_average: Tensor
    steps: Tensor

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
        momentum: float = 0.01,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, hidden=hidden, scaled=scaled)
        self.momentum = momentum
        self.register_buffer("log_average", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def read(self, scores: Scores) -> Tensor:
        return bounds.donsker_varadhan(*scores)

    def criterion(self, scores: Scores) -> Tensor:
        """The bound in value, the corrected gradient in T; moves the average by one batch."""
        log_mean = bounds.log_mean_exp(scores.marginal, scores.marginal_weights)
        self._average(log_mean.detach())
        ratio = (log_mean - self.log_average).exp()
        corrected = log_mean.detach() + (ratio - ratio.detach())
        return bounds.weighted_mean(scores.joint, scores.weights) - corrected

    @torch.no_grad()
    def _average(self, log_mean: Tensor) -> None:
        self.steps += 1
        # 1/t until the average is warm: the first batch counts whole, not by `momentum`.
        newest = torch.clamp(1 / self.steps, min=self.momentum).to(log_mean.dtype)
        self.log_average.copy_(
            torch.logaddexp(self.log_average + torch.log1p(-newest), log_mean + newest.log())
        )
