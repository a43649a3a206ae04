"""The contract of an estimator of I(Z;C).

An estimator owns its critic network, where it has one, and the standardisation of z. Calling it
gives a scalar in nats that is differentiable in z and in the critic's parameters. A critic is
fitted by descending `loss` in the parameters; information is shed by descending the estimate
itself in z. For most estimators the loss is minus the estimate; some bounds are fitted by another
criterion than they are read by.

Samples may carry weights: with w proportional to p(y)p(c)/p(y,c), say, every expectation and the
estimate are those of the distribution in which y and c are independent.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_same_length, check_weights
from infoshed.estimators import inputs
from infoshed.estimators.standardize import RunningStandardizer
from infoshed.optim import PackedAdam


class Estimator(nn.Module, ABC):
    """Base of the estimators in `ESTIMATORS`.

    Args:
        dim: columns of z.
        attribute: the specification of c.
        c: training codes (n, columns), from which marginals are counted.
        y: training classes (n,); given, the estimator measures I(Z;C|Y) instead of I(Z;C).
        weights: importance of the training rows (n,), on any scale; equal unless given.
        scaled: standardise z inside (the default); the published method does not.

    Class attributes: `summary`, one line for people; `reference`; `bound`, "lower", "upper" or
    "neither"; `takes`, the kinds of c out of "discrete", "several" (several discrete) and
    "continuous"; `unit`, "nats", or what else the number is where it is a dependence measure
    and no mutual information; `differentiable`, whether the estimate has a gradient in z; `decay`,
    the share of the critic's parameters that a step of `fit` takes away, in units of its rate.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]
    bound: ClassVar[str]
    takes: ClassVar[frozenset[str]]
    unit: str = "nats"
    differentiable: bool = True
    decay: ClassVar[float] = 0.0

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        scaled: bool = True,
    ):
        super().__init__()
        check_same_length(c=c, y=y, weights=weights)
        inputs.check_codes(attribute, c)
        if y is not None:
            inputs.check_classes(y)
        if weights is not None:
            check_weights(weights)
        self.dim = dim
        self.attribute = attribute
        self.classes = 0 if y is None else int(y.max()) + 1
        self.ceiling = inputs.entropy(attribute, c, weights) if self.unit == "nats" else None
        self.standardize = RunningStandardizer(dim) if scaled else None

    @classmethod
    def handles(cls, attribute: Attribute) -> bool:
        """Whether the estimator takes attributes of this kind."""
        heads = len(attribute.heads)
        if not heads and len(attribute.parts) > 1:
            return all(cls.handles(part) for part in attribute.parts)
        return ("continuous" if not heads else "several" if heads > 1 else "discrete") in cls.takes

    @property
    def fitted(self) -> bool:
        """Whether there is a critic to fit; without one `loss` has nothing to descend."""
        return any(True for _ in self.parameters())

    @classmethod
    def check_trainable(cls) -> None:
        """Raise `InfoshedError` where the estimate has no gradient to train an encoder with."""
        if not cls.differentiable:
            raise InfoshedError(
                f"{cls.__name__} ({cls.summary}) has no gradient in z: it measures a finished "
                "representation; train with another critic, such as class-scoring or shuffled-dv"
            )

    @classmethod
    def limit(cls, rows: int) -> float | None:
        """The most that a batch of so many rows can show, None where only H(C) limits it."""
        return None

    @abstractmethod
    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """The estimate on standardised z (n, dim), codes c (n, columns), classes y (n,) and
        weights (n,) of mean 1."""

    def objective(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """What the critic ascends; arguments as in `estimate`, which it is unless overridden."""
        return self.estimate(z, c, y, weights, generator)

    def forward(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The estimate for a batch, a scalar; in nats and never above H(C) where it is one of
        mutual information. The gradient passes the ceiling as if it were not there.

        Args:
            z: (n, dim), n >= 2. c: codes (n, columns). y: classes (n,), where conditional.
            weights: importance of the rows (n,), on any scale; equal unless given.
            generator: for estimators that shuffle.

        Raises `InfoshedError` for shapes, types, classes and codes that do not fit, and
        `NonFiniteError` for a z with NaN or infinity; values are looked at on the CPU alone.
        """
        value = self.estimate(*self._prepared(z, c, y, weights), generator)
        if self.ceiling is None:
            return value
        # In this order the ceiling survives rounding, however far above it the value is.
        return (value - value.detach()) + value.detach().clamp(max=self.ceiling)

    def loss(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """What the critic descends, a scalar; arguments as in `forward`."""
        return -self.objective(*self._prepared(z, c, y, weights), generator)

    def fit(
        self,
        optimizer: PackedAdam,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        batches: int,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Fit the critic to the rows in so many equal batches, a step of `optimizer` for each.

        Args:
            optimizer: of this estimator's parameters. z: (n, dim), detached. Others as in
            `forward`.

        Returns the estimate of each batch before it was fitted to, and the L2 norm of its
        gradient, (batches,) each.
        """
        read_apart = type(self).objective is not Estimator.objective
        values, norms = [], []
        pieces = torch.arange(len(z), device=z.device).chunk(batches)
        if len(pieces[-1]) < 2:  # too few for an estimate
            pieces = torch.cat(pieces).tensor_split(min(batches, max(1, len(z) // 2)))
        for rows in pieces:
            arguments = z[rows], c[rows], None if y is None else y[rows]
            w = None if weights is None else weights[rows]
            if w is not None and w.device.type == "cpu" and not bool((w > 0).any()):
                continue  # a batch of rows whose c is missing
            if read_apart:
                with torch.no_grad():
                    values.append(self(*arguments, weights=w, generator=generator))
            optimizer.zero_grad()
            loss = self.loss(*arguments, weights=w, generator=generator)
            if not read_apart:
                values.append(-loss.detach())
            loss.backward()
            norms.append(optimizer.step())
        return torch.stack(values), torch.stack(norms)

    def _prepared(
        self, z: Tensor, c: Tensor, y: Tensor | None, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        inputs.check_rows(self.dim, self.attribute, self.classes, z, c, y, weights)
        if weights is not None:
            weights = weights.to(z.dtype)
            # A weight of exactly 0 would have no logarithm.
            weights = (weights / weights.mean()).clamp_min(1e-9)
        return self.standardized(z), c, y if self.classes else None, weights

    def standardized(self, z: Tensor) -> Tensor:
        """z (n, dim) as the critic reads it."""
        return z if self.standardize is None else self.standardize(z)

    def with_class(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z, followed by one-hot y where the estimate is conditional: what the critic reads."""
        return z if y is None else torch.cat([z, F.one_hot(y, self.classes).to(z.dtype)], 1)
