"""Attribute specifications: what the bias attribute c can be, and how raw values become codes.

A specification is learned from training values once (`from_values`) and frozen. `encode` maps
raw values to a 2-D tensor of codes, the form in which c travels through the library:

- `Categorical`, `Binary`: (n, 1) int64, positions in `levels`;
- `MultiCategorical`: (n, k) int64, one column per part;
- `Continuous`: (n, d) float32, standardised with the training mean and deviation.

A value that is missing (None or NaN) is refused, or on request (`missing=True`) gets the code -1,
NaN where c is continuous. Training then uses the rows whose codes are all there for everything
that concerns c, and every row for the label.

Entropies are in nats. For several categoricals `entropy` is the **sum** of the parts' entropies,
sum_k H(C_k), because critics with one head per part measure sum_k I(Z;C_k); neither is the joint.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.checks import InfoshedError, as_array

TYPICAL = 10_000  # rows: shares are right to 1e-4
KINDS = ("binary", "categorical", "multi-categorical", "continuous")


class Attribute(ABC):
    """A frozen description of c. See the module for the form of its codes."""

    kind: ClassVar[str]
    name: str

    @abstractmethod
    def encode(self, values: Any, missing: bool = False) -> Tensor:
        """Codes of raw `values`, shape (n, columns). Raises `InfoshedError` for missing (unless
        `missing`), infinite or unseen values, naming the attribute and the value."""

    @abstractmethod
    def features(self, codes: Tensor) -> Tensor:
        """`codes` as floats (n, width) for a network that reads c: one-hot, or as they are."""

    def known(self, codes: Tensor) -> Tensor:
        """Which rows of `codes` have no missing code, (n,) bool."""
        return (codes >= 0 if self.heads else codes == codes).all(1)

    @abstractmethod
    def typical(self) -> Tensor:
        """Codes (n, columns) whose columns are each distributed as in training, for what needs to
        know the marginal p(c) alone."""

    def filled(self, codes: Tensor) -> Tensor:
        """`codes` with 0 for missing ones, for a reader that weighs such rows by 0."""
        return codes.clamp_min(0) if self.heads else torch.where(codes == codes, codes, 0)

    @property
    def heads(self) -> tuple[int, ...]:
        """Number of values of each categorical part; empty where c is continuous."""
        return ()

    @property
    def entropy(self) -> float | None:
        """H(C) in nats on the training data (sum over parts), None where c is continuous."""
        return None

    @property
    @abstractmethod
    def width(self) -> int:
        """Columns of `features`."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `attribute_from_dict`."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class Categorical(Attribute):
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
        array = _column(name, values)
        if missing:
            array = array[_present(array)]
            if not len(array):
                raise InfoshedError(f"attribute '{name}' has no value that is not missing")
        found, _, counts = _unique(name, array)
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
        array = _column(self.name, values)
        present = _present(array) if missing else np.ones(len(array), bool)
        found, inverse, _ = _unique(self.name, array[present])
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
        codes[present] = lookup[inverse]
        return torch.from_numpy(codes)[:, None]

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


@dataclass(frozen=True)
class Binary(Categorical):
    """One of exactly two values."""

    kind: ClassVar[str] = "binary"

    def __post_init__(self):
        super().__post_init__()
        if len(self.levels) != 2:
            raise InfoshedError(
                f"attribute '{self.name}' is declared binary but has {len(self.levels)} values; "
                "use Categorical"
            )


@dataclass(frozen=True)
class MultiCategorical(Attribute):
    """Several categoricals at once, such as three colour channels of eight bins each."""

    name: str
    parts: tuple[Categorical, ...]
    kind: ClassVar[str] = "multi-categorical"

    def __post_init__(self):
        object.__setattr__(self, "parts", tuple(self.parts))
        if len(self.parts) < 1:
            raise InfoshedError(f"attribute '{self.name}' needs at least one part")

    @classmethod
    def from_values(
        cls,
        values: Any,
        name: str = "c",
        names: Any = None,
        levels: Any = None,
        missing: bool = False,
    ) -> "MultiCategorical":
        """Learn one `Categorical` per column of `values`, shape (n, k).

        Args:
            names: names of the k parts; "name[0]", "name[1]", ... unless given.
            levels: the levels of every part where they are known beforehand.
            missing: leave out missing values instead of refusing them.
        """
        columns = _columns(name, values)
        names = names or [f"{name}[{i}]" for i in range(columns.shape[1])]
        return cls(
            name,
            tuple(
                Categorical.from_values(column, part, levels, missing)
                for column, part in zip(columns.T, names, strict=True)
            ),
        )

    def encode(self, values: Any, missing: bool = False) -> Tensor:
        columns = _columns(self.name, values)
        if columns.shape[1] != len(self.parts):
            raise InfoshedError(
                f"attribute '{self.name}' has {len(self.parts)} parts, "
                f"got {columns.shape[1]} columns"
            )
        return torch.cat(
            [part.encode(col, missing) for part, col in zip(self.parts, columns.T, strict=True)],
            1,
        )

    def features(self, codes: Tensor) -> Tensor:
        return torch.cat(
            [part.features(codes[:, i : i + 1]) for i, part in enumerate(self.parts)], 1
        )

    def typical(self) -> Tensor:
        return torch.cat([part.typical() for part in self.parts], 1)

    @property
    def heads(self) -> tuple[int, ...]:
        return tuple(len(part.levels) for part in self.parts)

    @property
    def entropy(self) -> float:
        return sum(part.entropy for part in self.parts)

    @property
    def width(self) -> int:
        return sum(self.heads)


