"""The columns of the user's own table: which are inputs, how each is read, and what is said of it.

Numbers are quantities and text is categories (`infoshed.inputs`). A column of one value, of row
numbers, or of texts that hardly ever repeat is left out. A column x that all but decides the
attribute c, H(C|X) < 3% of H(C) by counting, stays, and is named: it is the strongest of the
proxies that a method is to shed. Which inputs x tell most of c by themselves, I(X;C) by counting
beyond what shuffled rows seem to tell, is said too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infoshed.checks import InfoshedError
from infoshed.files.gaps import missing
from infoshed.inputs import MOST_LEVELS, as_text
from infoshed.label_prior import DECIDED
from infoshed.seeds import numpy_generator
from infoshed.targets.strata import quantile_code

FEW = 20  # distinct texts that are never too many
REPEATS = 5  # rows for each value, on average, from which on counting can be trusted
FINE, COARSE = 50, 10  # bins of numbers: to tell whether they decide, and how much they tell
QUARTERS = 4
SHUFFLES = 10
NEAREST, TOLD = 3, 0.03  # inputs that are named, and the share of H(C) from which on they are


@dataclass(frozen=True)
class Columns:
    """What is done with the columns of a file: those that are inputs, by name, for all of them a
    line of the table that is shown, and what else is to be said."""

    inputs: dict[str, np.ndarray]
    lines: list[list[str]]
    notes: list[str]


def read_inputs(columns: dict[str, np.ndarray]) -> Columns:
    """Which columns are inputs, and the line of each."""
    from infoshed.files.delimited import is_number

    found = Columns({}, [], [])
    for name, column in columns.items():
        number = column.dtype.kind in "biuf"
        values = column if number else as_text(column)
        lacking = int(missing(values).sum())
        known = values[~missing(values)]
        distinct, counts = np.unique(known, return_counts=True)
        why = _useless(known, distinct, lacking)
        if why:
            found.lines.append([name, "left out", why, f"{lacking:,}"])
            continue
        found.inputs[name] = values
        if number:
            text = f"{_plain(known.min())} to {_plain(known.max())}"
            if lacking:
                text += f"; missing: median {_plain(np.median(known))} and a column that says so"
        else:
            common = distinct[np.argsort(-counts, kind="stable")]
            more = ", ..." * (len(common) > 3)
            text = f"{len(common)} levels: {', '.join(short(v) for v in common[:3])}{more}"
            text += "; missing: a level of its own" * (lacking > 0)
            if len(common) > MOST_LEVELS:
                text += f"; the {MOST_LEVELS} commonest"
            odd = [v for v in distinct if not is_number(v)]
            if len(odd) < 0.1 * len(distinct):
                found.notes.append(
                    f"'{name}' is read as categories, as {short(str(odd[0]))!r} is no number"
                    if odd else f"'{name}' is read as categories"
                )  # fmt: skip
        kind = "number" if number else "category"
        found.lines.append([name, kind, text, f"{lacking:,}"])
    if not found.inputs:
        raise InfoshedError("no column is left as an input beside target and attribute")
    return found


def _useless(known: np.ndarray, distinct: np.ndarray, lacking: int) -> str:
    """Why a column is no input; "" where it is one."""
    n = len(known)
    if not n:
        return "no values"
    if len(distinct) == 1 and not lacking:
        return f"one value, {short(str(distinct[0]))}"
    if known.dtype.kind in "iu" and (np.diff(known) > 0).all():  # some may have been dropped
        return "row numbers"
    if known.dtype.kind == "U" and len(distinct) > max(FEW, n / 2):
        return f"{len(distinct):,} texts in {n:,} rows, hardly any twice"
    return ""


def proxies(
    columns: Mapping[str, np.ndarray], told: Mapping[str, np.ndarray], targets: Sequence[str]
) -> list[str]:
    """A warning for every input that all but decides the target or an attribute."""
    notes = []
    for name, column in columns.items():
        for about, c in told.items():
            if not _decides(column, c):
                continue
            if about in targets:
                notes.append(
                    f"warning: '{name}' all but decides the target '{about}'; will you know it "
                    "when you predict?"
                )
            else:
                notes.append(
                    f"warning: '{name}' all but decides the attribute '{about}' and is among the "
                    "inputs; drop the column unless you mean to test the method on it"
                )
    return notes


def _decides(column: np.ndarray, c: np.ndarray) -> bool:
    """Whether H(C|X) is below `DECIDED` of H(C), by counting; for two quantities, whether one is
    the other but for unit and origin."""
    if c.dtype.kind == "f":
        if column.dtype.kind not in "biuf":
            return False
        both = ~np.isnan(column.astype(np.float64))
        x, v = column[both].astype(np.float64), c[both]
        return x.std() > 0 and v.std() > 0 and abs(np.corrcoef(x, v)[0, 1]) > 0.999
    x, code = _code(column, FINE), np.unique(c, return_inverse=True)[1]
    told = 0 if x is None else _information(x, code)
    return told > (1 - DECIDED) * _information(code, code)


def nearest(columns: Mapping[str, np.ndarray], attributes: Mapping[str, np.ndarray]) -> list[str]:
    """For every attribute a line that names the inputs which tell most of it, each by itself:
    I(X;C) by counting, in nats, quantities in tenths (an attribute's in quarters)."""
    notes, random = [], numpy_generator(0, "shuffled columns")
    values = {name: _code(column, COARSE) for name, column in columns.items()}
    for about, c in attributes.items():
        quantity = c.dtype.kind == "f"
        code = quantile_code(c, QUARTERS) if quantity else np.unique(c, return_inverse=True)[1]
        entropy = _information(code, code)
        shuffled = [random.permutation(code) for _ in range(SHUFFLES)]
        shares = {}
        for name, x in values.items():
            # In a sparse table, what shuffled rows seem to tell is all there is.
            chance = 0 if x is None else [_information(x, other) for other in shuffled]
            found = 0 if x is None else _information(x, code)
            if found > np.mean(chance) + 3 * np.std(chance):
                shares[name] = (found - np.mean(chance)) / entropy
        told = [
            f"'{name}' {shares[name] * entropy:.2g} nats, {shares[name]:.0%}"
            for name in sorted(shares, key=shares.__getitem__, reverse=True)[:NEAREST]
            if shares[name] > TOLD
        ]
        if told:
            told[0] += f" of H({about}{', in quarters' * quantity})"
            notes.append(f"inputs that tell most of {about}, each by itself: {'; '.join(told)}")
    return notes


def _information(x: np.ndarray, c: np.ndarray) -> float:
    """I(X;C) in nats of codes (n,) 0, 1, ..., by counting."""
    return _entropy(x) + _entropy(c) - _entropy(x * (int(c.max()) + 1) + c)


def _entropy(code: np.ndarray) -> float:
    few = code.max() < 4 * len(code)  # else a count for each would not fit in memory
    counts = np.bincount(code) if few else np.unique(code, return_counts=True)[1]
    p = counts[counts > 0] / len(code)
    return float(-(p * np.log(p)).sum())


def _code(column: np.ndarray, bins: int) -> np.ndarray | None:
    """The value (n,) of each row, many numbers in `bins`; None for texts that repeat too seldom for
    counting."""
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), column[~np.isnan(column)].min() - 1, column)
    distinct, x = np.unique(column, return_inverse=True)
    if len(distinct) <= len(column) / REPEATS:
        return x
    # Counting would find what is not there.
    return None if column.dtype.kind == "U" else quantile_code(column.astype(np.float64), bins)


def short(text: str) -> str:
    """`text` for a table, cut."""
    return text if len(text) <= 24 else text[:21] + "..."


def _plain(number: float) -> str:
    whole = float(number).is_integer() and abs(number) < 1e15
    return f"{number:,.0f}" if whole else f"{number:.4g}"
