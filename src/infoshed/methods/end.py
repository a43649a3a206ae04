"""EnD: rows of one attribute apart, rows of one class together (Tartaglione et al. 2021,
arXiv 2103.02023).

    minimise  E CE(h(z), y)  +  strength * (R_apart + R_together),    z = g(x)

With u = z / |z| and G_ij = u_i . u_j, over the pairs i != j of a batch:

    R_apart    = sum_c | sum of G_ij over pairs with c_i = c_j = c |  /  number of those pairs
    R_together = mean of (1 - G_ij) / 2 over pairs with y_i = y_j and c_i != c_j

A term without pairs is 0. The paper weighs the two terms apart and tunes both for every data set;
here `strength` weighs both, 0.1 unless given, as in the authors' program. Several categoricals
are compared jointly; a continuous c is binned (see `infoshed.groups`).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.groups import Groups
from infoshed.methods.base import Fresh, Setting, StrengthOptions
from infoshed.methods.supervised import Plain
from infoshed.types import Batch


@dataclass(frozen=True)
class EnDOptions(StrengthOptions):
    """Options of `end`.

    Args:
        strength: weight of both terms beside the task loss; 0 is plain training.
    """

    strength: float = 0.1


def end_terms(z: Tensor, y: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """R_apart and R_together of the module, scalars: z (n, dim), classes y (n,), discrete codes c
    (n, columns)."""
    u = F.normalize(z, dim=1)
    gram = u @ u.T
    others = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    value = torch.unique(c, dim=0, return_inverse=True)[1]
    same = (value[:, None] == value) & others
    # Row i holds the pairs of row i, all of one value of c.
    of_value = gram.new_zeros(len(z)).index_add(0, value, (gram * same).sum(1))
    apart = of_value.abs().sum() / same.sum().clamp_min(1)
    pairs = (y[:, None] == y) & others & ~same
    together = ((1 - gram) / 2 * pairs).sum() / pairs.sum().clamp_min(1)
    return apart, together


class EnD(Plain):
    """See the module. The metric `end` is the sum of both terms."""

    summary = "features of one attribute value pushed apart, those of one class together"
    reference = "arXiv 2103.02023"
    Options = EnDOptions
    targets = ("classes",)  # rows of one class

    def __init__(self, setting: Setting, options: EnDOptions):
        super().__init__(setting, options)
        train = setting.data.train
        self.groups = Groups(train.y, train.c, setting.data.attribute)
        self.value = torch.zeros(())

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        if not self.options.strength:
            return None
        total = torch.stack(end_terms(z, batch.y, self.groups.discrete(batch.c))).sum()
        self.value = total.detach()
        return self.options.strength * total

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        metrics = super().step(batch, fresh)
        if self.options.strength:
            metrics |= {"end": self.value, "strength": torch.tensor(self.options.strength)}
        return metrics
