"""Target specifications: what the target y can be, and what is done with it.

    kind      codes y of n rows               outputs o of the head   loss of a row, nats
    classes   (n,) int64, 0..m-1              (n, m) logits           -log softmax(o)_y
    numbers   (n, k) float32, standardised    (n, k) means            1/2 sum_j (y_j - o_j)^2
    labels    (n, k) int64, 0 or 1            (n, k) logits           -sum_j log sigmoid(+-o_j)

That of numbers is the Gaussian one of unit variance without its constant; the codes are (v - mean)
/ deviation of the training rows. A specification is learned from training values once
(`from_values`) and frozen.

**Strata.** Whatever conditions on y (I(Z;C|Y), p(y|c), groups) reads its stratum, a whole number:
classes are their own; numbers are cut into bins of equal training weight, ten of a single column,
as audits condition on tenths too: what y still varies within a bin is about a hundredth of its
variance, and each bin keeps rows to learn p(c|y) from (at least 20: fewer bins where rows are few).
k columns have 10^(1/k) bins each, at least two, and are combined, as labels are. A combination that
is rare in training, or beyond the `MOST` commonest, counts as the common one nearest to it.

**Adjusted loss**, given what c says about y (see `infoshed.label_prior`). If I(Z;C|Y) = 0, then
p(y|z,c) is proportional to p(y|z) r(y,c), r = p(y|c)/p(y), with a head that does not see c:

    classes   cross-entropy of  o + log r(.,c)
    labels    the same for each label, with p(y_j|c):  o_j + log r(1,c) - log r(0,c)
    numbers   p(y_j|z) = N(o_j, s_j^2), r constant in the bins [e_b, e_b+1) of column j:
              -s^2 log p(y|z,c)  =  1/2 (y - o)^2 + s^2 log sum_b r_b(c) P_b  + what o cannot change
              P_b = Phi((e_b+1 - o)/s) - Phi((e_b - o)/s)

which is exact for such r, whatever c is; without r (c says nothing, or is missing) the sum is 1 and
the plain loss is left. s_j^2 is the mean of (y_j - o_j)^2 over the batch, which is its value where
o is E(y|z).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.checks import InfoshedError, as_array, check_same_length, check_weights

BINS = 10  # of a single column of numbers
FEWEST, RAREST = 20, 0.01  # rows, and share of the rows, of a bin or a combination
MOST = 16  # combinations
LEAST_NOISE = 0.05  # of a standardised column: two rows of a batch may agree by chance


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


ACCURACY = Score("accuracy", "accuracy", True)
R2 = Score("r2", "R2", False)


class Target(ABC):
    """A frozen description of y; see the module for the form of its codes y and of outputs o."""

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
        """The adjusted loss of the module, as `loss`.

        Args:
            log_ratios: for each column log p(y|c) - log p(y) of its discrete codes (n, codes).
        """

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


@dataclass(frozen=True)
class Classes(Target):
    """One of m classes; `names` in the order of their codes."""

    names: tuple[str, ...]
    name: str = "y"
    kind: ClassVar[str] = "classes"
    score: ClassVar[Score] = ACCURACY

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))

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
        object.__setattr__(self, "common", _tuples(self.common))
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
        array, share = cls._matrix(name, values), _shares(values, weights)
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
        named = _names(name, names, array.shape[1])
        made = cls(named, tuple(mean), tuple(scale), edges, ((0,),), name)
        coarse = made._coarse(made.encode(array)).numpy()
        return cls(made.names, made.mean, made.scale, edges, _common(coarse, share), name)

    @staticmethod
    def _matrix(name: str, values: Any) -> np.ndarray:
        array = as_array(name, values)
        if array.dtype.kind not in "biuf":
            raise InfoshedError(f"target '{name}' must hold numbers, got {array.dtype}")
        array = array.astype(np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise InfoshedError(f"target '{name}' must have shape (n,) or (n, k)")
        bad = int((~np.isfinite(array)).any(1).sum())
        if bad:
            raise InfoshedError(
                f"target '{name}' is missing or not finite in {bad} rows; drop them"
            )
        return array

    def encode(self, values: Any) -> Tensor:
        """Codes (n, k) float32 of values (n,) or (n, k)."""
        array = self._matrix(self.name, values)
        if array.shape[1] != len(self.names):
            raise InfoshedError(
                f"target '{self.name}' has {len(self.names)} columns, got {array.shape[1]}"
            )
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
        return _nearest(self._coarse(y), self.common)

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
            (log_ratio.exp() * torch.cat([below, zero + 1], 1).diff(dim=1, prepend=zero))
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
        object.__setattr__(self, "common", _tuples(self.common))
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
        array, share = cls._matrix(name, values), _shares(values, weights)
        names = _names(name, names, array.shape[1])
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
        return cls(names, made.levels, _common(made.encode(array).numpy(), share), name)

    @staticmethod
    def _matrix(name: str, values: Any) -> np.ndarray:
        array = as_array(name, values)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise InfoshedError(f"target '{name}' must have shape (n, k), got {array.shape}")
        return array

    def encode(self, values: Any) -> Tensor:
        """Codes (n, k) int64 of values (n, k). Raises `InfoshedError` for other values."""
        array = self._matrix(self.name, values)
        if array.shape[1] != len(self.names):
            raise InfoshedError(
                f"target '{self.name}' has {len(self.names)} labels, got {array.shape[1]} columns"
            )
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
        return _nearest(y, self.common)

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


TARGETS: dict[str, type[Target]] = {kind.kind: kind for kind in (Classes, Numbers, Labels)}


def target_from_dict(state: dict[str, Any]) -> Target:
    """Rebuild a target from `Target.to_dict`. Raises `InfoshedError` where it is something else."""
    try:
        values = dict(state)
        return TARGETS[values.pop("kind")](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InfoshedError(f"the target in config.json is of no known form: {error}") from None


def quantile_edges(values: np.ndarray, bins: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The inner edges, rising, of about equally filled bins of `values` (n,), a value on an edge
    belonging above it; fewer where values tie. With weights (n,) the bins weigh the same."""
    shares = np.arange(1, bins) / bins
    settings: Any = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
    edges = np.unique(np.quantile(values, shares, **settings))
    above = values[values > values.min()]
    edges = edges[edges > values.min()]
    if not len(edges) and len(above):  # most rows have the lowest value
        edges = above.min(keepdims=True)
    return edges


