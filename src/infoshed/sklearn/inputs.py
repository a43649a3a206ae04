"""What a scikit-learn user hands in, as arrays: X of a table or of images, and attributes.

A numeric column (of objects too, if all are numbers) becomes (x - mean) / deviation, under the row
weights; a categorical column (text, categories or truth values of a data frame) one column per
level, none of them for a level that is new at prediction. Images, arrays of four dimensions (n,
channels, height, width), stay as they are.
"""

from dataclasses import asdict, dataclass
from numbers import Number
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor

from infoshed.attributes import (
    Attribute,
    Binary,
    Categorical,
    Continuous,
    Mixed,
    MultiCategorical,
)
from infoshed.attributes.values import present
from infoshed.checks import InfoshedError, as_array, check_choice, check_same_length
from infoshed.files.table import listed

WHOLE = 20  # distinct whole numbers among floats that are still taken as values of a category
KINDS = ("auto", "categorical", "continuous")


@dataclass(frozen=True)
class Encoding:
    """How X becomes the input of a network.

    Args:
        numeric: positions of the numeric columns; empty for images.
        mean, scale: of these.
        categories: by position, the levels of each categorical column.
        images: whether X are images, taken as they are.
    """

    numeric: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    categories: tuple[tuple[int, tuple[Any, ...]], ...] = ()
    images: bool = False

    @classmethod
    def fit(cls, X: Any, weights: np.ndarray | None) -> "Encoding":
        """Learn the encoding of a checked X (see `checked`)."""
        if not is_frame(X):
            if X.ndim > 2:
                return cls(images=True)
            return cls._of(X, tuple(range(X.shape[1])), (), weights)
        columns = list(frame_columns(X))
        levels = tuple(i for i, column in enumerate(columns) if is_categorical(column))
        numbers = tuple(i for i in range(len(columns)) if i not in levels)
        found = []
        for i in levels:
            encoder = OneHotEncoder(handle_unknown="ignore").fit(as_levels(columns[i]))
            found.append((i, tuple(plain(v) for v in encoder.categories_[0])))
        return cls._of(numbers_of(X, columns, numbers), numbers, tuple(found), weights)

    @classmethod
    def _of(
        cls, values: np.ndarray, numbers: tuple[int, ...], levels: Any, weights: np.ndarray | None
    ) -> "Encoding":
        if not numbers:
            return cls(categories=levels)
        scaler: Any = StandardScaler().fit(values, sample_weight=weights)
        return cls(numbers, tuple(scaler.mean_.tolist()), tuple(scaler.scale_.tolist()), levels)

    def apply(self, X: Any) -> Tensor:
        """The network's input for a checked X: (n, width) float64, or the images as they are."""
        if self.images:
            return torch.from_numpy(np.ascontiguousarray(X))
        parts = []
        frame = is_frame(X)
        columns = list(frame_columns(X)) if frame else []
        if self.numeric:
            values = numbers_of(X, columns, self.numeric) if frame else X
            parts.append((values - np.array(self.mean)) / np.array(self.scale))
        for i, levels in self.categories:
            array = np.empty(len(levels), dtype=object)
            array[:] = levels
            settings: Any = {"categories": [array], "sparse_output": False}
            encoder = OneHotEncoder(handle_unknown="ignore", **settings).fit(array[:, None])
            parts.append(encoder.transform(as_levels(columns[i])))
        return torch.from_numpy(np.concatenate(parts, 1).astype(np.float64))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, the arguments by name."""
        return asdict(self)


def checked(estimator: BaseEstimator, X: Any, *, reset: bool) -> Any:
    """`X` by scikit-learn's rules, which set or check its number of columns and their names.

    A data frame with categorical columns stays one; everything else becomes an array, float64
    (n, d), or images. Raises `ValueError` as scikit-learn does: for NaN (naming the columns of a
    data frame), no rows, other columns.
    """
    if isinstance(X, Tensor):
        X = X.detach().cpu().numpy()
    if is_frame(X):
        refuse_missing(X)
    if is_frame(X) and any(is_categorical(column) for column in frame_columns(X)):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not len(X):
            raise InfoshedError("`X` must have at least one row")
        return X
    if getattr(X, "ndim", 2) == 4:
        kept = {"dtype": None if X.dtype == np.uint8 else np.float32, "allow_nd": True}
        return validate_data(estimator, X, reset=reset, **kept)
    return validate_data(estimator, X, reset=reset, dtype=np.float64)


def refuse_missing(X: Any) -> None:
    """Raise `InfoshedError` where numeric columns of a data frame hold NaN or infinity, naming
    them."""
    found = []
    for name, column in zip(X.columns, frame_columns(X), strict=True):
        try:
            values = np.zeros(0) if is_categorical(column) else as_numbers(column)
        except (TypeError, ValueError):
            continue  # neither numbers nor categories: scikit-learn says so
        bad = int((~np.isfinite(values)).sum())
        if bad:
            found.append(f"'{name}' ({bad:,} of {len(X):,} rows)")
    if found:
        raise InfoshedError(
            f"`X` contains NaN or infinity in {listed(found)}; drop these rows, or put "
            "sklearn.impute.SimpleImputer before"
        )


def is_frame(X: Any) -> bool:
    """Whether X is a data frame, of pandas, polars or anything alike."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def frame_columns(X: Any) -> Any:
    """The columns of a data frame in order; of pandas also where two have one name."""
    if hasattr(X, "iloc"):
        return (X.iloc[:, i] for i in range(X.shape[1]))
    return (X[name] for name in X.columns)


