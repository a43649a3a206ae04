"""Missing values: NaN among numbers, nothing or blanks in text; and the rows that have none."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.files.table import Table
from infoshed.inputs import as_text


def missing(column: np.ndarray) -> np.ndarray:
    """Which entries of a column, of its shape, have no value."""
    return np.isnan(column) if column.dtype.kind == "f" else as_text(column) == ""


def complete(needed: Iterable[tuple[str, np.ndarray]]) -> tuple[np.ndarray, list[str]]:
    """Which rows (n,) lack none of the `needed` columns, pairs of a name and values (n, ...); and
    for each column that lacks some, how many are dropped for it.

    Raises `InfoshedError` where no row is left.
    """
    names, lacking, notes, empty = [], [], [], []
    for name, column in needed:
        lacks = missing(column).reshape(len(column), -1).any(1)
        names.append(f"'{name}'")
        lacking.append(lacks)
        empty += names[-1:] * bool(lacks.all())
        if lacks.any():
            notes.append(f"dropped: {int(lacks.sum()):,} rows without '{name}'")
    keep = ~np.any(lacking, axis=0)
    if not keep.any():
        told = f"empty: {', '.join(empty)}" if empty else f"each lacks {' or '.join(names)}"
        raise InfoshedError(f"no row is left: {told}")
    return keep, notes


def complete_tables(
    tables: Mapping[str, Table], needed: Collection[str]
) -> tuple[dict[str, Table], list[str]]:
    """Tables of the same rows by their role, less the rows that lack a column of those of the
    `needed` roles; what is to be said, and errors, as `complete` has them."""
    keep, notes = complete(
        (table.called(name), column)
        for role, table in tables.items()
        if role in needed
        for name, column in table.columns.items()
    )
    return {role: table.rows(keep) if notes else table for role, table in tables.items()}, notes
