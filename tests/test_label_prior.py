"""p(y|c) against the table it is fitted on and against analytic posteriors."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from infoshed import Attribute, InfoshedError, infer_attribute
from infoshed.label_prior import WEIGHT_CAP, LabelPrior


def sample(
    joint: np.ndarray, n: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, Attribute]:
    """y and c from a joint table (classes, values)."""
    cells = np.random.default_rng(seed).choice(joint.size, n, p=joint.ravel() / joint.sum())
    y, c = np.unravel_index(cells, joint.shape)
    attribute = infer_attribute(c)
    return torch.from_numpy(y), attribute.encode(c), attribute


def counts_of(y: torch.Tensor, c: torch.Tensor, weights: torch.Tensor | None = None) -> np.ndarray:
    table = np.zeros((int(y.max()) + 1, int(c.max()) + 1))
    np.add.at(table, (y.numpy(), c[:, 0].numpy()), 1 if weights is None else weights.numpy())
    return table


JOINTS = {
    "three classes, four values": np.array([[8, 2, 3, 1], [1, 9, 2, 2], [2, 3, 4, 7]]),
    "two classes, four values": np.array([[8, 2, 3, 1], [1, 9, 2, 2]]),
    "two classes, two values": np.array([[8, 2], [3, 4]]),
    "three classes, two values": np.array([[8, 2], [3, 4], [1, 5]]),
}


@pytest.mark.parametrize("joint", JOINTS.values(), ids=JOINTS.keys())
def test_the_ratio_is_that_of_the_table(joint: np.ndarray):
    y, c, attribute = sample(joint, 40_000)
    p = counts_of(y, c) / len(y)
    expected = np.log(p / p.sum(1, keepdims=True) / p.sum(0))  # log p(y|c) / p(y)
    values = torch.arange(joint.shape[1])[:, None]
    ratio = LabelPrior(y, c, attribute, len(joint)).log_ratio(values)
    np.testing.assert_allclose(ratio, expected.T, atol=0.02)


@pytest.mark.parametrize("joint", JOINTS.values(), ids=JOINTS.keys())
def test_under_the_weights_label_and_attribute_are_independent(joint: np.ndarray):
    y, c, attribute = sample(joint, 40_000)
    weights = LabelPrior(y, c, attribute, len(joint)).weights(y, c)
    assert float(weights.max()) < WEIGHT_CAP
    table = counts_of(y, c, weights)
    table /= table.sum()
    np.testing.assert_allclose(table, np.outer(table.sum(1), table.sum(0)), atol=1e-3)
    unweighted = counts_of(y, c) / len(y)
    np.testing.assert_allclose(table.sum(1), unweighted.sum(1), atol=2e-3)
    np.testing.assert_allclose(table.sum(0), unweighted.sum(0), atol=2e-3)
    assert np.abs(unweighted - np.outer(unweighted.sum(1), unweighted.sum(0))).max() > 0.02


def test_accuracy_is_that_of_the_most_frequent_class_of_each_value():
    joint = JOINTS["three classes, four values"]
    y, c, attribute = sample(joint, 40_000)
    table = counts_of(y, c)
    expected = table.max(0).sum() / table.sum()
    assert LabelPrior(y, c, attribute, 3).accuracy(y, c) == pytest.approx(expected, abs=1e-6)


def test_weights_are_capped():
    y, c, attribute = sample(np.array([[997, 3], [3, 997]]), 40_000)
    weights = LabelPrior(y, c, attribute, 2).weights(y, c)
    assert float(weights.max()) == WEIGHT_CAP
    assert float(weights.min()) == pytest.approx(0.5, abs=0.01)


def test_a_class_that_never_occurs_is_never_predicted():
    y, c, attribute = sample(JOINTS["three classes, four values"], 5000)
    y = torch.where(y == 2, 3, y)  # of four classes, class 2 has no rows
    prior = LabelPrior(y, c, attribute, 4)
    ratio = prior.log_ratio(c)
    assert ratio.shape == (5000, 4)
    assert torch.isfinite(ratio).all()
    assert torch.isfinite(prior.weights(torch.full_like(y, 2), c)).all()
    posterior = (ratio + prior.log_marginal).exp()
    assert float(posterior[:, 2].max()) < 1e-6
    torch.testing.assert_close(posterior.sum(1), torch.ones(5000))


def test_several_categoricals_that_act_apart_are_combined_by_bayes():
    # Given y, the two parts are independent, so the log ratio is a sum over parts.
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60_000)
    c = np.stack([np.where(rng.random(len(y)) < p, y, 1 - y) for p in (0.7, 0.6)], 1)
    attribute = infer_attribute(c)
    prior = LabelPrior(torch.from_numpy(y), attribute.encode(c), attribute, 2)
    likelihood = (
        np.array([[0.7, 0.3], [0.3, 0.7]])[:, :, None] * np.array([[0.6, 0.4], [0.4, 0.6]])[:, None]
    )
    expected = np.log(likelihood / likelihood.mean(0))  # (y, c0, c1)
    codes = torch.cartesian_prod(torch.arange(2), torch.arange(2))
    np.testing.assert_allclose(prior.log_ratio(codes), expected.reshape(2, 4).T, atol=0.04)


@pytest.mark.parametrize("deviations", [(1.0, 1.0), (0.7, 1.4)])
def test_continuous_attributes_get_the_gaussian_posterior(deviations: tuple[float, float]):
    rng = np.random.default_rng(0)
    y = (rng.random(40_000) < 0.3).astype(int)
    means = np.array([-0.5, 0.8])
    c = rng.normal(means[y], np.array(deviations)[y])
    attribute = infer_attribute(c)
    prior = LabelPrior(torch.from_numpy(y), attribute.encode(c), attribute, 2)
    points = np.linspace(-2, 2.5, 10)
    density = np.stack([norm.pdf(points, m, s) for m, s in zip(means, deviations, strict=True)], 1)
    expected = np.log(density / (density @ [0.7, 0.3])[:, None])
    np.testing.assert_allclose(prior.log_ratio(attribute.encode(points)), expected, atol=0.12)


def test_many_values_beside_a_quantity_are_not_multiplied_with_each_other():
    rng = np.random.default_rng(0)
    y, site = rng.integers(0, 2, 30_000), rng.integers(0, 300, 30_000)
    age = rng.normal(0.0, np.array([0.7, 1.4])[y])
    attribute = infer_attribute({"site": site, "age": age})
    prior = LabelPrior(
        torch.from_numpy(y), attribute.encode({"site": site, "age": age}), attribute, 2
    )
    assert prior.weight is not None
    assert prior.weight.shape[1] == 300 + 1 + 1  # and the square of the age
    points = np.linspace(-2, 2, 9)
    density = np.stack([norm.pdf(points, 0, s) for s in (0.7, 1.4)], 1)
    expected = np.log(density / density.mean(1, keepdims=True))
    found = [
        prior.log_ratio(attribute.encode({"site": np.full(9, s), "age": points})).numpy()
        for s in range(300)
    ]
    np.testing.assert_allclose(np.mean(found, 0), expected, atol=0.12)


@pytest.mark.parametrize("values", [np.arange(300) % 3, np.arange(300) / 7])
def test_the_ratio_is_on_the_device_of_c(values: np.ndarray):
    attribute = infer_attribute(values)
    c = attribute.encode(values)
    prior = LabelPrior(torch.arange(300) % 2, c, attribute, 2)
    assert prior.log_ratio(c.to("meta")).device.type == "meta"


@pytest.mark.parametrize(("flips", "decided"), [(0.001, True), (0.02, False)])
def test_it_knows_when_c_decides_y(flips: float, decided: bool):
    # H(Y|C) of a binary symmetric channel: 0.0079 nats at 0.001 (1.1% of H(Y)), 0.098 at 0.02.
    y, c, attribute = sample(np.array([[1 - flips, flips], [flips, 1 - flips]]), 20_000)
    assert LabelPrior(y, c, attribute, 2).decided == decided


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": np.array(["a", "b"] * 20)}, "`y` must be numbers"),
        ({"y": np.linspace(0, 1, 40)}, "`y` must be classes of shape .n,., whole numbers"),
        ({"y": np.zeros((40, 1), int)}, "`y` must be classes of shape"),
        ({"y": np.arange(40) % 3}, "`y` must be classes 0 to 1, .*got 0 to 2"),
        ({"y": np.zeros(39, int)}, "y has 39, c has 40"),
        ({"c": np.arange(40) % 2}, r"`c` must be codes of shape \(n, 1\)"),
        ({"c": np.arange(40)[:, None]}, "holds the code 39"),
    ],
)
def test_what_is_no_class_or_code_is_refused(given: dict, message: str):
    attribute = infer_attribute(np.arange(40) % 2)
    rows = {"y": np.arange(40) % 2, "c": (np.arange(40) % 2)[:, None]}
    LabelPrior(**rows, attribute=attribute, classes=2)  # arrays do as tensors do
    with pytest.raises(InfoshedError, match=message):
        LabelPrior(**{**rows, **given}, attribute=attribute, classes=2)
