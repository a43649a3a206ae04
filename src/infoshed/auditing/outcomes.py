"""How predictions treat groups, with bootstrap intervals.

Classes (`infoshed.auditing.group_metrics` has the formulas of the first six):

    accuracy, balanced_accuracy, worst_group_accuracy, demographic_parity_difference,
    equal_opportunity_difference, equalized_odds_difference
    accuracy_aligned, accuracy_conflicting, aligned_difference = the one less the other

A row (y, c) is **aligned** where p(y, c) > p(y) p(c) in the reference table (training data, say),
and conflicting otherwise. By group: accuracy, selection_rate, true_positive_rate,
false_positive_rate; and where scores are given, with s the score and h whether it came true,

    calibration_bias  = mean s - mean h           overconfident where positive
    calibration_error = sum over ten bins of s of  share of the bin * |mean s - mean h|

s is the probability of class 1 where there are two classes, else of the predicted class.

A quantity, with error e = y - prediction:

    mean_absolute_error, worst_group_mean_absolute_error, mean_absolute_error_difference,
    mean_error_difference, mean_prediction_difference      (max - min over groups of the means)

By group the means of |e|, e and the prediction. Rows are resampled with replacement; scores inside
a bin are resampled at the mean of the bin. A difference of largest and smallest cannot be negative,
so an interval of one that lies above 0 is no test.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import chi2_contingency

from infoshed.auditing.group_metrics import GROUP_RATES, METRICS, count_table, figure
from infoshed.auditing.inputs import Grouped
from infoshed.auditing.interval import DRAWS, Interval, percentile_interval
from infoshed.auditing.predictions import Predictions
from infoshed.auditing.record import GroupOutcome, Outcomes
from infoshed.offline import MIEstimate, estimate_mi
from infoshed.seeds import numpy_generator

MOST_COUNTS = 20_000_000  # of all resamples of a table together: memory
FEWEST_DRAWS = 200
BINS = 10
TIED = 0.01  # p-value below which y and c count as tied, and rows as aligned or conflicting
ALIGNED = ("accuracy_aligned", "accuracy_conflicting", "aligned_difference")
MEANS = ("mean_absolute_error", "mean_error", "mean_prediction")


def outcomes(
    predictions: Predictions,
    group: Grouped,
    reference: np.ndarray | None,
    most_rows: int,
    seed: int,
) -> Outcomes:
    """Every figure that is defined, with intervals.

    Args:
        group: of the same rows, each group with at least a row.
        reference: counts (classes, groups) that say which pairs are aligned; or None.
        most_rows: rows used for what errors tell about c, at most. seed: of the draws.
    """
    rng = numpy_generator(seed, f"outcomes/{group.name}")
    if predictions.classes:
        figures, by_group, reasons = _of_classes(predictions, group, rng)
        found, reason = {}, "a pair of y and one attribute is aligned or not; see the attributes"
        if reference is not None:
            found, reason = _aligned(predictions, group, reference, rng)
        figures |= found
        reasons |= dict.fromkeys(ALIGNED, reason) if reason else {}
    else:
        figures, by_group = _of_quantities(predictions, group, rng)
        reasons = {}
    residual, reason = _residual(predictions, group, most_rows, seed)
    reasons |= {"residual": reason} if reason else {}
    rows = group.counts
    return Outcomes(
        figures,
        {name: GroupOutcome(int(rows[i]), by_group[i]) for i, name in enumerate(group.groups)},
        reasons,
        residual,
    )


def _of_classes(
    predictions: Predictions, group: Grouped, rng: np.random.Generator
) -> tuple[dict[str, Interval], list[dict[str, Interval]], dict[str, str]]:
    _, counts = count_table(predictions.y, predictions.predicted, group.code)
    draws = _resampled(counts, rng)
    figures, reasons = {}, {}
    for name, metric in METRICS.items():
        value, reason = figure(name, list(group.groups), counts)
        if value is None:
            reasons[name] = str(reason)
        else:
            figures[name] = percentile_interval(value, metric(draws))
    by_group: list[dict[str, Interval]] = [{} for _ in group.groups]
    for name, rate in GROUP_RATES.items():
        if name != "accuracy" and counts.shape[-1] != 2:
            continue
        values, resampled = rate(counts), rate(draws)
        for i, value in enumerate(values):
            if np.isfinite(value):
                by_group[i][name] = percentile_interval(float(value), resampled[:, i])
    if predictions.scores is not None and predictions.came_true is not None:
        for i, found in enumerate(by_group):
            rows = group.code == i
            found |= _calibration(predictions.scores[rows], predictions.came_true[rows], rng)
    return figures, by_group, reasons


def _resampled(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tables that resampling the rows gives, (draws, *counts.shape)."""
    draws = int(np.clip(MOST_COUNTS // counts.size, FEWEST_DRAWS, DRAWS))
    n = int(counts.sum())
    return rng.multinomial(n, counts.ravel() / n, size=draws).reshape(draws, *counts.shape)


def _calibration(
    scores: np.ndarray, came_true: np.ndarray, rng: np.random.Generator
) -> dict[str, Interval]:
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    counts = np.zeros((BINS, 2), np.int64)
    np.add.at(counts, (bins, came_true.astype(int)), 1)
    rows = np.bincount(bins, minlength=BINS)
    mean = np.bincount(bins, scores, minlength=BINS) / np.maximum(rows, 1)

    def bias(counts: np.ndarray) -> np.ndarray:
        return (counts.sum(-1) * mean - counts[..., 1]).sum(-1) / counts.sum((-2, -1))

    def error(counts: np.ndarray) -> np.ndarray:
        return abs(counts.sum(-1) * mean - counts[..., 1]).sum(-1) / counts.sum((-2, -1))

    draws = _resampled(counts, rng)
    return {
        "calibration_bias": percentile_interval(float(bias(counts)), bias(draws)),
        "calibration_error": percentile_interval(float(error(counts)), error(draws)),
    }


def _aligned(
    predictions: Predictions, group: Grouped, reference: np.ndarray, rng: np.random.Generator
) -> tuple[dict[str, Interval], str | None]:
    """Accuracy on aligned and on conflicting rows, or why there is none."""
    filled = reference[reference.sum(1) > 0][:, reference.sum(0) > 0]
    tie: Any = chi2_contingency(filled, correction=False) if min(filled.shape) > 1 else None
    if tie is None or tie.pvalue > TIED:
        return {}, "y and c are not tied in the reference rows; no row is aligned or conflicting"
    expected = reference.sum(1, keepdims=True) * reference.sum(0) / reference.sum()
    aligned = (reference > expected)[predictions.y, group.code]
    if aligned.all() or not aligned.any():
        return {}, f"all rows are {'aligned' if aligned.all() else 'conflicting'}"
    hit = predictions.y == predictions.predicted
    counts = np.zeros((2, 2), np.int64)
    np.add.at(counts, (aligned.astype(int), hit.astype(int)), 1)

    def rates(counts: np.ndarray) -> list[np.ndarray]:
        rows = counts.sum(-1)
        share = np.divide(counts[..., 1], rows, out=np.full(rows.shape, np.nan), where=rows > 0)
        return [share[..., 1], share[..., 0], share[..., 1] - share[..., 0]]

    values, draws = rates(counts), rates(_resampled(counts, rng))
    found = zip(ALIGNED, values, draws, strict=True)
    return {name: percentile_interval(float(v), d) for name, v, d in found}, None


def _of_quantities(
    predictions: Predictions, group: Grouped, rng: np.random.Generator
) -> tuple[dict[str, Interval], list[dict[str, Interval]]]:
    error = predictions.y - predictions.predicted
    table = np.stack([abs(error), error, predictions.predicted], 1)
    n, groups = len(error), len(group.groups)

    def means(times: np.ndarray | None) -> np.ndarray:
        """Means by group (groups, 3), each row counted so many times; NaN without rows."""
        rows = np.bincount(group.code, times, groups)
        weighted = table if times is None else table * times[:, None]
        sums = np.stack([np.bincount(group.code, column, groups) for column in weighted.T], 1)
        whole = rows[:, None]
        return np.divide(sums, whole, out=np.full(sums.shape, np.nan), where=whole > 0)

    draws = int(np.clip(MOST_COUNTS // n, FEWEST_DRAWS, DRAWS))
    values = means(None)
    times = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(draws))
    resampled, shares = [], []
    for counts in times:
        resampled.append(means(counts))
        shares.append(counts @ table[:, 0] / n)
    resampled = np.stack(resampled)

    def spread(column: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda means: means[..., column].max(-1) - means[..., column].min(-1)

    functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "worst_group_mean_absolute_error": lambda means: means[..., 0].max(-1),
        **{f"{name}_difference": spread(i) for i, name in enumerate(MEANS)},
    }
    figures = {
        "mean_absolute_error": percentile_interval(float(table[:, 0].mean()), np.array(shares))
    }
    figures |= {
        name: percentile_interval(float(f(values)), f(resampled)) for name, f in functions.items()
    }
    by_group = [
        {
            name: percentile_interval(float(values[g, i]), resampled[:, g, i])
            for i, name in enumerate(MEANS)
        }
        for g in range(groups)
    ]
    return figures, by_group


def _residual(
    predictions: Predictions, group: Grouped, most_rows: int, seed: int
) -> tuple[MIEstimate | None, str | None]:
    """What errors tell about c, with the judges that are quick, or why nothing can be said."""
    y, predicted = predictions.y, predictions.predicted
    rows = np.arange(len(y))
    if len(y) > most_rows:
        rows = np.sort(numpy_generator(seed, "residual rows").permutation(len(y))[:most_rows])
    z = predicted[rows] if predictions.classes else (y - predicted)[rows]
    c = group.values[rows]
    for what, values in (("the prediction", z), (group.name, c), ("y", y[rows])):
        if (values == values[0]).all():
            return None, f"{what} has one value only"
    given = y[rows] if predictions.classes else None
    return estimate_mi(z, c, y=given, estimator="quick", seed=seed, name=group.name), None
