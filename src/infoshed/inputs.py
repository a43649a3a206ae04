"""From raw rows to what a network reads, learned from training rows and kept with the model.

A table's column of numbers v becomes (v - mean) / scale, with the median where v is missing, and,
if training rows lacked it, a second column that is 1 where it is. A column of categories becomes a
column for each level, a missing value being a level of its own; a level that training rows lacked
is all zeros. A picture becomes bytes (channels, size, size).

Both are plain numbers and text (`to_dict`, `inputs_from_dict`), so that a run folder can hold them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from infoshed.checks import (
    InfoshedError,
    check_number,
    check_same_length,
    columns_text,
    meant_each,
)

MOST_LEVELS = 100
MISSING = "(missing)"
TRUTH = ("True", "False")
EXAMPLES = 3


class UnknownValueWarning(UserWarning):
    """Rows hold categories that the model has not seen in training, all zeros to it."""


def examples(values: np.ndarray) -> str:
    """The commonest of the values (n,), cut to be read."""
    distinct, counts = np.unique(values, return_counts=True)
    common = distinct[np.argsort(-counts, kind="stable")].tolist()
    cut = [v if len(v) <= 24 else v[:21] + "..." for v in map(str, common[:EXAMPLES])]
    return ", ".join(cut) + ", ..." * (len(common) > EXAMPLES)


@dataclass(frozen=True)
class Number:
    """A column of numbers. mean, scale and median are those of the training rows that have it;
    `indicator` says whether some lacked it."""

    name: str
    mean: float
    scale: float
    median: float
    indicator: bool

    @classmethod
    def learn(cls, name: str, values: np.ndarray) -> "Number":
        """From floats (n,), NaN where missing."""
        known = values[~np.isnan(values)]
        if not len(known):
            raise InfoshedError(f"column '{name}' has no value in the training rows; leave it out")
        scale = float(known.std())
        # A constant column must come out as 0, not as rounding noise blown up.
        scale = scale if scale > 1e-12 * max(1.0, float(np.abs(known).max())) else 1.0
        median = float(np.median(known))
        return cls(name, float(known.mean()), scale, median, len(known) < len(values))

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Floats (n,) without missing ones."""
        return (np.where(np.isnan(values), self.median, values) - self.mean) / self.scale


@dataclass(frozen=True)
class Category:
    """A column of text: its levels in the training rows, sorted, "" standing for a missing value;
    the commonest `MOST_LEVELS` where there are more."""

    name: str
    levels: tuple[str, ...]

    @classmethod
    def learn(cls, name: str, values: np.ndarray) -> "Category":
        """From text (n,)."""
        levels, counts = np.unique(values, return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_LEVELS])
        return cls(name, tuple(levels[kept].tolist()))

    def as_levels(self, values: np.ndarray) -> np.ndarray:
        """Text (n,) as a file had it before a data frame made numbers or truth values of it: 1234
        is "01234" where that is a level, and nothing else is, and True is "TRUE"."""
        codes = [v for v in self.levels if len(v) > 1 and v[0] == "0" and v.isdecimal()]
        bare = [str(int(code)) for code in codes]
        for code, short in zip(codes, bare, strict=True):
            if short not in self.levels and bare.count(short) == 1:
                values = np.where(values == short, code, values)
        for word in TRUTH:
            same = [level for level in self.levels if level.casefold() == word.casefold()]
            if len(same) == 1:
                values = np.where(values == word, same[0], values)
        return values

    def one_hot(self, values: np.ndarray) -> np.ndarray:
        """(n, levels) float32."""
        return (self.as_levels(values)[:, None] == np.array(self.levels)).astype(np.float32)


