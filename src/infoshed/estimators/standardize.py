"""Running standardisation of z: (z - mean) / deviation, per column, inside every estimator.

Critics break on unscaled representations: one column of large scale makes shuffled bounds
non-finite within two steps. Mean and second moment are exponential averages over the batches the
critic is fitted on, corrected for their start; they are constants to the gradient.
"""

import torch
from torch import Tensor, nn


class RunningStandardizer(nn.Module):
    """Standardise columns of z (n, dim) by exponentially averaged moments.

    Args:
        dim: columns of z.
        momentum: weight of the newest batch once the average has warmed up.
    """

    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(self, dim: int, momentum: float = 0.05):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("variance", torch.ones(dim))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, z: Tensor, counted: Tensor | None = None) -> None:
        """Move the moments towards those of the batch z (n, dim), of the rows that are `counted`
        (n,) where given. One that is not finite, or without such rows, is left out."""
        if counted is None:
            mean = z.mean(0)
            variance = (z - mean).square_().mean(0)  # var() takes several times as long
        else:  # rows are not taken out: their number is not known before a GPU is waited for
            kept, n = counted[:, None], counted.sum()
            mean = torch.where(kept, z, 0).sum(0) / n
            variance = torch.where(kept, (z - mean).square_(), 0).sum(0) / n
        fine = finite(variance)
        self.steps += fine
        # 1/t until the average is warm: the first batch counts whole, not by `momentum`.
        weight = torch.clamp(1 / self.steps.clamp(min=1), min=self.momentum).to(z.dtype)
        self.mean.lerp_(torch.where(fine, mean, self.mean), weight)
        self.variance.lerp_(torch.where(fine, variance, self.variance), weight)

    def forward(self, z: Tensor) -> Tensor:
        """z on unit scale; a constant column stays near 0 instead of being blown up."""
        floor = 1e-6 * (1 + self.mean.square())
        return (z - self.mean) * torch.rsqrt(self.variance + floor)


def finite(values: Tensor) -> Tensor:
    """Whether all values and their sum are finite, a scalar: a third of the calls of `isfinite`,
    which count where tensors are small."""
    total = values.sum()
    return total - total == 0
