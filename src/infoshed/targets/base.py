"""The contract of a target; see the package for its mathematics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from infoshed.checks import InfoshedError, as_array


@dataclass(frozen=True)
class Score:
    """The figure by which people judge predictions: its key in results, how it is called, and
    whether it is a share, to be shown in per cent."""

    key: str
    title: str
    share: bool

    def text(self, value: float) -> str:
        """`value` for people."""
        return f"{value:.1%}" if self.share else f"{value:.3f}"

    @property
    def heading(self) -> str:
        """The title with a capital."""
        return self.title[0].upper() + self.title[1:]

    @property
    def unit(self) -> str:
        """What follows the title where numbers stand without a unit of their own."""
        return ", %" if self.share else ""


ACCURACY = Score("accuracy", "accuracy", True)
R2 = Score("r2", "R2", False)
SCORES = {score.key: score for score in (ACCURACY, R2)}


class Target(ABC):
    """A frozen description of y; see the package for the form of its codes y and of outputs o."""

    kind: ClassVar[str]
    score: ClassVar[Score]
    name: str

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Columns of o."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of what is predicted: one of classes, one for each column of the others."""

    @property
    @abstractmethod
    def strata_names(self) -> tuple[str, ...]:
        """Names of the strata, in their order."""

    @abstractmethod
    def check(self, y: Tensor) -> str | None:
        """What is wrong with codes, in words; None where they are codes of this target."""

    @abstractmethod
    def strata(self, y: Tensor) -> Tensor:
        """The stratum (n,) int64 of each row."""

    @abstractmethod
    def parts(self, y: Tensor) -> tuple[tuple[Tensor, int], ...]:
        """For each column its discrete codes (n,), and how many there can be."""

    @abstractmethod
    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss of each row (n,), in nats."""

    def loss(self, outputs: Tensor, y: Tensor, factor: Tensor | None = None) -> Tensor:
        """The mean over rows of loss times `factor` (n,), a scalar. Divided by the number of rows,
        not by the sum of factors, so that its expectation does not depend on batches."""
        losses = self.losses(outputs, y)
        return losses.mean() if factor is None else (losses * factor).mean()

    @abstractmethod
    def adjusted(
        self, outputs: Tensor, y: Tensor, log_ratios: Sequence[Tensor], factor: Tensor | None = None
    ) -> Tensor:
        """The adjusted loss of the package, as `loss`.

        Args:
            log_ratios: for each column log p(y|c) - log p(y) of its discrete codes (n, codes).
        """

    def nll(
        self,
        outputs: Tensor,
        y: Tensor,
        log_ratios: Sequence[Tensor] | None = None,
        factor: Tensor | None = None,
    ) -> Tensor:
        """The mean of -log p(y|z,c) times `factor` (n,), a scalar in nats, with p(y|z,c) as in the
        adjusted loss.

        Args:
            log_ratios: as in `adjusted`; None where c has no say, which leaves -log p(y|z).
        """
        if log_ratios is None:
            return self.loss(outputs, y, factor)
        return self.adjusted(outputs, y, log_ratios, factor)

    def bounded(
        self, task_loss: Tensor, outputs: Tensor, y: Tensor, factor: Tensor | None = None
    ) -> Tensor:
        """A loss like `task_loss` whose gradient in a row's outputs is bounded, for a penalty to be
        balanced against: that of cross-entropies is by itself."""
        return task_loss

    @abstractmethod
    def scores(self, outputs: Tensor, y: Tensor) -> Tensor:
        """(n,) whose mean is the score, but that R2 is taken against the training variance."""

    @abstractmethod
    def chance(self, log_marginals: Sequence[Tensor]) -> Tensor:
        """The outputs (1, outputs) that know p(y) alone, from log p(y) of the parts."""

    @abstractmethod
    def predictions(self, outputs: Tensor) -> Tensor:
        """Classes (n,), labels (n, k) of 0 and 1, numbers (n,) or (n, k) in the unit of y."""

    def codes(self, outputs: Tensor) -> Tensor:
        """Predictions in the form of y."""
        return self.predictions(outputs)

    @abstractmethod
    def values(self, predictions: np.ndarray) -> np.ndarray:
        """Predictions, or codes of classes and labels, as the values that y came with."""

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> Tensor:
        """Of the classes (n, m), summing to 1, or of each label (n, k). Raises `InfoshedError` for
        numbers, which have none."""

    @abstractmethod
    def figures(self, outputs: Tensor, y: Tensor) -> dict[str, Any]:
        """What predictions are worth, JSON-able; the score among it."""

    def lines(self, figures: dict[str, Any]) -> list[tuple[str, str]]:
        """Figures for people, (name, value) each, the score first."""
        return [(self.score.title, self.score.text(figures[self.score.key]))]

    @abstractmethod
    def varies(self, y: Tensor) -> bool:
        """Whether there is anything to predict in these codes."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `target_from_dict`."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


def as_columns(name: str, values: Any, count: int | None = None) -> np.ndarray:
    """`values` (n,) or (n, k) as an array (n, k). Raises `InfoshedError` for another shape, and
    where k is not `count`, if that is given."""
    array = as_array(name, values)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise InfoshedError(f"target '{name}' must have shape (n,) or (n, k), got {array.shape}")
    if count is not None and array.shape[1] != count:
        raise InfoshedError(f"target '{name}' has {count} columns, got {array.shape[1]}")
    return array
