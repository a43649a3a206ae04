"""Parts of the estimate after training, each against something found another way."""

from itertools import permutations, product

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import logsumexp
from sklearn.preprocessing import StandardScaler

from infoshed.offline.continuous import BLOCK, make_candidates
from infoshed.offline.crossfit import held_out_scores, make_folds
from infoshed.offline.result import permutation_p, read
from infoshed.offline.stack import pool, pool_weights
from infoshed.offline.subspace import informative_directions
from infoshed.offline.views import make_views, normal_scores, standardize, whiten
from infoshed.truth import build_case

# Views


def test_standardize_is_that_of_sklearn_without_the_constant_columns():
    z = np.random.default_rng(0).normal([3, -1, 0], [5, 0.1, 1e-6], (100, 3))
    padded = np.insert(z, [0, 2], 7.7, axis=1)
    np.testing.assert_allclose(standardize(padded), StandardScaler().fit_transform(z), atol=1e-9)
    assert (standardize(np.full((9, 4), -0.3)) == 0).all()
    assert standardize(np.full((9, 4), -0.3)).shape == (9, 1)


@pytest.mark.parametrize(("scale", "shift"), [(-3, 0), (1e-200, 0), (1e200, 0), (1e-3, 1e7)])
def test_standardize_does_not_mind_scale_and_shift(scale: float, shift: float):
    z = np.random.default_rng(1).normal(size=(200, 3))
    moved = standardize(z * scale + shift)
    np.testing.assert_allclose(np.abs(moved), np.abs(standardize(z)), atol=1e-5)


def test_normal_scores_are_quantiles_at_the_ranks_and_share_ties():
    column = np.array([0.3, -2.0, 0.3, 9.0, 1.0])
    ranks = np.array([2.5, 1, 2.5, 5, 4])
    expected = scipy.stats.norm.ppf((ranks - 0.5) / 5)
    np.testing.assert_allclose(normal_scores(column[:, None])[:, 0], expected, atol=1e-12)


def test_normal_scores_see_no_increasing_map():
    z = np.random.default_rng(2).normal(size=(300, 2))
    views = [make_views(v) for v in (z, np.stack([np.exp(z[:, 0]), z[:, 1] ** 3], 1))]
    np.testing.assert_array_equal(views[0].scores, views[1].scores)
    np.testing.assert_array_equal(views[0].whitened_scores, views[1].whitened_scores)


def test_whitened_columns_are_uncorrelated_and_of_unit_variance():
    rng = np.random.default_rng(3)
    z = standardize(rng.normal(size=(4000, 6)) @ rng.normal(size=(6, 6)))
    white = whiten(z)
    np.testing.assert_allclose(white.T @ white / 4000, np.eye(6), atol=1e-3)


def test_whitening_drops_what_other_columns_say_already():
    z = np.random.default_rng(4).normal(size=(500, 3))
    repeated = standardize(np.concatenate([z, z, z[:, :1] - 2 * z[:, 1:2]], 1))
    white = whiten(repeated)
    assert white.shape == (500, 3)
    np.testing.assert_allclose(white.T @ white / 500, np.eye(3), atol=1e-3)


def test_rotated_rows_whiten_to_the_same_columns():
    rng = np.random.default_rng(5)
    z = rng.gamma(2.0, size=(800, 4)) * [1, 2, 3, 4]
    z = z - z.mean(0)
    turned = z @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
    np.testing.assert_allclose(whiten(turned), whiten(z), atol=1e-9)


def test_more_columns_than_rows_stay_of_order_one():
    z = np.random.default_rng(6).normal(size=(40, 300))
    white = make_views(z).whitened
    assert white.shape == (40, 39)  # the mean is gone
    np.testing.assert_allclose((white**2).mean(), 1, rtol=0.05)


# The pool


