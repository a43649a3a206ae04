"""What the contracts of `ESTIMATORS` are held to: data and truth for each kind of c."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from infoshed import (
    ESTIMATORS,
    Attribute,
    infer_attribute,
)
from infoshed.attributes import KINDS
from infoshed.estimators import Estimator, build_estimator
from infoshed.optim import adam


class Rows(NamedTuple):
    z: Tensor
    c: Tensor
    y: Tensor
    weights: Tensor | None = None

    def take(self, rows: Any) -> "Rows":
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.z[rows], self.c[rows], self.y[rows], weights)


Draw = Callable[[int], Rows]
KEEP = 0.8  # else c is drawn anew
RHO = 0.8


def follow(w: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(w)) < KEEP, w, rng.integers(0, m, len(w)))


def one_hot(w: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """w to be read off without error: columns far apart on the scale of the noise."""
    return np.eye(m)[w] + 0.05 * rng.normal(size=(len(w), m))


def discrete_information(m: int) -> float:
    """I(W;C) of `follow`: the diagonal holds 4m + 1 parts of the table, other cells 1."""
    return mutual_info_score(None, None, contingency=4 * m * np.eye(m, dtype=int) + 1)


def raw_case(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
    """z (n, 4) and raw c that it tells about."""
    if kind == "continuous":
        c = rng.normal(size=n)
        z = RHO * c + math.sqrt(1 - RHO**2) * rng.normal(size=n)
        return np.stack([z, *rng.normal(size=(3, n))], 1), c
    if kind == "mixed":
        (one, two), (three, c) = (raw_case(k, n, rng) for k in ("binary", "continuous"))
        return np.concatenate([one[:, :2], three[:, :2]], 1), {"code": two, "size": c}
    if kind == "multi-categorical":  # independent parts: the sum over parts is the joint
        w = rng.integers(0, 2, (n, 2))
        z = np.concatenate([one_hot(w[:, 0], 2, rng), one_hot(w[:, 1], 2, rng)], 1)
        return z, np.stack([follow(w[:, 0], 2, rng), follow(w[:, 1], 2, rng)], 1)
    m = {"binary": 2, "categorical": 4}[kind]
    w = rng.integers(0, m, n)
    return np.concatenate([one_hot(w, m, rng), rng.normal(size=(n, 4 - m))], 1), follow(w, m, rng)


TRUTH = {
    "binary": discrete_information(2),
    "categorical": discrete_information(4),
    "multi-categorical": 2 * discrete_information(2),
    "continuous": -0.5 * math.log(1 - RHO**2),
    "mixed": discrete_information(2) - 0.5 * math.log(1 - RHO**2),
}


def attribute_of(kind: str) -> Attribute:
    return infer_attribute(raw_case(kind, 4000, np.random.default_rng(99))[1], kind)


ATTRIBUTES = {kind: attribute_of(kind) for kind in KINDS}
# What takes a mixed attribute is a sum of estimators that are held to all this by themselves.
SUMMED = ("shuffled-dv", "club", "hsic")
PAIRS = [
    (n, k)
    for n in ESTIMATORS
    for k in KINDS
    if ESTIMATORS[n].handles(ATTRIBUTES[k]) and (k != "mixed" or n in SUMMED)
]
every_pair = pytest.mark.parametrize(("name", "kind"), PAIRS)
INFORMATION = [(n, k) for n, k in PAIRS if ESTIMATORS[n].unit == "nats"]
every_name = pytest.mark.parametrize("name", ESTIMATORS)
every_way = pytest.mark.parametrize("conditional", [False, True])


def dependent(kind: str, seed: int) -> Draw:
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        z, c = raw_case(kind, n, rng)
        y = torch.from_numpy(rng.integers(0, 3, n))
        return Rows(torch.from_numpy(z).float(), ATTRIBUTES[kind].encode(c), y)

    return draw


def independent(kind: str, seed: int) -> Draw:
    draw, rng = dependent(kind, seed), np.random.default_rng(seed)

    def shuffled(n: int) -> Rows:
        z, c, y, _ = draw(n)
        return Rows(z, c[torch.from_numpy(rng.permutation(n))], y)

    return shuffled


TRAINING = {kind: dependent(kind, 5)(4000) for kind in KINDS}


def transformed(draw: Draw, function: Callable[[Tensor], Tensor]) -> Draw:
    return lambda n: (rows := draw(n))._replace(z=function(rows.z))


def build(
    name: str, attribute: Attribute, rows: Rows, *, conditional: bool = False, seed: int = 0
) -> Estimator:
    """An estimator for rows like these, its initial critic from `seed`."""
    z, c, y, weights = rows
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        y = y if conditional else None
        return build_estimator(name, z.shape[1], attribute, c, y, weights=weights)


def make(name: str, kind: str, *, conditional: bool = False, seed: int = 0) -> Estimator:
    rows = TRAINING[kind]
    return build(name, ATTRIBUTES[kind], rows, conditional=conditional, seed=seed)


def fit(estimator: Estimator, draw: Draw, steps: int = 60, size: int = 192) -> Estimator:
    """Fit the critic on fresh rows, its learning rate falling to 0."""
    pool = draw(steps * size)
    optimizer = adam(estimator.parameters(), 1e-2) if estimator.fitted else None
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        z, c, y, weights = pool.take(slice(step * size, (step + 1) * size))
        if estimator.standardize is not None:
            estimator.standardize.update(z)
        if optimizer is not None:
            optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
            optimizer.zero_grad()
            estimator.loss(z, c, y, weights=weights, generator=generator).backward()
            optimizer.step()
    return estimator


@torch.no_grad()
def value(estimator: Estimator, rows: Rows, seed: int = 1) -> float:
    z, c, y, weights = rows
    generator = torch.Generator().manual_seed(seed)
    return float(estimator(z, c, y, weights=weights, generator=generator))


@cache
def fitted_value(name: str, kind: str) -> float:
    """The estimate of the dependent case on held-out rows, after fitting."""
    return value(fit(make(name, kind), dependent(kind, 1)), dependent(kind, 2)(3000))


def draws(estimator: Estimator, rows: Rows) -> bool:
    """Whether the estimate draws from its generator."""
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    estimator(*rows[:3], generator=generator)
    return not torch.equal(before, generator.get_state())


DRAWING = [pair for pair in PAIRS if draws(make(*pair), dependent(pair[1], 1)(8))]
STILL = [pair for pair in PAIRS if pair not in DRAWING]
