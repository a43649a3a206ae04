"""The contract of a method: what the bias attribute does to training.

A method owns its optimisers and whatever else it learns (critics). The loop gives it batches and
a source of fresh ones, and knows nothing else about it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from infoshed.attributes import KINDS
from infoshed.checks import InfoshedError, check_number
from infoshed.label_prior import TargetPrior
from infoshed.nn import Model
from infoshed.targets import TARGETS, Target
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
    prior: TargetPrior
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
    of the method's own options; `kinds`, the kinds of attribute that it takes; `targets`, the kinds
    of target; `weighs`, whether it takes row weights and rows whose c is missing, which each method
    says for itself: it is not inherited.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]
    Options: ClassVar[type] = NoOptions
    kinds: ClassVar[tuple[str, ...]] = KINDS
    targets: ClassVar[tuple[str, ...]] = tuple(TARGETS)
    weighs: ClassVar[bool] = False
    stopped: bool = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.weighs = vars(cls).get("weighs", False)

    @classmethod
    def defaults(cls, data: DataSet, encoder: Any) -> dict[str, Any]:
        """Settings of `fit` that replace those of the recipe, unless they are given; `encoder` is
        what was given, or None."""
        return {}

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
        `task_loss`, the target's score (`accuracy`, `r2`), where there is a penalty `strength` and
        what is penalised: `mi` for an estimate of I(Z;C) or I(Z;C|Y) in nats, else by the name of
        the measure."""

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


def step_metrics(
    target: Target, task_loss: Tensor, outputs: Tensor, y: Tensor
) -> dict[str, Tensor]:
    """The metrics that every step has: its loss, and the score of its predictions."""
    scores = target.scores(outputs.detach(), y)
    return {"task_loss": task_loss.detach(), target.score.key: scores.mean()}


def plain_loss(outputs: Tensor, batch: Batch, prior: TargetPrior) -> Tensor:
    """The target's own loss, in nats."""
    return prior.target.loss(outputs, batch.y, batch.weights)


def reweighed_loss(outputs: Tensor, batch: Batch, prior: TargetPrior) -> Tensor:
    """The same with weights p(y) / p(y|c); see `infoshed.label_prior`."""
    return prior.target.loss(outputs, batch.y, row_factor("reweighed", batch, prior))


def row_factor(loss: str, batch: Batch, prior: TargetPrior) -> Tensor | None:
    """By what `loss`, a name in `LOSSES`, multiplies the rows (n,); None where by nothing."""
    if loss != "reweighed":
        return batch.weights
    factor = prior.weights(batch.y, batch.c)
    return factor if batch.weights is None else factor * batch.weights


def adjusted_loss(outputs: Tensor, batch: Batch, prior: TargetPrior) -> Tensor:
    """The loss given what c says about y; see `infoshed.targets`."""
    return prior.target.adjusted(outputs, batch.y, prior.log_ratios(batch.c), batch.weights)


LOSSES: dict[str, Callable[[Tensor, Batch, TargetPrior], Tensor]] = {
    "plain": plain_loss,
    "reweighed": reweighed_loss,
    "adjusted": adjusted_loss,
}


def check_loss(loss: str, prior: TargetPrior) -> None:
    """Raise `InfoshedError` for adjusted logits where c decides y: nothing would be learned."""
    if loss == "adjusted" and prior.decided:
        raise InfoshedError(
            "the attribute decides the class in the training data (H(Y|C) is about 0), so adjusted "
            "logits leave nothing to learn; use method mi with loss plain, or add training rows "
            "that break the tie"
        )