@dataclass(frozen=True)
class TableInputs:
    """Columns of a table as one float32 row: numbers first, then indicators, then levels."""

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    kind: ClassVar[str] = "table"

    def __post_init__(self):
        object.__setattr__(self, "numbers", tuple(self.numbers))
        object.__setattr__(self, "categories", tuple(self.categories))

    @classmethod
    def learn(cls, columns: Mapping[str, np.ndarray]) -> "TableInputs":
        """From the columns (n,) of the training rows: numbers, or text, which is categories."""
        text = {name: column.dtype.kind not in "biuf" for name, column in columns.items()}
        return cls(
            tuple(Number.learn(n, as_floats(n, v)) for n, v in columns.items() if not text[n]),
            tuple(Category.learn(n, as_text(v)) for n, v in columns.items() if text[n]),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return tuple(part.name for part in (*self.numbers, *self.categories))

    @property
    def width(self) -> int:
        """Columns of what a network reads."""
        indicators = sum(number.indicator for number in self.numbers)
        return len(self.numbers) + indicators + sum(len(c.levels) for c in self.categories)

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """`columns` (n,) by name, others being ignored, as (n, width) float32. Raises
        `InfoshedError` for a column that is not there, and for text where numbers are due."""
        lacking = [name for name in self.names if name not in columns]
        if lacking:
            raise InfoshedError(
                f"{columns_text(lacking)} {'are' if len(lacking) > 1 else 'is'} missing; the model "
                f"reads {', '.join(self.names)}{meant_each(lacking, columns)}"
            )
        for name in self.names:
            if np.ndim(columns[name]) != 1:
                raise InfoshedError(
                    f"column '{name}' must have shape (n,), a value for each row, got "
                    f"{np.shape(columns[name])}"
                )
        check_same_length(**{name: columns[name] for name in self.names})
        values = [as_floats(number.name, columns[number.name]) for number in self.numbers]
        parts = [n.standardise(v)[:, None] for n, v in zip(self.numbers, values, strict=True)]
        parts += [
            np.isnan(v)[:, None] for n, v in zip(self.numbers, values, strict=True) if n.indicator
        ]
        parts += [c.one_hot(as_text(columns[c.name])) for c in self.categories]
        return np.concatenate([part.astype(np.float32) for part in parts], axis=1)

    def unknown(self, columns: Mapping[str, np.ndarray]) -> list[str]:
        """What is to be said of rows with a level that is not among those learned, or without a
        number that no training row lacked: a sentence for each column that has some."""
        found = []
        for number in self.numbers:
            gaps = int(np.isnan(as_floats(number.name, columns[number.name])).sum())
            if gaps and not number.indicator:
                found.append(
                    f"'{number.name}' is missing in {gaps:,} of {len(columns[number.name]):,} "
                    f"rows, as in no training row; the median of those, {number.median:.4g}, is "
                    "taken"
                )
        for category in self.categories:
            values = category.as_levels(as_text(columns[category.name]))
            strange = values[~np.isin(values, category.levels)]
            if len(strange):
                said = examples(np.where(strange == "", MISSING, strange))
                found.append(
                    f"'{category.name}' has values that the model does not know in "
                    f"{len(strange):,} of {len(values):,} rows: {said}"
                )
        return found

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `inputs_from_dict`."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class ImageInputs:
    """Picture files as bytes (channels, size, size), 3 channels in colour and 1 in grey. `column`
    is the one that names the files."""

    column: str
    size: int
    color: bool
    kind: ClassVar[str] = "images"

    def __call__(self, folder: Path, names: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """The files `names` (n,) in `folder` as (m, channels, size, size) uint8, and which of them
        open (n,); errors as in `read_images`."""
        from infoshed.data.images import read_images

        found = read_images(folder, names, self.size, self.color)
        return torch.from_numpy(found["images"]), found["opened"]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `inputs_from_dict`."""
        return {"kind": self.kind, **asdict(self)}


Inputs = TableInputs | ImageInputs


def inputs_from_dict(state: dict[str, Any]) -> Inputs:
    """Rebuild inputs from their `to_dict`. Raises `InfoshedError` where it is something else."""
    try:
        if state["kind"] == ImageInputs.kind:
            return ImageInputs(state["column"], state["size"], state["color"])
        numbers = tuple(Number(**part) for part in state["numbers"])
        for number in numbers:
            for name in ("mean", "scale", "median"):
                check_number(f"{name} of '{number.name}'", getattr(number, name))
        return TableInputs(
            numbers,
            tuple(Category(part["name"], tuple(part["levels"])) for part in state["categories"]),
        )
    except (KeyError, TypeError, InfoshedError) as error:
        raise InfoshedError(f"the inputs in config.json are of no known form: {error}") from None


def as_floats(name: str, column: np.ndarray) -> np.ndarray:
    """A column (n,) of numbers as float64; text that reads as numbers too, NaN where it is empty.
    Raises `InfoshedError` for other text, dates, and for infinity."""
    if column.dtype.kind in "Mm":
        raise InfoshedError(f"column '{name}' must hold numbers, got {column.dtype}")
    if column.dtype.kind == "U":
        column = np.where(np.char.strip(column) == "", "nan", column)
    try:
        values = column.astype(np.float64)
    except ValueError:
        row, value = next((i, v) for i, v in enumerate(column, 1) if not _is_number(v))
        raise InfoshedError(
            f"column '{name}' must hold numbers; row {row} has {str(value)!r}"
        ) from None
    if np.isinf(values).any():
        raise InfoshedError(f"column '{name}' has values that are not finite")
    return values


def _is_number(value: Any) -> bool:
    try:
        np.asarray(value).astype(np.float64)
    except ValueError:
        return False
    return True


def as_text(column: np.ndarray) -> np.ndarray:
    """A column (n,) as text without blanks around it; "" where missing. Whole numbers are written
    without a point, since a column that lacks values holds them as fractions."""
    if column.dtype.kind == "f":
        levels, code = np.unique(column, return_inverse=True)
        names = [f"{v:.0f}" if v.is_integer() else repr(v) for v in levels.tolist()]
        return np.where(np.isnan(levels), "", names)[code]
    return np.char.strip(column.astype(str))
