"""Cases: joint distributions of (z, c) whose mutual information is known, in nats.

    I(Z;C) = E log p(z,c) / (p(z) p(c)),        0 <= I(Z;C) <= H(C) for discrete c

A case draws samples of any size and knows its information, in closed form (or by quadrature),
or as the mean of a Monte-Carlo run with a standard error. The run averages, over draws of z, the
exact entropy of c given z under the true posterior:

    I(Z;C) = H(C) - E[H(C | Z=z)]

which has the same mean as the log ratio at a drawn c and less variance, because c is summed out.
Where c is tied to a label y, a conditional case knows I(Z;C|Y) instead, at most H(C|Y).

What a case *is* follows from its parameters alone; a seed only picks the rows that it draws.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, Literal, ParamSpec

import numpy as np
from torch import Tensor

from infoshed.checks import InfoshedError, check_number
from infoshed.seeds import numpy_generator

Kind = Literal["discrete", "several", "continuous"]
P = ParamSpec("P")

DRAWS, CHUNK = 2**20, 2**15


@dataclass(frozen=True)
class Sample:
    """n rows of a case.

    Args:
        z: (n, d) float64, the representation.
        c: the attribute as raw values: (n,) int64 classes; (n, k) int64 for several categoricals;
            (n, k) float64 where c is continuous.
        y: (n,) int64 labels, or None where the case has none.
        weights: (n,) importance of the rows, mean 1 in expectation, or None for equal rows.
    """

    z: np.ndarray
    c: np.ndarray
    y: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A distribution of (z, c) with known information. Made by the factories in `CASES`.

    Args:
        name: of the factory. summary: what it is, in one line. family: which idea it tests.
        kind: of c: "discrete" (one categorical), "several" (categoricals), "continuous".
        sampler: (n, generator) -> Sample.
        known: the information in nats where it is closed, else None.
        surprises: (n, generator) -> n independent values in nats whose mean is the information.
        entropy: H(C), or H(C|Y) if conditional, in nats; joint for several; None if continuous.
        ratio: z -> log p(c|z)/p(c), see `log_ratio`.
        conditional: whether the information meant is I(Z;C|Y).
        parameters: what the factory was called with, defaults included.
    """

    name: str
    summary: str
    family: str
    kind: Kind
    sampler: Callable[[int, np.random.Generator], Sample]
    known: float | None = None
    surprises: Callable[[int, np.random.Generator], np.ndarray] | None = None
    entropy: float | None = None
    ratio: Callable[[Tensor], Tensor] | None = None
    conditional: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, n: int, seed: int) -> Sample:
        """n independent rows; the same rows for the same seed."""
        check_number("n", n, 1, integer=True)
        return self.sampler(n, numpy_generator(seed, f"truth/{self.name}/draw"))

    @property
    def nats(self) -> float:
        """The true information: I(Z;C), or I(Z;C|Y) if conditional; that of the joint C for
        several categoricals, and under the weighted distribution where samples have weights."""
        return self._truth[0]

    @property
    def standard_error(self) -> float:
        """Of `nats`: 0 for a closed form."""
        return self._truth[1]

    def monte_carlo(self, seed: int, draws: int = DRAWS) -> tuple[float, float]:
        """Mean and standard error of a fresh Monte-Carlo run. Raises `InfoshedError` where the
        truth is known in closed form only."""
        check_number("draws", draws, 2, integer=True)
        if self.surprises is None:
            raise InfoshedError(f"'{self.name}' is known in closed form; read `nats`")
        rng = numpy_generator(seed, f"truth/{self.name}/monte-carlo")
        sizes = [CHUNK] * (draws // CHUNK) + ([draws % CHUNK] if draws % CHUNK else [])
        values = np.concatenate([self.surprises(n, rng) for n in sizes])
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(draws))

    def log_ratio(self, z: Tensor) -> Tensor:
        """log p(c|z)/p(c) in nats for every value of c, (n, d) -> (n, m), differentiable in z:
        what a perfect critic of class scores would say. Computed in float64, given in z's dtype and
        on its device.

        Raises `InfoshedError` where the case has no closed form of it.
        """
        if self.ratio is None:
            raise InfoshedError(
                f"'{self.name}' has no closed log p(c|z)/p(c); gaussian_classes is one that has"
            )
        return self.ratio(z.double().cpu()).to(z)

    @cached_property
    def _truth(self) -> tuple[float, float]:
        return (self.known, 0.0) if self.known is not None else self.monte_carlo(seed=0)


def factory(make: Callable[P, Case]) -> Callable[P, Case]:
    """Give the same case for the same parameters, so that a truth is computed once a process,
    and note the parameters in it."""
    made: dict[str, Case] = {}
    signature = inspect.signature(make)

    @wraps(make)
    def build(*args: P.args, **kwargs: P.kwargs) -> Case:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        key = repr(bound.arguments)
        if key not in made:
            made[key] = replace(make(*args, **kwargs), parameters=dict(bound.arguments))
        return made[key]

    return build