def is_categorical(column: Any) -> bool:
    """Whether a column of a data frame holds text, categories or truth values."""
    if str(column.dtype).lower().startswith(("category", "categorical", "enum", "bool")):
        return True
    values = np.asarray(column)
    if values.dtype.kind != "O":
        return values.dtype.kind in "SUb"
    there = values[present(values)]  # numbers among objects, as of a transposed frame, are numbers
    return not len(there) or not all(isinstance(v, Number) and not is_truth(v) for v in there)


def is_truth(value: Any) -> bool:
    """Whether a value is True or False, which Python counts among numbers."""
    return isinstance(value, bool | np.bool_)


def as_numbers(column: Any) -> np.ndarray:
    """A numeric column as float64 (n,), NaN where missing. Raises `ValueError` or `TypeError` for
    what is no number."""
    values = np.asarray(column)
    if values.dtype.kind == "O":
        values = np.where(present(values), values, np.nan)
    return values.astype(np.float64)


def as_levels(column: Any) -> np.ndarray:
    """A categorical column as scikit-learn's encoder reads it, (n, 1) objects, None if missing."""
    values = np.asarray(column, dtype=object)
    missing = [v is None or type(v).__name__ == "NAType" or v != v for v in values]
    filled = values.copy()
    filled[missing] = None
    return filled[:, None]


def numbers_of(X: Any, columns: list[Any], numeric: tuple[int, ...]) -> np.ndarray:
    """The numeric columns of a data frame, (n, k) float64. Raises `ValueError` for NaN."""
    if not numeric:
        return np.empty((len(X), 0))
    table = np.stack([as_numbers(columns[i]) for i in numeric], 1)
    return np.asarray(check_array(table, input_name="X"))


def plain(value: Any) -> Any:
    """A numpy scalar as Python's own, so that it can be saved as JSON."""
    return value.item() if isinstance(value, np.generic) else value


def read_attribute(values: Any, kind: str, used: np.ndarray) -> tuple[Attribute, Tensor]:
    """The attribute that sensitive features suggest, and their codes (n, columns), missing ones
    too.

    Args:
        values: (n,) or (n, k); an array, a series, a data frame, or a dict of columns.
        kind: "categorical", "continuous", or "auto": numbers with fractions, or more than 20
            different whole floats, are a quantity; all else are categories. Columns may be of
            different kinds; quantities alone are one vector.
        used: which rows (n,) count; the others' codes are missing.

    Raises `InfoshedError` where a column has one value only.
    """
    check_choice("attribute_kind", kind, KINDS)
    name = "sensitive_features"
    if isinstance(values, dict):
        names, columns = [str(k) for k in values], [as_array(str(k), v) for k, v in values.items()]
    elif is_frame(values):
        names = [str(k) for k in values.columns]
        columns = [as_array(n, v) for n, v in zip(names, frame_columns(values), strict=True)]
    else:
        array = as_array(name, values)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise InfoshedError(f"`{name}` must have shape (n,) or (n, k), got {array.shape}")
        columns = list(array.T)
        label = getattr(values, "name", None)
        names = [f"{name}[{i}]" for i in range(len(columns))]
        names = [str(label) if label else name] if len(columns) == 1 else names
    for column in columns:
        check_same_length(X=used, sensitive_features=column)
    columns = [column[used] for column in columns]
    kinds = [kind_of(column) if kind == "auto" else kind for column in columns]
    joint = ", ".join(names)
    if set(kinds) == {"continuous"}:
        table = np.stack(columns, 1)
        attribute: Attribute = Continuous.from_values(table, joint, missing=True)
        return attribute, _spread(attribute.encode(table, missing=True), used)
    parts = list[Any](
        (Continuous if k == "continuous" else Categorical).from_values(c, n, missing=True)
        for c, n, k in zip(columns, names, kinds, strict=True)
    )
    if len(parts) > 1:
        attribute = (Mixed if "continuous" in kinds else MultiCategorical)(joint, tuple(parts))
        given = dict(zip(names, columns, strict=True))
        return attribute, _spread(attribute.encode(given, missing=True), used)
    (part,) = parts
    if len(part.levels) == 2:
        part = Binary(part.name, part.levels, part.probabilities)
    return part, _spread(part.encode(columns[0], missing=True), used)


def _spread(codes: Tensor, used: np.ndarray) -> Tensor:
    """Codes of the rows that are `used` (n,), as codes of all of them."""
    missing = float("nan") if codes.is_floating_point() else -1
    whole = codes.new_full((len(used), codes.shape[1]), missing)
    whole[torch.from_numpy(used)] = codes
    return whole


def kind_of(column: np.ndarray) -> str:
    """ "continuous" or "categorical", by the values of a column (n,)."""
    if column.dtype.kind != "f":
        return "categorical"
    present = column[~np.isnan(column)]
    whole = (present == np.round(present)).all() and len(np.unique(present)) <= WHOLE
    return "categorical" if whole else "continuous"
