"""Bounds as functions of scores, against the exact information of a small discrete joint."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.metrics import mutual_info_score
from torch import Tensor

from infoshed.estimators.bounds import (
    class_donsker_varadhan,
    class_scoring,
    donsker_varadhan,
    log_mean_exp,
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
