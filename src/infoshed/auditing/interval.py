"""A value with a bootstrap interval: the percentiles of what resampling the rows gives.

low, high  =  quantiles (1 - level)/2 and (1 + level)/2 of the statistic over `draws` resamples
"""

from dataclasses import dataclass

import numpy as np

LEVEL, DRAWS = 0.95, 2000
LEAST_DEFINED = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and where it would lie on other samples of the same size.

    Args:
        value, low, high: the statistic and the ends of its interval, low <= high; low and high
            are None where resamples do not define it, for the stated `reason`.
        level: the interval's coverage.
    """

    value: float
    low: float | None
    high: float | None
    level: float = LEVEL
    reason: str | None = None


def percentile_interval(value: float, draws: np.ndarray, level: float = LEVEL) -> Interval:
    """The interval of `value` from the statistic on resamples, `draws` (n,).

    NaN marks a resample on which the statistic is not defined. Up to 5% of those are left out; with
    more there is no interval. The interval is widened to hold the value, which percentiles of a
    statistic that cannot be negative may miss.
    """
    defined = np.isfinite(draws)
    kept = defined.mean()
    if kept < LEAST_DEFINED:
        reason = f"{1 - kept:.0%} of the resamples have an empty cell; too few rows for an interval"
        return Interval(value, None, None, level, reason)
    low, high = np.quantile(draws[defined], [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, min(float(low), value), max(float(high), value), level)


def resampled_means(
    values: np.ndarray,
    rng: np.random.Generator,
    draws: int = DRAWS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Means of the columns of `values` (n, k) over resamples of its rows: (draws, k). Rows of one
    of the `groups` (n,) are drawn together, as copies say the same thing once."""
    sizes = np.ones(len(values))
    if groups is not None:
        inverse = np.unique(groups, return_inverse=True)[1]
        sizes = np.bincount(inverse)
        values = np.stack([np.bincount(inverse, column) for column in values.T], 1)
    n = len(values)
    times = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(draws))
    return np.stack([counts @ values / (counts @ sizes) for counts in times])
