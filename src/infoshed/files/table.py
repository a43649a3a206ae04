"""Arrays from files: FILE or FILE:NAME, where NAME is a column (or several, with commas).

z.npy                       one array
run.npz:z                   an array of several; without a name where there is only one
people.csv:age,income       columns of .csv, .tsv or .parquet; all of them without names
C:\\data\\people.csv:sex    only what follows a file name's end is a name
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError, meant
from infoshed.files import delimited
from infoshed.files.delimited import SEPARATORS, is_number
from infoshed.files.formats import FORMATS, Columns
from infoshed.inputs import as_text

ARRAYS = (".npy", ".npz")  # in which numbers are of the kind that the user made them


@dataclass(frozen=True)
class Table:
    """What was read from a file.

    Args:
        path: the file.
        columns: arrays by name, all with n rows; the one array of an .npy file is called "".
        note: what was decided in reading, for the user to check; "" where nothing was.
    """

    path: Path
    columns: Columns
    note: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def called(self, name: str) -> str:
        """How a person calls the column `name`: as the file does, or by the file itself where it
        gives no names."""
        return name if name and not name.isdecimal() else str(self.path) + f":{name}" * bool(name)

    def rows(self, keep: np.ndarray) -> "Table":
        """The table less the rows (n,) that `keep` leaves out. Of text files whole numbers are such
        again: beside a missing one they were read as fractions."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        if self.path.suffix.lower() not in ARRAYS:
            for name, column in columns.items():
                if column.dtype.kind == "f" and np.isnan(self.columns[name]).any():
                    whole = (column == np.round(column)).all()
                    columns[name] = column.astype(np.int64) if whole else column
        return replace(self, columns=columns)

    def matrix(self) -> np.ndarray:
        """All columns side by side, numbers of shape (n, d). Raises `InfoshedError` for text,
        naming the column, and for arrays of more than two dimensions."""
        parts = []
        for name, column in self.columns.items():
            where = self._where(name)
            if column.ndim > 2:
                raise InfoshedError(
                    f"{where} has shape {column.shape}, expected (n, d); "
                    f"flatten it: z.reshape(len(z), -1)"
                )
            if column.dtype.kind not in "biuf":
                cells = column.ravel().tolist()
                place = next((i for i, cell in enumerate(cells) if not is_number(cell)), 0)
                row = place // column[0].size + 1
                choose = f"; choose columns: {self.path}:NAME,NAME" if name else ""
                raise InfoshedError(
                    f"{where} holds text ({cells[place]!r} in row {row}), not numbers{choose}"
                )
            parts.append(column[:, None] if column.ndim == 1 else column)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def values(self) -> np.ndarray:
        """One column as (n,), several as (n, k): numbers, or text where one of them is text.
        Raises `InfoshedError` where text stands beside fractions."""
        columns = list(self.columns.values())
        text = any(column.dtype.kind == "U" for column in columns)
        for name, column in self.columns.items():
            if column.ndim > 2:
                raise InfoshedError(
                    f"{self._where(name)} has shape {column.shape}, expected (n,) or (n, k)"
                )
            if text and column.dtype.kind == "f":
                raise InfoshedError(
                    f"{self._where(name)} holds fractions and stands beside text; bin it, or leave "
                    "it out"
                )
        if len(columns) == 1:
            only = columns[0]
            return only[:, 0] if only.ndim == 2 and only.shape[1] == 1 else only
        return np.column_stack([column.astype(str) if text else column for column in columns])

    def _where(self, name: str) -> str:
        return f"'{name}' of {self.path}" if name else str(self.path)


@dataclass(frozen=True)
class Source:
    """A file and the columns of it that are meant, not read yet.

    Args:
        path: the file. names: of the columns. selected: whether they were chosen by name.
        note: as in `Table`.
        read: gives columns by their names and whether missing values are taken.
    """

    path: Path
    names: list[str]
    selected: bool
    note: str
    read: Callable[[list[str], bool], Columns]

    def without(self, names: list[str]) -> "Source":
        """The source less the columns `names`. Raises `InfoshedError` if none is left."""
        left = [name for name in self.names if name not in names]
        if not left:
            raise InfoshedError(f"{self.path} has no column beside {', '.join(names)}")
        return replace(self, names=left)

    def table(self, missing: bool = False) -> Table:
        """What the file holds. Arguments and errors as in `read_table`."""
        try:
            columns = self.read(self.names, missing)
        except OSError as error:
            raise InfoshedError(f"cannot read {self.path}: {error.strerror or error}") from None
        columns = {name: _plain(self.path, name, column) for name, column in columns.items()}
        return Table(self.path, columns, self.note)


