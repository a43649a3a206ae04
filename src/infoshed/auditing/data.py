"""`audit_data`: is there anything to debias in a table of labels y and attributes c, and can it be?

    N[y, c]          rows of every cell; an empty one is a pair that no training can learn from
    I(C;Y)           in nats, 0 where they are independent; the most that a z which predicts y
                     perfectly must tell about c
    y from c alone   accuracy (R^2 of a quantity) of the commonest class (the mean) among the other
                     rows with the same c: each row is left out when it is guessed itself
    effective rows   (sum w)^2 / sum w^2 for weights w = p(y) p(c) / p(y,c), under which y and c
                     are independent (Kish); few where few rows carry most of the weight

The p-value of a table comes from tables with the same margins (Patefield). Its plug-in information
is too large by the mean of theirs if y and c are independent, and by the Miller-Madow correction if
all cells that can occur have rows: the first where the value is that mean, the second where it
is the most possible, and in between by its place. The interval holds both, and the sampling error
from resampled tables; the two part ways only where most cells have few rows.

Where y or c is a quantity, both are those of `infoshed.estimate_mi`, the cells are the quarters of
it, and y is guessed from the tenths of c.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import entropy, random_table

from infoshed.auditing.inputs import (
    TENTHS,
    Grouped,
    Target,
    attributes,
    grouped,
    intersection,
    target,
)
from infoshed.auditing.interval import DRAWS, Interval, percentile_interval, resampled_means
from infoshed.auditing.plain import read_record
from infoshed.checks import InfoshedError, check_choice, check_number, check_same_length
from infoshed.information import table_information
from infoshed.label_prior import DECIDED
from infoshed.offline import estimate_mi
from infoshed.offline.estimate import PANELS
from infoshed.seeds import numpy_generator
from infoshed.targets.strata import quantile_code

LEAST_CELL = 30
FEWEST_ROWS = 20
MOST_ROWS = 10_000
WEAK = 0.01  # of the smaller entropy
TABLES = 999
RESAMPLES = 500
MOST_CELLS_AT_ONCE = 2_000_000
GIVEN_AWAY = 0.99  # accuracy of guessing y from c, which the plug-in entropy of rare values fakes
SIGNIFICANT = 0.05
CELLS_NAMED = 8


@dataclass(frozen=True)
class TableAudit:
    """What was found about y and one attribute, or the intersection of several.

    Args:
        attribute: its name. classes, groups: of y and of c; the quarters of a quantity.
        counts: rows of every cell (classes, groups).
        information: I(C;Y) in nats. p: p-value of independence, at least 0.001.
        y_entropy, c_entropy: H(Y), H(C) in nats; None for a quantity.
        guess: accuracy of y from c alone, at least `chance`; R^2 where y is a quantity. chance:
            accuracy of always guessing the commonest class, 0 for R^2.
        effective_rows: after reweighing.
        empty: cells without rows. tiny: cells with few rows, and their rows.
        verdict: "independent", "weak", "tied", "determined", or "unclear" (too few rows).
        advice: what to do, in sentences.
    """

    attribute: str
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    information: Interval
    p: float
    y_entropy: float | None
    c_entropy: float | None
    guess: Interval
    chance: float
    effective_rows: float
    empty: tuple[str, ...]
    tiny: dict[str, int]
    verdict: str
    advice: tuple[str, ...]


@dataclass(frozen=True)
class DataAudit:
    """What `audit_data` returns.

    Args:
        rows: of the table. target: name of y. quantity: whether y is one.
        tables: what was found about each attribute; then about all of them together.
    """

    rows: int
    target: str
    quantity: bool
    tables: tuple[TableAudit, ...]

    def __str__(self) -> str:
        """What `infoshed audit-data` prints: the advice and the tables."""
        from infoshed.auditing.text import data_text  # which reads these records

        return data_text(self)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "DataAudit":
        """The audit from `to_dict`, or from what JSON made of it. Raises `InfoshedError` where it
        is something else."""
        return read_record(cls, state)


def audit_data(
    y: Any,
    c: Any,
    *,
    names: Sequence[str] | None = None,
    target_name: str = "y",
    least_cell: int = LEAST_CELL,
    estimator: str = "auto",
    seed: int = 0,
) -> DataAudit:
    """Audit a table of labels and attributes, before any training.

    Args:
        y: classes (n,), or floats for a quantity.
        c: an attribute (n,), several (n, k), or a dict or data frame of columns (n,). Text and
            whole numbers are discrete, floats a quantity.
        names: of the columns, where c is an array. target_name: how y is called.
        least_cell: cells with fewer rows are called tiny.
        estimator: "auto" or "quick" judges of `estimate_mi`, where y or c is a quantity.
        seed: of resamples and judges.

    Raises `InfoshedError` for shapes that do not fit, missing values, one value only.
    """
    check_choice("estimator", estimator, PANELS)
    check_number("least_cell", least_cell, 1, integer=True)
    check_number("seed", seed, 0, integer=True)
    columns = attributes(c, names)
    truth = target("y", y)
    check_same_length(y=truth.values, **{name: part.code for name, part in columns.items()})
    if (truth.values == truth.values[0]).all():
        raise InfoshedError(f"'{target_name}' has one value only; there is nothing to predict")
    if len(truth.values) < FEWEST_ROWS:
        raise InfoshedError(f"at least {FEWEST_ROWS} rows are needed, got {len(truth.values)}")
    parts = list(columns.values())
    if len(parts) > 1:
        parts.append(intersection(parts))
    return DataAudit(
        rows=len(truth.values),
        target=target_name,
        quantity=not truth.classes,
        tables=tuple(_table(truth, p, target_name, least_cell, estimator, seed) for p in parts),
    )


def _table(
    truth: Target, part: Grouped, label: str, least_cell: int, estimator: str, seed: int
) -> TableAudit:
    rows = grouped(label, truth.values).code if not truth.classes else truth.values
    classes = truth.classes or grouped(label, truth.values).groups
    counts = np.zeros((len(classes), len(part.groups)), np.int64)
    np.add.at(counts, (rows, part.code), 1)
    rng = numpy_generator(seed, f"audit data/{part.name}")
    y_entropy = float(entropy(counts.sum(1))) if truth.classes else None
    c_entropy = float(entropy(part.counts)) if part.discrete else None
    if truth.classes and part.discrete:
        information, p = _of_counts(counts, rng)
    else:
        information, p = _of_values(truth, part, estimator, seed)
    guess, chance = _guess(truth, part, rng)
    weights = counts.sum(1, keepdims=True) * counts.sum(0) / np.maximum(counts, 1) / counts.sum()
    effective = float((counts * weights).sum() ** 2 / (counts * weights**2).sum())
    names = [[f"{label} = {y}, {part.name} = {g}" for g in part.groups] for y in classes]
    cells = [(names[i][j], int(counts[i, j])) for i, j in np.ndindex(*counts.shape)]
    empty = tuple(name for name, n in cells if n == 0)
    tiny = {name: n for name, n in cells if 0 < n < least_cell}
    verdict = _verdict(information, p, y_entropy, c_entropy, guess.value)
    least = min((h for h in (y_entropy, c_entropy) if h is not None), default=None)
    advice = [_advice(verdict, information, p, least, label, part.name)]
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    wanted = {names[i][j]: expected[i, j] for i, j in np.ndindex(*counts.shape)}
    cells_wanted = sorted(
        [(name, 0) for name in empty] + list(tiny.items()), key=lambda cell: -wanted[cell[0]]
    )
    advice += _advice_on_cells(
        verdict, cells_wanted, bool(empty), effective, int(counts.sum()), least_cell
    )
    return TableAudit(
        attribute=part.name,
        classes=tuple(classes),
        groups=part.groups,
        counts=tuple(tuple(map(int, row)) for row in counts),
        information=information,
        p=p,
        y_entropy=y_entropy,
        c_entropy=c_entropy,
        guess=guess,
        chance=chance,
        effective_rows=effective,
        empty=empty,
        tiny=tiny,
        verdict=verdict,
        advice=tuple(advice),
    )


def _of_counts(counts: np.ndarray, rng: np.random.Generator) -> tuple[Interval, float]:
    """I(C;Y) of a table with its interval, and the p-value of independence."""
    n, plug_in = int(counts.sum()), float(_plug_in(counts))
    table = random_table(counts.sum(1), counts.sum(0))
    null = _plug_ins(TABLES, counts, lambda size: np.asarray(table.rvs(size, random_state=rng)))
    p = (1 + (null >= plug_in - 1e-12).sum()) / (1 + TABLES)
    least, most = plug_in - float(null.mean()), table_information(counts)
    top = min(float(entropy(counts.sum(axis))) for axis in (0, 1))
    place = float(np.clip(least / max(top - null.mean(), 1e-12), 0, 1))
    value = float(np.clip((1 - place) * least + place * most, 0.0, top))
    share = counts.ravel() / n
    spread = _plug_ins(RESAMPLES, counts, lambda size: rng.multinomial(n, share, size=size))
    ends = percentile_interval(0.0, spread - spread.mean())
    assert ends.low is not None
    assert ends.high is not None
    low = max(0.0, min(least, most) + ends.low)
    high = min(top, max(least, most, 0.0) + ends.high)
    return Interval(value, min(value, low), max(value, high)), float(p)


def _plug_ins(number: int, counts: np.ndarray, draw: Callable[[int], np.ndarray]) -> np.ndarray:
    """I of so many tables like `counts` that `draw` gives, in blocks: an attribute of thousands of
    values would need gigabytes at once."""
    block = max(1, MOST_CELLS_AT_ONCE // counts.size)
    sizes = [min(block, number - start) for start in range(0, number, block)]
    return np.concatenate([_plug_in(draw(size).reshape(-1, *counts.shape)) for size in sizes])


def _plug_in(counts: np.ndarray) -> np.ndarray:
    """I in nats of tables of counts (..., rows, columns), without a correction."""
    p = counts / counts.sum((-2, -1), keepdims=True)
    return (
        entropy(p.sum(-1), axis=-1)
        + entropy(p.sum(-2), axis=-1)
        - entropy(p.reshape(*p.shape[:-2], -1), axis=-1)
    )


def _of_values(truth: Target, part: Grouped, estimator: str, seed: int) -> tuple[Interval, float]:
    """The same where y or c is a quantity."""
    rows = np.arange(len(truth.values))
    if len(rows) > MOST_ROWS:
        draw = numpy_generator(seed, f"audit data rows/{part.name}").permutation(len(rows))
        rows = np.sort(draw[:MOST_ROWS])
    y, c = truth.values[rows], part.values[rows]
    z, target = (c, y) if truth.classes else (y, c)
    found = estimate_mi(z, target, estimator=estimator, seed=seed, name=part.name)
    return Interval(found.nats, found.low, found.high), found.null_p


def _guess(truth: Target, part: Grouped, rng: np.random.Generator) -> tuple[Interval, float]:
    """Accuracy (R^2) of y from c alone, and what guessing without c has."""
    code = part.code if part.discrete else quantile_code(part.values, TENTHS)
    y, n = truth.values, len(truth.values)
    if truth.classes:
        counts = np.zeros((len(truth.classes), int(code.max()) + 1))
        np.add.at(counts, (y, code), 1)
        # A value of c that no other row has is guessed by the commonest class.
        others = counts[:, code] + counts.sum(1, keepdims=True) / (2 * n)
        others[y, np.arange(n)] -= 1
        chance = float(counts.sum(1).max() / n)
        # Ignoring c is a rule too. Where y is even, a row that is left out makes its own class the
        # rarer one, and the other rows' guess is wrong every time.
        accuracy = max(float((others.argmax(0) == y).mean()), chance)
        draws = rng.binomial(n, accuracy, DRAWS) / n
        return percentile_interval(accuracy, draws), chance
    rows, sums = np.bincount(code)[code], np.bincount(code, y)[code]
    mean = (y.sum() - y) / (n - 1)
    guess = np.where(rows > 1, (sums - y) / np.maximum(rows - 1, 1), mean)
    errors = np.stack([(y - guess) ** 2, (y - mean) ** 2], 1)
    draws = resampled_means(errors, rng, RESAMPLES)
    value = 1 - errors[:, 0].mean() / errors[:, 1].mean()
    return percentile_interval(float(value), 1 - draws[:, 0] / draws[:, 1]), 0.0


def _verdict(
    information: Interval,
    p: float,
    y_entropy: float | None,
    c_entropy: float | None,
    accuracy: float,
) -> str:
    least = min((h for h in (y_entropy, c_entropy) if h is not None), default=None)
    high = information.high if information.high is not None else information.value
    small = high < WEAK * (least if least is not None else 1.0)
    if p > SIGNIFICANT:
        return "independent" if small else "unclear"
    if y_entropy is not None and accuracy >= GIVEN_AWAY:
        left = y_entropy - information.value
        if left < DECIDED * y_entropy:
            return "determined"
    return "weak" if small else "tied"


def _advice(
    verdict: str, information: Interval, p: float, least: float | None, y: str, c: str
) -> str:
    high = information.high if information.high is not None else information.value
    most = f"at most {high:.2g} nats" + (f", {high / least:.1%} of the most" if least else "")
    return {
        "independent": f"debiasing is pointless here: {c} and {y} are independent as far as these "
        f"rows can tell ({most})",
        "unclear": f"too few rows to tell whether {c} and {y} are tied: independence is not "
        f"rejected (p = {p:.2g}), and I(C;Y) may be as much as {high:.2g} nats",
        "determined": f"debiasing is impossible with these rows: {c} determines {y}, so no method "
        "can tell the one from the other without a further assumption (method ancova has one); "
        "collect rows that break the tie",
        "weak": f"{c} and {y} are tied, but weakly ({most}): train plainly first, and look at what "
        "the model does with each group before debiasing",
        "tied": "use the conditional form, I(Z;C|Y), the default of method mi: a z that predicts "
        f"{y} tells up to {information.value:.2g} nats about {c}, so I(Z;C) cannot go to 0 without "
        f"dropping {y}",
    }[verdict]


def _advice_on_cells(
    verdict: str, wanted: list[tuple[str, int]], empty: bool, effective: float, n: int,
    least_cell: int,
) -> list[str]:  # fmt: skip
    """wanted: empty and tiny cells with their rows, the one that would have most rows first if y
    and c were independent."""
    if verdict == "independent":
        return []
    said = []
    if wanted:
        named = [f"{name} ({k if k else '0 rows'})" for name, k in wanted[:CELLS_NAMED]]
        left = len(wanted) - len(named)
        more = f"; and {left:,} more, less common ones" if left else ""
        said.append(
            f"collect rows of these cells, at least {least_cell} each: {'; '.join(named)}{more}"
        )
    if empty:
        said.append(
            "reweighing cannot make them independent: no weight brings back a cell without rows"
        )
    if effective < n / 2:
        said.append(
            f"reweighing leaves an effective {effective:,.0f} of {n:,} rows; expect results that "
            "vary from seed to seed, and prefer the adjusted loss"
        )
    return said
