"""Labels that each are there or not: binary cross-entropies; combinations are the strata."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.checks import InfoshedError
from infoshed.targets.base import ACCURACY, Score, Target, as_columns
from infoshed.targets.strata import (
    column_names,
    common_combinations,
    nearest,
    shares_of,
    tuples,
)


@dataclass(frozen=True)
class Labels(Target):
    """Several labels that each are there or not.

    Args:
        names: of the labels. levels: of each, the values for 0 and 1.
        common: the combinations (of 0 and 1) that are strata.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, Any], ...]
    common: tuple[tuple[int, ...], ...]
    name: str = "y"
    kind: ClassVar[str] = "labels"
    score: ClassVar[Score] = ACCURACY

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "common", tuples(self.common))
        levels = tuple(
            tuple(v.item() if isinstance(v, np.generic) else v for v in pair)
            for pair in self.levels
        )
        object.__setattr__(self, "levels", levels)
        if len(self.names) != len(self.levels) or not self.names or {*map(len, levels)} != {2}:
            raise InfoshedError(f"target '{self.name}' needs two levels for each label")

    @classmethod
    def from_values(
        cls, values: Any, name: str = "y", names: Any = None, weights: Any = None
    ) -> "Labels":
        """Learn from training `values` (n, k), each column of two values, the second in sorted
        order being the label.

        Args:
            names: of the labels; unless given, "name[0]", "name[1]", ...
            weights: importance of the rows (n,).

        Raises `InfoshedError` for a column with one value or more than two.
        """
        array, share = as_columns(name, values), shares_of(values, weights)
        names = column_names(name, names, array.shape[1])
        levels = []
        for label, column in zip(names, array.T, strict=True):
            try:
                found = np.unique(column)
            except TypeError:
                raise InfoshedError(f"label '{label}' has missing or mixed values") from None
            if len(found) != 2:
                listed = ", ".join(map(str, found[:5].tolist()))
                raise InfoshedError(
                    f"label '{label}' must have two values, there or not; it has {len(found)}: "
                    f"{listed}"
                )
            levels.append(tuple(v.item() if isinstance(v, np.generic) else v for v in found))
        made = cls(names, tuple(levels), ((0,) * len(names),), name)
        return cls(names, made.levels, common_combinations(made.encode(array).numpy(), share), name)

    def encode(self, values: Any) -> Tensor:
        """Codes (n, k) int64 of values (n, k). Raises `InfoshedError` for other values."""
        array = as_columns(self.name, values, len(self.names))
        codes = np.stack(
            [column == pair[1] for column, pair in zip(array.T, self.levels, strict=True)], 1
        )
        for label, column, pair, code in zip(
            self.names, array.T, self.levels, codes.T, strict=True
        ):
            strange = column[~(code | (column == pair[0]))]
            if len(strange):
                raise InfoshedError(
                    f"label '{label}' is {pair[0]!r} or {pair[1]!r}; found {strange.tolist()[0]!r}"
                )
        return torch.from_numpy(codes.astype(np.int64))

    @property
    def outputs(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    @property
    def strata_names(self) -> tuple[str, ...]:
        def text(combination: tuple[int, ...]) -> str:
            there = [n for n, on in zip(self.names, combination, strict=True) if on]
            return " + ".join(there) or "none"

        return tuple(map(text, self.common))

    def check(self, y: Tensor) -> str | None:
        if y.ndim != 2 or y.shape[1] != self.outputs or y.is_floating_point():
            return (
                f"y must be labels (n, {self.outputs}) of whole numbers, got {y.dtype} of shape "
                f"{tuple(y.shape)}"
            )
        low, high = int(y.min()), int(y.max())
        return None if low >= 0 and high <= 1 else f"labels must be 0 or 1, found {low}..{high}"

    def strata(self, y: Tensor) -> Tensor:
        return nearest(y, self.common)

    def parts(self, y: Tensor) -> tuple[tuple[Tensor, int], ...]:
        return tuple((column, 2) for column in y.T)

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            outputs, y.to(outputs.dtype), reduction="none"
        ).sum(1)

    def adjusted(
        self, outputs: Tensor, y: Tensor, log_ratios: Sequence[Tensor], factor: Tensor | None = None
    ) -> Tensor:
        return self.loss(outputs + self._odds(log_ratios), y, factor)

    @staticmethod
    def _odds(logs: Sequence[Tensor]) -> Tensor:
        return torch.stack([log[..., 1] - log[..., 0] for log in logs], -1)

    def scores(self, outputs: Tensor, y: Tensor) -> Tensor:
        return (self.predictions(outputs) == y).float().mean(1)

    def chance(self, log_marginals: Sequence[Tensor]) -> Tensor:
        return self._odds(log_marginals)[None]

    def predictions(self, outputs: Tensor) -> Tensor:
        return (outputs > 0).long()

    def values(self, predictions: np.ndarray) -> np.ndarray:
        columns = zip(predictions.T, self.levels, strict=True)
        return np.stack([np.array(pair)[column] for column, pair in columns], 1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def figures(self, outputs: Tensor, y: Tensor) -> dict[str, Any]:
        """Accuracy, the mean over labels; the share of rows with every label right; macro F1, 0
        where a label is neither there nor predicted; and accuracy and F1 of each label."""
        guess, there = self.predictions(outputs) == 1, y == 1
        both = (guess & there).sum(0).double()
        f1 = 2 * both / (guess.sum(0) + there.sum(0)).clamp_min(1)
        right = (guess == there).double()
        return {
            "accuracy": float(right.mean()),
            "exact": float(right.min(1).values.mean()),
            "macro_f1": float(f1.mean()),
            "labels": {
                name: {"accuracy": float(right[:, j].mean()), "f1": float(f1[j])}
                for j, name in enumerate(self.names)
            },
        }

    def lines(self, figures: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            ("accuracy, mean over labels", ACCURACY.text(figures["accuracy"])),
            ("all labels right", ACCURACY.text(figures["exact"])),
            ("macro F1", f"{figures['macro_f1']:.3f}"),
        ]

    def varies(self, y: Tensor) -> bool:
        return bool((y.max(0).values > y.min(0).values).all())