@dataclass(frozen=True)
class Continuous(Attribute):
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
        if missing and array.dtype.kind == "O":
            array = np.where(_present(array), array, np.nan)
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
        _refuse_missing(name, np.atleast_1d(~fine.all(1)))
        return array

    def encode(self, values: Any, missing: bool = False) -> Tensor:
        array = self._matrix(self.name, values, missing)
        if array.shape[1] != len(self.mean):
            raise InfoshedError(
                f"attribute '{self.name}' has {len(self.mean)} columns, got {array.shape[1]}"
            )
        return torch.from_numpy(((array - self.mean) / self.scale).astype(np.float32))

    def features(self, codes: Tensor) -> Tensor:
        return codes

    def typical(self) -> Tensor:
        # Mean 0 and deviation 1 are all that is kept of a quantity.
        quantiles = torch.special.ndtri((torch.arange(TYPICAL) + 0.5) / TYPICAL).float()
        return quantiles[:, None].expand(-1, self.width).contiguous()

    @property
    def width(self) -> int:
        return len(self.mean)


def infer_attribute(values: Any, name: str = "c", missing: bool = False) -> Attribute:
    """The specification that raw training `values` suggest: floats are continuous, several
    columns of whole numbers or text several categoricals, two values binary, else categorical.

    Args:
        missing: leave out missing values (None or NaN) instead of refusing them.
    """
    if isinstance(values, Attribute):
        raise InfoshedError("expected attribute values, got a specification")
    array = as_array(name, values)
    if array.dtype.kind == "f":
        return Continuous.from_values(array, name, missing)
    if array.ndim == 2 and array.shape[1] > 1:
        return MultiCategorical.from_values(array, name, missing=missing)
    spec = Categorical.from_values(array, name, missing=missing)
    return Binary(spec.name, spec.levels, spec.probabilities) if len(spec.levels) == 2 else spec


def attribute_from_dict(state: dict[str, Any]) -> Attribute:
    """Rebuild an attribute from `Attribute.to_dict`."""
    state = dict(state)
    kind = state.pop("kind", None)
    if kind == "multi-categorical":
        return MultiCategorical(state["name"], tuple(Categorical(**p) for p in state["parts"]))
    kinds = {cls.kind: cls for cls in (Binary, Categorical, Continuous)}
    if kind not in kinds:
        raise InfoshedError(f"unknown attribute kind {kind!r}")
    return kinds[kind](**state)


def _column(name: str, values: Any) -> np.ndarray:
    array = as_array(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not len(array):
        raise InfoshedError(f"attribute '{name}' must have shape (n,), got {array.shape}")
    return array


def _columns(name: str, values: Any) -> np.ndarray:
    array = as_array(name, values)
    if array.ndim != 2 or not array.size:
        raise InfoshedError(f"attribute '{name}' must have shape (n, k), got {array.shape}")
    return array


def _present(array: np.ndarray) -> np.ndarray:
    """Which values are neither None, NaN nor pandas' NA, bool of the shape of `array`."""
    if array.dtype.kind == "f":
        return ~np.isnan(array)
    if array.dtype.kind != "O":
        return np.ones(array.shape, bool)
    # NA is known by its name: pandas need not be there, and whether NA equals NA is NA.
    flat = [v is not None and type(v).__name__ != "NAType" and v == v for v in array.ravel()]
    return np.array(flat, bool).reshape(array.shape)


def _unique(name: str, array: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted distinct values, their positions and their counts. Refuses missing and fractional
    values."""
    if array.dtype.kind == "f":
        _refuse_missing(name, ~np.isfinite(array))
        if (array != np.round(array)).any():
            raise InfoshedError(
                f"attribute '{name}' is categorical but holds fractions "
                f"(such as {array[array != np.round(array)][0]:g}); use Continuous, or bin it"
            )
        array = array.astype(np.int64)
    elif array.dtype.kind == "O":
        missing = np.array([v is None or v != v for v in array])
        _refuse_missing(name, missing)
        if all(isinstance(v, bool | int | np.integer) for v in array):
            array = array.astype(np.int64)
        elif all(isinstance(v, bool | int | float | np.number) for v in array):
            return _unique(name, array.astype(np.float64))
        else:
            array = array.astype(str)
    elif array.dtype.kind not in "biuSU":
        raise InfoshedError(
            f"attribute '{name}' must hold text or whole numbers, got {array.dtype}"
        )
    return np.unique(array, return_inverse=True, return_counts=True)


def _refuse_missing(name: str, missing: np.ndarray) -> None:
    if missing.any():
        raise InfoshedError(
            f"attribute '{name}' has {int(missing.sum())} missing or non-finite values "
            f"(first at row {int(np.argmax(missing))}); drop or fill these rows"
        )
