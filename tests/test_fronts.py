"""Fronts of gap and accuracy, by hand and against mixtures that are played out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infoshed import InfoshedError
from infoshed.auditing import group_metrics
from infoshed.experiments.fronts import mixture_front, pareto

UNIT = st.floats(0, 1, allow_nan=False)
POINTS = st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=12)


def test_a_pareto_front_by_hand():
    #        on    on   worse than 1  on   equal to 0
    gaps = [0.0, 0.1, 0.15, 0.3, 0.0]
    accuracies = [0.7, 0.8, 0.78, 0.9, 0.7]
    assert pareto(gaps, accuracies) == [0, 1, 3]


@given(POINTS)
def test_nothing_dominates_the_pareto_front(points: list[tuple[float, float]]):
    gaps, accuracies = zip(*points, strict=True)
    kept = pareto(gaps, accuracies)
    for i, (g, a) in enumerate(points):
        dominated = any(h <= g and b >= a and (h, b) != (g, a) for h, b in points)
        first = points.index((g, a)) == i
        assert (i in kept) == (not dominated and first)


def test_a_mixture_front_by_hand():
    # (0.1, 0.72) lies under the line from (0, 0.7) to (0.2, 0.8).
    front = mixture_front([0.2, 0.1, 0.4, 0.5], [0.8, 0.72, 0.84, 0.83], constant=0.7)
    assert front.gaps == (0.0, 0.2, 0.4)
    assert front.accuracies == (0.7, 0.8, 0.84)
    assert front.accuracy_at(0.1) == pytest.approx(0.75)
    assert front.accuracy_at(0.3) == pytest.approx(0.82)
    assert front.accuracy_at(0.9) == 0.84
    # 0 to 0.2: mean 0.75; 0.2 to 0.4: mean 0.82.
    assert front.area(0, 0.4) == pytest.approx((0.75 + 0.82) / 2)
    assert front.area(0.1, 0.3) == pytest.approx((0.775 + 0.81) / 2)
    assert front.area(0.4, 1) == pytest.approx(0.84)


def test_below_the_smallest_gap_nothing_is_claimed():
    front = mixture_front([0.2, 0.1], [0.8, 0.75])
    assert front.accuracy_at(0.05) is None
    assert front.area(0.05, 0.2) is None
    assert front.area(0.1, 0.2) == pytest.approx(0.775)
    assert mixture_front([0.2], [0.8]).accuracy_at(0.2) == 0.8


@given(POINTS, UNIT)
def test_a_front_is_concave_rises_and_covers_every_point(
    points: list[tuple[float, float]], gap: float
):
    gaps, accuracies = zip(*points, strict=True)
    front = mixture_front(gaps, accuracies, constant=0.5)
    assert front.gaps[0] == 0
    for g, a in points:
        assert (front.accuracy_at(g) or 0) >= a - 1e-9
    assert list(front.accuracies) == sorted(front.accuracies)
    assert set(zip(front.gaps, front.accuracies, strict=True)) <= {*points, (0.0, 0.5)}
    half = front.accuracy_at(gap / 2)
    assert half is not None
    assert half >= ((front.accuracy_at(0) or 0) + (front.accuracy_at(gap) or 0)) / 2 - 1e-9


def test_a_mixture_of_classifiers_is_where_the_front_says():
    rng = np.random.default_rng(0)
    n = 200_000
    group, y = rng.integers(0, 2, n), rng.integers(0, 2, n)
    one = np.where(rng.random(n) < 0.1 + 0.1 * group, 1 - y, y)
    two = np.where(group == 1, np.where(rng.random(n) < 0.3, 1, y), y)
    mixed = np.where(rng.random(n) < 0.5, one, two)
    found = [group_metrics(y, p, group) for p in (one, two, mixed)]
    gaps = [f.demographic_parity_difference or 0.0 for f in found]
    accuracies = [f.accuracy for f in found]
    front = mixture_front(gaps[:2], accuracies[:2])
    assert accuracies[2] == pytest.approx(np.mean(accuracies[:2]), abs=0.005)
    assert gaps[2] <= np.mean(gaps[:2]) + 0.005
    assert (front.accuracy_at(gaps[2] + 0.005) or 0) >= accuracies[2] - 0.02


@pytest.mark.parametrize(
    ("gaps", "accuracies", "message"),
    [
        ([], [], "at least one point is needed"),
        ([0.1], [0.5, 0.6], "same number of rows; gaps has 1"),
        ([float("nan")], [0.5], "must be finite"),
        ([-0.1], [0.5], "gaps at least 0"),
    ],
)
def test_bad_points_are_refused(gaps: list[float], accuracies: list[float], message: str):
    with pytest.raises(InfoshedError, match=message):
        mixture_front(gaps, accuracies)


def test_bad_ranges_are_refused():
    front = mixture_front([0.1], [0.8])
    with pytest.raises(InfoshedError, match=r"`high` must be larger than `low`; both are 0\.2"):
        front.area(0.2, 0.2)
    with pytest.raises(InfoshedError, match=r"`high` must be a finite number at least 0\.2"):
        front.area(0.2, 0.1)
    with pytest.raises(InfoshedError, match="`gap` must be a finite number at least 0"):
        front.accuracy_at(-1)
