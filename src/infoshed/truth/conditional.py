"""Cases with a label y: I(Z;C|Y), and information under importance weights.

    I(Z;C|Y) = H(C|Y) - E[H(C | Z, Y)],        p(c|z,y) from p(c|y) and z | y,c ~ N(mu_yc, I)

**Null.** z shows y alone. As c is tied to y, I(Z;C) > 0, yet I(Z;C|Y) = 0: nothing to shed.

**Weights.** Rows come from a biased p(y,c) with weights p(y) p(c) / p(y,c). Under the weights y
and c are independent, and I(Z;C) is that of p(y) p(c) p(z|y,c): 0 where z shows y alone.
"""

import numpy as np
import torch

from infoshed.checks import check_number
from infoshed.seeds import numpy_generator
from infoshed.truth.case import Case, Sample, factory
from infoshed.truth.mixture import Mixture, categorical, directions, embed, entropy, spread_points


@factory
def conditional_gaussian(
    labels: int = 3, classes: int = 3, dim: int = 64, tie: float = 0.7, separation: float = 1.5
) -> Case:
    """c follows y and z shows both: its mean is a mean of y, one of c, and one of the pair.

    Args:
        labels, classes: values of y and of c, y all alike.
        tie: probability that c is y (mod classes); otherwise any class, all alike.
        separation: how far apart the means lie, in deviations of z.
    """
    _check(labels, classes, dim, tie, separation)
    table = _tied(labels, classes, tie)
    means, basis = _means(labels, classes, dim, separation, shows=True)
    mixtures = [Mixture(table[y], means[y]) for y in range(labels)]

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        y = rng.integers(0, labels, n)
        c = categorical(table[y], rng)
        return Sample(_z(means[y, c], basis, rng), c, y)

    def surprises(n: int, rng: np.random.Generator) -> np.ndarray:
        y = rng.integers(0, labels, n)
        # H(C|Y) - H(C|z,y) rather than that of the drawn y: one term less to average out.
        gap = [entropy_given_y - entropy(row) for row in table]
        parts = [m.surprises(int((y == i).sum()), rng) + gap[i] for i, m in enumerate(mixtures)]
        return np.concatenate(parts)

    entropy_given_y = float(np.mean([entropy(row) for row in table]))
    return Case(
        name="conditional_gaussian",
        summary=f"z shows both y ({labels} labels) and c ({classes} classes), which are tied",
        family="conditional",
        kind="discrete",
        sampler=sampler,
        surprises=surprises,
        entropy=entropy_given_y,
        conditional=True,
    )


@factory
def conditional_null(
    labels: int = 3, classes: int = 3, dim: int = 64, tie: float = 0.7, separation: float = 4.0
) -> Case:
    """c follows y and z shows y alone: I(Z;C|Y) = 0 although I(Z;C) > 0. Arguments: see
    `conditional_gaussian`."""
    _check(labels, classes, dim, tie, separation)
    table = _tied(labels, classes, tie)
    means, basis = _means(labels, classes, dim, separation, shows=False)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        y = rng.integers(0, labels, n)
        c = categorical(table[y], rng)
        return Sample(_z(means[y, c], basis, rng), c, y)

    return Case(
        name="conditional_null",
        summary=f"z shows y ({labels} labels) alone, to which c ({classes} classes) is tied",
        family="conditional",
        kind="discrete",
        sampler=sampler,
        known=0.0,
        entropy=float(np.mean([entropy(row) for row in table])),
        conditional=True,
    )


@factory
def weighted_null(
    labels: int = 3, classes: int = 3, dim: int = 64, tie: float = 0.7, separation: float = 4.0
) -> Case:
    """`conditional_null` with weights that make y and c independent: I(Z;C) = 0 under them."""
    return _weighted("weighted_null", labels, classes, dim, tie, separation, shows=False)


@factory
def weighted_gaussian(
    labels: int = 3, classes: int = 3, dim: int = 64, tie: float = 0.7, separation: float = 1.5
) -> Case:
    """`conditional_gaussian` with weights that make y and c independent; `nats` is I(Z;C) under
    them, and not conditional."""
    return _weighted("weighted_gaussian", labels, classes, dim, tie, separation, shows=True)


def _weighted(
    name: str, labels: int, classes: int, dim: int, tie: float, separation: float, shows: bool
) -> Case:
    _check(labels, classes, dim, tie, separation)
    joint = _tied(labels, classes, tie) / labels
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    means, basis = _means(labels, classes, dim, separation, shows)
    q = torch.from_numpy(basis)
    channel = np.tile(np.eye(classes), (labels, 1))  # c of every pair (y, c)
    mixture = Mixture(independent.ravel(), means.reshape(-1, means.shape[2]), channel)

    def sampler(n: int, rng: np.random.Generator) -> Sample:
        pair = categorical(np.broadcast_to(joint.ravel(), (n, joint.size)), rng)
        y, c = np.divmod(pair, classes)
        return Sample(_z(means[y, c], basis, rng), c, y, (independent / joint)[y, c])

    return Case(
        name=name,
        summary=f"z shows {'both y and c' if shows else 'y alone'}; weights make them independent",
        family="weighted",
        kind="discrete",
        sampler=sampler,
        known=None if shows else 0.0,
        surprises=mixture.surprises if shows else None,
        entropy=entropy(mixture.prior),
        ratio=lambda z: mixture.log_ratio(z @ q),
    )


def _check(labels: int, classes: int, dim: int, tie: float, separation: float) -> None:
    check_number("labels", labels, 2, integer=True)
    check_number("classes", classes, 2, integer=True)
    check_number("dim", dim, 2, integer=True)
    check_number("tie", tie, 0, 0.99)  # above, the weights of broken ties grow without bound
    check_number("separation", separation, 0, 100)


def _tied(labels: int, classes: int, tie: float) -> np.ndarray:
    """p(c|y), shape (labels, classes)."""
    return tie * np.eye(classes)[np.arange(labels) % classes] + (1 - tie) / classes


def _means(
    labels: int, classes: int, dim: int, separation: float, shows: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Means of z in its informative directions, (labels, classes, r), and these (dim, r)."""
    rank = min(dim, labels * classes - 1)
    rng = numpy_generator(0, f"truth/conditional/{labels}/{classes}/{rank}")
    of_y, of_c = (spread_points(m, rank, rng) / np.sqrt(2 * rank) for m in (labels, classes))
    of_pair = rng.standard_normal((labels, classes, rank)) / np.sqrt(2 * rank)
    means = of_y[:, None] + (of_c + 0.5 * of_pair if shows else 0 * of_pair)
    return separation * means, directions(dim, rank, f"conditional/{dim}/{rank}")


def _z(means: np.ndarray, basis: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return embed(means + rng.standard_normal(means.shape), basis, rng)
