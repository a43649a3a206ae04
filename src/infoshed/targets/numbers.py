"""Quantities: squares; bins of about equal weight are the strata. See the package."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.checks import InfoshedError
from infoshed.targets.base import R2, Score, Target, as_columns
from infoshed.targets.strata import (
    BINS,
    FEWEST,
    column_names,
    common_combinations,
    nearest,
    quantile_edges,
    shares_of,
    tuples,
)

LEAST_NOISE = 0.05  # of a standardised column: two rows of a batch may agree by chance
LEAST_LOG_RATIO = -30.0  # smaller ones would underflow, and the logarithm of their sum be -inf
LEAST_DEVIATION = 1e-3  # of a likelihood: a perfect fit has a finite one


@dataclass(frozen=True)
class Numbers(Target):
    """One or more quantities.

    Args:
        names: of the columns. mean, scale: of the training values.
        edges: of each column, the inner edges of its bins, standardised, rising.
        common: the combinations of bins that are strata.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    edges: tuple[tuple[float, ...], ...]
    common: tuple[tuple[int, ...], ...]
    name: str = "y"
    kind: ClassVar[str] = "numbers"
    score: ClassVar[Score] = R2

    def __post_init__(self):
        for name in ("mean", "scale"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "edges", tuple(tuple(map(float, e)) for e in self.edges))
        object.__setattr__(self, "common", tuples(self.common))
        if not len(self.names) == len(self.mean) == len(self.scale) == len(self.edges) > 0:
            raise InfoshedError(f"target '{self.name}' needs a mean, scale and edges per column")
        if min(self.scale) <= 0:
            raise InfoshedError(f"target '{self.name}' needs positive scales, got {self.scale}")

    @classmethod
    def from_values(
        cls, values: Any, name: str = "y", names: Any = None, weights: Any = None
    ) -> "Numbers":
        """Learn from training `values` (n,) or (n, k).

        Args:
            names: of the columns; unless given, `name`, or "name[0]", "name[1]", ...
            weights: importance of the rows (n,).

        Raises `InfoshedError` for values that are no finite numbers, and a column of one value.
        """
        array, share = cls._numbers(name, as_columns(name, values)), shares_of(values, weights)
        mean = share @ array / share.sum()
        scale = np.sqrt(share @ (array - mean) ** 2 / share.sum())
        for i in range(array.shape[1]):
            if scale[i] <= 1e-12 * max(1.0, float(np.abs(array[:, i]).max())):
                raise InfoshedError(
                    f"target '{name}' has one value only ({array[0, i]:g}) in column {i}; there is "
                    "nothing to predict"
                )
        codes = (array - mean) / scale
        bins = int(np.clip(len(array) // FEWEST, 2, BINS))
        # As codes are: a value on an edge must not fall to either side by rounding.
        edges = tuple(
            tuple(quantile_edges(column, bins, share).astype(np.float32).tolist())
            for column in codes.T
        )
        named = column_names(name, names, array.shape[1])
        made = cls(named, tuple(mean), tuple(scale), edges, ((0,),), name)
        coarse = made._coarse(made.encode(array)).numpy()
        return cls(
            made.names, made.mean, made.scale, edges, common_combinations(coarse, share), name
        )

    @staticmethod
    def _numbers(name: str, array: np.ndarray) -> np.ndarray:
        """`array` (n, k) in double precision. Raises `InfoshedError` for what is no number."""
        if array.dtype.kind not in "biuf":
            raise InfoshedError(f"target '{name}' must hold numbers, got {array.dtype}")
        array = array.astype(np.float64)
        bad = int((~np.isfinite(array)).any(1).sum())
        if bad:
            raise InfoshedError(
                f"target '{name}' is missing or not finite in {bad} rows; drop them"
            )
        return array

    def encode(self, values: Any) -> Tensor:
        """Codes (n, k) float32 of values (n,) or (n, k)."""
        array = self._numbers(self.name, as_columns(self.name, values, len(self.names)))
        return torch.from_numpy(((array - self.mean) / self.scale).astype(np.float32))

    @property
    def outputs(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.names

    @property
    def strata_names(self) -> tuple[str, ...]:
        ranges = [self._ranges(j) for j in range(len(self.names))]
        return tuple(", ".join(r[b] for r, b in zip(ranges, c, strict=True)) for c in self.common)

    def _ranges(self, j: int) -> list[str]:
        """The coarse bins of column j, in its unit."""
        edges = np.array(self.edges[j])
        bins = self._merged(torch.arange(len(edges) + 1), len(edges) + 1).numpy()
        inner = edges[np.flatnonzero(np.diff(bins))] * self.scale[j] + self.mean[j]
        texts = [f"{v:.4g}" for v in inner]
        head = f"{self.names[j]} " if len(self.names) > 1 else ""
        if not texts:
            return [f"{head}any"]
        between = [f"{head}{a} to {b}" for a, b in pairwise(texts)]
        return [f"{head}below {texts[0]}", *between, f"{head}from {texts[-1]}"]

    def check(self, y: Tensor) -> str | None:
        if y.ndim != 2 or y.shape[1] != self.outputs or not y.is_floating_point():
            return (
                f"y must be codes (n, {self.outputs}) of floats, as `target.encode` makes them, "
                f"got {y.dtype} of shape {tuple(y.shape)}"
            )
        return None if bool(torch.isfinite(y).all()) else "y has values that are not finite"

    def strata(self, y: Tensor) -> Tensor:
        return nearest(self._coarse(y), self.common)

    def _coarse(self, y: Tensor) -> Tensor:
        """The bins (n, k) whose combinations are strata."""
        return torch.stack([self._merged(b, m) for b, m in self.parts(y)], 1)

    def _merged(self, bins: Tensor, m: int) -> Tensor:
        """Bins 0..m-1 of a column, those beside one another taken together where columns share."""
        most = max(2, round(BINS ** (1 / len(self.names))))
        return bins if m <= most else bins * most // m

    def parts(self, y: Tensor) -> tuple[tuple[Tensor, int], ...]:
        return tuple(
            (torch.bucketize(column.contiguous(), torch.tensor(e), right=True), len(e) + 1)
            for column, e in zip(y.T, self.edges, strict=True)
        )

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return 0.5 * (y - outputs).square().sum(1)

    def adjusted(
        self, outputs: Tensor, y: Tensor, log_ratios: Sequence[Tensor], factor: Tensor | None = None
    ) -> Tensor:
        squares = (y - outputs).detach().square()
        if factor is not None:
            squares = squares * factor[:, None] / factor.mean().clamp_min(1e-12)
        noise = squares.mean(0).sqrt().clamp_min(LEAST_NOISE)
        losses = self.losses(outputs, y)
        for j, log_ratio in enumerate(log_ratios):
            mass = self._log_mass(outputs[:, j], noise[j], log_ratio, j)
            losses = losses + noise[j].square() * mass
        return losses.mean() if factor is None else (losses * factor).mean()

    def nll(
        self,
        outputs: Tensor,
        y: Tensor,
        log_ratios: Sequence[Tensor] | None = None,
        factor: Tensor | None = None,
    ) -> Tensor:
        """As for other targets; the density is that of codes, and s_j the one under which these
        rows are likeliest, not less than `LEAST_DEVIATION`."""
        columns = zip(self.parts(y), outputs.detach().double().T, y.double().T, strict=True)
        factor = torch.ones(len(y)) if factor is None else factor
        return torch.stack(
            [
                self._nll(
                    j, mean, code, bins, factor.double(),
                    mean.new_zeros(len(y), m) if log_ratios is None else log_ratios[j].double(),
                )
                for j, ((bins, m), mean, code) in enumerate(columns)
            ]
        ).sum()  # fmt: skip

    def _nll(
        self, j: int, mean: Tensor, code: Tensor, bins: Tensor, factor: Tensor, log_ratio: Tensor
    ) -> Tensor:
        """`nll` of column j, whose bins the codes are in."""
        from scipy.optimize import minimize_scalar  # imported here: it is slow to load

        rows = factor.mean()
        square = float(((code - mean).square() * factor).mean() / rows)

        def at(log_deviation: float) -> float:
            s = mean.new_tensor(log_deviation).exp()
            mass = (self._log_mass(mean, s, log_ratio, j) * factor).mean() / rows
            return log_deviation + square / (2 * float(s) ** 2) + float(mass)

        bounds = math.log(LEAST_DEVIATION), math.log(10 + math.sqrt(square))
        best: Any = minimize_scalar(at, bounds=bounds, method="bounded")
        own = log_ratio.clamp_min(LEAST_LOG_RATIO).gather(1, bins[:, None])[:, 0]
        return rows * (best.fun + 0.5 * math.log(2 * math.pi)) - (own * factor).mean()

    def bounded(
        self, task_loss: Tensor, outputs: Tensor, y: Tensor, factor: Tensor | None = None
    ) -> Tensor:
        """Huber's loss for the squares: a penalty as strong as an unbounded gradient and a gradient
        that grows with the errors which the penalty makes would drive each other to infinity."""
        excess = F.huber_loss(outputs, y, reduction="none") - 0.5 * (y - outputs).square()
        excess = excess.sum(1)
        return task_loss + (excess if factor is None else excess * factor).mean()

    def _log_mass(self, mean: Tensor, noise: Tensor, log_ratio: Tensor, j: int) -> Tensor:
        """log sum_b r_b P_b (n,) of column j."""
        edges = torch.tensor(self.edges[j], dtype=mean.dtype, device=mean.device)
        below = torch.special.ndtr((edges - mean[:, None]) / noise)
        zero = below.new_zeros(len(mean), 1)
        return (
            (
                log_ratio.clamp_min(LEAST_LOG_RATIO).exp()
                * torch.cat([below, zero + 1], 1).diff(dim=1, prepend=zero)
            )
            .sum(1)
            .log()
        )

    def scores(self, outputs: Tensor, y: Tensor) -> Tensor:
        return 1 - (y - outputs).square().mean(1)

    def chance(self, log_marginals: Sequence[Tensor]) -> Tensor:
        return torch.zeros(1, self.outputs)

    def predictions(self, outputs: Tensor) -> Tensor:
        values = outputs.double() * torch.tensor(self.scale, dtype=torch.float64)
        values = values + torch.tensor(self.mean, dtype=torch.float64)
        return values[:, 0] if self.outputs == 1 else values

    def codes(self, outputs: Tensor) -> Tensor:
        return outputs

    def values(self, predictions: np.ndarray) -> np.ndarray:
        return predictions

    def probabilities(self, outputs: Tensor) -> Tensor:
        raise InfoshedError(
            f"the target '{self.name}' is a quantity, which has no probabilities: use `predict`"
        )

    def figures(self, outputs: Tensor, y: Tensor) -> dict[str, Any]:
        """Mean squared and absolute error in the unit of y (squared), R2 against the mean of these
        rows; means over the columns, and those of each where there are several."""
        guess, truth = (self.predictions(a).reshape(len(y), -1) for a in (outputs, y))
        found = {
            name: _errors(truth[:, j], guess[:, j], float(self.scale[j]) ** 2)
            for j, name in enumerate(self.names)
        }
        means = {k: float(np.mean([f[k] for f in found.values()])) for k in ("r2", "mse", "mae")}
        return means | ({"columns": found} if len(found) > 1 else {})

    def lines(self, figures: dict[str, Any]) -> list[tuple[str, str]]:
        found = super().lines(figures)
        for name, column in figures.get("columns", {self.name: figures}).items():
            one = len(self.names) == 1
            found += [] if one else [(f"R2 of {name}", R2.text(column["r2"]))]
            error = "mean absolute error" + ("" if one else f" of {name}")
            found.append((error, f"{column['mae']:.4g}"))
        return found

    def varies(self, y: Tensor) -> bool:
        return bool((y.max(0).values > y.min(0).values).all())


def _errors(truth: Tensor, guess: Tensor, least: float) -> dict[str, float]:
    """R2, mse and mae of a column; `least`: the variance to compare with where it has none."""
    squares = (guess - truth).square().mean()
    variance = float(truth.var(correction=0))
    if variance <= 1e-20 * float(truth.square().max()):  # rounding
        variance = least
    return {
        "r2": 1 - float(squares) / variance,
        "mse": float(squares),
        "mae": float((guess - truth).abs().mean()),
    }
