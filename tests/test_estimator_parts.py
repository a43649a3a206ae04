"""Parts of the estimators that the contract does not see from outside."""

import math

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from infoshed import Categorical, Continuous, InfoshedError
from infoshed.estimators import build_estimator
from infoshed.estimators.gaussian import gaussian_information
from infoshed.estimators.hsic import normalised_hsic
from infoshed.estimators.ksg import continuous_information, discrete_information
from infoshed.estimators.mine import Mine
from infoshed.estimators.pairs import Scores, class_means, pairing, shuffle
from infoshed.estimators.slices import slice_correlations
from infoshed.estimators.standardize import RunningStandardizer
from infoshed.estimators.variational import gaussian_log_density


def test_the_first_batch_alone_decides_the_first_moments():
    z = torch.from_numpy(np.random.default_rng(0).normal([5, -2], [3, 0.1], (400, 2))).float()
    standardize = RunningStandardizer(2)
    standardize.update(z)
    scaled = standardize(z)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0, correction=0), 1, atol=1e-2)


def test_rows_that_do_not_count_move_no_moment():
    z = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    counted = torch.arange(60) % 3 > 0
    kept, padded = RunningStandardizer(3), RunningStandardizer(3)
    kept.update(z[counted])
    padded.update(torch.where(counted[:, None], z, torch.nan), counted)
    torch.testing.assert_close(padded.state_dict(), kept.state_dict())
    padded.update(z, torch.zeros(60, dtype=torch.bool))
    torch.testing.assert_close(padded.state_dict(), kept.state_dict())


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


REAL = Continuous("c", (0.0,), (1.0,))


def test_shuffles_move_rows_within_their_class_on_every_call():
    y = torch.arange(90) % 3
    generator = torch.Generator().manual_seed(0)
    orders = [shuffle(90, y, generator, torch.device("cpu")) for _ in range(2)]
    for order in orders:
        assert torch.equal(y[order], y)
        assert torch.equal(order.sort().values, torch.arange(90))
    assert not torch.equal(*orders)


def test_shuffled_pairs_weigh_what_the_product_of_the_marginals_does():
    # Within a class, sums of w_i w_j over all pairs are (sum w)^2; the class must count sum w.
    weights, y = torch.tensor([1.0, 3.0, 0.5, 0.5, 0.5, 0.5]), torch.tensor([0, 0, 1, 1, 1, 1])
    means = class_means(weights, y, 3)
    torch.testing.assert_close(means, torch.tensor([2.0, 2.0, 0.5, 0.5, 0.5, 0.5]))
    pairs = weights[:, None] * pairing(6, y, weights, weights[:, None]) / means[:, None]
    rows = torch.tensor([2, 2, 4, 4, 4, 4])  # partners of a row
    by_class = (pairs.sum(1) / rows).split([2, 4])
    assert [float(part.sum()) for part in by_class] == pytest.approx([4.0, 2.0])


def mine(momentum: float = 0.01) -> Mine:
    return Mine(2, REAL, torch.zeros(4, 1), momentum=momentum)


def marginal_gradient(estimator: Mine, marginal: torch.Tensor) -> torch.Tensor:
    marginal = marginal.clone().requires_grad_()
    value = estimator.criterion(Scores(torch.zeros(len(marginal)), marginal, None, None))
    (gradient,) = torch.autograd.grad(value, marginal)
    return gradient


def test_mine_divides_by_the_average_over_batches():
    estimator = mine(momentum=0.25)
    batches = [torch.tensor([0.0, 1.0]), torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])]
    means = [float(b.exp().mean()) for b in batches]
    average = 0.0
    for t, (batch, mean) in enumerate(zip(batches, means, strict=True), 1):
        rate = max(1 / t, 0.25)
        average += rate * (mean - average)
        expected = -batch.exp() / len(batch) / average
        torch.testing.assert_close(marginal_gradient(estimator, batch), expected)
    assert float(estimator.log_average) == pytest.approx(math.log(average), rel=1e-5)


@pytest.mark.parametrize("jump", [1e4, -1e4])
def test_mine_survives_scores_that_jump(jump: float):
    estimator = mine()
    for scores in (torch.zeros(8), torch.full((8,), jump), torch.zeros(8)):
        gradient = marginal_gradient(estimator, scores)
        assert torch.isfinite(gradient).all()
        assert float(gradient.abs().sum()) <= 100 * (1 + 1e-3)  # 1 / momentum


