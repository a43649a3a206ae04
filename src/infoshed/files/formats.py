"""File formats: which arrays a file holds, and how to read some of them.

Each opens a path into the names of its columns or arrays, a function that reads those of given
names (and whether missing values are taken, as NaN or ""), and a note on what was decided. Nothing
in a file is executed: arrays of Python objects, which numpy stores as pickles, are refused.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.files.delimited import SEPARATORS, read_columns, read_layout

Columns = dict[str, np.ndarray]
Opened = tuple[list[str], Callable[[list[str], bool], Columns], str]


def _open_numpy(path: Path) -> Opened:
    found = _load(path, lambda found: found if isinstance(found, np.ndarray) else found.files)
    if isinstance(found, np.ndarray):
        return [""], lambda names, _: dict.fromkeys(names, found), ""
    if not found:
        raise InfoshedError(f"{path} holds no arrays")
    return found, lambda names, _: _load(path, lambda arrays: {n: arrays[n] for n in names}), ""


def _load(path: Path, take: Callable[[Any], Any]) -> Any:
    """What `take` makes of the file that numpy opens, an array or several."""
    try:
        with open(path, "rb") as file:
            return take(np.load(file, allow_pickle=False))
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        # numpy takes whatever it does not know for a pickle.
        if "Object arrays" not in str(error):
            raise InfoshedError(f"{path} is not a file that numpy wrote, or is cut off") from None
        raise InfoshedError(
            f"{path} holds Python objects (a pickle), which could run code when loaded; save "
            "numbers or text instead, such as np.save(path, np.asarray(z, dtype=float))"
        ) from None


def _open_delimited(path: Path) -> Opened:
    layout = read_layout(path, SEPARATORS[path.suffix.lower()])
    names = list(layout.names)
    note = f"{path}: the first line is a header" if layout.header else (
        f"{path}: no header in the first line; columns are called 1 to {len(names)}"
    )  # fmt: skip
    if layout.header and "" in names:
        place = names.index("")
        # pandas writes its row numbers in a first column without a name.
        if place or len(names) == 1:
            raise InfoshedError(f"{path}: column {place + 1} has no name in the header")
        names = names[1:]
        note += ", and the first column, which has no name, was left out as row numbers"
    return names, lambda names, missing: read_columns(layout, names, missing), note


def _open_parquet(path: Path) -> Opened:
    """.parquet, by way of pyarrow, which is an extra."""
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise InfoshedError(
            f"reading {path} needs pyarrow: pip install 'infoshed[parquet]'"
        ) from None
    try:
        names = list(parquet.read_schema(path).names)
    except ArrowInvalid:
        raise InfoshedError(f"{path} is not a parquet file, or is cut off") from None

    def read(names: list[str], missing: bool) -> Columns:
        table = parquet.read_table(path, columns=names)
        return {name: _arrow_column(path, name, table.column(name), missing) for name in names}

    return [n for n in names if not n.startswith("__index_level_")], read, ""


def _arrow_column(path: Path, name: str, column: Any, missing: bool) -> np.ndarray:
    """(n,) numbers or text; lists of one length, such as embeddings, become (n, d)."""
    if column.null_count and not missing:
        row = column.is_null().to_pylist().index(True)
        raise InfoshedError(
            f"{path}: row {row + 1} has no value in column '{name}' ({column.null_count:,} such in "
            "the column); drop or fill these rows"
        )
    kind = str(column.type)
    if "list" in kind.split("<")[0]:
        rows = column.to_pylist()
        if None in rows:
            raise InfoshedError(
                f"{path}: row {rows.index(None) + 1} has no list in column '{name}'; drop or fill "
                "these rows"
            )
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise InfoshedError(f"{path}: lists in column '{name}' differ in length")
        return np.array(rows)
    if kind.startswith("dictionary"):
        column = column.cast(column.type.value_type)
    if kind == "null":  # no row has a value
        return np.full(len(column), np.nan)
    if kind.startswith("decimal"):
        column = column.cast("float64")
    if column.null_count:  # of numbers they become NaN by themselves
        if str(column.type) == "bool":
            column = column.cast("int8")
        if "string" in str(column.type):
            column = column.fill_null("")
    array = column.to_numpy()
    return array.astype(str) if "string" in str(column.type) else array


FORMATS: dict[str, Callable[[Path], Opened]] = {
    ".npy": _open_numpy,
    ".npz": _open_numpy,
    ".csv": _open_delimited,
    ".tsv": _open_delimited,
    ".parquet": _open_parquet,
}