def _errors(truth: Tensor, guess: Tensor, least: float) -> dict[str, float]:
    """R2, mse and mae of a column; `least`: the variance to compare with where it has none."""
    squares = (guess - truth).square().mean()
    variance = float(truth.var(correction=0)) or least
    return {
        "r2": 1 - float(squares) / variance,
        "mse": float(squares),
        "mae": float((guess - truth).abs().mean()),
    }


def _common(codes: np.ndarray, share: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The common combinations of codes (n, k), the commonest first."""
    distinct, place = np.unique(codes, axis=0, return_inverse=True)
    counts = np.bincount(place.ravel(), share, minlength=len(distinct))
    order = np.argsort(-counts, kind="stable")[:MOST]
    kept = [i for i in order if counts[i] >= max(FEWEST, RAREST * len(codes))]
    kept = kept if len(kept) > 1 else order[:2]
    # A single column is in order by itself.
    rows = distinct[np.sort(kept)] if codes.shape[1] == 1 else distinct[kept]
    return _tuples(rows.tolist())


def _nearest(codes: Tensor, common: tuple[tuple[int, ...], ...]) -> Tensor:
    """The position (n,) in `common` of codes (n, k), or of what is nearest to them, by the sum of
    differences; of several, the first."""
    known = torch.tensor(common)
    distinct, place = torch.unique(codes, dim=0, return_inverse=True)
    return (distinct[:, None] - known).abs().sum(2).argmin(1)[place]


def _shares(values: Any, weights: Any) -> np.ndarray:
    """Weights (n,) of mean 1."""
    n = len(values)
    if weights is None:
        return np.ones(n)
    found = torch.as_tensor(weights).double()
    check_same_length(y=np.empty(n), weights=found)
    check_weights(found)
    return (found / found.mean()).numpy()


def _names(name: str, names: Any, k: int) -> tuple[str, ...]:
    if names is None:
        return (name,) if k == 1 else tuple(f"{name}[{j}]" for j in range(k))
    if len(names) != k or len(set(names)) != k:
        raise InfoshedError(f"target '{name}' has {k} columns; `names` must be as many, all unlike")
    return tuple(map(str, names))


def _tuples(rows: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(map(int, row)) for row in rows)
