"""The contract of a method: what the bias attribute does to training.

A method owns its optimisers and whatever else it learns (critics). The loop gives it batches and
a source of fresh ones, and knows nothing else about it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from infoshed.attributes import KINDS
from infoshed.checks import InfoshedError, check_number
from infoshed.label_prior import LabelPrior
from infoshed.nn import Model
from infoshed.types import Batch, DataSet

Fresh = Callable[[int], Batch]
"""Draws that many random training rows as a batch."""


@dataclass(frozen=True)
class Setting:
    """What a method is built on: model, data, learning rate, rows per step, p(y|c), seed."""

    model: Model
    data: DataSet
    lr: float
    batch_size: int
    prior: LabelPrior
    seed: int


@dataclass(frozen=True)
class NoOptions:
    """A method without options of its own."""


@dataclass(frozen=True)
class StrengthOptions:
    """The options of a method with a penalty and nothing else to set.

    Args:
        strength: weight of the penalty beside the task loss; 0 is plain training.
    """

    strength: float = 1.0

    def __post_init__(self):
        check_number("strength", self.strength, 0)


class Method(ABC):
    """Base of the methods in `METHODS`. One that sets `stopped` ends the training after the epoch.

    Class attributes: `summary`, one line for people; `reference`; `Options`, a frozen dataclass
    of the method's own options; `defaults`, training settings that replace the recipe's; `kinds`,
    the kinds of attribute that it takes; `weighs`, whether it takes row weights and rows whose c is
    missing, which each method says for itself: it is not inherited.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]
    Options: ClassVar[type] = NoOptions
    defaults: ClassVar[dict[str, Any]] = {}
    kinds: ClassVar[tuple[str, ...]] = KINDS
    weighs: ClassVar[bool] = False
    stopped: bool = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.weighs = vars(cls).get("weighs", False)

    @classmethod
    def extend(cls, model: Model) -> Model:
        """`model` with what the method adds to it. Called on every new model, before training
        and again before saved weights are loaded into it."""
        return model

    def __init__(self, setting: Setting, options: Any):
        self.setting = setting
        self.model = setting.model
        self.options = options

    def start_epoch(self, fresh: Fresh, steps: int) -> None:  # noqa: B027  optional hook
        """Called before each epoch of `steps` steps."""

    @abstractmethod
    def step(self, batch: Batch, fresh: Fresh) -> dict[str, Tensor]:
        """Train on one batch. Returns scalars to be averaged over the epoch and logged:
        `task_loss`, `accuracy`, where there is a penalty `strength` and what is penalised: `mi`
        for an estimate of I(Z;C) or I(Z;C|Y) in nats, else by the name of the measure."""

    def end_epoch(self, metrics: dict[str, float]) -> dict[str, float]:
        """Called after each epoch with its figures, means over its steps; returns more of them."""
        return {}

    def finish(self, model: Model) -> None:  # noqa: B027  optional hook
        """Called once training has ended, on the `model` that is evaluated and kept (the averaged
        weights), to change it in place. Draws from torch's global generator are seeded."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit for bit (the model is saved apart)."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of rows of logits (n, classes) whose largest entry is at y (n,)."""
    return (logits.argmax(1) == y).float().mean()


def weighted_cross_entropy(logits: Tensor, batch: Batch, factor: Tensor | None = None) -> Tensor:
    """Cross-entropy of logits (n, classes), a scalar in nats: the mean over rows times the
    batch's weights and `factor` (n,), where there are any. Divided by the number of rows, not by
    the sum of weights, so that its expectation does not depend on how rows fall into batches."""
    if batch.weights is not None:
        factor = batch.weights if factor is None else factor * batch.weights
    if factor is None:
        return F.cross_entropy(logits, batch.y)
    return (F.cross_entropy(logits, batch.y, reduction="none") * factor).mean()


def plain_loss(logits: Tensor, batch: Batch, prior: LabelPrior) -> Tensor:
    """Cross-entropy, in nats."""
    return weighted_cross_entropy(logits, batch)


def reweighed_loss(logits: Tensor, batch: Batch, prior: LabelPrior) -> Tensor:
    """Cross-entropy with weights p(y) / p(y|c); see `infoshed.label_prior`."""
    return weighted_cross_entropy(logits, batch, prior.weights(batch.y, batch.c))


def adjusted_loss(logits: Tensor, batch: Batch, prior: LabelPrior) -> Tensor:
    """Cross-entropy of logits + log p(y|c) - log p(y); see `infoshed.label_prior`."""
    return weighted_cross_entropy(logits + prior.log_ratio(batch.c), batch)


LOSSES: dict[str, Callable[[Tensor, Batch, LabelPrior], Tensor]] = {
    "plain": plain_loss,
    "reweighed": reweighed_loss,
    "adjusted": adjusted_loss,
}


def check_loss(loss: str, prior: LabelPrior) -> None:
    """Raise `InfoshedError` for adjusted logits where c decides y: nothing would be learned."""
    if loss == "adjusted" and prior.decided:
        raise InfoshedError(
            "the attribute decides the class in the training data (H(Y|C) is about 0), so adjusted "
            "logits leave nothing to learn; use method mi with loss plain, or add training rows "
            "that break the tie"
        )
