"""`infoshed predict`: a run's predictions for the rows of a file."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Group, Parameter

from infoshed.checks import InfoshedError
from infoshed.data.columns import short
from infoshed.inputs import ImageInputs, TableInputs, as_text
from infoshed.io import atomic_path, write_text
from infoshed.run import Run, load_run
from infoshed.settings import DATA
from infoshed.targets import Classes, Labels, Numbers, Target

OUTPUT = Group("Output")
ARRAYS = (".npy", ".npz")
EXAMPLES = 3


@dataclass(frozen=True)
class Rows:
    """What is to be predicted.

    Args:
        x: inputs (m, ...) of the rows that have some. known: which rows (n,) those are.
        names: (n,) of the rows, where they have names; the heading is `named`.
        y: (n, k) the target's columns as text, "" where the file lacks one; None where it has none.
        notes: what is to be said.
    """

    x: np.ndarray
    known: np.ndarray
    notes: tuple[str, ...] = ()
    names: np.ndarray | None = None
    named: str = ""
    y: np.ndarray | None = None


def predict(
    run: Path,
    inputs: str,
    /,
    *,
    images: Annotated[Path | None, Parameter(group=DATA)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
) -> None:
    """Classes with their probabilities, labels or numbers, for new rows.

    `infoshed predict runs/people new.csv --out predictions.csv`: a line for each row, in order. A
    run of your own file takes files with the same columns (others are ignored, missing values are
    filled as in training), a run of pictures a folder of them or a file that names them, any other
    run arrays: .npy or .npz of shape (n, ...). Where the file has the target too, it is said
    how good they are.

    Parameters
    ----------
    run
        The folder that `infoshed train` wrote.
    inputs
        .csv, .tsv, .parquet, .npy or .npz; FILE:NAME takes an array of an .npz. Or a folder of
        pictures.
    images
        The folder of the pictures that the file names; unless given, the file's own.
    out
        .csv, or .npy for the probabilities (n, classes or labels) or numbers alone; unless given,
        they are printed.
    """
    if out is not None and out.suffix.lower() not in (".csv", ".npy"):
        raise InfoshedError(f"--out: cannot write {out}; known: .csv, .npy")
    if out is not None and not out.parent.is_dir():
        raise InfoshedError(f"--out: the folder {out.parent} does not exist; make it first")
    loaded = load_run(run)
    rows = read_rows(loaded, inputs, images)
    target = loaded.target
    found = np.full((len(rows.known), target.outputs), np.nan)
    read = loaded.predict if isinstance(target, Numbers) else loaded.predict_proba
    found[rows.known] = read(rows.x).numpy().reshape(-1, target.outputs)
    for note in [*rows.notes, *_worth(target, rows, found)]:
        print(f"infoshed: {note}", file=sys.stderr)
    if out is None:
        sys.stdout.write(as_csv(target, rows, found))
        return
    if out.suffix.lower() == ".npy":
        with atomic_path(out) as temporary, open(temporary, "wb") as file:
            np.save(file, found.astype(np.float64 if isinstance(target, Numbers) else np.float32))
    else:
        write_text(out, as_csv(target, rows, found))
    print(f"{len(found):,} rows: {out}")


def read_rows(run: Run, source: str, images: Path | None) -> Rows:
    """The rows of a file or folder as the run's inputs. Raises `InfoshedError` for columns that are
    not there or of another kind, and for shapes that do not fit."""
    from infoshed.files import read_table, split_source

    path = split_source(source)[0]
    inputs = run.inputs
    if images is not None and not isinstance(inputs, ImageInputs):
        raise InfoshedError("--images is for runs that were trained on pictures, and this is none")
    if path.suffix.lower() in ARRAYS or inputs is None:
        table = read_table(source)
        flat = len(run.config.shape) == 1
        x = table.matrix() if flat else next(iter(table.columns.values()))
        if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
            raise InfoshedError(f"{source} holds values that are no finite numbers")
        return Rows(x, np.ones(len(x), bool))
    if path.is_dir():
        if not isinstance(inputs, ImageInputs):
            raise InfoshedError(f"{path} is a folder; the run was trained on a table's columns")
        files = sorted(p.name for p in path.iterdir() if p.is_file())
        return _pictures(inputs, path, np.array(files, dtype=str), None)
    table = read_table(source, missing=True)
    names = run.target.columns
    y = None
    if all(name in table.columns for name in names):
        y = np.stack([as_text(table.columns[name]) for name in names], 1)
    if isinstance(inputs, ImageInputs):
        if inputs.column not in table.columns:
            raise InfoshedError(f"{path} has no column '{inputs.column}', which names the pictures")
        return _pictures(inputs, images or path.parent, as_text(table.columns[inputs.column]), y)
    x = _of_table(inputs, table.columns, path)
    notes = tuple(
        f"'{name}' has values that the model does not know in {len(values):,} of {len(x):,} rows: "
        f"{_examples(values)}"
        for name, values in inputs.unknown(table.columns).items()
    )
    return Rows(x, np.ones(len(x), bool), notes, y=y)


def as_csv(target: Target, rows: Rows, found: np.ndarray) -> str:
    """A header and a line for each row: its name, if it has one; the class and the probability of
    each; the value and the probability of each label; or the numbers. Cells are empty where there
    was no input."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    named, several = rows.names is not None, target.outputs > 1
    if isinstance(target, Classes):
        head = ["prediction", *(f"p({name})" for name in target.names)]
    elif isinstance(target, Labels):
        head = [h for name in target.names for h in (f"prediction({name})", f"p({name})")]
    else:
        head = [f"prediction({name})" for name in target.columns] if several else ["prediction"]
    writer.writerow([*([rows.named] if named else []), *head])
    for i, values in enumerate(found):
        cells = [rows.names[i]] if rows.names is not None else []
        said: list[object] = [""] * len(head)
        if rows.known[i] and isinstance(target, Classes):
            said = [target.names[int(values.argmax())], *(f"{v:.6g}" for v in values)]
        elif rows.known[i] and isinstance(target, Labels):
            pairs = zip(target.levels, values, strict=True)
            said = [cell for two, p in pairs for cell in (two[int(p > 0.5)], f"{p:.6g}")]
        elif rows.known[i]:
            said = [f"{v:.8g}" for v in values]
        writer.writerow([*cells, *said])
    return text.getvalue()


