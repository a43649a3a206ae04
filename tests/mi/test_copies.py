"""Rows that are copies of one say a thing once; rows that share a value of z do not."""

import numpy as np
import pytest

from infoshed import audit
from infoshed.offline import estimate_mi
from infoshed.offline.advice import MASS, copies
from infoshed.offline.crossfit import held_out_scores
from infoshed.offline.stopping import HELD_OUT, stopping_rows
from infoshed.truth import build_case
from mi_samples import noise, quick


def test_repeated_noise_is_not_mistaken_for_information():
    # A judge that has seen a row knows the value of its copy; ungrouped, trees and nets show it.
    z, c = noise(400, d=3, classes=2, seed=2)
    twice = np.tile(np.arange(400), 2)
    found = estimate_mi(z[twice], c[twice], folds=3)
    assert found.nats < 0.03
    assert found.null_p > 0.01
    assert any(w.startswith("800 rows of z have exact copies") for w in found.warnings)


def test_many_copies_are_read_as_a_code_and_the_reader_is_told():
    z, c = noise(100)
    many = np.repeat(np.arange(100), 8)
    found = estimate_mi(z[many], c[many], estimator="quick")
    assert "table" in found.judges
    assert any("drop the copies" in w for w in found.warnings)
    codes = build_case("discrete_codes").draw(800, seed=0)
    assert not any("drop the copies" in w for w in quick(codes).warnings)


def test_copies_are_tested_once_by_named_estimators():
    p = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        z, c = np.repeat(rng.normal(size=(2, 60)), 4, 1)
        p.append(estimate_mi(z, c, estimator="gaussian", seed=seed).null_p)
    assert np.mean(np.array(p) <= 0.1) <= 0.25
    assert np.mean(p) > 0.3


def test_which_rows_are_copies_by_hand():
    z, c = np.arange(40.0)[:, None], np.arange(40) % 2
    assert copies(z, c) == (None, None)
    twice, labels = np.repeat(z, 2, 0), np.repeat(c, 2)
    distinct, groups = copies(twice, labels)
    assert distinct is None
    np.testing.assert_array_equal(groups, np.repeat(np.arange(40), 2))
    labels[1] = 1 - labels[0]  # the first two agree in z by chance
    _, groups = copies(twice, labels)
    assert groups is not None
    assert len(np.unique(groups[:2])) == 2
    np.testing.assert_array_equal(groups[2::2], groups[3::2])
    assert copies(twice, np.arange(80) % 2) == (None, None)  # z is coarse, and nothing a copy
    assert copies(twice, labels * 0.0, np.arange(80) % 2) == (None, None)
    coded, groups = copies(np.repeat(z, 8, 0), np.repeat(c, 8))
    assert groups is None
    np.testing.assert_array_equal(coded, np.repeat(np.arange(40), 8))


def test_a_value_that_many_rows_have_is_not_one_row():
    rng = np.random.default_rng(0)
    z, c = rng.normal(size=(1000, 2)), rng.integers(0, 2, 1000)
    z[: int(MASS * 1000) + 1] = 0.0
    c[: int(MASS * 1000) + 1] = 1  # z is 0 for this value of c only
    assert copies(z, c) == (None, None)


@pytest.mark.parametrize("dead", [(0.2, 0.8), (0.0, 0.4)])
def test_a_unit_that_is_switched_off_tells_what_it_tells(dead: tuple[float, float]):
    """As much as if it were at 0 but for noise that tells nothing."""
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, 2000)
    off = rng.random(2000) < np.array(dead)[c]
    z = np.where(off[:, None], 0.0, rng.normal(size=(2000, 3)))
    blurred = z + 1e-6 * rng.normal(size=z.shape)
    exact, near = (estimate_mi(v, c, estimator="quick") for v in (z, blurred))
    assert exact.nats == pytest.approx(near.nats, abs=0.02)
    assert max(exact.null_p, near.null_p) < 0.01
    (part,) = audit(z, c, estimator="quick").parts
    assert part.leaks
    neighbors = next(p for p in part.probes.probes if p.probe == "neighbors")
    best = 0.5 + (dead[1] - dead[0]) / 2  # guessing by whether z is 0
    assert (neighbors.accuracy or 0) > 0.5 + 0.6 * (best - 0.5)


def test_copies_make_an_estimate_no_surer_and_no_smaller():
    rng = np.random.default_rng(0)
    means = 0.32 * rng.normal(size=(5, 24))
    widths, values = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        c = rng.integers(0, 5, 600)
        z = means[c] + rng.normal(size=(600, 24))
        pair = [estimate_mi(z.repeat(k, 0), c.repeat(k), estimator="quick") for k in (1, 4)]
        widths.append([found.high - found.low for found in pair])
        values.append([found.nats for found in pair])
    single, copied = np.mean(widths, 0)
    assert copied > 0.9 * single
    single, copied = np.mean(values, 0)
    assert copied == pytest.approx(single, abs=0.03)


@pytest.mark.parametrize("times", [1, 3])
def test_a_half_holds_a_row_with_all_its_copies(times: int):
    groups = np.repeat(np.arange(100), times)
    target, fold, seen = groups % 3, groups % 5, []

    def spy(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        seen.append(train)
        return {"none": np.zeros((len(test), 3))}

    held_out_scores(spy, fold, target, 3, 0, 2, groups)
    for train in seen:
        counts = np.bincount(groups[train])
        assert set(counts) <= {0, times}
        assert (counts > 0).sum() == 40


@pytest.mark.parametrize("times", [1, 3])
def test_nets_stop_by_rows_of_which_they_saw_no_copy(times: int):
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(80), times))
    order = np.random.default_rng(1).permutation(len(groups))
    kept = stopping_rows(order, groups)
    assert len(np.unique(groups[kept])) == 80 // HELD_OUT
    assert not set(groups[kept]) & set(groups[~kept])
    np.testing.assert_array_equal(
        np.flatnonzero(stopping_rows(order, None)), np.sort(order[: len(order) // HELD_OUT])
    )


@pytest.mark.parametrize("name", ["gaussian", "infonce", "ksg"])
@pytest.mark.parametrize("times", [2, 8])
def test_named_estimators_read_the_same_of_copies(name: str, times: int):
    rng = np.random.default_rng(0)
    z = rng.normal(size=600)
    c = z + rng.normal(size=600)  # truth: 0.347
    once = estimate_mi(z, c, estimator=name)
    copied = estimate_mi(z.repeat(times), c.repeat(times), estimator=name)
    assert copied.rows == 600 * times
    assert copied.nats == pytest.approx(once.nats, abs=0.1)
    assert copied.high - copied.low > 0.2 * (once.high - once.low)
    unrelated = estimate_mi(z.repeat(times), c[::-1].repeat(times), estimator=name)
    assert unrelated.nats < 0.1
    assert unrelated.null_p > 0.02


def test_unequal_copies_count_as_weights():
    rng = np.random.default_rng(0)
    z = rng.normal(size=500)
    c = np.where(np.arange(500) < 250, z, 0) + rng.normal(size=500)
    times = np.where(np.arange(500) < 250, 3, 1)
    copied = estimate_mi(z.repeat(times), c.repeat(times), estimator="gaussian")
    weighed = estimate_mi(z, c, weights=times, estimator="gaussian")
    assert copied.nats == pytest.approx(weighed.nats, abs=0.03)
