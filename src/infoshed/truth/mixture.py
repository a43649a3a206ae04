"""A Gaussian mixture seen through a channel: the posterior that most truths are computed from.

    w ~ weights,   u | w ~ N(means[w], I_r),   c | w ~ channel[w]

    p(c|u) = sum_w p(w|u) channel[w, c],        log p(w|u) = u.means[w] - |means[w]|^2/2
                                                             + log weights[w] + constant

The representation is z = u Q' + noise orthogonal to Q, with Q (d, r) orthonormal: the noise tells
nothing about c, so everything is computed in the r informative coordinates u = z Q.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infoshed.seeds import numpy_generator


@dataclass(frozen=True, eq=False)
class Mixture:
    """See the module.

    Args:
        weights: (k,) summing to 1, positive. means: (k, r).
        channel: (k, m) rows summing to 1, p(c|w); None where c is w itself.
    """

    weights: np.ndarray
    means: np.ndarray
    channel: np.ndarray | None = None

    @property
    def prior(self) -> np.ndarray:
        """p(c), shape (m,)."""
        return self.weights if self.channel is None else self.weights @ self.channel

    def log_posterior(self, u: Tensor) -> Tensor:
        """log p(c|u), (n, r) -> (n, m)."""
        means = torch.from_numpy(self.means)
        offset = torch.from_numpy(np.log(self.weights) - (self.means**2).sum(1) / 2)
        log_w = torch.log_softmax(u @ means.T + offset, 1)
        if self.channel is None:
            return log_w
        channel = torch.from_numpy(self.channel).log()
        # Column by column: all at once would hold n x k x m numbers.
        return torch.stack([torch.logsumexp(log_w + column, 1) for column in channel.T], 1)

    def log_ratio(self, u: Tensor) -> Tensor:
        """log p(c|u)/p(c), (n, r) -> (n, m)."""
        return self.log_posterior(u) - torch.from_numpy(self.prior).log()

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """w (n,) int64 and u (n, r)."""
        w = categorical(np.broadcast_to(self.weights, (n, len(self.weights))), rng)
        return w, self.means[w] + rng.standard_normal((n, self.means.shape[1]))

    def surprises(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n values H(C) - H(C|u), whose mean is I(U;C)."""
        return entropy(self.prior) - posterior_entropy(self.log_posterior, self.draw(n, rng)[1])


def entropy(p: np.ndarray) -> float:
    """Of a table of probabilities of any shape, in nats."""
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def posterior_entropy(log_posterior: Callable[[Tensor], Tensor], u: np.ndarray) -> np.ndarray:
    """H(C|u) at every row of u, in nats, shape (n,)."""
    with torch.no_grad():
        log_p = log_posterior(torch.from_numpy(u))
        return -(log_p.exp() * log_p).sum(1).numpy()


def categorical(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One draw (int64) from each row of p, (n, m) -> (n,)."""
    # The last class takes what rounding leaves, so that no draw falls outside.
    bounds = np.cumsum(p, 1)[:, :-1]
    return (rng.random(len(p))[:, None] >= bounds).sum(1).astype(np.int64)


def directions(dim: int, rank: int, name: str) -> np.ndarray:
    """Q: `rank` orthonormal directions in `dim` dimensions, fixed by `name`, shape (dim, rank)."""
    return np.linalg.qr(numpy_generator(0, f"truth/{name}").standard_normal((dim, rank)))[0]


def embed(u: np.ndarray, basis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """z (n, d) with z Q = u, and standard normal noise in the directions orthogonal to Q."""
    noise = rng.standard_normal((len(u), len(basis)))
    return noise + (u - noise @ basis) @ basis.T


def spread_points(count: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    """`count` normal points (count, rank), each the best of 32: farthest from those before it.
    Two classes on one spot would put a high share of H(C) out of reach."""
    points = rng.standard_normal((1, rank))
    while len(points) < count:
        candidates = rng.standard_normal((32, rank))
        gaps = (candidates**2).sum(1)[:, None] - 2 * candidates @ points.T + (points**2).sum(1)
        points = np.concatenate([points, candidates[[gaps.min(1).argmax()]]])
    return points - points.mean(0)


def solve(information: Callable[[float], float], nats: float) -> float:
    """The scale at which an increasing information(scale) reaches `nats`; 0 for 0 nats."""
    if nats == 0:
        return 0.0
    low, high = 0.0, 1.0
    while information(high) < nats:
        low, high = high, 2 * high
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if information(middle) < nats else (low, middle)
    return (low + high) / 2
