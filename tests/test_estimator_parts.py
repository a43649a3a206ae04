"""Parts of the estimators that the contract does not see from outside."""

import numpy as np
import pytest
import torch

from infoshed import Categorical
from infoshed.estimators import build_estimator
from infoshed.estimators.standardize import RunningStandardizer


def test_the_first_batch_alone_decides_the_first_moments():
    z = torch.from_numpy(np.random.default_rng(0).normal([5, -2], [3, 0.1], (400, 2))).float()
    standardize = RunningStandardizer(2)
    standardize.update(z)
    scaled = standardize(z)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0, correction=0), 1, atol=1e-2)


def test_moments_of_a_still_encoder_are_the_mean_over_the_first_batches():
    batches = torch.from_numpy(np.random.default_rng(0).normal(2, 3, (10, 50, 1))).float()
    standardize = RunningStandardizer(1, momentum=0.05)
    for z in batches:
        standardize.update(z)
    assert float(standardize.mean) == pytest.approx(float(batches.mean()), rel=1e-5)
    variances = batches.var(1, correction=0).mean()
    assert float(standardize.variance) == pytest.approx(float(variances), rel=1e-5)


def test_moments_follow_a_moving_encoder():
    standardize = RunningStandardizer(1, momentum=0.05)
    for mean in [0.0] * 100 + [10.0] * 100:
        standardize.update(torch.tensor([[mean - 1], [mean + 1]]))
    assert float(standardize.mean) == pytest.approx(10 * (1 - 0.95**100), rel=1e-3)


def test_moments_are_constants_to_the_gradient():
    z = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    standardize = RunningStandardizer(2)
    standardize.update(z)
    (gradient,) = torch.autograd.grad(standardize(z).sum(), z)
    expected = 1 / z.std(0, correction=0)
    torch.testing.assert_close(gradient, expected.expand(20, 2), rtol=1e-4, atol=0)


def test_the_estimate_is_zero_when_shuffling_within_the_class_changes_nothing():
    # c is a function of y, so shuffling c among rows of a class leaves every pair as it was, and
    # E f - log E e^f is at most 0 whatever the critic.
    y = torch.arange(120) % 3
    attribute = Categorical("c", (0, 1, 2), (1 / 3,) * 3)
    z = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    estimator = build_estimator("shuffled-dv", 4, attribute, y[:, None], y)
    seen: list[torch.Tensor] = []
    estimator.get_submodule("network").register_forward_hook(
        lambda _, inputs, output: seen.append(inputs[0])
    )
    estimator(z, y[:, None], y, generator=torch.Generator().manual_seed(1))
    joint, marginal = seen[0].chunk(2)
    assert torch.equal(joint, marginal)


def test_within_a_class_the_shuffle_is_a_permutation_of_its_values():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 4, (200,), generator=generator)
    c = torch.randint(0, 5, (200,), generator=generator)
    attribute = Categorical("c", tuple(range(5)), (0.2,) * 5)
    estimator = build_estimator("shuffled-dv", 2, attribute, c[:, None], y)
    seen: list[torch.Tensor] = []
    estimator.get_submodule("network").register_forward_hook(
        lambda _, inputs, output: seen.append(inputs[0])
    )
    estimator(torch.zeros(200, 2), c[:, None], y, generator=generator)
    joint, marginal = (half[:, :5].argmax(1) for half in seen[0].chunk(2))
    assert torch.equal(joint, c)
    assert not torch.equal(marginal, c)
    for k in range(4):
        assert torch.equal(marginal[y == k].sort().values, c[y == k].sort().values)


@pytest.mark.parametrize("name", ["class-scoring", "class-dv"])
def test_the_reference_is_the_share_of_each_value_in_the_training_data(name: str):
    y = torch.tensor([0] * 400 + [1] * 600)
    c = torch.tensor([0] * 100 + [1] * 300 + [0] * 600)
    attribute = Categorical("c", (0, 1), (0.7, 0.3))
    marginal = build_estimator(name, 2, attribute, c[:, None]).get_buffer("log_prior").exp()
    torch.testing.assert_close(marginal, torch.tensor([0.7, 0.3]), atol=1e-3, rtol=0)
    given_y = build_estimator(name, 2, attribute, c[:, None], y).get_buffer("log_prior")
    torch.testing.assert_close(
        given_y.exp(), torch.tensor([[0.25, 0.75], [1.0, 0.0]]), atol=1e-3, rtol=0
    )
    assert torch.isfinite(given_y).all()
