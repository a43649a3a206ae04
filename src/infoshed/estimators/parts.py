"""The estimate of a mixed attribute: the sum of those of its parts.

    sum_k I(Z;C_k),    C_k a part of c: a categorical, or a quantity

Every part has an estimator of its own, which reads the one standardised z. It is a sum and not the
joint information: what z tells of a combination of the parts alone, such as whether the old are
women, is not in it. (Joint information is at most H(C_1,...,C_k), which quantities do not have.)
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute
from infoshed.estimators.base import Estimator


class SumOfParts(Estimator):
    """See the module.

    Args:
        make: makes the estimator of a part from its attribute and its codes (n, columns).
        Others as in `Estimator`.
    """

    summary = "sum of the estimates of the parts of a mixed attribute"
    reference = "linearity"
    bound = "neither"
    takes = frozenset()

    def __init__(
        self,
        make: Callable[[Attribute, Tensor], Estimator],
        dim: int,
        attribute: Attribute,
        c: Tensor,
        y: Tensor | None = None,
        *,
        weights: Tensor | None = None,
        scaled: bool = True,
    ):
        super().__init__(dim, attribute, c, y, weights=weights, scaled=scaled)
        each = zip(attribute.parts, attribute.split(c), strict=True)
        self.parts: list[Estimator] = [make(part, codes) for part, codes in each]
        self.modules_of_parts = nn.ModuleList(self.parts)
        self.unit = self.parts[0].unit
        self.differentiable = all(part.differentiable for part in self.parts)

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        return self._sum(
            c, lambda part, code: part(z, code, y, weights=weights, generator=generator)
        )

    def objective(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        return -self._sum(
            c, lambda part, code: part.loss(z, code, y, weights=weights, generator=generator)
        )

    def _sum(self, c: Tensor, read: Callable[[Estimator, Tensor], Tensor]) -> Tensor:
        """The sum over parts of what `read` gives for the part and its codes."""
        each = zip(self.parts, self.attribute.split(c), strict=True)
        return torch.stack([read(part, code) for part, code in each]).sum()
