"""Fitting an estimator's critic: steps of Adam on batches of fresh features.

    parameters <- parameters - lr * Adam( gradient of loss(batch) ),    once per batch

How is the estimator's matter (`Estimator.fit`); one without parameters is only read. The parts of
a sum are fitted each by itself, as their losses have no parameter in common.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infoshed.estimators import Estimator
from infoshed.estimators.parts import SumOfParts
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
        self.optimizer = None
        self.parts = []
        if isinstance(estimator, SumOfParts):
            self.parts = [Critic(part, lr) for part in estimator.parts]
        elif estimator.fitted:
            self.optimizer = PackedAdam(estimator.parameters(), lr, estimator.decay)

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
            # Rows of padding, whose c is missing, may hold anything.
            estimator.standardize.update(z, None if weights is None else weights > 0)
        if self.parts:
            z = estimator.standardized(z)
            each = zip(self.parts, estimator.attribute.split(c), strict=True)
            fitted = [part.fit(z, code, y, weights, batches, generator) for part, code in each]
            if len({len(part.estimates) for part in fitted}) > 1:  # a part left out a batch
                fitted = [Fitted(*(found.mean()[None] for found in part)) for part in fitted]
            values, norms = (torch.stack(found) for found in zip(*fitted, strict=True))
            return Fitted(values.sum(0), norms.norm(dim=0))
        if optimizer is None:
            with torch.no_grad():
                value = estimator(z, c, y, weights=weights, generator=generator)
            return Fitted(value[None], torch.zeros_like(value)[None])
        return Fitted(*estimator.fit(optimizer, z, c, y, weights, batches, generator))

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit."""
        state = {
            "estimator": self.estimator.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else {},
        }
        return state | {"parts": [p.state_dict() for p in self.parts]} if self.parts else state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.estimator.load_state_dict(state["estimator"])
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        for part, theirs in zip(self.parts, state.get("parts", ()), strict=True):
            part.load_state_dict(theirs)


@contextmanager
def apart(device: torch.device) -> Iterator[None]:
    """A graph of the critic's own inside: gradients on, autocast off, and nothing of it kept or
    counted by a checkpoint (torch.utils.checkpoint) around the encoder."""
    own = torch.autograd.graph.saved_tensors_hooks(_itself, _itself)
    with torch.enable_grad(), torch.autocast(device.type, enabled=False), own:
        yield


def _itself(value: Tensor) -> Tensor:
    return value
