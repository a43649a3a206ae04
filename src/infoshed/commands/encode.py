"""`infoshed encode`: a run's representation z of the rows of a file."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from infoshed.commands.output import OUTPUT
from infoshed.commands.rows import check_out, read_rows, write_rows
from infoshed.run import load_run
from infoshed.settings import DATA


def encode(
    run: Path,
    inputs: str,
    /,
    *,
    images: Annotated[Path | None, Parameter(group=DATA)] = None,
    keep: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    out: Annotated[Path | None, Parameter(group=OUTPUT)] = None,
) -> None:
    """The representation z of new rows, for a model of your own or an audit.

    `infoshed encode runs/people new.csv --out z.npy`, then `infoshed mi z.npy new.csv:sex` tells
    what z says about sex there. Takes the same inputs as `infoshed predict`, and gives a row of z
    for each, in order.

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
        Columns of the file to stand before z as they are, with commas: `--keep id`.
    out
        .npy for z alone (n, dim), or .csv; unless given, z is printed as .csv.
    """
    check_out(out, keep)
    loaded = load_run(run)
    rows = read_rows(loaded, inputs, images, keep)
    z = np.full((len(rows.known), loaded.config.dim), np.nan, np.float32)
    z[rows.known] = loaded.encode(rows.x).numpy()
    head = [f"z{i}" for i in range(1, z.shape[1] + 1)]
    cells = [
        [f"{v:.8g}" if known else "" for v in row] for row, known in zip(z, rows.known, strict=True)
    ]
    write_rows(out, rows, head, cells, z)
    for note in rows.notes:
        print(f"infoshed: {note}", file=sys.stderr)
