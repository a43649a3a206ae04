"""Hidden cases: c is in z, but in no single column's mean.

**Parity.** Some columns show a sign s_i each, with noise; c is the parity of the signs. Any column,
and any few that are not all, are independent of c: only a product shows it.

**Variance only.** All classes have mean 0 and differ in the spread of some columns. With r^2 the
squared length over those k columns, p(c=j|z) = softmax_j( -k log s_j - r^2 / (2 s_j^2) ).
"""

from itertools import product

import numpy as np
import torch
from torch import Tensor

from infoshed.checks import InfoshedError, check_number
from infoshed.truth.case import Case, Sample, factory
from infoshed.truth.mixture import (
    Mixture,
    categorical,
    directions,
    embed,
    entropy,
    posterior_entropy,
)


@factory
def parity(
    dim: int = 64, bits: int = 3, amplitude: float = 2.0, flip: float = 0.0, rotate: bool = False
) -> Case:
    """c is the parity of the signs of `bits` columns.

    Args:
        dim: columns of z; the first `bits` show amplitude * sign + N(0, 1), the others N(0, 1).
        flip: probability that c is the other parity.
        rotate: turn z by a random rotation, so that no column shows a sign.
    """
    check_number("bits", bits, 1, 10, integer=True)
    check_number("dim", dim, bits, integer=True)
    check_number("amplitude", amplitude, 0, 100)
    check_number("flip", flip, 0, 1)
    signs = np.array(list(product([-1, 1], repeat=bits)))
    odd = (signs < 0).sum(1) % 2
    channel = np.where(odd[:, None] == [0, 1], 1 - flip, flip)
    mixture = Mixture(np.full(2**bits, 0.5**bits), amplitude * signs, channel)
    basis = directions(dim, bits, f"parity/{dim}/{bits}") if rotate else np.eye(dim, bits)
    q = torch.from_numpy(basis)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        w, u = mixture.draw(n, rng)
        return Sample(embed(u, basis, rng), categorical(channel[w], rng))

    return Case(
        name="parity",
        summary=f"the parity of {bits} noisy signs among {dim} columns",
        family="hidden",
        kind="discrete",
        sampler=sampler,
        surprises=mixture.surprises,
        entropy=float(np.log(2)),
        ratio=lambda z: mixture.log_ratio(z @ q),
    )


@factory
def variance_only(
    dim: int = 64,
    columns: int = 4,
    scales: tuple[float, ...] = (0.6, 1.6),
    rotate: bool = False,
) -> Case:
    """Classes, all alike, with the same mean and another spread.

    Args:
        dim: columns of z, N(0, 1) but for the first `columns`.
        scales: deviation of those columns in each class.
        rotate: turn z by a random rotation.
    """
    check_number("dim", dim, 1, integer=True)
    check_number("columns", columns, 1, dim, integer=True)
    if len(scales) < 2 or min(scales) <= 0:
        raise InfoshedError(f"`scales` must be two or more positive numbers; got {scales}")
    s, m = np.array(scales, dtype=np.float64), len(scales)
    basis = (
        directions(dim, columns, f"variance/{dim}/{columns}") if rotate else np.eye(dim, columns)
    )
    q, precision = torch.from_numpy(basis), torch.from_numpy(s**-2)

    def log_posterior(u: Tensor) -> Tensor:
        squared = (u**2).sum(1, keepdim=True)
        return torch.log_softmax(columns * precision.log() / 2 - squared * precision / 2, 1)

    def informative(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        c = rng.integers(0, m, n)
        return c, s[c, None] * rng.standard_normal((n, columns))

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        c, u = informative(n, rng)
        return Sample(embed(u, basis, rng), c)

    def surprises(n: int, rng: np.random.Generator) -> np.ndarray:
        return np.log(m) - posterior_entropy(log_posterior, informative(n, rng)[1])

    return Case(
        name="variance_only",
        summary=f"{m} classes of the same mean that differ in the spread of {columns} columns",
        family="hidden",
        kind="discrete",
        sampler=sampler,
        surprises=surprises,
        entropy=entropy(np.full(m, 1 / m)),
        ratio=lambda z: log_posterior(z @ q) + np.log(m),
    )
