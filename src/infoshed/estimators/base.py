"""The contract of a trainable estimator of I(Z;C).

An estimator owns its critic network and the standardisation of z. Calling it gives a scalar in
nats that is differentiable in z and in the critic's parameters: ascend it in the parameters to
tighten the bound, descend it in z to shed information.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_representation, check_same_length
from infoshed.estimators.standardize import RunningStandardizer


class Estimator(nn.Module, ABC):
    """Base of the estimators in `ESTIMATORS`.

    Args:
        dim: columns of z.
        attribute: the specification of c.
        c: training codes (n, columns), from which marginals are counted.
        y: training classes (n,); given, the estimator measures I(Z;C|Y) instead of I(Z;C).
        scaled: standardise z inside (the default); the published method does not.

    Class attributes: `summary`, one line for people; `reference`; `bound`, "lower", "upper" or
    "neither".
    """

    summary: ClassVar[str]
    reference: ClassVar[str]
    bound: ClassVar[str]

    def __init__(
        self,
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        scaled: bool = True,
    ):
        super().__init__()
        self.dim = dim
        self.attribute = attribute
        self.classes = 0 if y is None else int(y.max()) + 1
        self.standardize = RunningStandardizer(dim) if scaled else None

    @staticmethod
    @abstractmethod
    def handles(attribute: Attribute) -> bool:
        """Whether the estimator takes attributes of this kind."""

    @abstractmethod
    def estimate(
        self, z: Tensor, c: Tensor, y: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """The bound on standardised z (n, dim), codes c (n, columns) and classes y (n,)."""

    def forward(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The estimate in nats for a batch, a scalar.

        Args:
            z: (n, dim), n >= 2. c: codes (n, columns). y: classes (n,), where conditional.
            generator: for estimators that shuffle.
        """
        check_representation(z, self.dim)
        check_same_length(z=z, c=c, y=y)
        if self.classes and y is None:
            raise InfoshedError("this estimator measures I(Z;C|Y) and needs y")
        z = z if self.standardize is None else self.standardize(z)
        return self.estimate(z, c, y if self.classes else None, generator)

    def with_class(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z, followed by one-hot y where the estimate is conditional: what the critic reads."""
        return z if y is None else torch.cat([z, F.one_hot(y, self.classes).to(z.dtype)], 1)
