"""`audit`: what a representation tells about attributes, and how predictions treat their groups.

For every attribute c, on rows that the caller gives:

    I(Z;C)    in nats, as a share of H(C), with an interval and a test (`infoshed.estimate_mi`)
    I(Z;C|Y)  the same beyond what y says: where c and y are tied, a z that predicts y tells c too
    probes    a panel of learners fitted afresh on one half of the rows, judged on the other
    outcomes  accuracy by group, gaps between groups, calibration (`infoshed.auditing.outcomes`)

The rows should be new to the encoder: what it memorised of its training rows says nothing about
others. Several attributes are audited one by one, and then all together, as one attribute whose
values are the combinations of their groups.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from infoshed.auditing.inputs import (
    TENTHS,
    Grouped,
    Target,
    attributes,
    intersection,
    target,
)
from infoshed.auditing.outcomes import outcomes
from infoshed.auditing.predictions import Predictions, read_predictions
from infoshed.auditing.probes import PartLeakage, probe_leakage
from infoshed.auditing.record import MANY_VALUES, RARE, AttributeAudit, Audit, Outcomes
from infoshed.checks import InfoshedError, check_choice, check_number, check_same_length
from infoshed.information import table_information
from infoshed.offline import estimate_mi
from infoshed.offline.advice import copies
from infoshed.offline.crossfit import make_folds
from infoshed.offline.estimate import PANELS
from infoshed.offline.inputs import few_values, representation, without_singles
from infoshed.seeds import numpy_generator

LEAST_GROUP = 30
FEWEST_ROWS = 40  # halves of 20, the least that probes take
MOST_ROWS = 10_000
MOST_CELLS = 64  # groups of an intersection: boosting fits trees for each
MOST_PROBED = 200  # values of an attribute, for the same reason


class FewRowsWarning(UserWarning):
    """An attribute has so many values that most rows have one which is too rare to be learned."""


def audit(
    z: Any,
    c: Any,
    y: Any = None,
    *,
    predictions: Any = None,
    scores: Any = None,
    names: Sequence[str] | None = None,
    target_name: str = "y",
    positive: Any = None,
    reference: tuple[Any, Any] | None = None,
    least_group: int = LEAST_GROUP,
    most_rows: int = MOST_ROWS,
    estimator: str = "auto",
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Audit:
    """Audit a representation, and predictions if there are any.

    Args:
        z: representations (n, d) or (n,), numbers; numpy, torch, or anything array-like.
        c: an attribute (n,), several (n, k), or a dict or data frame of columns (n,). Text and
            whole numbers are discrete, floats a quantity, whose groups are its quarters.
        y: targets (n,): classes, or floats for a quantity. Needed for all that follows.
        predictions: of y (n,), in y's own values.
        scores: probabilities of the positive class (n,), or of all classes (n, classes) in sorted
            order; they stand in for `predictions` where these are not given.
        names: of the columns, where c is an array. target_name: how y is called.
        positive: the value of y that is wished for, where there are two; unless given, the last
            in sorted order.
        reference: (y, c) of other rows, such as the training data, that say which rows are
            aligned; unless given, the audited rows.
        least_group: groups with fewer rows are listed as left out of what is said about groups,
            and intersections of that size of everything.
        most_rows: rows used for an estimate of information, at most; drawn at random.
        estimator: "auto", or "quick" for the fast judges of `estimate_mi` only.
        seed: of everything random. The same seed gives the same audit.
        say: is told what is being worked at.

    Takes about a minute for each attribute on one core, at 10,000 rows or more of 128 columns;
    before that, a `FewRowsWarning` says where rows are too few for the values of an attribute.

    Raises `InfoshedError` for shapes that do not fit, missing values, one value only or one for
    most rows, predictions without y; `NonFiniteError` for NaN or infinity in z.
    """
    check_choice("estimator", estimator, PANELS)
    check_number("least_group", least_group, 1, integer=True)
    check_number("most_rows", most_rows, FEWEST_ROWS, integer=True)
    check_number("seed", seed, 0, integer=True)
    z = representation(z)
    columns = attributes(c, names)
    check_same_length(z=z, **{name: part.code for name, part in columns.items()})
    truth = None if y is None else target("y", y)
    check_same_length(z=z, y=None if truth is None else truth.values)
    if truth is not None and (truth.values == truth.values[0]).all():
        raise InfoshedError("`y` has one value only; there is nothing to predict: leave it out")
    if truth is None and not all(v is None for v in (predictions, scores, positive, reference)):
        raise InfoshedError("predictions, scores, positive and reference need `y`; give it too")
    if len(z) < FEWEST_ROWS:
        raise InfoshedError(f"an audit needs at least {FEWEST_ROWS} rows, got {len(z)}")
    guess, notes = None, []
    if truth is not None:
        guess, notes = read_predictions(truth, predictions, scores, positive, target_name)
        if not truth.classes:
            notes.append(f"{target_name} is a quantity; I(Z;C|Y) is given its {TENTHS} tenths")
    for part in columns.values():
        _check_values(part, min(len(z), most_rows))
    job = _Job(z, truth, guess, least_group, most_rows, estimator, seed, say)
    past = None if reference is None else _reference(reference, columns, names)
    found = []
    for name, part in columns.items():
        table = None
        if guess is not None and guess.classes:
            table = _reference_table(
                part, guess, None if past is None else (past[0], past[1][name])
            )
        found.append(job.attribute(part, table))
    both = None
    if len(columns) > 1:
        both, said = job.intersection(list(columns.values()))
        notes += said
    return Audit(
        rows=len(z),
        columns=z.shape[1],
        target=None if truth is None else target_name,
        seed=seed,
        attributes=tuple(found),
        intersection=both,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _Job:
    """What every attribute is audited with; arguments as in `audit`."""

    z: np.ndarray
    truth: Target | None
    guess: Predictions | None
    least_group: int
    most_rows: int
    estimator: str
    seed: int
    say: Callable[[str], None]

    def attribute(self, part: Grouped, reference: np.ndarray | None) -> AttributeAudit:
        """Audit one attribute over all rows."""
        rows, found, notes = np.arange(len(part.code)), None, []
        large, left_out = self._large(part)
        if self.guess is not None and large.sum() < 2:
            notes.append(
                f"fewer than two groups of {part.name} have {self.least_group} rows; nothing is "
                "said about how predictions treat them"
            )
        elif self.guess is not None:
            found = self._outcomes(part, rows[large[part.code]], reference)
        return self._leakage(part, rows, left_out, found, notes)

    def intersection(self, parts: list[Grouped]) -> tuple[AttributeAudit | None, list[str]]:
        """Audit all attributes together, in the rows of groups that are large enough."""
        joint = intersection(parts)
        large, left_out = self._large(joint)
        rows = np.flatnonzero(large[joint.code])
        if large.sum() > MOST_CELLS:
            return None, [
                f"{joint.name} has {large.sum()} groups of {self.least_group} rows or more, and at "
                f"most {MOST_CELLS} are audited; the intersection was left out: give fewer "
                "attributes at a time, or a larger least_group"
            ]
        if large.sum() < 2 or len(rows) < FEWEST_ROWS:
            return None, [
                f"fewer than two groups of {joint.name} have {self.least_group} rows each; the "
                "intersection was left out"
            ]
        notes = []
        if left_out:
            notes.append(
                f"{len(left_out)} rare combinations, {sum(left_out.values())} rows in all, were "
                f"left out of all that is said about {joint.name}: they have fewer than "
                f"{self.least_group} rows each"
            )
        try:
            found = None if self.guess is None else self._outcomes(joint, rows, None)
            return self._leakage(joint, rows, left_out, found, notes), []
        except InfoshedError as error:  # combinations may be rare where attributes are not
            return None, [f"{joint.name} was left out: {error}"]

    def _large(self, part: Grouped) -> tuple[np.ndarray, dict[str, int]]:
        """Whether each group has enough rows (groups,), and the rows of those that have not."""
        large = part.counts >= self.least_group
        every = zip(part.groups, part.counts, large, strict=True)
        return large, {name: int(n) for name, n, enough in every if not enough}

    def _outcomes(self, part: Grouped, rows: np.ndarray, reference: np.ndarray | None) -> Outcomes:
        assert self.guess is not None
        self.say(f"{part.name}, predictions by group")
        kept, code = np.unique(part.code[rows], return_inverse=True)
        group = Grouped(
            part.name, part.values[rows], code, tuple(part.groups[k] for k in kept), part.discrete
        )
        reference = None if reference is None else reference[:, kept]
        return outcomes(self.guess.take(rows), group, reference, self.most_rows, self.seed)

    def _leakage(
        self,
        part: Grouped,
        rows: np.ndarray,
        left_out: dict[str, int],
        found: Outcomes | None,
        notes: list[str],
    ) -> AttributeAudit:
        z, values, code = self.z[rows], part.values[rows], part.code[rows]
        some = np.arange(len(rows))
        if len(rows) > self.most_rows:
            rng = numpy_generator(self.seed, f"audit rows/{part.name}")
            some = np.sort(rng.permutation(len(rows))[: self.most_rows])
            notes.append(
                f"information is estimated on a random {self.most_rows:,} of {len(rows):,} rows"
            )
        settings: dict[str, Any] = {
            "estimator": self.estimator, "seed": self.seed, "name": part.name,
        }  # fmt: skip
        self.say(f"{part.name}, information")
        information = estimate_mi(z[some], values[some], **settings)
        given_y, label_nats = None, None
        if self.truth is not None:
            strata = self.truth.strata[rows]
            if len(np.unique(strata[some])) > 1:
                self.say(f"{part.name}, information given y")
                given_y = estimate_mi(z[some], values[some], y=strata[some], **settings)
            if part.discrete and self.truth.classes:
                table = np.zeros((int(strata.max()) + 1, len(part.groups)))
                np.add.at(table, (strata, code), 1)
                label_nats = table_information(table)
        counts = np.bincount(code, minlength=len(part.groups))
        probes = self._probes(z, values, code, part.name, part.discrete, notes)
        return AttributeAudit(
            name=part.name,
            discrete=part.discrete,
            rows=len(rows),
            groups={n: int(k) for n, k in zip(part.groups, counts, strict=True) if k},
            left_out=left_out,
            information=information,
            given_y=given_y,
            label_nats=label_nats,
            probes=probes,
            outcomes=found,
            notes=tuple(notes),
        )

    def _probes(
        self,
        z: np.ndarray,
        values: np.ndarray,
        code: np.ndarray,
        name: str,
        discrete: bool,
        notes: list[str],
    ) -> PartLeakage:
        """The panel, fitted on one half of the rows and judged on the other."""
        self.say(f"{name}, fresh probes")
        if len(np.unique(code)) > MOST_PROBED and discrete:
            groups = np.unique(code, return_inverse=True)[1]
            labels = [str(k) for k in range(groups.max() + 1)]
            code, _ = few_values(groups, labels, MOST_PROBED, f"{name}, for the probes,", notes)
            values = code
        # Copies of a row stay in one half: a probe that has seen a row knows its value.
        half = make_folds(
            code, copies(z, values)[1], 2, numpy_generator(self.seed, f"audit halves/{name}")
        )
        fit, judged = half == 0, half == 1
        try:
            (found,) = probe_leakage(
                z[fit], values[fit], z[judged], values[judged], seed=self.seed, name=name
            ).parts
        except InfoshedError as error:
            raise InfoshedError(f"the probes of {name} (half fit, half judged): {error}") from None
        return found


def _check_values(part: Grouped, rows: int) -> None:
    """Say before the work what is wrong with the values of an attribute of which so many rows are
    read: an error where most rows have one of their own, a warning where most have a rare one."""
    if not part.discrete:
        return
    without_singles(part.code, list(part.groups), part.name, [])
    read = part.counts * rows / len(part.code)
    rare = read < RARE
    if len(part.groups) > MANY_VALUES and read[rare].sum() > rows / 2:
        warnings.warn(
            f"too few rows for the values of {part.name}: {int(rare.sum()):,} of its "
            f"{len(part.groups):,} values have fewer than {RARE} of the {rows:,} rows that are "
            "read, and what z tells about these will be underestimated; merge values, or give "
            "floats if it is a quantity",
            FewRowsWarning,
            stacklevel=3,
        )


def _reference(
    reference: tuple[Any, Any], columns: dict[str, Grouped], names: Sequence[str] | None
) -> tuple[Target, dict[str, Grouped]]:
    """y and attributes of the reference rows."""
    try:
        y, c = reference
    except (TypeError, ValueError):
        raise InfoshedError("`reference` must be (y, c) of the reference rows") from None
    past = target("y of the reference", y)
    if not past.classes:
        raise InfoshedError("`reference` is for classes; its y is a quantity")
    found = attributes(c, names)
    if set(found) != set(columns):
        raise InfoshedError(
            f"`reference` must have the attributes {', '.join(columns)}; got {', '.join(found)}"
        )
    lengths = {f"{name} of the reference": part.code for name, part in found.items()}
    check_same_length(**{"y of the reference": past.values}, **lengths)
    return past, found


def _reference_table(
    part: Grouped, guess: Predictions, reference: tuple[Target, Grouped] | None
) -> np.ndarray:
    """Counts (classes, groups) of the reference rows whose class and group occur here; of the
    audited rows where there is no reference."""
    table = np.zeros((len(guess.classes), len(part.groups)))
    if reference is None:
        np.add.at(table, (guess.y, part.code), 1)
        return table
    past, past_part = reference
    lookup = {name: i for i, name in enumerate(guess.classes)}
    y = np.array([lookup.get(name, -1) for name in past.classes])[past.values]
    if part.discrete:
        lookup = {name: i for i, name in enumerate(part.groups)}
        code = np.array([lookup.get(name, -1) for name in past_part.groups])[past_part.code]
    else:  # by where the quarters of the audited rows begin
        starts = np.array([part.values[part.code == k].min() for k in range(len(part.groups))])
        code = np.maximum(np.searchsorted(starts, past_part.values, side="right") - 1, 0)
    known = (y >= 0) & (code >= 0)
    np.add.at(table, (y[known], code[known]), 1)
    return table