def read_array(source: str) -> np.ndarray:
    """Numbers of shape (n, d) from FILE or FILE:NAME; see `read_table` and `Table.matrix`."""
    return read_table(source).matrix()


def read_column(source: str) -> np.ndarray:
    """Numbers or text of shape (n,) or (n, k); see `read_table` and `Table.values`."""
    return read_table(source).values()


def read_table(source: str, missing: bool = False) -> Table:
    """Read FILE or FILE:NAME, as the module describes it; with `missing` also where values are
    missing, which become NaN among numbers and "" in text.

    Raises `InfoshedError` for files that are not there, broken, of another format, without rows,
    with missing values or repeated names, and for names that are not in the file.
    """
    return open_source(source).table(missing)


def read_cells(path: Path, chosen: str) -> dict[str, np.ndarray]:
    """The columns `chosen` (a name, or several with commas) as the file writes them, text (n,), so
    that "007" stays "007". Raises `InfoshedError` for names that are not in the file."""
    source = open_source(str(path))
    names = _pick(path, source.names, chosen)
    if path.suffix.lower() in SEPARATORS:
        return delimited.read_cells(
            delimited.read_layout(path, SEPARATORS[path.suffix.lower()]), names
        )
    return {name: as_text(column) for name, column in source.read(names, True).items()}


def open_source(source: str) -> Source:
    """FILE or FILE:NAME before its columns are read. Errors as in `read_table`."""
    path, chosen = split_source(source)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise InfoshedError(f"cannot tell what {path} is; known: {', '.join(FORMATS)}")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InfoshedError(f"{path} {what}; a file is expected{_meant(path)}")
    try:
        names, read, note = FORMATS[kind](path)
    except OSError as error:
        raise InfoshedError(f"cannot read {path}: {error.strerror or error}") from None
    return Source(path, _pick(path, names, chosen), chosen is not None, note, read)


def _meant(path: Path) -> str:
    """The file beside it that a mistyped path may have meant."""
    if not path.parent.is_dir():
        return f", and there is no folder {path.parent}"
    names = [p.name for p in path.parent.iterdir() if p.suffix.lower() in FORMATS]
    near = get_close_matches(path.name, names, 1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def split_source(source: str) -> tuple[Path, str | None]:
    """FILE and NAME of FILE:NAME; NAME is None where there is none."""
    if Path(source).is_file():
        return Path(source), None
    for i, letter in enumerate(source):
        path = Path(source[:i])
        if letter == ":" and (path.suffix.lower() in FORMATS or path.is_file()):
            if not source[i + 1 :].strip():
                raise InfoshedError(f"{source}: a column's name must follow the colon")
            return path, source[i + 1 :]
    return Path(source), None


def _pick(path: Path, names: list[str], chosen: str | None) -> list[str]:
    """Which of `names` are `chosen`: one name, or several with commas; None is all of them."""
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise InfoshedError(f"{path} has more than one column called '{repeated}'; rename them")
    if names == [""] and chosen is not None:
        raise InfoshedError(f"{path} holds one array without a name; leave out ':{chosen}'")
    if chosen is None:
        if path.suffix.lower() == ".npz" and len(names) > 1:
            raise InfoshedError(
                f"{path} holds several arrays ({listed(names)}); choose one: {path}:{names[0]}"
            )
        return names
    picked = [chosen] if chosen in names else [name.strip() for name in chosen.split(",")]
    for name in picked:
        if name not in names:
            raise InfoshedError(
                f"{path} has no '{name}'; it has {listed(names)}{meant(name, names)}"
            )
        if picked.count(name) > 1:
            raise InfoshedError(f"'{name}' is chosen twice from {path}")
    return picked


def listed(names: list[str]) -> str:
    """`names` for a sentence, cut after twenty."""
    more = f", ... ({len(names)} in all)" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more


def _plain(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """An array of rows of numbers or text, or `InfoshedError`."""
    where = f"'{name}' of {path}" if name else str(path)
    if array.dtype.kind == "S":
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        raise InfoshedError(f"{where} holds {array.dtype}; numbers or text are expected")
    if array.ndim == 0:
        raise InfoshedError(f"{where} is a single value; an array with a row for each is expected")
    if not array.size:
        raise InfoshedError(f"{where} has no rows (shape {array.shape})")
    return array
