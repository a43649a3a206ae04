"""Methods without a critic: plain training, and two corrections of its loss.

minimise E loss(h(g(x)), y, c) with one Adam. `infoshed.label_prior` has the mathematics of the
corrections; they are strong baselines, and one of them is part of the default method.
"""

from typing import Any

from torch import Tensor

from infoshed.methods.base import LOSSES, Fresh, Method, Setting, check_loss, step_metrics
from infoshed.optim import adam, restore
from infoshed.types import Batch


class Plain(Method):
    """The loss of the target (such as cross-entropy), blind to c: the baseline."""

    summary = "plain training, the baseline"
    reference = "empirical risk minimisation"
    loss = "plain"
    weighs = True

    def __init__(self, setting: Setting, options: Any):
        super().__init__(setting, options)
        check_loss(self.loss, setting.prior)
        self.optimizer = adam(self.model.parameters(), setting.lr)

    def task_loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of the task on outputs (n, outputs), a scalar in nats."""
        return LOSSES[self.loss](outputs, batch, self.setting.prior)

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        """What a subclass adds to the task loss, if anything."""
        return None

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        z = self.model.encode(batch.x)
        outputs = self.model.head(z)
        task_loss = self.task_loss(outputs, batch)
        extra = self.extra_loss(task_loss, z, batch, fresh)
        self.optimizer.zero_grad()
        (task_loss if extra is None else task_loss + extra).backward()
        self.optimizer.step()
        return step_metrics(self.setting.data.target, task_loss, outputs, batch.y)

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self.optimizer, state["optimizer"])


class Reweigh(Plain):
    """Rows weighted by p(y) / p(y|c), so that y and c are independent under the weights."""

    summary = "the loss weighted by p(y)/p(y|c)"
    reference = "Kamiran and Calders 2012, with a fitted p(y|c)"
    loss = "reweighed"
    weighs = True


class Adjust(Plain):
    """Outputs adjusted by log p(y|c) - log p(y) while training, used alone afterwards."""

    summary = "logits adjusted by log p(y|c) while training"
    reference = "arXiv 2007.07314; arXiv 1909.03683"
    loss = "adjusted"
    weighs = True
