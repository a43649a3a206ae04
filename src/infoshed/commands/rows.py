"""The rows of a file or a folder as the inputs of a run, and what a command writes about each."""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.inputs import ImageInputs, TableInputs, as_text
from infoshed.io import atomic_path, write_text
from infoshed.run import Run

ARRAYS = (".npy", ".npz")
WRITTEN = (".csv", ".npy")


@dataclass(frozen=True)
class Rows:
    """What a run is to read.

    Args:
        x: inputs (m, ...) of the rows that have some. known: which rows (n,) those are.
        kept: columns (n,) of text, by name, that stand before what is found out of each row.
        y: (n, k) the target's columns as text, "" where the file lacks one; None where it has none.
        notes: what is to be said.
    """

    x: np.ndarray
    known: np.ndarray
    notes: tuple[str, ...] = ()
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    y: np.ndarray | None = None


def check_out(out: Path | None, keep: str | None) -> None:
    """Raise `InfoshedError` for a place that `write_rows` cannot write to, or one in which columns
    cannot be kept, before any work."""
    if out is None:
        return
    if out.suffix.lower() not in WRITTEN:
        raise InfoshedError(f"--out: cannot write {out}; known: {', '.join(WRITTEN)}")
    if not out.parent.is_dir():
        raise InfoshedError(f"--out: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise InfoshedError(f"--out: {out} is a folder; name a file")
    if keep and out.suffix.lower() == ".npy":
        raise InfoshedError(
            f"--keep needs a .csv file, and --out is {out}, which holds numbers alone"
        )


def read_rows(run: Run, source: str, images: Path | None, keep: str | None = None) -> Rows:
    """The rows of a file or folder as the run's inputs, with the file's columns `keep` beside them.
    Raises `InfoshedError` for columns that are not there or of another kind, and for shapes that do
    not fit."""
    from infoshed.files import open_source, read_cells, read_table, split_source

    path = split_source(source)[0]
    inputs = run.inputs
    if keep and (path.suffix.lower() in ARRAYS or path.is_dir()):
        raise InfoshedError(f"--keep takes columns of a table, and {path} is none")
    if images is not None and not isinstance(inputs, ImageInputs):
        raise InfoshedError("--images is for runs that were trained on pictures, and this is none")
    kept = read_cells(path, keep) if keep else {}
    if path.suffix.lower() == ".npy" and isinstance(inputs, TableInputs):
        raise InfoshedError(
            f"the run was trained on the columns {', '.join(inputs.names)} of a table, as they "
            f"are; {path} has numbers without names: give a .csv, .tsv or .parquet file"
        )
    arrays = path.suffix.lower() in ARRAYS and not isinstance(inputs, TableInputs)
    if arrays or inputs is None:
        table = read_table(source)
        flat = len(run.config.shape) == 1
        x = table.matrix() if flat else next(iter(table.columns.values()))
        if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
            raise InfoshedError(f"{source} holds values that are no finite numbers")
        return Rows(x, np.ones(len(x), bool), kept=kept)
    if path.is_dir():
        if not isinstance(inputs, ImageInputs):
            raise InfoshedError(f"{path} is a folder; the run was trained on a table's columns")
        files = sorted(p.name for p in path.iterdir() if p.is_file())
        return _pictures(inputs, path, np.array(files, dtype=str), {}, None)
    needed = (inputs.column,) if isinstance(inputs, ImageInputs) else inputs.names
    opened = open_source(source)
    if set(needed) <= set(opened.names):  # else all are read, to tell what may have been meant
        others = set(opened.names) - {*needed, *run.target.columns}
        opened = opened.without([name for name in opened.names if name in others])
    table, y = opened.table(missing=True), None
    if all(name in table.columns for name in run.target.columns):
        columns = [table.columns[name] for name in run.target.columns]
        # Truth values of a .parquet are classes 0 and 1, as in training.
        columns = [v.astype(np.int64) if v.dtype.kind == "b" else v for v in columns]
        y = np.stack([as_text(column) for column in columns], 1)
    if isinstance(inputs, ImageInputs):
        if inputs.column not in table.columns:
            raise InfoshedError(f"{path} has no column '{inputs.column}', which names the pictures")
        names = as_text(table.columns[inputs.column])
        return _pictures(inputs, images or path.parent, names, kept, y)
    x = _of_table(inputs, table.columns, path)
    notes = tuple(inputs.unknown(table.columns))
    return Rows(x, np.ones(len(x), bool), notes, kept, y)


def write_rows(
    out: Path | None, rows: Rows, head: Sequence[str], cells: Sequence[Sequence[object]],
    array: np.ndarray,
) -> None:  # fmt: skip
    """Write to `out` a line for each row, what is kept of it and then its `cells` under `head`, or
    the `array` (n, k) alone, by the end of its name; print the lines where it is None."""
    if out is not None and out.suffix.lower() == ".npy":
        with atomic_path(out) as temporary, open(temporary, "wb") as file:
            np.save(file, array)
    else:
        for name in (name for name in rows.kept if name in head):
            raise InfoshedError(
                f"--keep: '{name}' is a column of the result; rename it in the file"
            )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*rows.kept, *head])
        kept = zip(*rows.kept.values(), strict=True) if rows.kept else [()] * len(cells)
        writer.writerows([*before, *after] for before, after in zip(kept, cells, strict=True))
        if out is None:
            sys.stdout.write(text.getvalue())
            return
        write_text(out, text.getvalue())
    print(f"{len(cells):,} rows: {out}")


def _of_table(inputs: TableInputs, columns: dict[str, np.ndarray], path: Path) -> np.ndarray:
    try:
        return inputs(columns)
    except InfoshedError as error:
        raise InfoshedError(f"{path}: {error}") from None


def _pictures(
    inputs: ImageInputs, folder: Path, names: np.ndarray, kept: dict[str, np.ndarray],
    y: np.ndarray | None,
) -> Rows:  # fmt: skip
    if not len(names):
        raise InfoshedError(f"there are no files in {folder}; a folder of pictures is expected")
    x, opened = inputs(folder, names)
    failed = int((~opened).sum())
    first = names[int(np.argmin(opened))]
    said = (f"{failed:,} pictures do not open (first: {first})",) if failed else ()
    return Rows(x.numpy(), opened, said, {inputs.column: names} | kept, y)
