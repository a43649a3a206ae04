"""Continuous c: Gaussians, and what becomes of them under maps that keep the information.

    I(Z;C) = -1/2 sum_i log(1 - rho_i^2)                    (canonical correlations rho_i)

One-to-one maps f, g leave it as it is, I(f(Z);g(C)) = I(Z;C), which turns one Gaussian into many
hard cases. These are families of the benchmark of Czyz et al., "Beyond Normal", NeurIPS 2023
(arXiv 2306.11078). A Student distribution with df degrees of freedom is the Gaussian divided by
one chi variable that z and c have in common, which tells them about each other even where the
correlations are 0: with p and q columns it adds (Arellano-Valle et al., 2013)

    h(df) + h(df+p+q) - h(df+p) - h(df+q),      h(x) = log Gamma(x/2) - x/2 psi(x/2)
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from infoshed.checks import check_choice, check_number
from infoshed.truth.case import Case, Sample, factory
from infoshed.truth.mixture import directions, embed

Map = Callable[[np.ndarray], np.ndarray]
PAIRS, PAIR_RHO, DENSE_RHO = 2, 0.8, 0.5


@factory
def linear_gaussian(nats: float = 1.0, columns: int = 1, dim: int = 64) -> Case:
    """c is normal with `columns` correlated columns; as many directions of z follow it, noisily,
    and the other dim - columns are noise, all of it rotated. `nats` is shared out evenly."""
    check_number("nats", nats, 0, 50)
    check_number("columns", columns, 1, integer=True)
    check_number("dim", dim, columns, integer=True)
    rho = math.sqrt(-math.expm1(-2 * nats / columns))
    basis = directions(dim, columns, f"linear_gaussian/{dim}/{columns}")
    # Any invertible mixing of c will do; this one has columns that are correlated.
    mixing = directions(columns, columns, f"linear_gaussian/c/{columns}") + 0.5 * np.eye(columns)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        u, c = _pair(rng, n, np.full(columns, rho))
        return Sample(embed(u, basis, rng), c @ mixing)

    return Case(
        name="linear_gaussian",
        summary=f"{columns} normal columns of c, seen with noise in {dim} dimensions",
        family="linear",
        kind="continuous",
        sampler=sampler,
        known=float(nats),
    )


@factory
def swiss_roll(rho: float = 0.9) -> Case:
    """A bivariate normal of correlation `rho`, its first variable made uniform and rolled up in
    the plane, its second made uniform: z (n, 2), c (n, 1)."""
    check_number("rho", rho, -0.9999, 0.9999)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        u, v = _pair(rng, n, np.array([rho]))
        angle = 1.5 * np.pi * (1 + 2 * _uniform(u))
        return Sample(angle / 21 * np.concatenate([np.cos(angle), np.sin(angle)], 1), _uniform(v))

    return Case(
        name="swiss_roll",
        summary="a uniform variable rolled up in the plane, and one correlated with it",
        family="swiss roll",
        kind="continuous",
        sampler=sampler,
        known=gaussian_information(np.array([rho])),
    )


@factory
def half_cube(dim: int = 25, structure: str = "pairs") -> Case:
    """A normal z and c of `dim` columns each, every value x made sign(x) |x|^1.5: longer tails.

    Args:
        structure: "pairs": two columns of z follow one of c each, at 0.8; "dense": all of the
            2 dim columns are correlated with one another, at 0.5.
    """
    return _multinormal("half_cube", dim, structure, lambda x: np.sign(x) * np.abs(x) ** 1.5)


@factory
def spiral(dim: int = 5, structure: str = "pairs", speed: float = 1 / 3) -> Case:
    """A normal z and c of `dim` columns each, every row turned by the angle speed * |x|^2 in a
    plane of its own, x -> expm(speed |x|^2 A) x with skew A: columns 0, 1 of z and 1, 2 of c.
    The length |x| stays as it is, so the map can be undone. `structure`: see `half_cube`."""
    check_number("speed", speed, -10, 10)
    check_number("dim", dim, 3, integer=True)
    return _multinormal(
        "spiral", dim, structure, lambda x: _turn(x, 0, speed), lambda x: _turn(x, 1, speed)
    )


@factory
def student_t(dim: int = 5, df: float = 2.0, structure: str = "pairs", asinh: bool = False) -> Case:
    """A Student z and c of `dim` columns each with `df` degrees of freedom: tails so heavy that
    a variance need not exist. `asinh` tames every column. `structure`: see `half_cube`."""
    check_number("df", df, 0.5, 1000)
    return _multinormal("student_t", dim, structure, np.arcsinh if asinh else np.copy, df=df)


def gaussian_information(rho: np.ndarray) -> float:
    """I in nats of jointly normal variables with canonical correlations `rho`, shape (k,)."""
    return float(-np.log1p(-(rho**2)).sum() / 2)


def student_correction(df: float, p: int, q: int) -> float:
    """What the common scale of a Student z (p columns) and c (q columns) adds to the information
    of the Gaussian with the same correlations, in nats."""

    def h(x: float) -> float:
        half = torch.tensor(x / 2, dtype=torch.float64)
        return float(torch.lgamma(half) - half * torch.digamma(half))

    return h(df) + h(df + p + q) - h(df + p) - h(df + q)


def _multinormal(
    name: str, dim: int, structure: str, f: Map, g: Map | None = None, df: float | None = None
) -> Case:
    """z = f(u), c = g(v) (f for both by default) with u, v normal or Student of `dim` columns."""
    check_number("dim", dim, PAIRS, integer=True)
    check_choice("structure", structure, ("pairs", "dense"))
    g = g or f
    if structure == "pairs":
        rho = np.array([PAIR_RHO] * PAIRS + [0.0] * (dim - PAIRS))
    else:
        # The means over columns carry all of the correlation between the sides.
        rho = np.array([dim * DENSE_RHO / (1 + (dim - 1) * DENSE_RHO)])

    def normal(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if structure == "pairs":
            return _pair(rng, n, rho)
        common = rng.standard_normal((n, 1)) * math.sqrt(DENSE_RHO)
        own = rng.standard_normal((2, n, dim)) * math.sqrt(1 - DENSE_RHO)
        return common + own[0], common + own[1]

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        u, v = normal(n, rng)
        scale = 1.0 if df is None else np.sqrt(df / rng.chisquare(df, (n, 1)))
        return Sample(f(u * scale), g(v * scale))

    extra = 0.0 if df is None else student_correction(df, dim, dim)
    return Case(
        name=name,
        summary=f"{dim} columns of z and of c, {structure}: {name.replace('_', ' ')}",
        family=name.replace("_", " "),
        kind="continuous",
        sampler=sampler,
        known=gaussian_information(rho) + extra,
    )


def _pair(rng: np.random.Generator, n: int, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal u and v, (n, k) each, column i of one correlated rho[i] with i of other."""
    v, noise = rng.standard_normal((2, n, len(rho)))
    return rho * v + np.sqrt(1 - rho**2) * noise, v


def _uniform(x: np.ndarray) -> np.ndarray:
    """The normal distribution function."""
    return torch.special.ndtr(torch.from_numpy(x)).numpy()


def _turn(x: np.ndarray, first: int, speed: float) -> np.ndarray:
    """Every row turned in the plane of columns first and first+1 by the angle speed * |x|^2."""
    angle = speed * (x**2).sum(1)
    a, b = x[:, first], x[:, first + 1]
    x = x.copy()
    x[:, first] = np.cos(angle) * a - np.sin(angle) * b
    x[:, first + 1] = np.sin(angle) * a + np.cos(angle) * b
    return x
