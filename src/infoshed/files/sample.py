"""The rows of a question about information, read from files: z, c, and perhaps y and weights.

Whether c is discrete or continuous is decided here, since files do not say: text and whole numbers
are categories and fractions a quantity. Whole numbers written as fractions (1.0, 2.0), as labels
and ages alike are, count as categories up to `MOST_WHOLE_FRACTIONS` distinct values. Whole numbers
of more values are a quantity where there are fewer than `ROWS_A_VALUE` rows for each, too few to
learn what single values have in common with z. What was decided is said in `Sample.notes`.
"""

from dataclasses import dataclass

import numpy as np

from infoshed.checks import InfoshedError, check_choice
from infoshed.files.gaps import complete_tables
from infoshed.files.table import Source, Table, listed, open_source

KINDS = ("auto", "categorical", "continuous")
MOST_WHOLE_FRACTIONS = 20
MOST_CATEGORIES = 10_000
ROWS_A_VALUE = 100  # on average; held-out parts of a table have a fifth of them
DROPPED = ("C", "--given", "--target")  # roles whose missing values cost the row, as in training


@dataclass(frozen=True)
class Sample:
    """Arrays with n rows each.

    Args:
        z: representation (n, d), numbers. c: attribute (n,) or (n, k): text or whole numbers
            where it is discrete, floats where it is continuous.
        y: classes (n,) or None. weights: (n,) or None.
        name: of c, as its column is called; "c" where it has no name.
        values: number of distinct values of c, None where it is continuous.
        notes: what was decided in reading, in sentences.
    """

    z: np.ndarray
    c: np.ndarray
    y: np.ndarray | None
    weights: np.ndarray | None
    name: str
    values: int | None
    notes: tuple[str, ...]


def read_sample(
    z: str, c: str, given: str | None = None, weights: str | None = None, kind: str = "auto"
) -> Sample:
    """Read z, c, y (`given`) and weights from FILE or FILE:NAME (see `infoshed.files.table`).

    Columns of c, y and weights are left out of z where they come from its file and z's columns
    were not chosen. `kind`, one of `KINDS`, says what c is. Raises `InfoshedError` for what
    cannot be read and for different numbers of rows. Rows without c or y are dropped.
    """
    check_choice("attribute-kind", kind, KINDS)
    tables, notes = read_tables({"Z": z, "C": c, "--given": given, "--weights": weights})
    names = ", ".join(name for name in tables["C"].columns if not name.isdecimal()) or "c"
    values, decided = as_kind(tables["C"].values(), kind, names)
    discrete = values.dtype.kind != "f"
    return Sample(
        z=tables["Z"].matrix(),
        c=values,
        y=tables["--given"].values() if given else None,
        weights=tables["--weights"].values() if weights else None,
        name=names,
        values=len(np.unique(values, axis=0)) if discrete else None,
        notes=(*notes, *decided),
    )


def read_tables(sources: dict[str, str | None]) -> tuple[dict[str, Table], list[str]]:
    """Tables of the same rows by their role in a question, and what was decided in reading.

    Args:
        sources: FILE or FILE:NAME by role, "Z" and "C" among them; None where there is none.

    Columns that others chose are left out of Z, as in `read_sample`; errors too. Rows that lack a
    value of a role in `DROPPED` are left out of all tables.
    """
    opened = {role: open_source(source) for role, source in sources.items() if source}
    opened["Z"], said = _without_others(opened)
    tables = {role: source.table(missing=role in DROPPED) for role, source in opened.items()}
    notes = list(dict.fromkeys(table.note for table in tables.values() if table.note))
    _check_lengths([(sources[role] or "", table) for role, table in tables.items()])
    tables, dropped = complete_tables(tables, DROPPED)
    return tables, notes + said + dropped


def as_kind(values: np.ndarray, kind: str, name: str) -> tuple[np.ndarray, list[str]]:
    """`values` of c as whole numbers or text where they are categories, as floats where they are
    a quantity; and what was decided where both were possible."""
    number, fraction = values.dtype.kind in "biuf", values.dtype.kind == "f"
    if kind == "continuous":
        if not number:
            raise InfoshedError(f"{name} is text and cannot be continuous")
        return values.astype(np.float64), []
    # NaN and infinity are left for the estimate to refuse.
    whole = not fraction or bool((values == np.round(values)).all() and np.isfinite(values).all())
    if kind == "categorical" and not whole:
        odd = values[values != np.round(values)][0]
        raise InfoshedError(f"{name} holds fractions ({odd:g}) and cannot be categorical; bin it")
    if not number:
        return values, []
    distinct = len(np.unique(values, axis=0))
    other = "--attribute-kind continuous reads them as a quantity"
    if fraction and (kind == "categorical" or (whole and distinct <= MOST_WHOLE_FRACTIONS)):
        said = (
            f"{name}: whole numbers written as fractions, taken as {distinct} categories; {other}"
        )
        return values.astype(np.int64), [said] if kind == "auto" else []
    if fraction:
        said = (
            f"{name}: {distinct} whole numbers written as fractions, taken as a quantity; "
            "--attribute-kind categorical reads them as categories"
        )
        return values, [said] if whole else []
    if kind == "auto" and max(MOST_WHOLE_FRACTIONS, len(values) / ROWS_A_VALUE) < distinct:
        said = (
            f"{name}: {distinct:,} whole numbers in {len(values):,} rows, taken as a quantity; "
            "--attribute-kind categorical reads them as categories"
        )
        return values.astype(np.float64), [said]
    if distinct > MOST_CATEGORIES:
        raise InfoshedError(
            f"{name} takes {distinct:,} whole numbers, too many categories; {other}"
        )
    if kind == "auto" and distinct > MOST_WHOLE_FRACTIONS:
        return values, [f"{name}: whole numbers, taken as {distinct} categories; {other}"]
    return values, []


def _without_others(opened: dict[str, Source]) -> tuple[Source, list[str]]:
    """z's source less the columns that others chose from the same file; what is to be said."""
    z, notes, left_out = opened["Z"], [], []
    for role, source in opened.items():
        if source is opened["Z"] or not z.path.samefile(source.path):
            continue
        shared = [name for name in source.names if name in z.names]
        if shared and z.selected:
            if role == "C":
                notes.append(f"Z holds {', '.join(shared)}, which is C itself")
        elif len(shared) == len(z.names) and role != "C":
            continue  # the whole of Z is looked at: scores that are audited themselves
        elif shared:
            z = z.without(shared)
            left_out += [f"{', '.join(shared)} ({role})"]
    if left_out:
        notes.append(f"left out of Z: {', '.join(left_out)}; Z is {listed(z.names)}")
    return z, notes


def _check_lengths(tables: list[tuple[str, Table]]) -> None:
    """Raise `InfoshedError` unless all have as many rows as the first."""
    (first, z), *others = tables
    for source, table in others:
        if len(table) != len(z):
            header = next((t.note for t in (z, table) if "no header" in t.note), "")
            raise InfoshedError(
                f"{first} has {len(z):,} rows, {source} has {len(table):,}; they must be the same "
                "rows" + f" ({header})" * bool(header)
            )
