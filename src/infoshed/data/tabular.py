"""Tables as they are published: finding and reading the files, and one encoding for all of them.

The encoding is that of `infoshed.inputs`, learned from the training rows alone.
"""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.data.folders import folders
from infoshed.inputs import TableInputs, as_floats


def find_files(data_dir: str | Path | None, names: Sequence[str], source: str) -> list[Path]:
    """The files called `names`, each as it is or with ".gz".

    Args:
        data_dir: the folder that holds them, or its parent with a folder "tabular"; unless given,
            $INFOSHED_DATA/tabular.
        source: where the files are to be had, for the error.

    Raises `InfoshedError` where one of them is missing.
    """
    places = folders(data_dir, "tabular")
    for folder in places:
        found = [
            next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
            for name in names
        ]
        paths = [path for path in found if path is not None]
        if len(paths) == len(names):
            return paths
    looked = f"not in {' or '.join(map(str, places))}" if places else "no data folder is given"
    raise InfoshedError(
        f"the files {', '.join(names)} (as they are or as .gz) are needed, and {looked}; get them "
        f"from {source} and give their folder by --data-dir (data_dir), or put them in "
        "$INFOSHED_DATA/tabular"
    )


def read_cells(path: Path, columns: Sequence[str], separator: str | None) -> np.ndarray:
    """The cells of a text file without a header, (n, columns) text, blanks around them removed.

    Blank lines and lines that start with "|" (a comment in the UCI files) are no rows. Raises
    `InfoshedError` for a file that cannot be read or a row with another number of cells.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.split(separator)]
        if len(cells) != len(columns):
            raise InfoshedError(
                f"{path}, line {number}: {len(columns)} cells are expected "
                f"({', '.join(columns)}), found {len(cells)}"
            )
        rows.append(cells)
    if not rows:
        raise InfoshedError(f"{path} has no rows")
    return np.array(rows)


def classes_of(cells: np.ndarray, names: Sequence[str], path: Path) -> np.ndarray:
    """Text (n,) as positions in `names`, int64. Raises `InfoshedError` for any other text."""
    strange = ~np.isin(cells, names)
    if strange.any():
        raise InfoshedError(
            f"{path}: the target must be one of {', '.join(names)}; "
            f"found {cells[strange][0].item()!r} in {int(strange.sum())} rows"
        )
    return np.array([names.index(cell) for cell in cells], np.int64)


def encode(
    train: np.ndarray, *others: np.ndarray, columns: Sequence[str], numeric: Sequence[str]
) -> list[np.ndarray]:
    """`train` and `others` as float32 inputs, with an encoding learned from `train` alone.

    Args:
        train, others: cells (n, columns) of text. columns: their names.
        numeric: the columns that hold numbers; all others are categories.

    Returns one (n, width) array for each: the numbers first, then the levels of every category in
    sorted order. Raises `InfoshedError` for a number that is none.
    """
    cells = [dict(zip(columns, part.T, strict=True)) for part in (train, *others)]
    for part in cells:
        for name in set(numeric) & set(columns):
            part[name] = _numbers(part[name], name)
    inputs = TableInputs.learn(cells[0])
    return [inputs(part) for part in cells]


def _numbers(cells: np.ndarray, name: str) -> np.ndarray:
    values = as_floats(name, cells)
    if np.isnan(values).any():
        raise InfoshedError(f"column '{name}' has values that are not finite")
    return values
