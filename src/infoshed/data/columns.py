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
NEAREST, NAMED = 3, 0.03  # how many inputs are named, and the least share of H(C) of one
SHUFFLES, MOST_COUNTED = 20, 50_000  # of the rows, and rows that are counted


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
                text += "; missing: median of the training rows and a column that says so"
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
    if known.dtype.kind in "iu" and (known[1:] > known[:-1]).all():  # some may have been dropped
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
    if x is None:
        return False
    return _entropy(_joint(x, code)) - _entropy(x) < DECIDED * _entropy(code)


def nearest(columns: Mapping[str, np.ndarray], attributes: Mapping[str, np.ndarray]) -> list[str]:
    """For every attribute c a line that names the inputs x which tell most of it, each by itself.

    I(X;C) is counted, quantities in tenths (an attribute's in quarters), and the share of H(C) is
    (I - E) / (H(C) - E), E the mean of I over shuffled rows: in a sparse table that is all there
    is. Named is what has a larger share than any column has under any of the shuffles.
    """
    notes, random = [], numpy_generator(0, "shuffled columns")
    n = len(next(iter(attributes.values())))
    rows = random.choice(n, MOST_COUNTED, replace=False) if n > MOST_COUNTED else slice(None)
    coded = {name: _code(column[rows], COARSE) for name, column in columns.items()}
    values = {name: (x, _entropy(x)) for name, x in coded.items() if x is not None}
    for about, c in attributes.items():
        quantity, c = c.dtype.kind == "f", c[rows]
        code = quantile_code(c, QUARTERS) if quantity else np.unique(c, return_inverse=True)[1]
        drawn = [code, *(random.permutation(code) for _ in range(SHUFFLES))]
        entropy, told = _entropy(code), {}
        for name, (x, spread) in values.items():
            counted = np.array([spread + entropy - _entropy(_joint(x, other)) for other in drawn])
            chance = counted[1:].mean()
            if chance < entropy:
                told[name] = (counted - chance) / (entropy - chance)
        bar = max([NAMED, *(share[1:].max() for share in told.values())])
        named = {name: float(share[0]) for name, share in told.items() if share[0] > bar}
        first = sorted(named, key=named.__getitem__, reverse=True)[:NEAREST]
        said = [f"'{name}' {named[name] * entropy:.2g} nats, {named[name]:.0%}" for name in first]
        if said:
            said[0] += f" of H({about}{', in quarters' * quantity})"
            notes.append(f"inputs that tell most of {about}, each by itself: {'; '.join(said)}")
    return notes


def _joint(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    return x * (int(c.max()) + 1) + c


def _entropy(code: np.ndarray) -> float:
    """H in nats of codes (n,) 0, 1, ..., by counting."""
    few = code.max() < 4 * len(code)  # else a count for each would not fit in memory
    counts = np.bincount(code) if few else np.unique(code, return_counts=True)[1]
    p = counts[counts > 0] / len(code)
    return float(-(p * np.log(p)).sum())


def _code(column: np.ndarray, bins: int) -> np.ndarray | None:
    """The value (n,) of each row, many numbers in `bins`, a missing number as one of its own; None
    for texts that repeat too seldom for counting."""
    gap = np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)
    known, code = column[~gap], np.zeros(len(column), np.int64)
    distinct, x = np.unique(known, return_inverse=True)
    if len(distinct) > len(known) / REPEATS:  # counting would find what is not there
        if known.dtype.kind == "U":
            return None
        x = quantile_code(known.astype(np.float64), bins)
    code[~gap] = x + 1
    return code


def short(text: str) -> str:
    """`text` for a table, cut."""
    return text if len(text) <= 24 else text[:21] + "..."


def _plain(number: float) -> str:
    whole = float(number).is_integer() and abs(number) < 1e15
    return f"{number:,.0f}" if whole else f"{number:.4g}"
