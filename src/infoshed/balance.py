"""The balance of two gradients: one that is added to another is cut to its length.

    g  ->  g min(|t|, |g|) / |g|

So what is added never outweighs what is there (arXiv 2003.06430), and where it is the shorter one
it is added as it is.
"""

import torch
from torch import Tensor


def balance(gradient: Tensor, limit: Tensor, units: Tensor | float = 1.0) -> Tensor:
    """`gradient` scaled to an L2 norm of `limit` where it is longer: g min(limit, |g|) / |g|, and 0
    where g is 0; not finite where g or the limit is NaN.

    Args:
        limit: a scalar. units: by which g is multiplied before its norm is taken; broadcast.
    """
    norm = (gradient * units).norm()
    tiny = torch.finfo(norm.dtype).tiny
    return gradient * torch.where(norm <= limit, 1.0, limit / norm.clamp_min(tiny))


def deviation(z: Tensor, weights: Tensor | None) -> Tensor:
    """Standard deviations of the columns of z (n, dim) over the rows that weigh more than 0, all of
    them alike: what padding holds is nobody's unit."""
    if weights is None:
        return z.std(0, correction=0)
    counts = (weights > 0).to(z.dtype)
    share = counts / counts.sum().clamp_min(1)
    # `where` and not a product: 0 times NaN is NaN.
    kept = torch.where(weights[:, None] > 0, z, 0)
    return (share @ (kept - share @ kept).square()).sqrt()
