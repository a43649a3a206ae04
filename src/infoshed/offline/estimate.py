"""`estimate_mi`: the mutual information between a representation and an attribute, after training.

    I(Z;C) = E log p(c|z) / p(c)      nats;      with y:   I(Z;C|Y) = E log p(c|z,y) / p(c|y)

The density ratio is that of several judges pooled (`infoshed.offline.stack`), evaluated only on
rows which they were not fitted on, extrapolated to infinitely many rows
(`infoshed.offline.crossfit`). The interval adds to the sampling error an allowance for what the
extrapolation may get wrong.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from infoshed.attributes import Categorical, infer_attribute
from infoshed.attributes.values import by_name
from infoshed.checks import (
    InfoshedError,
    as_array,
    check_choice,
    check_number,
    check_same_length,
)
from infoshed.estimators import ESTIMATORS
from infoshed.offline import continuous, discrete
from infoshed.offline.advice import data_warnings, result_warnings
from infoshed.offline.crossfit import make_folds
from infoshed.offline.inputs import (
    MOST_CELLS,
    MOST_GROUPS,
    MOST_VALUES,
    class_codes,
    few_values,
    joint_values,
    log_prior_of,
    most_rows,
    representation,
    row_weights,
    without_singles,
)
from infoshed.offline.named import read_named
from infoshed.offline.result import Reading, read
from infoshed.offline.views import make_views
from infoshed.seeds import numpy_generator

FEWEST_ROWS, FEWEST_OF_Y = 10, 3
FOLDS = 5
PANELS = ("auto", "quick")
BLIND = (
    "quick judges see means, variances and monotone maps; what z tells in other ways is missed, "
    "and the truth can then lie above the interval: estimator auto looks for it"
)


@dataclass(frozen=True)
class MIEstimate:
    """An estimate of mutual information with its uncertainty.

    Args:
        nats: the estimate, within [0, H(C)].
        low, high: 95% interval.
        share_of_entropy: nats / entropy, None where c is continuous.
        entropy: H(C), or H(C|Y) where conditional, nats; None where c is continuous.
        null_p: p-value of "no dependence at all", by permutation (by a normal approximation where
            rows are weighted); at least 0.001.
        judges: what every judge finds by itself, nats, not extrapolated.
        rows: rows used. estimator, bound, unit: which, and what it is (see `ESTIMATORS`).
        conditional: whether it is I(Z;C|Y).
        warnings: what to know before relying on it, in sentences.
    """

    nats: float
    low: float
    high: float
    share_of_entropy: float | None
    entropy: float | None
    null_p: float
    judges: dict[str, float]
    rows: int
    estimator: str
    bound: str
    unit: str
    conditional: bool
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """The figure with its interval, what it rests on, and every warning on a line."""
        from infoshed.tables import estimate_text  # which knows this record

        return estimate_text(self, f"{self.rows:,} rows")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self) | {"warnings": list(self.warnings)}


def estimate_mi(
    z: Any,
    c: Any,
    *,
    y: Any = None,
    weights: Any = None,
    estimator: str = "auto",
    folds: int = FOLDS,
    seed: int = 0,
    name: str = "c",
) -> MIEstimate:
    """Mutual information between z and c in nats, with an interval and a p-value.

    Args:
        z: representation (n, d) or (n,), numbers; numpy, torch, or anything array-like.
        c: attribute. Text, bools and whole numbers (n,) are discrete, (n, k) several discrete
            whose *joint* information is estimated; floats (n,) or (n, k) are continuous.
        y: classes (n,); given, the estimate is of I(Z;C|Y).
        weights: importance of the rows (n,), such as p(y)p(c)/p(y,c): the information is then
            that of the weighted distribution.
        estimator: "auto" (all judges), "quick" (the closed-form ones only), or a name in
            `ESTIMATORS`, whose critic is then cross-fitted alone.
        folds: of the cross-fitting, at least 2.
        seed: of folds, judges and permutations. The same seed gives the same numbers.
        name: how warnings and errors call c.

    Takes about half a minute on a core for n = 10,000, d = 64 (one or two where c is continuous).
    Beyond 50,000 rows (20,000 where c is continuous) a random part is used, and a warning says so.

    Raises `InfoshedError` for shapes and values that make no sense, `NonFiniteError` for NaN or
    infinity in z.
    """
    check_choice("estimator", estimator, {*PANELS, *ESTIMATORS})
    check_number("folds", folds, 2, 100, integer=True)
    check_number("seed", seed, 0, integer=True)
    z = representation(z)
    if by_name(c) is not None:
        raise InfoshedError(
            f"`{name}` must be an array, got columns by name; estimate them one by one, or use "
            "`infoshed.audit`"
        )
    attribute = infer_attribute(c, name)
    codes = attribute.encode(c).numpy()
    classes = None if y is None else class_codes(y)
    w = None if weights is None else row_weights(weights)
    check_same_length(z=z, c=codes, y=classes, weights=w)
    if w is not None and not w.all():  # rows that do not count, and values that only they have
        kept = w > 0
        return estimate_mi(
            z[kept], as_array(name, c)[kept],
            y=None if y is None else as_array("y", y)[kept],
            weights=w[kept], estimator=estimator, folds=folds, seed=seed, name=name,
        )  # fmt: skip
    if len(z) < FEWEST_ROWS:
        raise InfoshedError(f"an estimate needs at least {FEWEST_ROWS} rows, got {len(z)}")
    if w is not None and w.sum() ** 2 / (w**2).sum() < FEWEST_ROWS:
        raise InfoshedError(
            f"the weights leave an effective {w.sum() ** 2 / (w**2).sum():.1f} of {len(z):,} rows; "
            f"an estimate needs at least {FEWEST_ROWS}: cap the largest weights"
        )
    rng = numpy_generator(seed, "estimate")
    warnings: list[str] = []
    if classes is not None:
        kept = _learnable(classes, warnings)
        z, codes, classes = z[kept], codes[kept], np.unique(classes[kept], return_inverse=True)[1]
        w = None if w is None else w[kept]
    most = most_rows(attribute, codes)
    if len(z) > most:
        warnings.append(f"{len(z):,} rows given; a random {most:,} of them were used")
        rows = np.sort(rng.permutation(len(z))[:most])
        z, codes = z[rows], codes[rows]
        classes = None if classes is None else classes[rows]
        w = None if w is None else w[rows]
    weight = np.ones(len(z)) if w is None else w / w.mean()
    y_codes = np.zeros(len(z), np.int64) if classes is None else classes
    labels, levels = joint_values(attribute, codes)
    if labels is not None:
        labels, levels = without_singles(labels, levels, name, warnings)
        classes_of_y = int(y_codes.max()) + 1
        if 2 * classes_of_y > MOST_CELLS:
            raise InfoshedError(
                f"y has {classes_of_y:,} classes; at most {MOST_CELLS // 2:,} can be conditioned "
                "on: merge rare ones"
            )
        if len(levels) > min(MOST_VALUES, MOST_CELLS // classes_of_y):
            most_groups = min(MOST_GROUPS, MOST_CELLS // classes_of_y)
            labels, levels = few_values(labels, levels, most_groups, name, warnings)
    strata = y_codes if labels is None else y_codes * len(levels) + labels
    distinct, groups, advice = data_warnings(z, codes, labels, levels, y_codes, weight, folds, name)
    warnings += advice
    fold = make_folds(strata, groups, min(folds, len(z) // 2), rng)
    entropy, log_prior = None, np.zeros((0, 0))
    if labels is not None:
        log_prior = log_prior_of(labels, y_codes, len(levels), weight)
        own = log_prior[np.arange(len(z)), labels]
        entropy = abs(float(np.average(own, weights=weight)))
    if estimator in PANELS:
        quick = estimator == "quick"
        if quick and distinct is None:
            warnings.append(BLIND)
        if labels is not None:
            problem = discrete.DiscreteProblem(
                make_views(z), labels, y_codes, len(levels), log_prior, weight, distinct, groups
            )
            panel = discrete.judges(problem, quick)
            target, blocks = labels, fold * (y_codes.max() + 1) + y_codes
        else:
            candidates, log_prior, target = continuous.make_candidates(fold, y_codes, weight, rng)
            problem = continuous.ContinuousProblem(
                make_views(z), make_views(codes), y_codes, weight, candidates, groups
            )
            panel = continuous.judges(problem, quick)
            blocks = candidates[:, 0]
        reading = read(
            panel, fold, log_prior, target, weight, blocks, groups, w is not None, seed
        )  # fmt: skip
        if labels is None:
            sizes = np.isfinite(log_prior).sum(1)
            reading = replace(reading, ceiling=float(np.average(np.log(sizes), weights=weight)))
        bound, unit = "neither", "nats"  # the extrapolation may overshoot
    else:
        if labels is not None:  # of several, the joint values
            shares = tuple(np.bincount(labels, minlength=len(levels)) / len(labels))
            attribute = Categorical(name, tuple(levels), shares)
            codes = labels[:, None]
        elif groups is None:  # copies of a z that takes few values
            groups = np.unique(np.column_stack([z, codes, y_codes]), axis=0, return_inverse=True)[1]
            groups = groups.ravel()
        reading = read_named(estimator, z, attribute, codes, classes, w, fold, groups, seed)
        bound, unit = ESTIMATORS[estimator].bound, ESTIMATORS[estimator].unit
    return _result(reading, entropy, estimator, bound, unit, classes is not None, warnings, name)


def _learnable(y: np.ndarray, warnings: list[str]) -> np.ndarray:
    """Which rows are of a class of y with `FEWEST_OF_Y` rows; of two rows each gives away what the
    other has, which would pass for information. Raises `InfoshedError` where too few are."""
    kept = np.bincount(y)[y] >= FEWEST_OF_Y
    if kept.sum() < FEWEST_ROWS:
        raise InfoshedError(
            f"only {kept.sum()} rows are of a class of y with at least {FEWEST_OF_Y} rows; nothing "
            "can be learned within smaller ones: merge classes, or leave y out"
        )
    if not kept.all():
        warnings.append(
            f"{(~kept).sum():,} rows of classes of y with fewer than {FEWEST_OF_Y} rows were left "
            "out: nothing can be learned within these"
        )
    return kept


def _result(
    reading: Reading,
    entropy: float | None,
    estimator: str,
    bound: str,
    unit: str,
    conditional: bool,
    warnings: list[str],
    name: str,
) -> MIEstimate:
    top = np.inf if entropy is None or unit != "nats" else entropy
    # What is read cannot exceed the ceiling, though the truth and so the interval's end may.
    seen = top if reading.ceiling is None or unit != "nats" else min(top, reading.ceiling)
    nats, low, high = (
        float(np.clip(round(v, 9), 0.0, most))
        for v, most in ((reading.value, seen), (reading.low, seen), (reading.high, top))
    )
    warnings = warnings + result_warnings(reading, nats, entropy if unit == "nats" else None, name)
    return MIEstimate(
        nats=nats,
        low=low,
        high=high,
        share_of_entropy=None if not entropy or unit != "nats" else nats / entropy,
        entropy=entropy,
        null_p=reading.null_p,
        judges=reading.judges,
        rows=reading.rows,
        estimator=estimator,
        bound=bound,
        unit=unit,
        conditional=conditional,
        warnings=tuple(warnings),
    )
