"""Quantities: one or more real columns, taken as one vector."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from infoshed.attributes.base import TYPICAL, Single
from infoshed.attributes.values import present, refuse_missing
from infoshed.checks import InfoshedError, as_array


@dataclass(frozen=True)
class Continuous(Single):
    """One or more real columns, standardised by the training `mean` and `scale`."""

    name: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    kind: ClassVar[str] = "continuous"

    def __post_init__(self):
        object.__setattr__(self, "mean", tuple(float(v) for v in self.mean))
        object.__setattr__(self, "scale", tuple(float(v) for v in self.scale))
        if len(self.mean) != len(self.scale) or not self.mean or min(self.scale) <= 0:
            raise InfoshedError(
                f"attribute '{self.name}' needs a mean and a positive scale per column; "
                f"got mean {self.mean} and scale {self.scale}"
            )

    @classmethod
    def from_values(cls, values: Any, name: str = "c", missing: bool = False) -> "Continuous":
        """Learn mean and standard deviation from training `values`, shape (n,) or (n, d).

        Args:
            missing: leave out rows with a missing value instead of refusing them.
        """
        array = cls._matrix(name, values, missing)
        array = array[~np.isnan(array).any(1)]
        if not len(array):
            raise InfoshedError(f"attribute '{name}' has no row without a missing value")
        for i, column in enumerate(array.T):
            if column.max() == column.min():
                raise InfoshedError(
                    f"attribute '{name}' has one value only ({column[0]:g}) in column {i}; "
                    "there is nothing to shed: give an attribute that varies"
                )
        return cls(name, tuple(array.mean(0)), tuple(array.std(0)))

    @staticmethod
    def _matrix(name: str, values: Any, missing: bool = False) -> np.ndarray:
        array = as_array(name, values)
        if array.dtype.kind == "O":
            array = np.where(present(array), array, np.nan) if missing else array
            if all(isinstance(v, int | float | np.number) for v in array.ravel()):
                array = array.astype(np.float64)
        if array.dtype.kind not in "biuf":
            raise InfoshedError(
                f"attribute '{name}' is continuous and needs numbers, got {array.dtype}"
            )
        array = array.astype(np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise InfoshedError(f"attribute '{name}' must have shape (n, d), got {array.shape}")
        fine = np.isfinite(array) | (missing & np.isnan(array))
        refuse_missing(name, np.atleast_1d(~fine.all(1)))
        return array

    def encode(self, values: Any, missing: bool = False) -> Tensor:
        array = self._matrix(self.name, values, missing)
        if array.shape[1] != len(self.mean):
            raise InfoshedError(
                f"attribute '{self.name}' has {len(self.mean)} columns, got {array.shape[1]}"
            )
        return torch.from_numpy(((array - self.mean) / self.scale).astype(np.float32))

    def decode(self, codes: Tensor) -> dict[str, Any]:
        values = codes.numpy() * np.array(self.scale) + np.array(self.mean)
        k = self.columns
        names = [self.name] if k == 1 else [f"{self.name}[{i}]" for i in range(k)]
        return dict(zip(names, values.T, strict=True))

    def known(self, codes: Tensor) -> Tensor:
        return (codes == codes).all(1)

    def filled(self, codes: Tensor) -> Tensor:
        return torch.where(codes == codes, codes, 0)

    def features(self, codes: Tensor) -> Tensor:
        return codes

    def typical(self) -> Tensor:
        # Mean 0 and deviation 1 are all that is kept of a quantity.
        quantiles = torch.special.ndtri((torch.arange(TYPICAL) + 0.5) / TYPICAL).float()
        return quantiles[:, None].expand(-1, self.width).contiguous()

    @property
    def columns(self) -> int:
        return len(self.mean)

    @property
    def width(self) -> int:
        return len(self.mean)
