"""Fitting an estimator's critic: steps of Adam on batches of fresh features.

    parameters <- parameters - lr * Adam( gradient of loss(batch) ),    once per batch

Class scores have their gradient written out (`ClassScoring.fit`); every other critic goes through
autograd, and an estimator without parameters has nothing to fit and is only read.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from infoshed.estimators import Estimator
from infoshed.estimators.class_scoring import ClassScoring
from infoshed.optim import PackedAdam


class Fitted(NamedTuple):
    """What fitting saw: `estimates` (batches,) in nats, each made before its batch was fitted
    to, and the L2 norms `gradients` (batches,) of the critic's gradient."""

    estimates: Tensor
    gradients: Tensor


class Critic:
    """An estimator with the optimiser of its parameters, if it has any.

    Args:
        estimator: the estimator. lr: learning rate of its Adam.
    """

    def __init__(self, estimator: Estimator, lr: float):
        self.estimator = estimator
        # Only the network beside a discriminant has something to be pulled back to.
        decay = estimator.decay if isinstance(estimator, ClassScoring) else 0.0
        self.optimizer = PackedAdam(estimator.parameters(), lr, decay) if estimator.fitted else None

    def fit(
        self,
        z: Tensor,
        c: Tensor,
        y: Tensor | None,
        weights: Tensor | None,
        batches: int,
        generator: torch.Generator | None,
    ) -> Fitted:
        """Fit to a pool of rows in so many equal batches. A batch whose gradient is not finite
        leaves the parameters as they were.

        Args:
            z: features (n, dim), detached. c: codes (n, columns). y: classes (n,).
            weights: importance of the rows (n,). generator: for estimators that shuffle.
        """
        estimator, optimizer = self.estimator, self.optimizer
        if estimator.standardize is not None:
            estimator.standardize.update(z)
        if optimizer is None:
            with torch.no_grad():
                value = estimator(z, c, y, weights=weights, generator=generator)
            return Fitted(value[None], torch.zeros_like(value)[None])
        norms: list[Tensor] = []
        if isinstance(estimator, ClassScoring) and estimator.written_out:
            optimizer.zero_grad()
            estimates = estimator.fit(
                lambda: norms.append(optimizer.step()), z, c, y, weights, batches
            )
            return Fitted(estimates, torch.stack(norms))
        values: list[Tensor] = []
        read_apart = type(estimator).objective is not Estimator.objective
        for rows in torch.arange(len(z), device=z.device).chunk(batches):
            arguments = [None if a is None else a[rows] for a in (z, c, y)]
            options = {
                "weights": None if weights is None else weights[rows],
                "generator": generator,
            }
            if read_apart:
                with torch.no_grad():
                    values.append(estimator(*arguments, **options))
            optimizer.zero_grad()
            loss = estimator.loss(*arguments, **options)  # type: ignore[arg-type]
            if not read_apart:
                values.append(-loss.detach())
            loss.backward()
            norms.append(optimizer.step())
        return Fitted(torch.stack(values), torch.stack(norms))