def _examples(values: np.ndarray) -> str:
    """The commonest of the values (n,)."""
    distinct, counts = np.unique(values, return_counts=True)
    common = distinct[np.argsort(-counts, kind="stable")].tolist()
    return ", ".join(map(short, common[:EXAMPLES])) + ", ..." * (len(common) > EXAMPLES)


def _of_table(inputs: TableInputs, columns: dict[str, np.ndarray], path: Path) -> np.ndarray:
    try:
        return inputs(columns)
    except InfoshedError as error:
        raise InfoshedError(f"{path}: {error}") from None


def _pictures(inputs: ImageInputs, folder: Path, names: np.ndarray, y: np.ndarray | None) -> Rows:
    x, opened = inputs(folder, names)
    failed = int((~opened).sum())
    said = f"{failed:,} pictures do not open (first: {names[int(np.argmin(opened))]})"
    return Rows(x.numpy(), opened, (said,) * (failed > 0), names, inputs.column, y)


def _worth(target: Target, rows: Rows, found: np.ndarray) -> Iterator[str]:
    """How good predictions are on the rows whose target is known."""
    if rows.y is None:
        return
    if isinstance(target, Numbers):
        try:
            y = np.where(rows.y == "", "nan", rows.y).astype(np.float64)
        except ValueError:
            yield f"'{target.name}' in the file holds no numbers, so nothing was compared with it"
            return
        judged = np.isfinite(y).all(1) & rows.known
        if judged.any():
            codes = (target.encode(a[judged]) for a in (found, y))
            said = ", ".join(f"{k} {v}" for k, v in target.lines(target.figures(*codes)))
            yield f"{said} on the {int(judged.sum()):,} rows that have the target"
        return
    known: list[tuple[str, ...]]
    if isinstance(target, Classes):
        known, guess = [target.names], found.argmax(1)[:, None]
    else:
        known = [tuple(map(str, pair)) for pair in target.levels]  # type: ignore[attr-defined]
        guess = (found > 0.5).astype(int)
    columns = list(zip(known, rows.y.T, strict=True))
    judged = np.all([np.isin(column, names) for names, column in columns], axis=0) & rows.known
    if judged.any():
        right = [
            np.array(names)[code[judged]] == column[judged]
            for (names, column), code in zip(columns, guess.T, strict=True)
        ]
        each = "" if len(right) == 1 else ", mean over labels,"
        share = float(np.mean(right))
        yield f"accuracy{each} {share:.1%} on the {int(judged.sum()):,} rows that have the target"
    for name, (names, column) in zip(target.columns, columns, strict=True):
        strange = column[(column != "") & ~np.isin(column, names)]
        if len(strange):
            yield (
                f"'{name}' has values in {len(strange):,} rows of the file that are none of the "
                f"model's ({', '.join(names[:EXAMPLES])}), and they are not judged: "
                f"{_examples(strange)}"
            )
