"""Delimited text (.csv, .tsv): which columns there are, and columns as numbers or text.

A column of whole numbers becomes int64, of numbers float64, anything else text; so do whole numbers
of which one begins with a zero, as codes do ("01234", which is not 1234). Columns in which
fractions are seen are numpy's to parse, which is three times as fast; the others are read in
blocks, since cells as text take ten times the memory of numbers; text is read once more.
"""

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from infoshed.checks import InfoshedError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
BLOCK = 10_000
CODE = re.compile(r"(?:^|,)\s*0\d+\s*(?:,|$)")  # in cells that are joined, see `has_codes`
SAMPLE = 1000  # rows that are looked at to tell a header
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # where other cells are numbers
MISSING_TEXT = {"", "na", "n/a", "nan", "null", "?"}  # where they are not, and only if asked for


@dataclass(frozen=True)
class Layout:
    """What a delimited file holds.

    Args:
        path: the file. delimiter: between its cells.
        names: of all columns, in order; "1", "2", ... where the file has no header.
        header: lines that the header takes, 0 where there is none.
        fractions: the columns that hold fractions among their first cells.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    header: int
    fractions: frozenset[str]


def read_layout(path: Path, delimiter: str) -> Layout:
    """The columns of `path`. A first line is a header where it differs in kind from the lines
    below it, see `_is_header`. Raises `InfoshedError` for files that are no such text."""
    _check_separator(path, delimiter)
    records = list(islice(_records(path, delimiter), SAMPLE))
    sample = [cells for _, cells in records]
    if not sample:
        raise InfoshedError(f"{path} is empty")
    first, below = sample[0], sample[1:]
    header = _is_header(first, below)
    if header and not below:
        raise InfoshedError(f"{path} has a header and no rows below it")
    names = [name.strip() if header else str(i + 1) for i, name in enumerate(first)]
    fractions = {
        name for i, name in enumerate(names) if any(_is_fraction(cells[i]) for cells in below)
    }
    return Layout(
        path, delimiter, tuple(names), records[0][0] if header else 0, frozenset(fractions)
    )


def read_columns(layout: Layout, names: list[str], missing: bool = False) -> dict[str, np.ndarray]:
    """The columns called `names`, each (n,) int64, float64 or text.

    Args:
        missing: take missing values, which become NaN among numbers and "" in text.

    Raises `InfoshedError` for infinity, naming line and column, and without `missing` for missing
    values and NaN.
    """
    places = {name: layout.names.index(name) for name in names}
    columns = _fraction_columns(layout, places)
    rest = {n: i for n, i in places.items() if n not in columns}
    if len(columns) < len(layout.names):  # even without `rest`: numpy does not check cells beside
        columns |= _number_columns(layout, rest, missing)
    text = _text_columns(layout, {n: i for n, i in places.items() if n not in columns}, missing)
    return {name: columns[name] if name in columns else text[name] for name in names}


def read_cells(layout: Layout, names: list[str]) -> dict[str, np.ndarray]:
    """The columns called `names` as they stand in the file, text (n,)."""
    places = [layout.names.index(name) for name in names]
    rows = [[cells[place] for place in places] for _, cells in _rows(layout)]
    return {n: np.array(c, dtype=str) for n, c in zip(names, zip(*rows, strict=True), strict=True)}


def _check_separator(path: Path, delimiter: str) -> None:
    """Raise `InfoshedError` where the lines of `path` agree on another separator than this one, of
    which the first line has none; a file with decimal commas does."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.rstrip("\n") for line in islice(file, SAMPLE) if line.strip()]
    except UnicodeDecodeError:
        return  # which is said when the records are read
    if len(lines) < 2 or delimiter in lines[0]:
        return
    for other, name in ((";", "semicolons"), ("\t", "tabs")):
        counts = {line.count(other) for line in lines}
        if len(counts) != 1 or 0 in counts:
            continue
        wanted, sep = ("tabs", ", sep='\\t'") if delimiter == "\t" else ("commas", "")
        cells = [cell for line in lines for cell in line.split(other)]
        decimal = any(re.fullmatch(r"\s*-?\d+,\d+\s*", cell) for cell in cells)
        also = ", and points in numbers" if decimal else ""
        comma = ", decimal=','" if decimal else ""
        new = path.with_name(f"new{path.suffix}")
        raise InfoshedError(
            f"{path} is separated by {name}; {wanted} are expected{also}: "
            f"pandas.read_csv({str(path)!r}, sep={other!r}{comma})"
            f".to_csv({str(new)!r}, index=False{sep}) writes them"
        )


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every record, the header's among them, all of one length."""
    line, width, blank = 0, 0, 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if "\0" in file.read(4096):
                raise InfoshedError(f"{path} is not text in UTF-8; save it as UTF-8")
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for cells in reader:
                line = reader.line_num
                if not cells:
                    blank = blank or line
                    continue
                width = width or len(cells)
                if blank and width == 1:  # of several cells none would be missing
                    raise InfoshedError(f"{path}: line {blank} is empty; drop or fill it")
                if len(cells) != width:
                    raise InfoshedError(
                        f"{path}: line {line} has {len(cells)} cells, the first has {width}"
                    )
                yield line, cells
    except UnicodeDecodeError:
        raise InfoshedError(f"{path} is not text in UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise InfoshedError(f"{path}: after line {line}: {error}") from None


def _is_header(first: list[str], below: list[list[str]]) -> bool:
    """Whether `first` names the columns of the rows `below`.

    It does where text stands above numbers. Where text stands above text only, it does unless one
    of its cells occurs again below. Numbers are names only where they count the columns, as pandas
    writes unnamed ones: 0, 1, 2, ... above numbers that have a point. An empty first cell is the
    name that pandas gives its row numbers.
    """
    columns = [[cells[i] for cells in below] for i in range(len(first))]
    if not first[0].strip() and len(first) > 1:
        first, columns = first[1:], columns[1:]
    if any(
        not _is_number_or_missing(top) and any(map(is_number, column))
        and all(map(_is_number_or_missing, column))
        for top, column in zip(first, columns, strict=True)
    ):  # fmt: skip
        return True
    for i, (top, column) in enumerate(zip(first, columns, strict=True)):
        counted = top == str(i) and column and not any(map(str.isdecimal, column))
        if not top.strip() or top in column or (is_number(top) and not counted):
            return False
    return True


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number: not "1_000", which Python would take for one."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def has_codes(cells: list[str]) -> bool:
    """Whether one of the cells is a whole number that begins with a zero."""
    return CODE.search(",".join(cells)) is not None


def _is_fraction(cell: str) -> bool:
    return "." in cell and is_number(cell)


def _is_number_or_missing(cell: str) -> bool:
    return is_number(cell) or cell.strip().lower() in MISSING


def _rows(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    return islice(_records(layout.path, layout.delimiter), int(layout.header > 0), None)


def _fraction_columns(layout: Layout, places: dict[str, int]) -> dict[str, np.ndarray]:
    """Those of the columns at `places` in which fractions were seen, or none if one is unclean."""
    chosen = [name for name in places if name in layout.fractions]
    if not chosen or len(layout.names) == 1:  # numpy would skip empty lines
        return {}
    every = len(chosen) == len(layout.names)  # only then does numpy refuse ragged lines
    try:
        matrix = np.loadtxt(
            layout.path, delimiter=layout.delimiter, skiprows=layout.header, comments=None,
            encoding="utf-8-sig", quotechar='"', ndmin=2,
            usecols=None if every else [places[name] for name in chosen],
        )  # fmt: skip
    except ValueError:
        return {}
    if not np.isfinite(matrix).all():
        return {}
    if every:
        matrix = matrix[:, [places[name] for name in chosen]]
    return dict(zip(chosen, matrix.T, strict=True))


def _number_columns(layout: Layout, places: dict[str, int], missing: bool) -> dict[str, np.ndarray]:
    """Those of the columns at `places` that hold numbers alone."""
    blocks: dict[str, list[np.ndarray]] = {name: [] for name in places}
    rows = _rows(layout)
    while block := [cells for _, cells in islice(rows, BLOCK)]:
        for name in list(blocks):
            numbers = _numbers([cells[places[name]] for cells in block], missing)
            if numbers is None:
                del blocks[name]
            else:
                blocks[name].append(numbers)
    columns = {name: np.concatenate(parts) for name, parts in blocks.items()}
    for name, column in columns.items():
        good = ~np.isinf(column) if missing else np.isfinite(column)
        if not good.all():
            row = int(np.argmin(good))
            line, cells = next(islice(_rows(layout), row, None))
            raise InfoshedError(
                f"{layout.path}: line {line} has {cells[places[name]]!r} in column '{name}'; "
                "drop or fill such rows"
            )
    return columns


def _numbers(cells: list[str], missing: bool) -> np.ndarray | None:
    if "_" in "".join(cells) or has_codes(cells):  # see `is_number` for the first
        return None
    if missing and any(cell.strip().lower() in MISSING for cell in cells):
        cells = ["nan" if cell.strip().lower() in MISSING else cell for cell in cells]
    for kind, dtype in ((int, np.int64), (float, np.float64)):
        try:
            return np.array(list(map(kind, cells)), dtype)
        except (ValueError, OverflowError):  # OverflowError: beyond int64
            continue
    return None


def _text_columns(layout: Layout, places: dict[str, int], missing: bool) -> dict[str, np.ndarray]:
    if not places:
        return {}
    columns: dict[str, list[str]] = {name: [] for name in places}
    lines = []
    for line, cells in _rows(layout):
        lines.append(line)
        for name, place in places.items():
            cell = cells[place]
            blank = missing and cell.strip().lower() in MISSING_TEXT
            columns[name].append("" if blank else cell)
    for name, column in columns.items():
        if not missing:
            _refuse_missing(layout.path, name, column, lines)
    return {name: np.array(column, dtype=str) for name, column in columns.items()}


def _refuse_missing(path: Path, name: str, column: list[str], lines: list[int]) -> None:
    """Blank cells are missing in any column, "NA" and its like in one of numbers otherwise."""
    strange = [i for i, cell in enumerate(column) if not is_number(cell) or math.isnan(float(cell))]
    missing = [i for i in strange if column[i].strip().lower() in MISSING]
    if len(missing) < len(strange) or len(strange) == len(column):
        missing = [i for i in strange if not column[i].strip()]
    if missing:
        cell = column[missing[0]].strip()
        what = f"{cell!r} for a missing value" if cell else "an empty cell"
        raise InfoshedError(
            f"{path}: line {lines[missing[0]]} has {what} in column '{name}' "
            f"({len(missing):,} such in the column); drop or fill these rows"
        )
