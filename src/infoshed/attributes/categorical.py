"""One of m values, as a code 0, ..., m - 1."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.attributes.base import TYPICAL, Single
from infoshed.attributes.values import column, present, unique
from infoshed.checks import InfoshedError


@dataclass(frozen=True)
class Categorical(Single):
    """One of m values.

    Args:
        name: how errors, reports and tables call it.
        levels: the m >= 2 distinct values (str, int or bool), in the order of their codes.
        probabilities: their shares in the training data, summing to 1.
    """

    name: str
    levels: tuple
    probabilities: tuple[float, ...]
    kind: ClassVar[str] = "categorical"

    def __post_init__(self):
        levels = (v.item() if isinstance(v, np.generic) else v for v in self.levels)
        object.__setattr__(self, "levels", tuple(levels))
        object.__setattr__(self, "probabilities", tuple(float(p) for p in self.probabilities))
        if len(set(self.levels)) != len(self.levels):
            raise InfoshedError(f"attribute '{self.name}' has repeated levels: {self.levels}")
        if len(self.levels) < 2:
            raise InfoshedError(
                f"attribute '{self.name}' has one value only ({self.levels}); "
                "there is nothing to shed: give an attribute that varies"
            )
        shares = self.probabilities
        if len(shares) != len(self.levels) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise InfoshedError(
                f"attribute '{self.name}' needs one probability for each of its "
                f"{len(self.levels)} levels, at least 0 and summing to 1; got {shares}"
            )

    @classmethod
    def from_values(
        cls, values: Any, name: str = "c", levels: Any = None, missing: bool = False
    ) -> "Categorical":
        """Learn levels (sorted, unless given) and shares from training `values`, shape (n,).

        Args:
            missing: leave out missing values instead of refusing them.
        """
        array = column(name, values)
        if missing:
            array = array[present(array)]
            if not len(array):
                raise InfoshedError(f"attribute '{name}' has no value that is not missing")
        found, _, counts = unique(name, array)
        if len(found) < 2:
            raise InfoshedError(
                f"attribute '{name}' has one value only ({found[0].item()!r}) in {len(array)} "
                "rows; there is nothing to shed: give an attribute that varies"
            )
        if levels is None:
            levels = tuple(v.item() for v in found)
        table = dict(zip((v.item() for v in found), counts, strict=True))
        strange = [v for v in table if v not in levels]
        if strange:
            raise InfoshedError(f"attribute '{name}' has values outside its levels: {strange[:5]}")
        return cls(name, tuple(levels), tuple(table.get(v, 0) / len(array) for v in levels))

    def encode(self, values: Any, missing: bool = False) -> Tensor:
        array = column(self.name, values)
        there = present(array) if missing else np.ones(len(array), bool)
        found, inverse, _ = unique(self.name, array[there])
        position = {level: i for i, level in enumerate(self.levels)}
        strange = [v.item() for v in found if v.item() not in position]
        if strange:
            known = ", ".join(map(repr, self.levels[:12])) + (", ..." * (len(self.levels) > 12))
            raise InfoshedError(
                f"attribute '{self.name}' has the value {strange[0]!r}, which was not in the "
                f"training data; known values: {known}"
            )
        lookup = np.array([position[v.item()] for v in found], dtype=np.int64)
        codes = np.full(len(array), -1)
        codes[there] = lookup[inverse]
        return torch.from_numpy(codes)[:, None]

    def decode(self, codes: Tensor) -> dict[str, Any]:
        return {self.name: np.array(self.levels)[codes[:, 0].numpy()]}

    def known(self, codes: Tensor) -> Tensor:
        return codes[:, 0] >= 0

    def filled(self, codes: Tensor) -> Tensor:
        return codes.clamp_min(0)

    def features(self, codes: Tensor) -> Tensor:
        return F.one_hot(codes[:, 0], len(self.levels)).float()

    def typical(self) -> Tensor:
        edges = np.cumsum(self.probabilities)[:-1]
        return torch.from_numpy(np.searchsorted(edges, (np.arange(TYPICAL) + 0.5) / TYPICAL))[
            :, None
        ]

    @property
    def heads(self) -> tuple[int, ...]:
        return (len(self.levels),)

    @property
    def entropy(self) -> float:
        p = np.array([p for p in self.probabilities if p > 0])
        return float(-(p * np.log(p)).sum())

    @property
    def width(self) -> int:
        return len(self.levels)
