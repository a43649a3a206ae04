"""Balanced resampling: batches in which all groups (y, c) are equally likely.

    minimise  (1/G) sum_g E[ CE(h(z), y) | group g ],    z = g(x)

over the G groups that occur in training (see `infoshed.groups`). Label and attribute are then
nearly independent in what the model sees, as far as the groups exist; rows of rare groups repeat
many times. It is the simple baseline that costs nothing: arXiv 2110.14503 finds it as good as
more elaborate rules for the worst group. The given batch decides only how many rows are drawn.
"""

from typing import Any

from torch import Tensor

from infoshed.groups import Groups
from infoshed.methods.base import Fresh, Setting
from infoshed.methods.supervised import Plain
from infoshed.seeds import torch_generator
from infoshed.types import Batch


class Resample(Plain):
    """See the module. `task_loss` and `accuracy` are those of the rows drawn. Of numbers and labels
    the groups are those of their strata (`infoshed.targets`)."""

    summary = "batches in which every group (y, c) is equally likely"
    reference = "arXiv 2110.14503"

    def __init__(self, setting: Setting, options: Any):
        super().__init__(setting, options)
        train = setting.data.train
        self.groups = Groups(setting.data.target.strata(train.y), train.c, setting.data.attribute)
        self.draws = torch_generator(setting.seed, "groups")

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        rows = self.groups.draw(len(batch.y), self.draws)
        return super().step(self.setting.data.train.take(rows), fresh)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"draws": self.draws.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.draws.set_state(state["draws"])
