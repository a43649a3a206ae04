"""Estimators without a critic: a dependence measured on the batch itself.

Given y, each class is measured by itself and the measures are averaged by the classes' weight:

    I(Z;C|Y) = sum_y p(y) I(Z;C|Y=y)

A class with too few rows in the batch to be measured counts as 0, so batches must be large
compared with the number of classes.
"""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from infoshed.estimators.base import Estimator


class Measure(Estimator):
    """Base of the estimators that have nothing to fit. `least`: rows without which 0 is said."""

    least: ClassVar[int] = 2

    @abstractmethod
    def measure(
        self, z: Tensor, c: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """The measure on rows of one class: standardised z (n, dim), codes c (n, columns) and
        weights (n,) of mean 1."""

    def estimate(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        if weights is None:
            weights = torch.ones_like(z[:, 0])
        total = 0 * z.sum()  # in the graph of z where no class can be measured
        for rows in [slice(None)] if y is None else [y == k for k in y.unique()]:
            part = weights[rows]
            if len(part) >= self.least:
                share = part.sum() / weights.sum()
                total = total + share * self.measure(
                    z[rows], c[rows], part / part.mean(), generator
                )
        return total


def centred(values: Tensor, weights: Tensor) -> Tensor:
    """Columns of values (n, d) less their mean under weights (n,) of mean 1."""
    return values - (weights[:, None] * values).mean(0)
