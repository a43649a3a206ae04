"""How a prediction treats groups. Every figure is a function of one table of counts.

    N[g, y, p] = rows of group g with class y and prediction p

    accuracy of g                = sum_y N[g,y,y] / N[g]
    worst group                  = min over g of the accuracy of g
    balanced accuracy            = mean over the classes that occur of  N[y,y] / N[y]
    parity difference            = max - min over g of  P(p = 1 | g)
    equal opportunity difference = max - min over g of  P(p = 1 | y = 1, g)
    equalised odds difference    = the larger of that and of max - min of  P(p = 1 | y = 0, g)

The last three are defined for classes 0 and 1, where 1 is what is wished for. Each equals
fairlearn.metrics where both are defined. Where a cell that a figure divides by is empty, the
figure is None and the reason is stated; nothing is replaced by 0.

Definitions: Hardt, Price and Srebro (arXiv 1610.02413); Agarwal et al. (arXiv 1803.02453).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from infoshed.auditing.interval import DRAWS, LEVEL, Interval, percentile_interval
from infoshed.checks import InfoshedError, as_array, check_choice, check_number, check_same_length
from infoshed.seeds import numpy_generator


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where `whole` is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _spread(rates: np.ndarray) -> np.ndarray:
    return rates.max(-1) - rates.min(-1)


def _accuracies(counts: np.ndarray) -> np.ndarray:
    return _ratio(np.einsum("...gyy->...g", counts), counts.sum((-2, -1)))


def _accuracy(counts: np.ndarray) -> np.ndarray:
    return np.einsum("...gyy->...", counts) / counts.sum((-3, -2, -1))


def _balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    table = counts.sum(-3)
    rows = table.sum(-1)
    recall = np.where(rows > 0, np.einsum("...yy->...y", table) / np.maximum(rows, 1), 0)
    return recall.sum(-1) / (rows > 0).sum(-1)


def _worst_group_accuracy(counts: np.ndarray) -> np.ndarray:
    return _accuracies(counts).min(-1)


def _selection_rates(counts: np.ndarray) -> np.ndarray:
    return _ratio(counts[..., 1].sum(-1), counts.sum((-2, -1)))


def _positive_rates(counts: np.ndarray, y: int) -> np.ndarray:
    return _ratio(counts[..., y, 1], counts[..., y, :].sum(-1))


def _demographic_parity(counts: np.ndarray) -> np.ndarray:
    return _spread(_selection_rates(counts))


def _equal_opportunity(counts: np.ndarray) -> np.ndarray:
    return _spread(_positive_rates(counts, 1))


def _equalized_odds(counts: np.ndarray) -> np.ndarray:
    return np.maximum(_spread(_positive_rates(counts, 0)), _spread(_positive_rates(counts, 1)))


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "worst_group_accuracy": _worst_group_accuracy,
    "demographic_parity_difference": _demographic_parity,
    "equal_opportunity_difference": _equal_opportunity,
    "equalized_odds_difference": _equalized_odds,
}
"""Each maps counts (..., groups, classes, classes) to its values (...), NaN where not defined."""

GROUP_RATES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracies,
    "selection_rate": _selection_rates,
    "true_positive_rate": lambda counts: _positive_rates(counts, 1),
    "false_positive_rate": lambda counts: _positive_rates(counts, 0),
}
"""Each maps counts (..., groups, classes, classes) to a rate of every group (..., groups), NaN
where not defined; all but the accuracy are for two classes."""

TWO_CLASSES = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)


@dataclass(frozen=True)
class Group:
    """The rows of one group. Rates are shares of predictions that are 1: of all rows, of those
    of class 1 and of class 0; None where there are no such rows, or more than two classes."""

    rows: int
    accuracy: float
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None


@dataclass(frozen=True)
class GroupMetrics:
    """What `group_metrics` returns: figures in [0, 1], and the groups by name.

    `reasons` says of every figure that is None why it is.
    """

    accuracy: float
    balanced_accuracy: float
    worst_group_accuracy: float
    demographic_parity_difference: float | None
    equal_opportunity_difference: float | None
    equalized_odds_difference: float | None
    groups: dict[str, Group]
    reasons: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self)


def group_metrics(y: Any, prediction: Any, group: Any) -> GroupMetrics:
    """Accuracy by group and the gaps between groups.

    Args:
        y, prediction: classes 0, 1, ... of shape (n,). A score must be cut first (score > 0.5).
        group: the group of each row, text or whole numbers, (n,) or (n, 1).

    Raises `InfoshedError` for shapes and values that do not fit, or fewer than two groups.
    """
    names, counts = count_table(y, prediction, group)
    figures, reasons = {}, {}
    for name in METRICS:
        figures[name], reason = figure(name, names, counts)
        if reason is not None:
            reasons[name] = reason
    groups = {}
    binary = counts.shape[-1] == 2
    rates = {k: rate(counts) for k, rate in GROUP_RATES.items() if binary or k == "accuracy"}
    for i, name in enumerate(names):
        found = {k: None if np.isnan(v[i]) else float(v[i]) for k, v in rates.items()}
        groups[name] = Group(int(counts[i].sum()), **(dict.fromkeys(GROUP_RATES) | found))  # type: ignore[arg-type]
    return GroupMetrics(**figures, groups=groups, reasons=reasons)


def metric_interval(
    name: str,
    y: Any,
    prediction: Any,
    group: Any,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """A bootstrap interval of the figure called `name` (a key of `METRICS`).

    Rows are resampled with replacement, which for a table of counts is a multinomial draw. A
    difference of the largest and the smallest rate cannot be negative: where groups are treated
    alike, its resamples lie above 0, and so does the interval. It is no test of a gap of 0.

    Args:
        y, prediction, group: as in `group_metrics`.
        draws, level, seed: how many resamples, the coverage, and the seed of the draws.

    Raises `InfoshedError` as `group_metrics` does, and where the figure is not defined.
    """
    check_choice("metric", name, METRICS)
    check_number("draws", draws, 100, integer=True)
    check_number("level", level, 0.5, 0.999)
    names, counts = count_table(y, prediction, group)
    value, reason = figure(name, names, counts)
    if value is None:
        raise InfoshedError(f"`{name}` is not defined here: {reason}")
    n = int(counts.sum())
    rng = numpy_generator(seed, f"bootstrap/{name}")
    resampled = rng.multinomial(n, counts.ravel() / n, size=draws).reshape(-1, *counts.shape)
    return percentile_interval(value, METRICS[name](resampled), level)


def count_table(y: Any, prediction: Any, group: Any) -> tuple[list[str], np.ndarray]:
    """Names of the groups and the counts N[g, y, p], (groups, classes, classes); arguments and
    errors as in `group_metrics`."""
    y, prediction = _classes("y", y), _classes("prediction", prediction)
    group = as_array("group", group)
    group = group[:, 0] if group.ndim == 2 and group.shape[1] == 1 else group
    if group.ndim != 1 or group.dtype.kind not in "biuOSU":
        raise InfoshedError(
            f"`group` must be text or whole numbers of shape (n,), got {group.dtype} of shape "
            f"{group.shape}"
        )
    check_same_length(y=y, prediction=prediction, group=group)
    if group.dtype.kind == "O":
        missing = sum(v is None or v != v for v in group)
        if missing:
            raise InfoshedError(f"`group` has {missing} missing values; drop or fill these rows")
        group = group.astype(str)
    levels, inverse = np.unique(group, return_inverse=True)
    if len(levels) < 2:
        raise InfoshedError(f"two groups are needed to compare, found {levels.tolist()}")
    classes = max(2, int(y.max()) + 1, int(prediction.max()) + 1)
    counts = np.zeros((len(levels), classes, classes), np.int64)
    np.add.at(counts, (inverse, y, prediction), 1)
    return [str(level) for level in levels], counts


def _classes(name: str, values: Any) -> np.ndarray:
    array = as_array(name, values)
    if array.ndim != 1 or not len(array):
        raise InfoshedError(f"`{name}` must be classes of shape (n,), got shape {array.shape}")
    if array.dtype.kind == "f" and (array == np.round(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "biu":
        raise InfoshedError(
            f"`{name}` must be classes 0, 1, ..., got {array.dtype}; cut a score first, "
            "such as score > 0.5"
        )
    array = array.astype(np.int64)
    if array.min() < 0:
        raise InfoshedError(f"`{name}` must be classes 0, 1, ..., found {array.min()}")
    return array


def figure(name: str, names: list[str], counts: np.ndarray) -> tuple[float | None, str | None]:
    """The figure called `name` (a key of `METRICS`) of a `count_table`, or None and the reason why
    there is none."""
    if name in TWO_CLASSES and counts.shape[-1] != 2:
        return None, f"defined for two classes, 0 and 1; there are {counts.shape[-1]}"
    value = float(METRICS[name](counts))
    if not np.isnan(value):
        return value, None
    needed = (0, 1) if name == "equalized_odds_difference" else (1,)
    rows = counts.sum(-1)
    empty = [f"group '{names[g]}' has no rows of class {k}" for k in needed
             for g in np.flatnonzero(rows[:, k] == 0)]  # fmt: skip
    return None, "; ".join(empty)
