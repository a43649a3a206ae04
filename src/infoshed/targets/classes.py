"""One of m classes: cross-entropy; each class is its own stratum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from infoshed.checks import InfoshedError
from infoshed.targets.base import ACCURACY, Score, Target


@dataclass(frozen=True)
class Classes(Target):
    """One of m classes; `names` in the order of their codes."""

    names: tuple[str, ...]
    name: str = "y"
    kind: ClassVar[str] = "classes"
    score: ClassVar[Score] = ACCURACY

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))
        twice = [name for name in dict.fromkeys(self.names) if self.names.count(name) > 1]
        if twice:
            raise InfoshedError(
                f"`classes` names {', '.join(map(repr, twice))} more than once; give every class "
                "a name of its own"
            )

    @property
    def outputs(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def strata_names(self) -> tuple[str, ...]:
        return self.names

    def check(self, y: Tensor) -> str | None:
        if y.ndim != 1 or y.is_floating_point():
            return f"y must be classes of shape (n,), got {y.dtype} of shape {tuple(y.shape)}"
        low, high, m = int(y.min()), int(y.max()), len(self.names)
        if low < 0 or high >= m:
            return f"y must lie in 0..{m - 1} (there are {m} classes), found {low}..{high}"
        return None

    def strata(self, y: Tensor) -> Tensor:
        return y

    def parts(self, y: Tensor) -> tuple[tuple[Tensor, int], ...]:
        return ((y, len(self.names)),)

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(outputs, y, reduction="none")

    def loss(self, outputs: Tensor, y: Tensor, factor: Tensor | None = None) -> Tensor:
        if factor is None:
            return F.cross_entropy(outputs, y)
        return super().loss(outputs, y, factor)

    def adjusted(
        self, outputs: Tensor, y: Tensor, log_ratios: Sequence[Tensor], factor: Tensor | None = None
    ) -> Tensor:
        return self.loss(outputs + log_ratios[0], y, factor)

    def scores(self, outputs: Tensor, y: Tensor) -> Tensor:
        return (outputs.argmax(1) == y).float()

    def chance(self, log_marginals: Sequence[Tensor]) -> Tensor:
        return log_marginals[0][None]

    def predictions(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(1)

    def values(self, predictions: np.ndarray) -> np.ndarray:
        return np.array(self.names)[predictions]

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(1)

    def figures(self, outputs: Tensor, y: Tensor) -> dict[str, Any]:
        """Accuracy in [0, 1] and the confusion counts (rows: true class)."""
        guess = outputs.argmax(1)
        confusion = np.zeros((self.outputs, self.outputs), dtype=int)
        np.add.at(confusion, (y.numpy(), guess.numpy()), 1)
        return {"accuracy": float((guess == y).double().mean()), "confusion": confusion.tolist()}

    def varies(self, y: Tensor) -> bool:
        return len(y.unique()) > 1