@pytest.fixture(scope="module")
def known() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True log p(c|z)/p(c) (n, 3), log p(c) (n, 3) and c (n,) of three Gaussian classes."""
    case = build_case("gaussian_classes", classes=3, dim=4, share=0.4)
    sample = case.draw(4000, seed=0)
    ratio = case.log_ratio(torch.from_numpy(sample.z)).numpy()
    return ratio, np.full(ratio.shape, -np.log(3)), sample.c


def test_the_true_posterior_gets_weight_one_and_noise_none(known):
    ratio, prior, c = known
    noise = np.random.default_rng(0).normal(size=ratio.shape)
    w = pool_weights(np.stack([ratio, noise]), prior, c, np.ones(len(c)))
    assert w[0] == pytest.approx(1, abs=0.08)
    assert w[1] == pytest.approx(0, abs=0.05)
    assert pool_weights(noise[None], prior, c, np.ones(len(c)))[0] < 0.05


def test_an_overconfident_judge_is_cooled_and_a_liar_ignored(known):
    ratio, prior, c = known
    weight = np.ones(len(c))
    w = pool_weights(2 * ratio[None], prior, c, weight)
    assert w[0] == pytest.approx(pool_weights(ratio[None], prior, c, weight)[0] / 2, rel=0.02)
    assert pool_weights(-ratio[None], prior, c, weight)[0] == 0


def test_the_weight_is_where_the_likelihood_is_highest(known):
    ratio, prior, c = known
    rows = np.arange(len(c))
    overconfident = (1.7 * ratio)[None]
    grid = np.linspace(0, 2, 401)
    log_p = [w * overconfident[0] + prior for w in grid]
    likelihood = [(v - logsumexp(v, 1, keepdims=True))[rows, c].mean() for v in log_p]
    best = grid[int(np.argmax(likelihood))]
    assert pool_weights(overconfident, prior, c, np.ones(len(c)))[0] == pytest.approx(
        best, abs=0.01
    )


def test_row_weights_count_as_repetition(known):
    ratio, prior, c = known
    times = np.random.default_rng(1).integers(0, 4, len(c))
    scores = np.stack([ratio, np.tanh(ratio)])
    again = np.repeat(np.arange(len(c)), times)
    w = pool_weights(scores, prior, c, times.astype(float))
    repeated = pool_weights(scores[:, again], prior[again], c[again], np.ones(len(again)))
    np.testing.assert_allclose(w, repeated, atol=1e-3)


def test_the_pool_is_a_distribution_and_without_judges_the_prior():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(2, 50, 4))
    prior = np.log(rng.dirichlet(np.ones(4), 50))
    prior[:25, 2] = -np.inf
    prior = prior - logsumexp(prior, 1, keepdims=True)
    ratio = pool(scores, prior, np.array([0.5, 2.0]))
    np.testing.assert_allclose(np.exp(ratio + prior).sum(1), 1)
    assert (np.exp(ratio + prior)[:25, 2] == 0).all()
    np.testing.assert_allclose(pool(scores, prior, np.zeros(2)), 0, atol=1e-12)
    w = pool_weights(scores, prior, np.zeros(50, int), np.ones(50))
    assert np.isfinite(w).all()


# Directions


def planted(kind: str, n: int = 4000, d: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, two classes c, and the directions (d, k) that tell them apart."""
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, n)
    z = rng.normal(size=(n, d))
    if kind == "mean":
        z[:, 0] += c
        return z, c, np.eye(d, 1)
    if kind == "variance":
        z[:, :2] *= np.where(c, 0.6, 1.5)[:, None]
        return z, c, np.eye(d, 2)
    signs = rng.choice([-1, 1], (n, 3))
    z[:, :3] = 2 * signs + z[:, :3]
    return z, (signs.prod(1) > 0).astype(int), np.eye(d, 3)


@pytest.mark.parametrize(
    ("kind", "turn"), list(product(["mean", "variance", "parity"], [False, True]))
)
def test_planted_directions_are_found(kind: str, turn: bool):
    z, c, wanted = planted(kind)
    if turn:
        q = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0]
        z, wanted = z @ q, q.T @ wanted
    x = whiten(standardize(z))
    found, first_two = informative_directions(x, c, 2, np.ones(len(c)), np.random.default_rng(2))
    # Compare what they read off z: angles between subspaces of columns, in sample space.
    assert found.shape[1] < 12
    used = {"mean": slice(0, 1), "variance": slice(1, 4), "parity": slice(first_two, None)}[kind]
    angles = np.rad2deg(
        principal_angles(x @ found[:, used], (z - z.mean(0)) @ wanted)  # ascending
    )
    assert angles.max() < 15, angles


