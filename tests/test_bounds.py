"""Bounds as functions of scores, against the exact information of a small discrete joint."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import logsumexp
from sklearn.metrics import mutual_info_score
from torch import Tensor

from infoshed.estimators.bounds import (
    bounded,
    class_club,
    class_donsker_varadhan,
    class_nwj,
    class_scoring,
    club,
    donsker_varadhan,
    infonce,
    jensen_shannon,
    leave_one_out,
    log_mean_exp,
    nwj,
    smile,
)

COUNTS = np.array([[6, 1, 1], [2, 5, 1], [1, 1, 10], [3, 3, 6]])  # z in rows, c in columns


def joint_rows(counts: np.ndarray) -> tuple[Tensor, Tensor]:
    """Rows (z, c) in exact proportion to `counts`."""
    z, c = (np.repeat(i.ravel(), counts.ravel()) for i in np.indices(counts.shape))
    return torch.from_numpy(z), torch.from_numpy(c)


def exact_information(counts: np.ndarray) -> float:
    return mutual_info_score(None, None, contingency=counts)


def log_ratio(counts: np.ndarray) -> Tensor:
    p = torch.from_numpy(counts / counts.sum())
    return (p / p.sum(1, keepdim=True) / p.sum(0)).log()


def log_prior(counts: np.ndarray) -> Tensor:
    return torch.from_numpy(counts.sum(0) / counts.sum()).log()


@pytest.mark.parametrize("bound", [class_scoring, class_donsker_varadhan])
def test_the_exact_log_ratio_attains_the_exact_information(bound):
    z, c = joint_rows(COUNTS)
    estimate = bound(log_ratio(COUNTS)[z], log_prior(COUNTS), c)
    assert float(estimate) == pytest.approx(exact_information(COUNTS), abs=1e-12)


def test_sampled_donsker_varadhan_attains_it_over_all_pairs():
    z, c = joint_rows(COUNTS)
    scores = log_ratio(COUNTS)
    every_pair = scores[z[:, None], c[None, :]]  # exactly p(z) p(c)
    estimate = donsker_varadhan(scores[z, c], every_pair)
    assert float(estimate) == pytest.approx(exact_information(COUNTS), abs=1e-12)


@pytest.mark.parametrize("bound", [class_scoring, class_donsker_varadhan])
def test_a_prior_for_every_row_gives_the_conditional_information(bound):
    # y picks one of two joints; I(Z;C|Y) is their weighted mean.
    tables = [COUNTS, np.array([[4, 4, 1], [2, 1, 1], [1, 9, 2], [1, 1, 1]])]
    rows = [joint_rows(t) for t in tables]
    scores = torch.cat([log_ratio(t)[z] for t, (z, _) in zip(tables, rows, strict=True)])
    priors = torch.cat(
        [log_prior(t).expand(len(z), -1) for t, (z, _) in zip(tables, rows, strict=True)]
    )
    c = torch.cat([c for _, c in rows])
    sizes = np.array([t.sum() for t in tables])
    expected = np.average([exact_information(t) for t in tables], weights=sizes)
    assert float(bound(scores, priors, c)) == pytest.approx(expected, abs=1e-12)


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.floats(0.01, 30))
def test_class_scoring_dominates_and_neither_exceeds_the_truth(seed: int, scale: float):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(scale * rng.normal(size=COUNTS.shape))
    z, c = joint_rows(COUNTS)
    tight = float(class_scoring(scores[z], log_prior(COUNTS), c))
    loose = float(class_donsker_varadhan(scores[z], log_prior(COUNTS), c))
    assert loose <= tight + 1e-9
    assert tight <= exact_information(COUNTS) + 1e-9


@given(SEEDS, st.floats(0.01, 100))
def test_class_scoring_never_exceeds_the_entropy(seed: int, scale: float):
    # Scores that differ from row to row, as those of an overfitted critic do.
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, 4)
    c = torch.from_numpy(np.repeat(np.arange(4), counts))
    prior = torch.from_numpy(counts / counts.sum())
    scores = torch.from_numpy(scale * rng.normal(size=(len(c), 4)))
    scores[torch.arange(len(c)), c] += scale
    entropy = float(-(prior * prior.log()).sum())
    assert float(class_scoring(scores, prior.log(), c)) <= entropy + 1e-9


def test_class_scoring_is_entropy_minus_cross_entropy():
    rng = np.random.default_rng(1)
    z, c = joint_rows(COUNTS)
    scores = torch.from_numpy(rng.normal(size=(len(z), 3)))
    prior = log_prior(COUNTS)
    cross_entropy = torch.nn.functional.cross_entropy(scores + prior, c)
    expected = float(-(prior.exp() * prior).sum() - cross_entropy)
    assert float(class_scoring(scores, prior, c)) == pytest.approx(expected, abs=1e-12)


def test_donsker_varadhan_by_hand():
    joint, marginal = torch.tensor([1.0, 3.0]), torch.tensor([0.0, math.log(3.0)])
    assert float(donsker_varadhan(joint, marginal)) == pytest.approx(2 - math.log(2))


@given(SEEDS, st.floats(0.1, 300))
def test_log_mean_exp_agrees_with_scipy(seed: int, scale: float):
    scores = scale * np.random.default_rng(seed).normal(size=(5, 7))
    expected = logsumexp(scores) - math.log(35)
    assert float(log_mean_exp(torch.from_numpy(scores))) == pytest.approx(expected)


@pytest.mark.parametrize("top", [1e4, -1e4])
def test_huge_scores_stay_finite(top: float):
    scores = torch.tensor([top, top - 1e4], requires_grad=True)
    value = log_mean_exp(scores)
    value.backward()
    assert value.item() == pytest.approx(top - math.log(2), rel=1e-6)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("bound", [class_scoring, class_donsker_varadhan])
def test_huge_class_scores_stay_finite(bound):
    scores = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    value = bound(scores, torch.tensor([0.5, 0.5]).log(), torch.tensor([0, 1]))
    value.backward()
    assert value.item() == pytest.approx(math.log(2), abs=1e-3)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def every_pair(counts: np.ndarray, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the joint rows and of all pairs of rows, exactly p(z) p(c)."""
    z, c = joint_rows(counts)
    return scores[z, c], scores[z[:, None], c[None, :]].flatten()


