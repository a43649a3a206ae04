"""Penalties that are an estimate of dependence, with its plain gradient.

    minimise  E CE(h(z), y)  +  strength * D(Z;C),    z = g(x)

D is one of `infoshed.estimators`, read on the training batch: normalised HSIC, the strongest
correlation over random slices, or the CLUB upper bound of I(Z;C). The gradient of the sum is taken
as it is, unlike in `infoshed.methods.mi`, where it is balanced against the task's; and D is
marginal, so that where c nearly decides y a large strength costs the label.

HSIC and slices read z as it is and bring it to one scale themselves, so their gradient grows as z
shrinks: a strength that is too large drives z to a constant, from which it may not return. CLUB's
q(c|z) reads z standardised by running moments, which its paper does not do, as networks break on
unscaled z.
With strength 0 there is no estimate: that is `plain`, to the last bit.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from infoshed.checks import check_number
from infoshed.critic import Critic
from infoshed.estimators import build_estimator
from infoshed.methods.base import Fresh, Setting, StrengthOptions
from infoshed.methods.supervised import Plain
from infoshed.seeds import seeded, torch_generator
from infoshed.types import Batch


class EstimatorPenalty(Plain):
    """Base of the methods of the module. `estimator`: a name in `ESTIMATORS`; `metric`: how the
    estimate is called in the log; `scaled`: whether z is standardised inside the estimator."""

    Options: ClassVar[type] = StrengthOptions
    estimator: ClassVar[str]
    metric: ClassVar[str]
    scaled: ClassVar[bool] = False

    def __init__(self, setting: Setting, options: Any):
        super().__init__(setting, options)
        self.critic = None
        if not options.strength:
            return
        data = setting.data
        with seeded(setting.seed, "critic"):
            estimator = build_estimator(
                self.estimator, self.model.dim, data.attribute, data.train.c, scaled=self.scaled
            )
        self.critic = Critic(estimator, getattr(options, "critic_lr", 0.0))
        self.generator = torch_generator(setting.seed, "critic")
        self.estimate = torch.zeros(())

    def fit_critic(self, critic: Critic, rows: int, fresh: Fresh) -> None:
        """Fit the critic, where there is one, before a batch of so many rows is read."""

    def extra_loss(self, task_loss: Tensor, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor | None:
        if self.critic is None:
            return None
        self.fit_critic(self.critic, len(z), fresh)
        estimate = self.critic.estimator(z, batch.c, generator=self.generator)
        self.estimate = estimate.detach()
        return self.options.strength * estimate

    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        metrics = super().step(batch, fresh)
        if self.critic is not None:
            metrics[self.metric] = self.estimate
            metrics["strength"] = torch.tensor(self.options.strength)
        return metrics

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        if self.critic is not None:
            state |= {"critic": self.critic.state_dict(), "generator": self.generator.get_state()}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        if self.critic is not None:
            self.critic.load_state_dict(state["critic"])
            self.generator.set_state(state["generator"])


class HSICPenalty(EstimatorPenalty):
    """Normalised HSIC with Gaussian kernels, in [0, 1] (see `infoshed.estimators.hsic`)."""

    summary = "penalty on the Hilbert-Schmidt independence criterion of z and c; no critic"
    reference = "Gretton et al. 2005"
    estimator = "hsic"
    metric = "hsic"


@dataclass(frozen=True)
class SlicesOptions(StrengthOptions):
    """Options of `slices`.

    Args:
        strength: weight of the estimate beside the task loss; 0 is plain training. On the bundled
            digits 0.1 is the largest of 0.1, 0.3 and 1 that keeps the label.
    """

    strength: float = 0.1


class SlicesPenalty(EstimatorPenalty):
    """The largest squared maximal correlation over random slices of z and c, in [0, 1] (see
    `infoshed.estimators.slices`), drawn anew in every step."""

    summary = "penalty on the strongest correlation of random slices of z and c; no critic"
    reference = "arXiv 2302.10701"
    Options = SlicesOptions
    estimator = "slice-infomin"
    metric = "slices"


@dataclass(frozen=True)
class ClubOptions(StrengthOptions):
    """Options of `club`.

    Args:
        strength: weight of the estimate beside the task loss; 0 is plain training.
        critic_steps: steps of q(c|z) per encoder step, each on fresh rows.
        critic_lr: learning rate of q(c|z).
    """

    critic_steps: int = 1
    critic_lr: float = 1e-3

    def __post_init__(self):
        super().__post_init__()
        check_number("critic_steps", self.critic_steps, 1, integer=True)
        check_number("critic_lr", self.critic_lr, 0)


class ClubPenalty(EstimatorPenalty):
    """CLUB: q(c|z) is fitted by likelihood in every step, then E log q(c|z) under p(z,c) less that
    under p(z)p(c) is descended in z (see `infoshed.estimators.club`). It is an upper bound only
    where q is good."""

    summary = "penalty on CLUB, a contrastive upper bound of I(Z;C) from a model q(c|z)"
    reference = "arXiv 2006.12013"
    Options = ClubOptions
    estimator = "club"
    metric = "mi"
    scaled = True

    def fit_critic(self, critic: Critic, rows: int, fresh: Fresh) -> None:
        steps = self.options.critic_steps
        pool = fresh(steps * rows)
        with torch.no_grad():
            features = self.model.encode(pool.x)
        critic.fit(features, pool.c, None, None, steps, self.generator)
