"""DANN: one adversary, its gradient reversed on the way into the encoder (arXiv 1505.07818).

    adversary:       min over q      E -log q(c|z)
    encoder, head:   min over g, h   E CE(h(z), y) - s(p) E -log q(c|z),     z = g(x)

    s(p) = strength * (2 / (1 + exp(-10 p)) - 1),    p the progress of training in [0, 1]

One backward pass serves both: `reverse_gradient` leaves the adversary's own gradient whole and
multiplies what goes on into the encoder by -s(p). So the adversary has one step per encoder step.

Departures from the paper: c is the bias attribute instead of the domain, and y is known in all
rows; Adam instead of SGD with a falling rate; c may be continuous (a regression). Progress is
counted over the epochs of the data set's recipe and stays 1 after them, whatever number of
epochs is asked for: so a run that goes on later is the run that was never stopped.
"""

import math
from typing import Any

from torch import Tensor

from infoshed.methods.adversary import Adversarial, Adversary, AdversaryOptions, reverse_gradient
from infoshed.methods.base import Fresh, Setting
from infoshed.types import Batch


def ramp(progress: float) -> float:
    """2 / (1 + exp(-10 p)) - 1 for p in [0, 1]: from 0 to nearly 1."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


class DANN(Adversarial):
    """See the module."""

    summary = "an adversary reads c from z; its gradient is reversed into the encoder"
    reference = "arXiv 1505.07818"

    def __init__(self, setting: Setting, options: AdversaryOptions):
        super().__init__(setting, options)
        self.steps, self.steps_per_epoch = 0, 1

    def start_epoch(self, fresh: Fresh, steps: int) -> None:
        self.steps_per_epoch = steps

    def against(self, adversary: Adversary, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor:
        progress = self.steps / (self.steps_per_epoch * self.setting.data.recipe.epochs)
        self.strength = self.options.strength * ramp(min(progress, 1.0))
        adversary.optimizer.zero_grad()
        loss = adversary.loss(reverse_gradient(z, self.strength), batch.c)
        self.adversary_loss = loss.detach()
        return loss

    def after_step(self, adversary: Adversary, batch: Batch) -> None:
        adversary.optimizer.step()
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.steps = state["steps"]