def everybody(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.float64)


def test_nwj_attains_it_at_one_more_than_the_log_ratio():
    information = pytest.approx(exact_information(COUNTS), abs=1e-12)
    assert float(nwj(*every_pair(COUNTS, 1 + log_ratio(COUNTS)))) == information
    z, c = joint_rows(COUNTS)
    assert float(class_nwj(1 + log_ratio(COUNTS)[z], log_prior(COUNTS), c)) == information


def test_smile_attains_it_while_nothing_is_clipped():
    scores = log_ratio(COUNTS)
    assert float(scores.abs().max()) < 5
    estimate = smile(*every_pair(COUNTS, scores))
    assert float(estimate) == pytest.approx(exact_information(COUNTS), abs=1e-12)


def test_clipping_lets_smile_exceed_the_information():
    # c tells which of 400 z it is: a log ratio of log 400 = 5.99 that is clipped at 2.
    scores = torch.where(torch.eye(400) > 0, math.log(400), -30.0).double()
    estimate = smile(scores.diagonal(), scores.flatten(), clip=2.0)
    assert float(estimate) > math.log(400) + 0.5


@given(SEEDS, st.floats(0.01, 10))
def test_sampled_bounds_never_exceed_the_truth(seed: int, scale: float):
    scores = scale * torch.from_numpy(np.random.default_rng(seed).normal(size=COUNTS.shape))
    dv, loose = (float(bound(*every_pair(COUNTS, scores))) for bound in (donsker_varadhan, nwj))
    assert loose <= dv + 1e-9
    assert dv <= exact_information(COUNTS) + 1e-9


@given(SEEDS, st.floats(0.01, 10))
def test_class_nwj_is_dominated_by_class_donsker_varadhan(seed: int, scale: float):
    scores = scale * torch.from_numpy(np.random.default_rng(seed).normal(size=COUNTS.shape))
    z, c = joint_rows(COUNTS)
    dv, loose = (
        float(bound(scores[z], log_prior(COUNTS), c))
        for bound in (class_donsker_varadhan, class_nwj)
    )
    assert loose <= dv + 1e-9


