"""The target columns of the user's own table: what they are, and how they are shown.

One column is a quantity where its numbers have fractions or more than `WHOLE` values, and classes
otherwise; several columns are all quantities, or all labels of two values each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infoshed.checks import InfoshedError
from infoshed.inputs import as_floats, as_text
from infoshed.targets import Classes, Labels, Numbers, Target

KINDS = ("auto", "classes", "numbers")
WHOLE = 20  # distinct whole numbers that are still classes
MOST_CLASSES, LEAST_CLASS = 1000, 5
SAME = 0.999  # correlation of two quantities that are one


@dataclass(frozen=True)
class TargetColumns:
    """The values of every target column (n,) by name, as they are read: float64 quantities,
    int64 or text. `kind` is that of the target, `name` the columns with commas."""

    name: str
    kind: str
    columns: dict[str, np.ndarray]

    def rows(self, index: np.ndarray) -> "TargetColumns":
        """Some rows, by number or by whether they are meant."""
        return TargetColumns(self.name, self.kind, {k: v[index] for k, v in self.columns.items()})

    def learn(self) -> Target:
        """The specification of these rows."""
        names = tuple(self.columns)
        if self.kind == Classes.kind:
            return Classes(tuple(class_names(self.columns[self.name])), self.name)
        kind = Numbers if self.kind == Numbers.kind else Labels
        return kind.from_values(self._matrix(), self.name, names)

    def encode(self, target: Target) -> Tensor:
        """The codes of these rows."""
        if isinstance(target, Classes):
            place = {name: i for i, name in enumerate(target.names)}
            values, code = np.unique(self.columns[self.name], return_inverse=True)
            return torch.from_numpy(np.array([place[str(v)] for v in values.tolist()])[code])
        return target.encode(self._matrix())  # type: ignore[attr-defined]

    def _matrix(self) -> np.ndarray:
        values = list(self.columns.values())
        text = any(column.dtype.kind == "U" for column in values)
        return np.column_stack([v.astype(str) if text else v for v in values])

    def check(self) -> None:
        """Raise `InfoshedError` for columns that nothing can be learned of."""
        for name, column in self.columns.items():
            if column.dtype.kind == "f":
                if column.min() == column.max():
                    raise InfoshedError(f"the target '{name}' has one value only ({column[0]:g})")
            else:
                _check_classes(name, column)

    def refuse(self, attribute: str, c: np.ndarray) -> None:
        """Raise `InfoshedError` where the attribute `c` (n,) is a target under another name."""
        for name, column in self.columns.items():
            both = column.dtype.kind == c.dtype.kind == "f"
            same = both and column.std() > 0 and c.std() > 0 and (
                abs(np.corrcoef(column, c)[0, 1]) > SAME
            )  # fmt: skip
            if not both and column.dtype.kind != "f":
                pairs = [np.unique(v, return_inverse=True)[1] for v in (column, c)]
                joint = len(np.unique(np.stack(pairs, 1), axis=0))
                same = joint == pairs[0].max() + 1 == pairs[1].max() + 1
            if same:
                raise InfoshedError(
                    f"the attribute '{attribute}' is the target '{name}' under another name: each "
                    "of its values goes with one class, and shedding it would shed the target. "
                    "Give another attribute, or rows that break the tie"
                )

    def lines(self) -> list[list[str]]:
        """A line of the table that is shown for each column."""
        what = {"classes": "target", "numbers": "target, quantity", "labels": "target, label"}
        found = []
        for name, column in self.columns.items():
            if column.dtype.kind == "f":
                text = f"mean {column.mean():.4g}, deviation {column.std():.4g}"
            else:
                counts = np.unique(column, return_counts=True)[1]
                text = shares_text(class_names(column), counts / len(column))
            found.append([name, what[self.kind], text, "0"])
        return found


def read_target(
    names: Sequence[str], columns: Mapping[str, np.ndarray], kind: str
) -> TargetColumns:
    """The target columns without missing values, of the kind that they are.

    Args:
        kind: one of `KINDS`: "classes" (of several columns: labels), "numbers", or "auto".

    Raises `InfoshedError` for columns that cannot be what they are to be, or are of both kinds.
    """
    found: dict[str, np.ndarray] = {}
    for name in names:
        column = columns[name]
        number = kind == "numbers" or (kind == "auto" and _is_quantity(column))
        if number:
            found[name] = as_floats(name, column)
        else:
            fractions = column[column != np.round(column)] if column.dtype.kind == "f" else []
            if len(fractions):
                raise InfoshedError(
                    f"the target '{name}' holds fractions (such as {fractions[0]:g}): classes are "
                    "expected; bin it first, or leave out --target-kind"
                )
            found[name] = (
                column.astype(np.int64) if column.dtype.kind in "biuf" else as_text(column)
            )
    quantities = [name for name, column in found.items() if column.dtype.kind == "f"]
    if quantities and len(quantities) < len(found):
        others = [name for name in found if name not in quantities]
        raise InfoshedError(
            f"{', '.join(quantities)} is a quantity and {', '.join(others)} is not; several "
            "targets must be of one kind: bin the quantity, or train a model for each"
        )
    joint = ", ".join(names)
    if quantities:
        return TargetColumns(joint, Numbers.kind, found)
    if len(found) == 1:
        return TargetColumns(joint, Classes.kind, found)
    for name, column in found.items():
        values = class_names(column)
        if len(values) != 2:
            raise InfoshedError(
                f"of several targets each must be a quantity or a label of two values; '{name}' "
                f"has {len(values)}: {', '.join(values[:5])}"
            )
    return TargetColumns(joint, Labels.kind, found)


def class_names(column: np.ndarray) -> list[str]:
    """The values of a column of text or whole numbers, in order, as text."""
    return list(map(str, np.unique(column).tolist()))


def shares_text(names: Sequence[object], shares: Sequence[float] | np.ndarray) -> str:
    """Names with their shares, the first six."""
    from infoshed.data.columns import short

    listed = [f"{short(str(n))} {p:.1%}" for n, p in zip(names, shares, strict=True)]
    more = f", ... ({len(listed)} in all)" if len(listed) > 6 else ""
    return ", ".join(listed[:6]) + more


def _is_quantity(column: np.ndarray) -> bool:
    if column.dtype.kind not in "iuf":
        return False
    return bool((column != np.round(column)).any()) or len(np.unique(column)) > WHOLE


def _check_classes(target: str, column: np.ndarray) -> None:
    from infoshed.files.table import listed

    values, counts = np.unique(column, return_counts=True)
    if len(values) > max(min(MOST_CLASSES, len(column) // LEAST_CLASS), 2):
        raise InfoshedError(
            f"the target '{target}' has {len(values):,} different values in {len(column):,} rows: "
            "classes are expected; is it the right column? if it is a quantity, write plain "
            "numbers, without units and thousands separators"
        )
    if len(values) < 2:
        raise InfoshedError(
            f"the target '{target}' has one class only in {len(column):,} rows ({values[0]}); "
            "there is nothing to predict"
        )
    rare = [f"{n!r} ({k})" for n, k in zip(values.tolist(), counts, strict=True) if k < LEAST_CLASS]
    if rare:
        raise InfoshedError(
            f"of the target '{target}', these classes have fewer than {LEAST_CLASS} rows: "
            f"{listed(rare)}; drop or merge them"
        )
