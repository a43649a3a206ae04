"""The Hilbert-Schmidt independence criterion, normalised to at most 1.

    HSIC(Z,C) = sum_{i != j} K_ij L_ij,    value = HSIC(Z,C) / sqrt(HSIC(Z,Z) HSIC(C,C))

K and L are Gaussian kernels of z and c, centred, with the median squared distance as the squared
bandwidth. It is 0 for independent data, up to O(1/n): the pairs i = i, which lift the usual
estimate of independent data by O(1) in many dimensions, are left out. Not mutual information,
and no bound of it; its gradient in z needs no critic. Memory is O(n^2).
"""

import torch
from torch import Tensor

from infoshed.estimators.measure import Measure


class HSIC(Measure):
    """See the module."""

    summary = "normalised HSIC with Gaussian kernels; a dependence measure without a critic"
    reference = "Gretton et al. 2005; arXiv 1905.00414 (CKA); without the pairs i = i"
    bound = "neither"
    takes = frozenset({"discrete", "several", "continuous"})
    unit = "HSIC (no mutual information)"
    least = 4

    def measure(
        self, z: Tensor, c: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        return normalised_hsic(z, self.attribute.features(c).to(z.dtype), weights)


def normalised_hsic(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """The value of the module for a (n, d) and b (n, k) under weights (n,) of mean 1, at most 1."""
    weights = weights / len(weights)
    k, r = gaussian_kernel(a, weights), gaussian_kernel(b, weights)
    pairs = weights[:, None] * weights
    pairs = pairs - torch.diag(pairs.diagonal())
    cross, own_a, own_b = ((pairs * m).sum() for m in (k * r, k * k, r * r))
    # A constant has a kernel without variance, and depends on nothing.
    return cross * (own_a.clamp_min(1e-8) * own_b.clamp_min(1e-8)).rsqrt()


def gaussian_kernel(values: Tensor, weights: Tensor) -> Tensor:
    """exp(-|v_i - v_j|^2 / median), centred under weights (n,) of sum 1, shape (n, n)."""
    values = values - values.mean(0)
    square = values.square().sum(1)
    distance = (square[:, None] + square - 2 * values @ values.T).clamp_min(0)
    kernel = (-distance / distance.detach().median().clamp_min(1e-3)).exp()
    rows = kernel @ weights
    return kernel - rows[:, None] - rows + weights @ rows