def test_jensen_shannon_is_greatest_at_the_log_ratio():
    p = COUNTS / COUNTS.sum()
    q = p.sum(1, keepdims=True) * p.sum(0)
    divergence = jensenshannon(p.ravel(), q.ravel()) ** 2
    best = jensen_shannon(*every_pair(COUNTS, log_ratio(COUNTS)))
    assert float(best) == pytest.approx(2 * divergence - 2 * math.log(2), abs=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = log_ratio(COUNTS) + torch.from_numpy(0.3 * rng.normal(size=COUNTS.shape))
        assert float(jensen_shannon(*every_pair(COUNTS, other))) < float(best)


def test_bounded_scores_stay_within_the_limit_and_in_order():
    scores = torch.tensor([-1e6, -20.0, -0.1, 0.0, 0.1, 20.0, 1e6])
    near = bounded(scores)
    assert float(near.abs().max()) <= 20
    assert torch.equal(near, near.sort().values)
    torch.testing.assert_close(near[2:5], scores[2:5], atol=1e-5, rtol=0)
    assert torch.isfinite(nwj(near, near))


@given(SEEDS, st.floats(0.01, 100), st.integers(2, 40))
def test_infonce_never_exceeds_the_log_of_the_rows(seed: int, scale: float, n: int):
    scores = scale * torch.from_numpy(np.random.default_rng(seed).normal(size=(n, n)))
    assert float(infonce(scores, everybody(n))) <= math.log(n) + 1e-9


@given(SEEDS, st.floats(0.01, 10))
def test_infonce_over_the_exact_marginal_never_exceeds_the_truth(seed: int, scale: float):
    scores = scale * torch.from_numpy(np.random.default_rng(seed).normal(size=COUNTS.shape))
    z, c = joint_rows(COUNTS)
    estimate = float(infonce(scores[z][:, c], everybody(len(z))))
    assert estimate <= exact_information(COUNTS) + 1e-9
    # The batch holds every c by its share, so this is the classifier bound.
    expected = class_scoring(scores[z], log_prior(COUNTS), c)
    assert estimate == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("size", [4, 16])
def test_small_batches_of_infonce_stay_below_in_expectation(size: int):
    rng, (z, c) = np.random.default_rng(0), joint_rows(COUNTS)
    scores, values = log_ratio(COUNTS), []
    for _ in range(2000):
        rows = torch.from_numpy(rng.integers(0, len(z), size))
        values.append(float(infonce(scores[z[rows]][:, c[rows]], everybody(size))))
    assert np.mean(values) < exact_information(COUNTS)


def conditional(counts: np.ndarray) -> Tensor:
    """log p(c|z), (z, c)."""
    return torch.from_numpy(counts / counts.sum(1, keepdims=True)).log()


def test_club_of_the_true_model_is_above_the_information_by_a_divergence():
    z, c = joint_rows(COUNTS)
    p = COUNTS / COUNTS.sum()
    q = p.sum(1, keepdims=True) * p.sum(0)
    reverse = (q * np.log(q / p)).sum()  # KL(p(z)p(c) || p(z,c))
    expected = pytest.approx(exact_information(COUNTS) + reverse, abs=1e-12)
    log_q = conditional(COUNTS)[z]
    assert float(class_club(log_q, log_prior(COUNTS), c)) == expected
    assert float(club(log_q[:, c].T, everybody(len(z)))) == expected


def test_club_of_a_model_that_knows_nothing_is_zero():
    z, c = joint_rows(COUNTS)
    nothing = log_prior(COUNTS).expand(len(z), 3)
    assert float(class_club(nothing, log_prior(COUNTS), c)) == pytest.approx(0, abs=1e-12)


def test_leave_one_out_of_the_true_model_is_above_in_expectation_and_near_in_large_batches():
    rng, (z, c) = np.random.default_rng(0), joint_rows(COUNTS)
    log_q, truth = conditional(COUNTS), exact_information(COUNTS)

    def mean(size: int, repeats: int) -> float:
        values = []
        for _ in range(repeats):
            rows = torch.from_numpy(rng.integers(0, len(z), size))
            pairs = log_q[z[rows]][:, c[rows]].T
            values.append(float(leave_one_out(pairs, everybody(size))))
        return float(np.mean(values))

    assert mean(4, 4000) > truth + 0.05
    assert mean(400, 50) == pytest.approx(truth, abs=0.03)


def test_a_row_alone_in_its_class_counts_as_nothing():
    log_q = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 3)))
    y = torch.tensor([0, 0, 1])
    estimate = leave_one_out(log_q, (y[:, None] == y).double())
    by_hand = (log_q[0, 0] - log_q[0, 1] + log_q[1, 1] - log_q[1, 0]) / 3
    assert float(estimate) == pytest.approx(float(by_hand))


def test_partners_of_other_classes_do_not_count():
    rng = np.random.default_rng(0)
    scores, y = torch.from_numpy(rng.normal(size=(12, 12))), torch.arange(12) % 3
    for bound in (infonce, club, leave_one_out):
        parts = [float(bound(scores[y == k][:, y == k], everybody(4))) for k in range(3)]
        estimate = float(bound(scores, (y[:, None] == y).double()))
        assert estimate == pytest.approx(np.mean(parts))


@given(SEEDS)
def test_a_weight_is_worth_so_many_rows(seed: int):
    rng = np.random.default_rng(seed)
    counts = torch.from_numpy(rng.integers(1, 5, 6))
    weights, rows = counts / counts.double().mean(), torch.arange(6).repeat_interleave(counts)
    scores, c = torch.from_numpy(rng.normal(size=(6, 3))), torch.from_numpy(rng.integers(0, 3, 6))
    prior = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log()
    for bound in (class_scoring, class_donsker_varadhan, class_nwj, class_club):
        expected = float(bound(scores[rows], prior, c[rows]))
        assert float(bound(scores, prior, c, weights)) == pytest.approx(expected)
    for bound in (donsker_varadhan, nwj, jensen_shannon, smile):
        expected = float(bound(scores[rows, 0], scores[rows, 1]))
        weighted = bound(scores[:, 0], scores[:, 1], weights, weights)
        assert float(weighted) == pytest.approx(expected)
    pairs = torch.from_numpy(rng.normal(size=(6, 6)))
    for bound in (infonce, club):
        expected = float(bound(pairs[rows][:, rows], everybody(len(rows))))
        assert float(bound(pairs, weights.expand(6, 6), weights)) == pytest.approx(expected)
