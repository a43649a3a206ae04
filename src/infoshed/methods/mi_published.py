"""The paper's schedule, as published (arXiv 2003.06430), for comparison and reproduction.

    minimise  E CE(h(z), y)  +  lambda * I(Z;C),    z = g(x)

with the shuffled Donsker-Varadhan critic on unscaled z, and

1. a whole pass of critic steps at the start of every epoch, then K critic steps, each on a fresh
   batch through the current encoder, for every encoder step;
2. for every parameter tensor of the encoder, g_mi <- g_mi min(|g_task|, |g_mi|) / |g_mi|;
3. Adam(lr) for the task gradient, a second Adam(lr * lambda) on the encoder for g_mi.

Adam is scale free, so lambda acts as a ratio of learning rates. The published form divides by
zero where g_mi vanishes; here such a gradient stays 0.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infoshed.balance import balance
from infoshed.checks import check_finite, check_number
from infoshed.estimators import build_estimator
from infoshed.methods.base import Fresh, Method, Setting, plain_loss, step_metrics
from infoshed.optim import adam, like, restore
from infoshed.seeds import seeded, torch_generator
from infoshed.types import Batch, DataSet


@dataclass(frozen=True)
class PublishedOptions:
    """Options of `mi-published`.

    Args:
        strength: lambda, the ratio of the second optimiser's learning rate to the first's.
        critic_steps: critic steps per encoder step, K.
    """

    strength: float = 1.0
    critic_steps: int = 40

    def __post_init__(self):
        check_number("strength", self.strength, 0)
        check_number("critic_steps", self.critic_steps, 1, integer=True)


class MIPublished(Method):
    """See the module."""

    summary = "the paper's schedule as published: shuffled critic, K = 40, two Adams"
    reference = "arXiv 2003.06430"
    Options = PublishedOptions

    @classmethod
    def defaults(cls, data: DataSet, encoder: Any) -> dict[str, Any]:
        return {"lr": 1e-4, "average": 0.0}

    def __init__(self, setting: Setting, options: PublishedOptions):
        super().__init__(setting, options)
        data = setting.data
        with seeded(setting.seed, "critic"):
            self.estimator = build_estimator(
                "shuffled-dv", self.model.dim, data.attribute, data.train.c, scaled=False
            )
        self.generator = torch_generator(setting.seed, "critic")
        self.encoder_parameters = [p for p in self.model.encoder.parameters() if p.requires_grad]
        self.head_parameters = list(self.model.head.parameters())
        self.optimizers = {
            "task": adam(self.model.parameters(), setting.lr),
            "mi": adam(self.encoder_parameters, setting.lr * options.strength),
            "critic": adam(self.estimator.parameters(), setting.lr),
        }

    def critic_step(self, batch: Batch) -> None:
        """One step of the critic on features of the current encoder."""
        with torch.no_grad():
            z = self.model.encode(batch.x)
        loss = self.estimator.loss(z, batch.c, generator=self.generator)
        check_finite("the critic's estimate", loss, "lower `lr`, or use method mi")
        self.optimizers["critic"].zero_grad()
        loss.backward()
        self.optimizers["critic"].step()

    def start_epoch(self, fresh: Fresh, steps: int) -> None:
        if self.options.strength:
            for _ in range(steps):
                self.critic_step(fresh(self.setting.batch_size))

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        if self.options.strength:
            for _ in range(self.options.critic_steps):
                self.critic_step(fresh(len(batch.y)))
        z = self.model.encode(batch.x)
        outputs = self.model.head(z)
        task_loss = plain_loss(outputs, batch, self.setting.prior)
        metrics = step_metrics(self.setting.data.target, task_loss, outputs, batch.y)
        # materialize: a parameter that a user's encoder does not use has gradient 0
        parameters = [*self.encoder_parameters, *self.head_parameters]
        task = torch.autograd.grad(task_loss, parameters, retain_graph=True, materialize_grads=True)
        if self.options.strength:
            estimate = self.estimator(z, batch.c, generator=self.generator)
            check_finite("the estimate of I(Z;C)", estimate, "lower `lr`, or use method mi")
            information = torch.autograd.grad(
                estimate, self.encoder_parameters, materialize_grads=True
            )
            balanced = (balance(i, t.norm()) for i, t in zip(information, task, strict=False))
            self.apply("mi", self.encoder_parameters, balanced)
            metrics |= {"mi": estimate.detach(), "strength": torch.tensor(self.options.strength)}
        self.apply("task", parameters, task)
        return metrics

    def apply(self, name: str, parameters: Any, gradients: Any) -> None:
        """One step of the optimiser called `name` with the given gradients."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = like(parameter, gradient)
        self.optimizers[name].step()

    def state_dict(self) -> dict[str, Any]:
        return {
            "estimator": self.estimator.state_dict(),
            "generator": self.generator.get_state(),
            **{name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.estimator.load_state_dict(state["estimator"])
        self.generator.set_state(state["generator"])
        for name, optimizer in self.optimizers.items():
            restore(optimizer, state[name])
