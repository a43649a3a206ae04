"""What holds for all cases of known information."""

import random
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats
import torch

from infoshed import InfoshedError
from infoshed.truth import CASES, Case, build_case
from infoshed.truth.gaussian import class_shares

VARIANTS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in CASES] + [
    ("gaussian_classes", {"classes": 2, "balance": "rare"}),
    ("gaussian_classes", {"dim": 2, "share": 0.99}),
    ("gaussian_classes", {"dim": 512, "balance": "long-tailed"}),
    ("gaussian_classes", {"decades": 6}),
    ("gaussian_classes", {"share": 0.0}),
    ("noisy_labels", {"classes": 5, "flip": 0.3}),
    ("several_categoricals", {"sizes": (2, 3), "latent": 4}),
    ("parity", {"flip": 0.1, "rotate": True}),
    ("variance_only", {"scales": (0.5, 1.0, 2.0), "rotate": True}),
    ("linear_gaussian", {"columns": 3, "nats": 2.0}),
    ("half_cube", {"structure": "dense"}),
    ("student_t", {"asinh": True}),
]
MADE = [build_case(name, **params) for name, params in VARIANTS]


def every(cases: list[Case]) -> pytest.MarkDecorator:
    names = [f"{c.name}-{'-'.join(map(str, c.parameters.values()))}" for c in cases]
    return pytest.mark.parametrize("case", cases, ids=names)


EVERY = every(MADE)
DISCRETE = every([case for case in MADE if case.kind != "continuous"])


@EVERY
def test_draws_have_the_promised_form(case: Case):
    sample = case.draw(37, seed=1)
    assert sample.z.shape[0] == 37
    assert sample.z.ndim == 2
    assert sample.z.dtype == np.float64
    assert sample.c.dtype == (np.float64 if case.kind == "continuous" else np.int64)
    assert sample.c.ndim == (1 if case.kind == "discrete" else 2)
    assert len(sample.c) == 37
    assert (sample.y is not None) >= case.conditional
    if sample.y is not None:
        assert sample.y.shape == (37,)
        assert sample.y.dtype == np.int64
    for array in (sample.z, sample.c, sample.y, sample.weights):
        assert array is None or np.isfinite(array).all()
    assert case.summary
    assert case.draw(1, seed=0).z.shape == (1, sample.z.shape[1])


@EVERY
def test_a_seed_decides_the_rows_and_global_state_stays(case: Case):
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    numpy_state = np.random.get_state()  # noqa: NPY002
    first, again, other = (case.draw(1000, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.z, again.z)
    np.testing.assert_array_equal(first.c, again.c)
    assert (first.z != other.z).any()
    assert (first.c != other.c).any()
    assert random.getstate() == python_state
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(numpy_state, np.random.get_state())  # noqa: NPY002


@EVERY
def test_the_truth_is_between_0_and_the_entropy_and_sharp(case: Case):
    assert 0 <= case.nats < 10
    assert 0 <= case.standard_error <= 1e-3
    if case.kind == "continuous":
        assert case.entropy is None
    else:
        assert case.entropy is not None
        assert case.nats <= case.entropy


@DISCRETE
def test_the_entropy_is_that_of_the_draws(case: Case):
    sample = case.draw(40_000, seed=0)
    columns = sample.c.reshape(len(sample.c), -1)
    c = np.unique(columns, axis=0, return_inverse=True)[1].ravel()
    y = sample.y if case.conditional and sample.y is not None else np.zeros_like(c)
    weights = np.ones(len(c)) if sample.weights is None else sample.weights
    joint = np.zeros((y.max() + 1, c.max() + 1))
    np.add.at(joint, (y, c), weights)
    joint /= joint.sum()
    found = scipy.stats.entropy(joint.ravel()) - scipy.stats.entropy(joint.sum(1))
    assert found == pytest.approx(case.entropy, abs=0.015)


@EVERY
def test_a_monte_carlo_truth_agrees_with_another_run(case: Case):
    if case.surprises is None:
        with pytest.raises(InfoshedError, match="closed form"):
            case.monte_carlo(seed=1)
        return
    mean, error = case.monte_carlo(seed=1, draws=100_000)
    assert abs(mean - case.nats) <= 4 * np.hypot(error, case.standard_error) + 1e-12


@EVERY
def test_the_log_ratio_of_the_drawn_class_averages_to_the_truth(case: Case):
    sample = case.draw(20_000, seed=0)
    z = torch.from_numpy(sample.z)
    if case.ratio is None:
        with pytest.raises(InfoshedError, match="no closed"):
            case.log_ratio(z)
        return
    ratio = case.log_ratio(z).numpy()
    weights = np.ones(len(z)) if sample.weights is None else sample.weights
    values = ratio[np.arange(len(z)), sample.c] * weights
    error = np.hypot(values.std() / np.sqrt(len(z)), case.standard_error)
    assert abs(values.mean() - case.nats) <= 4 * error + 1e-12
    # Every family but the unbalanced ones has classes all alike (under the weights, if any).
    balance = case.parameters.get("balance", "balanced")
    total = np.exp(ratio) @ class_shares(ratio.shape[1], balance)
    np.testing.assert_allclose(total, 1, rtol=1e-9)
    single = case.log_ratio(z.float())
    assert single.dtype == torch.float32
    # Columns shifted by 100 of their units keep five digits of these in float32.
    np.testing.assert_allclose(single[:100].numpy(), ratio[:100], rtol=1e-2, atol=5e-2)


@pytest.mark.parametrize("name", [name for name in CASES if build_case(name).ratio is not None])
def test_the_log_ratio_has_the_gradient_of_its_differences(name: str):
    params = {} if name == "warped" else {"dim": 12}
    case = build_case(name, **params)
    z = torch.from_numpy(case.draw(5, seed=0).z).requires_grad_()
    assert torch.autograd.gradcheck(case.log_ratio, z, atol=1e-4)


def test_a_case_is_made_once_for_its_parameters():
    assert build_case("parity", bits=3) is build_case("parity")
    assert build_case("parity", bits=2) is not build_case("parity")
    assert build_case("parity", bits=2).parameters["bits"] == 2


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("nothing", {}, "must be one of"),
        ("parity", {"bytes": 3}, "takes no parameter `bytes`"),
        ("parity", {"bits": 0}, "`bits` must be an integer"),
        ("gaussian_classes", {"share": 1.0}, "`share` must be"),
        ("gaussian_classes", {"balance": "odd"}, "`balance` must be one of"),
        ("linear_gaussian", {"columns": 3, "dim": 2}, "`dim` must be"),
        ("discrete_codes", {"values": 16, "columns": 8}, "1e6 cells"),
        ("several_categoricals", {"sizes": (8,)}, "`sizes` must be"),
        ("variance_only", {"scales": (1.0,)}, "`scales` must be"),
        ("half_cube", {"structure": "odd"}, "`structure` must be one of"),
    ],
)
def test_a_wrong_request_is_named(name: str, params: dict[str, Any], words: str):
    with pytest.raises(InfoshedError, match=words):
        build_case(name, **params)


def test_no_rows_are_refused():
    with pytest.raises(InfoshedError, match="`n` must be"):
        build_case("parity").draw(0, seed=0)
