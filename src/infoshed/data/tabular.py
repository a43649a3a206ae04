"""Tables as they are published: finding and reading the files, and one encoding for all of them.

A number x becomes (x - mean) / deviation, a category one column per level. Mean, deviation and
levels are those of the training rows alone; a level that they lack is encoded as all zeros.
"""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.data.folders import folders


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
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [i for i, name in enumerate(columns) if name in numeric]
    levels = [i for i, name in enumerate(columns) if name not in numeric]
    scaler = StandardScaler().fit(_numbers(train, numbers, columns))
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[:, levels])
    return [
        np.concatenate(
            [
                scaler.transform(_numbers(cells, numbers, columns)),
                np.asarray(one_hot.transform(cells[:, levels])),
            ],
            axis=1,
        ).astype(np.float32)
        for cells in (train, *others)
    ]


def _numbers(cells: np.ndarray, index: list[int], columns: Sequence[str]) -> np.ndarray:
    values = np.empty((len(cells), len(index)))
    for j, i in enumerate(index):
        try:
            values[:, j] = cells[:, i].astype(np.float64)
        except ValueError as error:
            raise InfoshedError(f"column '{columns[i]}' must hold numbers: {error}") from None
    if not np.isfinite(values).all():
        bad = columns[index[int(np.argmin(np.isfinite(values).all(0)))]]
        raise InfoshedError(f"column '{bad}' has values that are not finite")
    return values
