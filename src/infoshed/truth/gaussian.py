"""Gaussian classes: z | c=k ~ N(mu_k, I), the plain case, and two disguises of it.

    I(Z;C) = H(C) - E[H(C|Z)],      p(c=k|z) = softmax_k( z.mu_k - |mu_k|^2/2 + log p_k )

The means are random points that keep apart, in min(d, m-1) random directions, times a scale
that is solved for the share of H(C) wanted. Scaling and shifting columns, or bending each by a
strictly increasing map, leaves the information as it is; an estimator may not notice.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from infoshed.checks import check_choice, check_number
from infoshed.seeds import numpy_generator
from infoshed.truth.case import Case, Sample, factory
from infoshed.truth.mixture import Mixture, directions, embed, entropy, solve, spread_points

BALANCES = ("balanced", "long-tailed", "rare")
RARE, LONG_TAIL = 0.01, 100.0  # the share of the rare class; most frequent to rarest class


@factory
def gaussian_classes(
    classes: int = 10,
    dim: int = 64,
    share: float = 0.5,
    balance: str = "balanced",
    decades: float = 0.0,
) -> Case:
    """Classes that are Gaussian balls in z.

    Args:
        classes: m >= 2. dim: columns of z.
        share: I(Z;C) over H(C), in [0, 0.99]. Solved to a few per cent; `nats` is exact.
        balance: "balanced"; "long-tailed", geometric with 100 of the first for each of the last;
            "rare", 1% in the first class and the others alike.
        decades: columns of z are scaled by powers of ten over so many decades (6: from 1e-3 to
            1e3) and shifted by 100 of their units; 0 leaves z as it is.
    """
    check_number("decades", decades, 0, 12)
    mixture, basis, known = _solved(classes, dim, share, balance)
    scale, shift = np.ones(dim), np.zeros(dim)
    if decades:
        rng = numpy_generator(0, "truth/decades")
        scale = 10 ** rng.permutation(np.linspace(-decades / 2, decades / 2, dim))
        # Larger shifts would drown the noise of z in the rounding of float32.
        shift = 100 * scale * rng.choice([-1, 1], dim)
    scales, shifts, q = (torch.from_numpy(a) for a in (scale, shift, basis))

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        c, u = mixture.draw(n, rng)
        return Sample(embed(u, basis, rng) * scale + shift, c)

    return Case(
        name="gaussian_classes",
        summary=f"{classes} Gaussian classes in {dim} dimensions, {balance}",
        family="gaussian",
        kind="discrete",
        sampler=sampler,
        known=known,
        surprises=mixture.surprises,
        entropy=entropy(mixture.prior),
        ratio=lambda z: mixture.log_ratio((z - shifts) / scales @ q),
    )


@factory
def warped(
    classes: int = 10, dim: int = 64, share: float = 0.5, balance: str = "balanced", knots: int = 8
) -> Case:
    """`gaussian_classes` with every column bent by its own strictly increasing map: straight
    pieces between `knots` random kinks, with slopes from 1/30 to 30."""
    check_number("knots", knots, 2, 100, integer=True)
    mixture, basis, known = _solved(classes, dim, share, balance)
    rng = numpy_generator(0, "truth/warped")
    spread = np.sqrt(1 + ((mixture.means @ basis.T) ** 2).mean(0))[:, None]
    kinks = np.sort(rng.uniform(-2, 2, (dim, knots)), 1) * spread
    slopes = 30 ** rng.uniform(-1, 1, (dim, knots + 1))
    heights = np.cumsum(slopes[:, 1:-1] * np.diff(kinks, axis=1), 1)
    heights = np.concatenate([np.zeros((dim, 1)), heights], 1)
    x, y, slope = (torch.from_numpy(a) for a in (kinks, heights, slopes))
    q = torch.from_numpy(basis)

    def bend(z: Tensor) -> Tensor:
        return _pieces(z, x, y, slope)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        c, u = mixture.draw(n, rng)
        return Sample(bend(torch.from_numpy(embed(u, basis, rng))).numpy(), c)

    return Case(
        name="warped",
        summary=f"{classes} Gaussian classes, every column bent by an increasing kinked map",
        family="gaussian",
        kind="discrete",
        sampler=sampler,
        known=known,
        surprises=mixture.surprises,
        entropy=entropy(mixture.prior),
        ratio=lambda z: mixture.log_ratio(_pieces(z, y, x, 1 / slope) @ q),
    )


def class_shares(classes: int, balance: str) -> np.ndarray:
    """p(c), shape (classes,), see `gaussian_classes`."""
    check_choice("balance", balance, BALANCES)
    if balance == "rare":
        return np.array([RARE] + [(1 - RARE) / (classes - 1)] * (classes - 1))
    ratio = 1.0 if balance == "balanced" else LONG_TAIL ** (-1 / (classes - 1))
    p = ratio ** np.arange(classes)
    return p / p.sum()


def two_class_information(p: float, gap: float, scale: float = 1.0) -> float:
    """I(Z;C) in nats of two unit Gaussians gap * scale apart, the second with probability p."""
    distance = gap * scale
    # The trapezoidal rule converges exponentially fast for a smooth function that vanishes at
    # both ends; this step is far below what float64 can tell.
    x, step = np.linspace(-12, distance + 12, 20_001, retstep=True)
    first = np.log1p(-p) - x**2 / 2
    second = np.log(p) - (x - distance) ** 2 / 2
    both = np.logaddexp(first, second)
    lost = np.exp(first) * (both - first) + np.exp(second) * (both - second)
    return entropy(np.array([p, 1 - p])) - float(lost.sum() * step / np.sqrt(2 * np.pi))


def _solved(
    classes: int, dim: int, share: float, balance: str
) -> tuple[Mixture, np.ndarray, float | None]:
    """The mixture with the wanted share, its directions in z, and its information if closed."""
    check_number("classes", classes, 2, integer=True)
    check_number("dim", dim, 1, integer=True)
    check_number("share", share, 0, 0.99)
    p = class_shares(classes, balance)
    rank = min(dim, classes - 1)
    rng = numpy_generator(0, f"truth/means/{classes}/{rank}")
    means = spread_points(classes, rank, rng)
    information = _rough_information(p, means, rng)
    if classes == 2:
        gap = abs(float(means[1, 0] - means[0, 0]))
        information = partial(two_class_information, float(p[1]), gap)
    scale = solve(information, share * entropy(p))
    known = 0.0 if share == 0 else information(scale) if classes == 2 else None
    return Mixture(p, means * scale), directions(dim, rank, f"directions/{dim}/{rank}"), known


def _rough_information(
    p: np.ndarray, means: np.ndarray, rng: np.random.Generator
) -> Callable[[float], float]:
    """scale -> I, by a few thousand fixed draws, as many from a rare class as from any other."""
    each = -(-4096 // len(p))
    w = np.repeat(np.arange(len(p)), each)
    noise = torch.from_numpy(rng.standard_normal((len(w), means.shape[1])) @ means.T)
    inner = torch.from_numpy(means[w] @ means.T - (means**2).sum(1) / 2)
    weights, log_p = torch.from_numpy(p[w] / each), torch.from_numpy(np.log(p))

    def information(scale: float) -> float:
        log_w = torch.log_softmax(inner * scale**2 + noise * scale + log_p, 1)
        return entropy(p) + float(weights @ (log_w.exp() * log_w).sum(1))

    return information


def _pieces(z: Tensor, x: Tensor, y: Tensor, slope: Tensor) -> Tensor:
    """Column j of z through the broken line with kinks (x[j], y[j]) and slopes slope[j]: of the
    piece left of the first kink, between them, and right of the last."""
    piece = torch.searchsorted(x, z.T.contiguous())  # kinks below each value
    kink = (piece - 1).clamp(min=0)
    x, y, slope = x.gather(1, kink), y.gather(1, kink), slope.gather(1, piece)
    return (y + slope * (z.T - x)).T