def principal_angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles of b's span to a's, which may have more columns; radians."""
    q_a, q_b = (np.linalg.qr(v)[0] for v in (a, b))
    return np.arccos(np.clip(np.linalg.svd(q_a.T @ q_b)[1], -1, 1))


def test_without_the_third_order_there_are_only_the_first_two():
    z, c, _ = planted("mean", n=500)
    x = whiten(standardize(z))
    w, rng = np.ones(500), np.random.default_rng(0)
    both, first_two = informative_directions(x, c, 2, w, rng, cubes=False)
    assert both.shape[1] == first_two
    all_three, again = informative_directions(x, c, 2, w, rng)
    assert again == first_two
    np.testing.assert_array_equal(all_three[:, :first_two], both)


# Cross-fitting


def test_folds_are_even_within_every_stratum():
    strata = np.random.default_rng(0).choice(7, 533, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.02])
    fold = make_folds(strata, None, 5, np.random.default_rng(1))
    assert np.ptp(np.bincount(fold, minlength=5)) <= 1
    for value in range(7):
        assert np.ptp(np.bincount(fold[strata == value], minlength=5)) <= 1


def test_rows_of_a_group_share_a_fold():
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 100, 400)
    fold = make_folds(groups % 2, groups, 4, rng)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in np.unique(groups))
    used = np.array([fold[groups == g][0] for g in np.unique(groups)])
    assert np.ptp(np.bincount(used, minlength=4)) <= 1


@pytest.mark.parametrize("part", [1, 2])
def test_every_row_is_judged_once_by_a_judge_that_never_saw_it(part: int):
    n = 203
    rng = np.random.default_rng(3)
    target = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    fold = make_folds(target, None, 5, rng)
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def spy(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        seen.append((train, test))
        return {"row": np.repeat(test[:, None], 3, 1), "seed": np.full((len(test), 3), seed % 97)}

    names, scores = held_out_scores(spy, fold, target, 3, seed=0, part=part)
    assert names == ["row", "seed"]
    np.testing.assert_array_equal(scores[0, :, 1], np.arange(n))  # each score at its own row
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in seen])), range(n))
    assert len(np.unique(scores[1])) > 1
    for train, test in seen:
        assert not set(train) & set(test)
        assert len(set(train)) == len(train)
        assert len(train) == -(-(n - len(test)) // part)
        # A half has half of every value.
        rest = np.setdiff1d(np.arange(n), test)
        wanted = np.bincount(target[rest], minlength=3) / part
        assert np.abs(np.bincount(target[train], minlength=3) - wanted).max() <= 1


def test_candidates_are_of_the_same_fold_and_class_with_the_own_among_them():
    rng = np.random.default_rng(4)
    n = 2500
    fold = (np.arange(n) > 2300).astype(int)
    y = (rng.random(n) < 0.1).astype(int)
    weights = rng.uniform(0.1, 2, n)
    candidates, prior, target = make_candidates(fold, y, weights, rng)
    rows = np.arange(n)
    real = np.isfinite(prior)
    np.testing.assert_array_equal(candidates[rows, target], rows)
    np.testing.assert_allclose(np.exp(prior).sum(1), 1)
    assert real.sum(1).max() <= BLOCK
    for values in (fold, y):
        assert ((values[candidates] == values[:, None]) | ~real).all()
    ratio = np.exp(prior[0][real[0]]) / weights[candidates[0][real[0]]]
    np.testing.assert_allclose(ratio, ratio[0])


# Value, interval, p-value


def test_p_is_the_share_of_all_permutations_within_blocks():
    rng = np.random.default_rng(5)
    pooled, target = rng.normal(size=(7, 3)), np.array([0, 1, 2, 0, 1, 2, 1])
    blocks = np.array([0, 0, 0, 0, 1, 1, 1])
    found = pooled[np.arange(7), target].sum()
    as_good = [
        pooled[np.arange(7), target[[*a, *(4 + i for i in b)]]].sum() >= found - 1e-9
        for a in permutations(range(4))
        for b in permutations(range(3))
    ]
    exact = np.mean(as_good)
    assert 0.02 < exact < 0.98
    p = permutation_p(pooled, target, blocks, rng)
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 999) + 0.001)


def test_p_is_uniform_where_scores_know_nothing_and_small_where_they_do():
    rng = np.random.default_rng(6)
    null = []
    for _ in range(60):
        target = rng.integers(0, 3, 80)
        null.append(permutation_p(rng.normal(size=(80, 3)), target, np.arange(80) % 2, rng))
    assert scipy.stats.kstest(null, "uniform").pvalue > 0.01
    target = rng.integers(0, 3, 80)
    knows = rng.normal(size=(80, 3)) + 1.5 * np.eye(3)[target]
    assert permutation_p(knows, target, np.zeros(80), rng) == 0.001  # the least there is
    assert permutation_p(np.zeros((80, 3)), target, np.zeros(80), rng) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_decides_no_tie(dtype: type):
    rng = np.random.default_rng(5)
    for _ in range(5):
        scores, target = rng.normal(size=(60, 3)).astype(dtype), rng.integers(0, 3, 60)
        # Nothing can be exchanged where every block has one row,
        assert permutation_p(scores, target, np.arange(60), rng) == 1
        # and where all rows score alike every exchange comes to the same.
        alike = np.repeat(scores[:1], 60, 0)
        assert permutation_p(alike, np.sort(target), np.zeros(60), rng) == 1


def test_what_is_read_from_the_true_posterior_is_the_information(known):
    ratio, prior, c = known
    case = build_case("gaussian_classes", classes=3, dim=4, share=0.4)
    nats, _ = case.monte_carlo(seed=1, draws=2**16)
    fold, weight = np.arange(len(c)) % 5, np.ones(len(c))
    reading = read(
        lambda train, test, seed: {"truth": ratio[test]},
        fold, prior, c, weight, fold, None, False, 0,
    )  # fmt: skip
    assert reading.value == pytest.approx(nats, abs=0.03)
    assert reading.rising == 0  # half of the rows gave the same judge
    # Nothing but the sampling error of a mean of log ratios is in the interval then.
    spread = ratio[np.arange(len(c)), c].std() / len(c) ** 0.5
    assert reading.high - reading.low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_copies_of_rows_make_no_interval_narrower(known):
    ratio, prior, c = known
    results = []
    for times in (1, 3):
        rows = np.repeat(np.arange(600), times)
        results.append(
            read(
                lambda train, test, seed, rows=rows: {"truth": ratio[rows][test]},
                rows % 5, prior[rows], c[rows], np.ones(len(rows)), rows % 5,
                None if times == 1 else rows, False, 0,
            )
        )  # fmt: skip
    assert results[1].value == pytest.approx(results[0].value, abs=1e-5)
    assert results[1].low == pytest.approx(results[0].low, abs=1e-5)
    assert results[1].null_p == results[0].null_p
