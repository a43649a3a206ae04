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
from torch import Tensor

from infoshed.attributes import Attribute, Categorical, infer_attribute
from infoshed.checks import (
    InfoshedError,
    NonFiniteError,
    as_array,
    check_choice,
    check_number,
    check_same_length,
)
from infoshed.estimators import ESTIMATORS
from infoshed.offline import continuous, discrete
from infoshed.offline.advice import data_warnings, result_warnings
from infoshed.offline.crossfit import make_folds
from infoshed.offline.named import read_named
from infoshed.offline.result import Reading, read
from infoshed.offline.views import make_views
from infoshed.seeds import numpy_generator

MOST_ROWS = {True: 50_000, False: 20_000}  # discrete, continuous
MOST_VALUES = 1000
MOST_SCORES = 10_000_000  # rows x values: memory
MOST_CELLS = 5000
FEWEST_ROWS = 10
PANELS = ("auto", "quick")


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
    folds: int = 5,
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

    Takes about half a minute for n = 10,000, d = 64 on a core, one to two minutes where c is
    continuous. Beyond 50,000 rows (20,000 where c is
    continuous) a random part is used, and a warning says so.

    Raises `InfoshedError` for shapes and values that make no sense, `NonFiniteError` for NaN or
    infinity in z.
    """
    check_choice("estimator", estimator, {*PANELS, *ESTIMATORS})
    check_number("folds", folds, 2, 100, integer=True)
    check_number("seed", seed, 0, integer=True)
    z = _representation(z)
    attribute = infer_attribute(c, name)
    codes = attribute.encode(c).numpy()
    classes = None if y is None else _classes(y)
    w = None if weights is None else _weights(weights)
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
    rng = numpy_generator(seed, "estimate")
    warnings: list[str] = []
    most = most_rows(attribute, codes)
    if len(z) > most:
        warnings.append(f"{len(z):,} rows given; a random {most:,} of them were used")
        rows = np.sort(rng.permutation(len(z))[:most])
        z, codes = z[rows], codes[rows]
        classes = None if classes is None else classes[rows]
        w = None if w is None else w[rows]
    weight = np.ones(len(z)) if w is None else w / w.mean()
    y_codes = np.zeros(len(z), np.int64) if classes is None else classes
    labels, levels = _labels(attribute, codes)
    if labels is not None:
        labels, levels = _without_singles(labels, levels, name, warnings)
    cells = (y_codes.max() + 1) * max(1, len(levels))
    if cells > MOST_CELLS:
        raise InfoshedError(
            f"y and {name} together can take {cells:,} values; at most {MOST_CELLS:,} can be "
            "estimated: merge rare ones"
        )
    strata = y_codes if labels is None else y_codes * len(levels) + labels
    distinct, groups, advice = data_warnings(z, labels, levels, y_codes, weight, folds, name)
    warnings += advice
    fold = make_folds(strata, groups, min(folds, len(z) // 2), rng)
    if estimator in PANELS:
        quick = estimator == "quick"
        if labels is not None:
            log_prior = _log_prior(labels, y_codes, len(levels), weight)
            views = make_views(z)
            problem = discrete.DiscreteProblem(
                views, labels, y_codes, len(levels), log_prior, weight, distinct
            )
            panel = discrete.judges(problem, quick)
            target, blocks = labels, fold * (y_codes.max() + 1) + y_codes
        else:
            candidates, log_prior, target = continuous.make_candidates(fold, y_codes, weight, rng)
            problem = continuous.ContinuousProblem(
                make_views(z), make_views(codes), y_codes, weight, candidates
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
        reading = read_named(estimator, z, attribute, codes, classes, w, fold, seed)
        bound, unit = ESTIMATORS[estimator].bound, ESTIMATORS[estimator].unit
    entropy = None
    if labels is not None:
        log_prior = _log_prior(labels, y_codes, len(levels), weight)
        own = log_prior[np.arange(len(z)), labels]
        entropy = abs(float(np.average(own, weights=weight)))
    return _result(reading, entropy, estimator, bound, unit, classes is not None, warnings, name)


def most_rows(attribute: Attribute, codes: np.ndarray) -> int:
    """How many rows are used at most."""
    if not attribute.heads:
        return MOST_ROWS[False]
    values = len(np.unique(codes, axis=0))
    return max(MOST_ROWS[True] // 5, min(MOST_ROWS[True], MOST_SCORES // values))


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
    nats, low, high = (
        float(np.clip(round(v, 9), 0.0, top)) for v in (reading.value, reading.low, reading.high)
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


def _representation(z: Any) -> np.ndarray:
    if isinstance(z, Tensor) and z.is_floating_point():
        z = z.double()  # numpy has no bfloat16
    z = as_array("z", z)
    if z.ndim == 1:
        z = z[:, None]
    if z.ndim != 2 or not z.size:
        raise InfoshedError(f"`z` must have shape (n, d), got {z.shape}")
    if z.dtype.kind not in "biuf":
        raise InfoshedError(f"`z` must hold numbers, got {z.dtype}")
    z = z.astype(np.float64)
    bad = ~np.isfinite(z).all(1)
    if bad.any():
        raise NonFiniteError(
            f"`z` has NaN or infinity in {int(bad.sum())} rows (first at row "
            f"{int(np.argmax(bad))}); drop these rows or mend the encoder"
        )
    return z


def _classes(y: Any) -> np.ndarray:
    values = as_array("y", y)
    if values.dtype.kind == "f" and (values[np.isfinite(values)] % 1 != 0).any():
        raise InfoshedError("`y` must hold classes (text or whole numbers), got fractions; bin it")
    if len(np.unique(values.astype(str) if values.dtype.kind == "O" else values)) == 1:
        raise InfoshedError("`y` has one value only: I(Z;C|Y) is I(Z;C) then; leave `y` out")
    return Categorical.from_values(values, "y").encode(values).numpy()[:, 0]


def _weights(weights: Any) -> np.ndarray:
    w = as_array("weights", weights)
    if w.ndim != 1 or w.dtype.kind not in "biuf":
        raise InfoshedError(f"`weights` must be numbers of shape (n,), got {w.dtype} {w.shape}")
    w = w.astype(np.float64)
    if not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise InfoshedError("`weights` must be finite, at least 0, and not all 0")
    return w


def _labels(attribute: Attribute, codes: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
    """Joint values of discrete parts as 0..m-1 with their names; None where c is continuous."""
    if not attribute.heads:
        return None, []
    found, labels = np.unique(codes, axis=0, return_inverse=True)
    if len(found) > MOST_VALUES:
        raise InfoshedError(
            f"attribute '{attribute.name}' takes {len(found):,} distinct values together; at most "
            f"{MOST_VALUES:,} can be estimated: merge rare ones, or give floats if c is continuous"
        )
    parts = [attribute] if isinstance(attribute, Categorical) else attribute.parts  # type: ignore[attr-defined]
    names = [
        ", ".join(str(part.levels[code]) for part, code in zip(parts, row, strict=True))
        for row in found
    ]
    return labels.ravel(), names


def _without_singles(
    labels: np.ndarray, levels: list[str], name: str, warnings: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Values that occur once become one: no judge can have seen them, and being unseen would
    itself tell which they are. Raises `InfoshedError` where most rows have a value of their own.
    """
    counts = np.bincount(labels, minlength=len(levels))
    single = counts == 1
    if single.sum() > len(labels) / 2:
        raise InfoshedError(
            f"{single.sum():,} of {len(labels):,} rows have a value of {name} that no other row "
            "has: an id, perhaps? Choose another column, merge values, or give floats if it is "
            "a quantity"
        )
    if single.sum() < 2:
        return labels, levels
    warnings.append(f"{single.sum()} values of {name} occur once; they were taken as one value")
    place = np.where(single, (~single).sum(), np.cumsum(~single) - 1)
    kept = [level for level, once in zip(levels, single, strict=True) if not once]
    return place[labels], [*kept, "values that occur once"]


def _log_prior(labels: np.ndarray, y: np.ndarray, m: int, weights: np.ndarray) -> np.ndarray:
    """log p(c|y) of every row (n, m), -inf for values that its class never takes."""
    table = np.zeros((y.max() + 1, m))
    np.add.at(table, (y, labels), weights)
    with np.errstate(divide="ignore"):
        return np.log(table / np.maximum(table.sum(1, keepdims=True), 1e-300))[y]
