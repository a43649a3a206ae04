"""`infoshed predict`: a run's predictions for the rows of a file."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from infoshed.commands.output import OUTPUT
from infoshed.commands.rows import Rows, check_out, read_rows, write_rows
from infoshed.inputs import EXAMPLES, examples
from infoshed.run import load_run
from infoshed.settings import DATA
from infoshed.targets import Classes, Labels, Numbers, Target


def predict(
    run: Path,
    inputs: str,
    /,
    *,
    images: Annotated[Path | None, Parameter(group=DATA)] = None,
    keep: Annotated[str | None, Parameter(group=OUTPUT)] = None,
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
    keep
        Columns of the file to stand before the predictions as they are, with commas: `--keep id`.
    out
        .csv, or .npy for the probabilities (n, classes or labels) or numbers alone; unless given,
        they are printed.
    """
    check_out(out, keep)
    loaded = load_run(run)
    rows = read_rows(loaded, inputs, images, keep)
    target = loaded.target
    found = np.full((len(rows.known), target.outputs), np.nan)
    read = loaded.predict if isinstance(target, Numbers) else loaded.predict_proba
    found[rows.known] = read(rows.x).numpy().reshape(-1, target.outputs)
    array = found if isinstance(target, Numbers) else found.astype(np.float32)
    write_rows(out, rows, *as_cells(target, rows.known, found), array)
    for note in [*rows.notes, *_worth(target, rows, found)]:
        print(f"infoshed: {note}", file=sys.stderr)


def as_cells(
    target: Target, known: np.ndarray, found: np.ndarray
) -> tuple[list[str], list[list[str]]]:
    """Headings, and the cells of each row: the class and the probability of each; the value and the
    probability of each label; or the numbers. They are empty where there was no input."""
    if isinstance(target, Classes):
        head = ["prediction", *(f"p({name})" for name in target.names)]
    elif isinstance(target, Labels):
        head = [h for name in target.names for h in (f"prediction({name})", f"p({name})")]
    else:
        several = target.outputs > 1
        head = [f"prediction({name})" for name in target.columns] if several else ["prediction"]
    cells = []
    for there, values in zip(known, found, strict=True):
        said = [""] * len(head)
        if there and isinstance(target, Classes):
            said = [target.names[int(values.argmax())], *(f"{v:.6g}" for v in values)]
        elif there and isinstance(target, Labels):
            pairs = zip(target.levels, values, strict=True)
            said = [cell for two, p in pairs for cell in (str(two[int(p > 0.5)]), f"{p:.6g}")]
        elif there:
            said = [f"{v:.8g}" for v in values]
        cells.append(said)
    return head, cells


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
                f"{examples(strange)}"
            )
