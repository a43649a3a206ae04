"""Sliced infomin: the strongest correlation that random projections of z and c show.

    max over slices (s, t)  max over a, b  corr(a . psi(s.z), b . psi(t.c))^2

psi(u) = (u, u^2, u^3), and the inner maximum is a canonical correlation of 3 by 3 columns, in
closed form (arXiv 2302.10701). In [0, 1]; for independent data of order (log slices) / n, not 0,
since the best of many is taken. Not mutual information; its gradient in z, through the best slice,
needs no critic. A dependence that shows in few of many columns of z is met by few slices.
"""

import torch
from torch import Tensor

from infoshed.estimators.measure import Measure

SLICES = 200


class SliceInfomin(Measure):
    """See the module."""

    summary = "squared maximal correlation over random slices; no critic"
    reference = "arXiv 2302.10701"
    bound = "neither"
    takes = frozenset({"discrete", "several", "continuous"})
    unit = "squared maximal correlation (no mutual information)"
    least = 8

    def measure(
        self, z: Tensor, c: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        features = self.attribute.features(c).to(z.dtype)
        s, t = (
            torch.randn(values.shape[1], SLICES, generator=generator).to(values)
            for values in (z, features)
        )
        with torch.no_grad():
            best = slice_correlations(z @ s, features @ t, weights).argmax()
        # Only the best slice has a gradient.
        return slice_correlations(z @ s[:, best, None], features @ t[:, best, None], weights)[0]


def slice_correlations(u: Tensor, v: Tensor, weights: Tensor, ridge: float = 1e-3) -> Tensor:
    """Squared canonical correlations between the polynomials of u and v, shape (slices,).

    Args:
        u, v: projections (n, slices). weights: (n,) of mean 1.
        ridge: added to the correlations of the three columns, which nearly coincide for
            projections with few values.
    """
    a, b = polynomials(u, weights), polynomials(v, weights)
    weighted = weights * a / len(weights)
    eye = ridge * torch.eye(3, dtype=u.dtype, device=u.device)
    left = torch.linalg.cholesky(weighted @ a.mT + eye)
    right = torch.linalg.cholesky((weights * b / len(weights)) @ b.mT + eye)
    whitened = torch.linalg.solve_triangular(left, weighted @ b.mT, upper=False)
    whitened = torch.linalg.solve_triangular(right, whitened.mT, upper=False)
    # Eigenvalues alone: their gradient is defined where they coincide, that of vectors is not.
    return torch.linalg.eigvalsh(whitened @ whitened.mT)[:, -1]


def polynomials(u: Tensor, weights: Tensor) -> Tensor:
    """u, u^2 and u^3 of projections (n, slices), scaled before and after: (slices, 3, n)."""
    u = standard(u.T, weights)
    return standard(torch.stack([u, u**2, u**3], 1), weights)


def standard(values: Tensor, weights: Tensor) -> Tensor:
    """Mean 0 and variance 1 along the last axis under weights (n,) of mean 1; constants are 0."""
    values = values - (weights * values).mean(-1, keepdim=True)
    variance = (weights * values.square()).mean(-1, keepdim=True)
    return values * (variance + 1e-6).rsqrt()