@pytest.mark.parametrize("name", ["mine", "shuffled-dv", "nwj", "jsd", "smile", "infonce", "club"])
def test_a_high_learning_rate_on_a_c_that_z_equals_stays_finite(name: str):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        estimator = build_estimator(name, 1, REAL, torch.zeros(4, 1))
    optimizer = torch.optim.Adam(estimator.parameters(), 0.1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        c = torch.randn(128, 1, generator=generator)
        loss = estimator.loss(c, c, generator=generator)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(torch.isfinite(p).all() for p in estimator.parameters())


def test_infonce_cannot_see_beyond_the_log_of_its_rows():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        estimator = build_estimator("infonce", 1, REAL, torch.zeros(4, 1))
    optimizer = torch.optim.Adam(estimator.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        c = torch.randn(16, 1, generator=generator)
        optimizer.zero_grad()
        estimator.loss(c, c).backward()
        optimizer.step()
    c = torch.randn(16, 1, generator=generator)
    with torch.no_grad():
        assert 1.0 < float(estimator(c, c)) <= math.log(16) + 1e-6


def test_the_gaussian_density_is_that_of_torch():
    mean, log_variance, c = torch.randn(3, 20, 2, generator=torch.Generator().manual_seed(0))
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(
        gaussian_log_density(c, mean, log_variance), normal.log_prob(c).sum(-1)
    )


def gaussian_pairs(n: int, dim: int, rho: float, rng: np.random.Generator) -> tuple:
    c = rng.normal(size=(n, 1))
    z = rng.normal(size=(n, dim))
    z[:, :1] = rho * c + math.sqrt(1 - rho**2) * z[:, :1]
    return torch.from_numpy(z), torch.from_numpy(c), torch.ones(n)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_the_gaussian_form_has_no_bias_in_small_samples(rho: float):
    rng = np.random.default_rng(0)
    values = [float(gaussian_information(*gaussian_pairs(40, 10, rho, rng))) for _ in range(2000)]
    error = float(np.std(values)) / math.sqrt(2000)
    assert np.mean(values) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=4 * error)
    assert error < 0.004  # uncorrected, the bias is about 10 / 80


def test_ksg_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    c = rng.normal(size=500)
    z = 0.7 * c + rng.normal(size=500)
    # Theirs works on columns of variance 1 with noise of 1e-10 against ties.
    scaled = [a[:, None] / a.std(ddof=0) for a in (z, c)]
    theirs = mutual_info_regression(z[:, None], c, n_neighbors=3, random_state=0)[0]
    assert continuous_information(*scaled) == pytest.approx(theirs, abs=1e-6)
    k = rng.integers(0, 3, 500)
    z = k + rng.normal(size=500)
    theirs = mutual_info_classif(z[:, None], k, n_neighbors=3, random_state=0)[0]
    assert discrete_information(z[:, None], k) == pytest.approx(theirs, abs=1e-6)


def test_ksg_says_why_it_refuses_many_dimensions():
    with pytest.raises(
        InfoshedError, match=r"far too low in many dimensions; z has 21, at most 20"
    ):
        build_estimator("ksg", 21, REAL, torch.zeros(4, 1))


def test_ksg_of_repeated_and_lonely_rows_is_finite():
    z = np.zeros((6, 2))
    assert math.isfinite(discrete_information(z, np.array([0, 0, 1, 1, 1, 2])))
    assert discrete_information(z, np.arange(6)) == 0
    assert math.isfinite(continuous_information(z, np.zeros((6, 1))))
    assert continuous_information(z[:2], np.zeros((2, 1))) == 0


def test_hsic_by_hand():
    rng = np.random.default_rng(0)
    a, b, w = rng.normal(size=(9, 2)), rng.normal(size=(9, 1)), rng.random(9)
    w = w / w.mean()

    def kernel(v: np.ndarray) -> np.ndarray:
        distance = ((v[:, None] - v) ** 2).sum(-1)
        median = torch.from_numpy(distance).median().item()  # the lower of the middle two
        k = np.exp(-distance / median)
        centre = np.eye(9) - np.ones((9, 1)) * w / 9
        return centre @ k @ centre.T

    k, r = kernel(a), kernel(b)
    off = np.outer(w, w) * (1 - np.eye(9))
    expected = (off * k * r).sum() / math.sqrt((off * k * k).sum() * (off * r * r).sum())
    value = normalised_hsic(*(torch.from_numpy(v) for v in (a, b, w)))
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_hsic_of_a_thing_with_itself_is_one():
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert float(normalised_hsic(z, z, torch.ones(50))) == pytest.approx(1, abs=1e-5)


def test_hsic_of_independent_data_is_zero_on_average_in_many_dimensions():
    generator = torch.Generator().manual_seed(0)
    values = [
        float(
            normalised_hsic(
                torch.randn(64, 64, generator=generator),
                torch.randn(64, 1, generator=generator),
                torch.ones(64),
            )
        )
        for _ in range(200)
    ]
    # With the pairs i = i it would be near 0.4 here.
    assert abs(np.mean(values)) < 0.02


def test_slice_correlations_are_canonical_correlations_of_powers():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(400, 2))
    v = u**2 + 0.5 * rng.normal(size=(400, 2))

    def basis(x: np.ndarray) -> np.ndarray:
        powers = np.stack([x, x**2, x**3], 1)
        return np.linalg.qr(powers - powers.mean(0))[0]

    expected = [
        np.linalg.svd(basis(u[:, i]).T @ basis(v[:, i]), compute_uv=False)[0] ** 2 for i in (0, 1)
    ]
    ones = torch.ones(400, dtype=torch.float64)
    found = slice_correlations(torch.from_numpy(u), torch.from_numpy(v), ones, ridge=1e-9)
    np.testing.assert_allclose(found, expected, atol=1e-4)
