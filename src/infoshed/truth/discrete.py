"""Discrete cases: tables whose information is a finite sum.

    I(W;C) = sum_{w,c} p(w,c) log p(w,c) / (p(w) p(c))

z is a code itself, or shows a class w so plainly (columns ten deviations apart: w is misread once
in 10^11 rows) that I(Z;C) = I(W;C) to every digit that an estimate could have.
"""

import numpy as np
import torch

from infoshed.checks import InfoshedError, check_number
from infoshed.seeds import numpy_generator
from infoshed.truth.case import Case, Sample, factory
from infoshed.truth.mixture import Mixture, categorical, directions, embed, entropy

PLAIN = 10.0  # how far the mean of a class that z shows plainly lies from 0, in deviations


@factory
def noisy_labels(classes: int = 2, flip: float = 0.1, dim: int = 64) -> Case:
    """z shows w plainly; c is w, but another class with probability `flip`, any one alike.

    With two classes it is the binary symmetric channel: I = log 2 - H(flip).
    """
    check_number("classes", classes, 2, integer=True)
    check_number("flip", flip, 0, 1)
    check_number("dim", dim, classes, integer=True)
    channel = np.full((classes, classes), flip / (classes - 1))
    np.fill_diagonal(channel, 1 - flip)
    mixture = Mixture(np.full(classes, 1 / classes), PLAIN * np.eye(classes), channel)
    basis = directions(dim, classes, f"noisy_labels/{dim}/{classes}")
    q = torch.from_numpy(basis)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        w, u = mixture.draw(n, rng)
        return Sample(embed(u, basis, rng), categorical(channel[w], rng))

    return Case(
        name="noisy_labels",
        summary=f"{classes} plain classes, {flip:.0%} of the labels wrong",
        family="noise",
        kind="discrete",
        sampler=sampler,
        known=information(channel / classes),
        entropy=float(np.log(classes)),
        ratio=lambda z: mixture.log_ratio(z @ q),
    )


@factory
def discrete_codes(
    columns: int = 3, values: int = 4, classes: int = 4, sharpness: float = 2.0
) -> Case:
    """z is a code of `columns` whole numbers 0 .. values-1, all codes alike; c is drawn from a row
    of a random table, softmax(sharpness * normal). The mean of c rises or falls throughout with no
    column."""
    check_number("columns", columns, 1, 8, integer=True)
    check_number("values", values, 3, 16, integer=True)
    check_number("classes", classes, 2, integer=True)
    check_number("sharpness", sharpness, 0.01, 100)
    if values**columns * classes > 10**6:
        raise InfoshedError(
            f"the table of {values}^{columns} codes and {classes} classes must have 1e6 cells at "
            "most; take fewer `columns` or `values`"
        )
    table = _table(columns, values, classes, sharpness)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        code = rng.integers(0, values, (n, columns))
        return Sample(code.astype(np.float64), categorical(table[tuple(code.T)], rng))

    joint = table.reshape(-1, classes) / values**columns
    return Case(
        name="discrete_codes",
        summary=f"codes of {columns} whole numbers below {values}, {classes} classes by a table",
        family="codes",
        kind="discrete",
        sampler=sampler,
        known=information(joint),
        entropy=entropy(joint.sum(0)),
    )


@factory
def several_categoricals(
    sizes: tuple[int, ...] = (8, 8, 8),
    latent: int = 12,
    noise: float = 0.2,
    dim: int = 64,
    sharpness: float = 2.0,
) -> Case:
    """Several categoricals that hang together through a latent class t, of which z shows a noisy
    version.

    c_j ~ p_j(.|t) independently given t, so that H(C) of the joint is less than the sum of the
    parts; z shows w plainly, with w = t, but any class with probability `noise`. `nats` is the
    information of the joint C, the sum over all of its prod(sizes) values.
    """
    check_number("latent", latent, 2, integer=True)
    check_number("noise", noise, 0, 1)
    check_number("dim", dim, latent, integer=True)
    if len(sizes) < 2 or min(sizes) < 2 or np.prod(sizes) > 10**5:
        raise InfoshedError(
            f"`sizes` must be two or more, each 2 or more, of product 1e5 at most; got {sizes}"
        )
    rng = numpy_generator(0, f"truth/several_categoricals/{sizes}/{latent}")
    tables = [_softmax(sharpness * rng.standard_normal((latent, m))) for m in sizes]
    joint = np.ones((latent, 1))  # p(c|t), all parts so far in the columns
    for table in tables:
        joint = (joint[:, :, None] * table[:, None, :]).reshape(latent, -1)
    mixing = (1 - noise) * np.eye(latent) + noise / latent  # p(w|t), symmetric
    basis = directions(dim, latent, f"several_categoricals/{dim}/{latent}")

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        t = rng.integers(0, latent, n)
        w = categorical(mixing[t], rng)
        c = np.stack([categorical(table[t], rng) for table in tables], 1)
        u = PLAIN * np.eye(latent)[w] + rng.standard_normal((n, latent))
        return Sample(embed(u, basis, rng), c)

    return Case(
        name="several_categoricals",
        summary=f"{len(sizes)} categoricals of {sizes} values with a common cause",
        family="several",
        kind="several",
        sampler=sampler,
        known=information(mixing @ joint / latent),
        entropy=entropy(joint.mean(0)),
    )


def information(joint: np.ndarray) -> float:
    """I in nats of a table p(w,c) that sums to 1."""
    return entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _table(columns: int, values: int, classes: int, sharpness: float) -> np.ndarray:
    """p(c|code), shape (values,)*columns + (classes,); the first random one where the mean of c
    is monotone in no column."""
    rng = numpy_generator(0, f"truth/discrete_codes/{columns}/{values}/{classes}")
    while True:
        table = _softmax(sharpness * rng.standard_normal((values,) * columns + (classes,)))
        mean = table @ np.arange(classes)
        others = [tuple(i for i in range(columns) if i != j) for j in range(columns)]
        steps = [np.sign(np.diff(mean.mean(axes))) for axes in others]
        if all(abs(s.sum()) < values - 1 for s in steps):
            return table
