"""Closed form for jointly Gaussian z and c, from the determinants of their covariances.

    I(Z;C) = 1/2 (log det S_z + log det S_c - log det S_zc)

It sees linear dependence alone: below the information where c is Gaussian and z anything, and no
bound in general. Sampled determinants are too small, which overstates the information by about
dim * columns / 2n; the exact expectation of log det of a Wishart matrix corrects that (n well above
dim + columns is still needed). Covariances are scaled to unit variance and drawn slightly to the
identity, so constant columns are harmless and the estimate ends near 4.3 nats per column of c.
"""

import torch
from torch import Tensor

from infoshed.estimators.measure import Measure, centred


class Gaussian(Measure):
    """See the module."""

    summary = "closed form for Gaussians, sees linear dependence alone; continuous attributes"
    reference = "Cover and Thomas, Elements of Information Theory, ch. 8; Wishart correction"
    bound = "neither"
    takes = frozenset({"continuous"})

    def measure(
        self, z: Tensor, c: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        return gaussian_information(z, c, weights).to(z.dtype)


def gaussian_information(
    z: Tensor, c: Tensor, weights: Tensor, ridge: float = 1e-4, floor: float = 1e-6
) -> Tensor:
    """The information of the Gaussian with the (weighted) covariance of the rows, bias-corrected.

    Args:
        z: (n, dim). c: (n, columns). weights: (n,) of mean 1.
        ridge: how far correlations are drawn to 0.
        floor: variance, relative to 1 + mean^2, below which a column counts as constant.
    """
    z, c, weights = z.double(), c.double(), weights.double()
    both = torch.cat([z, c], 1)
    floors = floor * (1 + both.mean(0).square())
    both = centred(both, weights)
    covariance = (weights[:, None] * both).T @ both / len(both)
    variance = covariance.diagonal()
    scale = (variance + floors).rsqrt()
    covariance = (1 - ridge) * scale[:, None] * covariance * scale
    # The diagonal is 1 again, also where a column is constant.
    covariance = covariance - torch.diag(covariance.diagonal() - 1)
    dim = z.shape[1]
    apart = torch.linalg.slogdet(covariance[:dim, :dim])[1]
    apart = apart + torch.linalg.slogdet(covariance[dim:, dim:])[1]
    value = 0.5 * (apart - torch.linalg.slogdet(covariance)[1])
    varying = (variance.detach() > floors).double()
    effective = weights.sum().square() / weights.square().sum()
    return value - wishart_bias(effective, varying[:dim].sum(), c.shape[1])


def wishart_bias(n: Tensor, dim: Tensor, columns: int) -> Tensor:
    """By how much the sampled information of Gaussians exceeds the true one, in nats.

    log det of a sampled covariance falls short by sum_{i<=d} psi((n-i)/2) up to a term linear in d
    (Wishart); the difference of the three determinants leaves two sums over the columns of c.

    Args:
        n: (effective) number of rows. dim, columns: of z and c; both scalars.
    """
    i = torch.arange(1, columns + 1, dtype=n.dtype, device=n.device)
    full, left = (((n - i) / 2), ((n - dim - i) / 2).clamp_min(0.5))
    return 0.5 * (torch.digamma(full.clamp_min(0.5)) - torch.digamma(left)).sum()
