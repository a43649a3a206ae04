"""What accuracy costs what gap: fronts of (gap, accuracy) points, smaller gap and larger accuracy
being better.

A point is on the **Pareto front** if no other is at least as good in both and better in one. The
**mixture front** adds what randomising gives: following classifier A with probability 1 - t and B
with probability t has accuracy (1 - t) a_A + t a_B, and a difference of rates of at most
(1 - t) g_A + t g_B, for the rates are linear in t and the largest difference is convex. So
everything under the upper concave hull of the points can be had, and the hull is the front on which
values between points are read. It takes the points as exact: give means over seeds, and do not pick
points by the figures they are then praised with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid

from infoshed.checks import InfoshedError, check_number, check_same_length


def pareto(gaps: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Positions of the points that no other dominates, by ascending gap; of equal points the
    first. Raises `InfoshedError` for lengths that differ and values that are not finite."""
    g, a = _points(gaps, accuracies)
    kept, best = [], -np.inf
    for i in np.lexsort((-a, g)):
        if a[i] > best:
            kept.append(int(i))
            best = a[i]
    return kept


@dataclass(frozen=True)
class Front:
    """A concave, rising, piecewise linear front: corners by ascending gap."""

    gaps: tuple[float, ...]
    accuracies: tuple[float, ...]

    def accuracy_at(self, gap: float) -> float | None:
        """The largest accuracy with a gap of at most `gap`: linear between corners, constant
        above the last; None below the first, where nothing is known to reach so small a gap."""
        check_number("gap", gap, 0)
        if gap < self.gaps[0]:
            return None
        return float(np.interp(gap, self.gaps, self.accuracies))

    def area(self, low: float, high: float) -> float | None:
        """Mean accuracy over gaps from `low` to `high`: the area under the front divided by
        high - low. None where the front does not reach down to `low`."""
        check_number("low", low, 0)
        check_number("high", high, low)
        if high == low:
            raise InfoshedError(f"`high` must be larger than `low`; both are {low:g}")
        if low < self.gaps[0]:
            return None
        inside = [g for g in self.gaps if low < g < high]
        at = np.array([low, *inside, high])
        heights = np.interp(at, self.gaps, self.accuracies)
        return float(trapezoid(heights, at) / (high - low))


def mixture_front(
    gaps: Sequence[float], accuracies: Sequence[float], constant: float | None = None
) -> Front:
    """The upper concave hull of the points, up to the one of largest accuracy.

    Args:
        gaps, accuracies: of the classifiers, (n,), gaps at least 0.
        constant: the accuracy of always predicting the commonest class, whose gap is 0. With it
            every front reaches down to 0, so that areas can be compared.
    """
    g, a = _points(gaps, accuracies)
    if constant is not None:
        check_number("constant", constant, 0, 1)
        g, a = np.append(g, 0.0), np.append(a, constant)
    hull: list[int] = []
    for i in pareto(g.tolist(), a.tolist()):
        while len(hull) > 1 and _under(g, a, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return Front(tuple(g[hull].tolist()), tuple(a[hull].tolist()))


def _under(g: np.ndarray, a: np.ndarray, i: int, j: int, k: int) -> bool:
    """Whether point j lies on or under the line from i to k; gaps ascend."""
    return bool((a[j] - a[i]) * (g[k] - g[i]) <= (a[k] - a[i]) * (g[j] - g[i]))


def _points(gaps: Sequence[float], accuracies: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    g, a = np.asarray(gaps, np.float64), np.asarray(accuracies, np.float64)
    check_same_length(gaps=g, accuracies=a)
    if g.ndim != 1 or not len(g):
        raise InfoshedError(f"at least one point is needed, of shape (n,); got {g.shape}")
    if not (np.isfinite(g).all() and np.isfinite(a).all() and (g >= 0).all()):
        raise InfoshedError("gaps and accuracies must be finite, and gaps at least 0")
    return g, a
