"""Group DRO: the worst group decides (Sagawa et al. 2020, arXiv 1911.08731).

    minimise over the model   max over q   sum_g q_g E[ CE(h(z), y) | group g ],    sum_g q_g = 1

Groups are drawn equally often, as in `infoshed.methods.resample`. In every step, with L_g the
mean loss of group g in the batch, the weights take a step of exponentiated gradient and the model
one against the weighted loss:

    q_g <- q_g exp(strength * L_g) / normaliser,      loss = sum_g q_g L_g / sum_g q_g

`strength` is the paper's step size eta; with 0 the weights stay equal. Departures: the loss is
divided by the weight of the groups that are in the batch (all of them in the paper's data, few of
them where there are hundreds of groups), so that its scale does not depend on their number; Adam
instead of SGD with momentum, and no strong weight decay, without which the paper finds little
gain once the training data are fitted.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infoshed.methods.base import Fresh, Setting, StrengthOptions
from infoshed.methods.resample import Resample
from infoshed.types import Batch


@dataclass(frozen=True)
class GroupDROOptions(StrengthOptions):
    """Options of `group-dro`.

    Args:
        strength: eta, the step size of the groups' weights; with 0 they stay equal.
    """

    strength: float = 0.01


class GroupDRO(Resample):
    """See the module. `task_loss` is the weighted loss, in nats."""

    summary = "weights on the groups (y, c) that grow where the loss is large"
    reference = "arXiv 1911.08731"
    Options = GroupDROOptions

    def __init__(self, setting: Setting, options: GroupDROOptions):
        super().__init__(setting, options)
        self.log_weights = torch.zeros(len(self.groups)).log_softmax(0)

    def task_loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        target = self.setting.data.target
        losses = target.losses(outputs, batch.y)
        # In the graph of the losses only: the weights are constants to the model's step.
        present, row = self.groups.of(target.strata(batch.y), batch.c).unique(return_inverse=True)
        sums = losses.new_zeros(len(present)).index_add(0, row, losses)
        means = sums / torch.bincount(row)
        step = torch.zeros_like(self.log_weights).index_copy(0, present, means.detach())
        self.log_weights = (self.log_weights + self.options.strength * step).log_softmax(0)
        return (self.log_weights[present].softmax(0) * means).sum()

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        return super().step(batch, fresh) | {"strength": torch.tensor(self.options.strength)}

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"log_weights": self.log_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.log_weights = state["log_weights"]
