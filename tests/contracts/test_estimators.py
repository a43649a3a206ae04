"""The contract of every estimator in `ESTIMATORS`, for every kind of attribute that it takes."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from estimator_cases import (
    ATTRIBUTES,
    DRAWING,
    KINDS,
    PAIRS,
    STILL,
    Draw,
    Rows,
    dependent,
    every_name,
    every_pair,
    every_way,
    fit,
    make,
    transformed,
    value,
)
from torch import Tensor

from infoshed import (
    ESTIMATORS,
    InfoshedError,
    NonFiniteError,
    infer_attribute,
)
from infoshed.estimators import build_estimator
from infoshed.estimators.parts import SumOfParts


@every_name
def test_it_describes_itself(name: str):
    kind = ESTIMATORS[name]
    assert kind.summary
    assert "\n" not in kind.summary
    assert kind.reference
    assert kind.bound in ("lower", "upper", "neither")
    assert kind.takes <= {"discrete", "several", "continuous"}
    assert kind.unit == "nats" or "no mutual information" in kind.unit


@every_name
def test_it_takes_some_kind_of_attribute(name: str):
    assert any(pair[0] == name for pair in PAIRS)


@every_name
def test_one_without_a_gradient_refuses_to_be_trained_against(name: str):
    kind = ESTIMATORS[name]
    if kind.differentiable:
        kind.check_trainable()
    else:
        with pytest.raises(InfoshedError, match=r"has no gradient in z.*train with another critic"):
            kind.check_trainable()


@every_pair
@every_way
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_reach_z_and_every_parameter(
    name: str, kind: str, conditional: bool, dtype: torch.dtype
):
    estimator = make(name, kind, conditional=conditional).to(dtype)
    z, c, y, _ = dependent(kind, 1)(128)
    z = z.to(dtype).requires_grad_()
    estimate = estimator(z, c, y, generator=torch.Generator().manual_seed(0))
    assert estimate.shape == ()
    assert estimate.dtype == dtype
    assert torch.isfinite(estimate)
    if not estimator.differentiable:
        return
    (gradient,) = torch.autograd.grad(estimate, z)
    assert torch.isfinite(gradient).all()
    assert (gradient != 0).any(1).all()
    if not estimator.fitted:
        return
    estimator.loss(z, c, y, generator=torch.Generator().manual_seed(0)).backward()
    for parameter_name, parameter in estimator.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # A bias that shifts all scores alike rightly has no gradient.
        assert parameter.ndim < 2 or parameter.grad.any(), parameter_name


@every_pair
@every_way
def test_single_and_double_precision_agree(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 3)
    rows = dependent(kind, 2)(200)
    single = value(estimator, rows)
    double = value(estimator.double(), rows._replace(z=rows.z.double()))
    assert single == pytest.approx(double, abs=1e-3)


@pytest.mark.parametrize(("name", "kind"), STILL)
@every_way
def test_the_order_of_rows_is_irrelevant_where_nothing_is_drawn(
    name: str, kind: str, conditional: bool
):
    estimator = make(name, kind, conditional=conditional)
    rows = dependent(kind, 1)(64)
    permuted = rows.take(torch.from_numpy(np.random.default_rng(0).permutation(64)))
    assert value(estimator, permuted) == pytest.approx(value(estimator, rows), abs=1e-5)


@pytest.mark.parametrize(("name", "kind"), DRAWING)
@every_way
def test_the_order_of_rows_is_irrelevant_on_average_over_the_draws(
    name: str, kind: str, conditional: bool
):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 5)
    rows = dependent(kind, 1)(64)
    permuted = rows.take(torch.from_numpy(np.random.default_rng(0).permutation(64)))
    values = np.array([[value(estimator, r, seed) for seed in range(40)] for r in (rows, permuted)])
    error = math.sqrt((values.var(1) / 40).sum())
    assert abs(values[0].mean() - values[1].mean()) < 4 * error + 1e-6


@every_pair
def test_the_same_generator_gives_the_same_estimate(name: str, kind: str):
    estimator, rows = make(name, kind), dependent(kind, 1)(64)
    before = torch.get_rng_state()
    assert value(estimator, rows, 7) == value(estimator, rows, 7)
    assert torch.equal(before, torch.get_rng_state())
    assert (value(estimator, rows, 7) != value(estimator, rows, 8)) == ((name, kind) in DRAWING)


@every_pair
@every_way
def test_a_saved_state_restores_the_estimate_and_the_fitting(
    name: str, kind: str, conditional: bool
):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 3)
    other = make(name, kind, conditional=conditional, seed=1)
    rows = dependent(kind, 2)(64)
    if estimator.fitted:
        assert value(other, rows) != value(estimator, rows)
    other.load_state_dict(estimator.state_dict())
    assert value(other, rows) == value(estimator, rows)
    again = [value(fit(e, dependent(kind, 3), 3), rows) for e in (estimator, other)]
    assert again[0] == again[1]


@every_pair
def test_the_scale_and_place_of_z_do_not_matter(name: str, kind: str):
    scale, shift = torch.tensor([1e6, 1.0, 1e3, 1.0]), torch.tensor([1e6, 0.0, 0.0, 10.0])

    def moved(draw: Draw) -> Draw:
        return transformed(draw, lambda z: z * scale + shift)

    plain = fit(make(name, kind), dependent(kind, 1), 25)
    large = fit(make(name, kind), moved(dependent(kind, 1)), 25)
    expected = value(plain, dependent(kind, 2)(1000))
    assert value(large, moved(dependent(kind, 2))(1000)) == pytest.approx(expected, abs=5e-3)
    assert expected > 0.05


def hard_batches(kind: str) -> dict[str, Rows]:
    rows = dependent(kind, 1)(48)
    z, c, y, _ = rows
    return {
        "constant column": rows._replace(z=torch.cat([z[:, :3], torch.full((48, 1), 1e4)], 1)),
        "constant z": rows._replace(z=torch.zeros_like(z)),
        "far z": rows._replace(z=z * 1e6 + 1e6),
        "one class": rows._replace(y=torch.ones_like(y)),
        "an absent class": rows.take(y != 1),
        "fewer rows than classes": rows.take(slice(2)),
        "a class with one row": rows.take(slice(12))._replace(y=torch.tensor([2] + [0] * 11)),
        "one value of c": rows._replace(c=c[:1].expand_as(c)),
        "one heavy row": rows._replace(weights=torch.tensor([1e6] + [1e-6] * 47)),
        "one row that counts": rows._replace(weights=torch.eye(48)[0]),
    }


@every_pair
@every_way
@pytest.mark.parametrize("case", hard_batches("binary"))
def test_hard_batches_give_finite_estimates_and_gradients(
    name: str, kind: str, conditional: bool, case: str
):
    rows = hard_batches(kind)[case]
    estimator = fit(make(name, kind, conditional=conditional), lambda n: rows.take([0] * n), 1, 32)
    if estimator.standardize is not None:
        for _ in range(3):
            estimator.standardize.update(rows.z)
    z = rows.z.clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    loss = estimator.loss(z, rows.c, rows.y, weights=rows.weights, generator=generator)
    estimate = estimator(z, rows.c, rows.y, weights=rows.weights, generator=generator)
    assert torch.isfinite(estimate)
    assert torch.isfinite(loss)
    if estimator.differentiable:
        (gradient,) = torch.autograd.grad(estimate, z)
        assert torch.isfinite(gradient).all()
    if estimator.fitted:
        loss.backward()
        assert all(
            torch.isfinite(p.grad).all() for p in estimator.parameters() if p.grad is not None
        )


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@every_way
def test_a_wild_critic_stays_finite_and_below_the_entropy(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 5)
    with torch.no_grad():
        for parameter in estimator.parameters():
            parameter.mul_(100)
    rows = dependent(kind, 2)(64)
    z = rows.z.clone().requires_grad_()
    estimate = estimator(z, rows.c, rows.y, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(estimate)
    entropy = ATTRIBUTES[kind].entropy
    if estimator.unit == "nats" and entropy is not None:
        assert float(estimate.detach()) <= entropy + 1e-6
    if estimator.differentiable:
        assert torch.isfinite(torch.autograd.grad(estimate, z)[0]).all()


def errors(kind: str) -> dict[str, tuple[Any, dict[str, Tensor], str]]:
    z, c, y, _ = dependent(kind, 1)(16)
    real = kind in ("continuous", "mixed")
    wrong = c.clone().double() if real else c.clone()
    wrong[3, -1] = float("nan") if real else 9
    strange = "`c` became non-finite" if real else "holds the code 9"
    holes, far = z.clone(), z.clone()
    holes[5, 1], far[5, 1] = float("nan"), float("inf")
    return {
        "columns of z": ((z[:, :3], c, y), {}, r"`z` must have shape \(n, 4\), got \(16, 3\)"),
        "dimensions of z": ((z[0], c, y), {}, r"`z` must have shape \(n, 4\), got \(4,\)"),
        "rows of c": ((z, c[:8], y), {}, "same number of rows; z has 16, c has 8"),
        "rows of y": ((z, c, y[:8]), {}, "same number of rows"),
        "rows of weights": ((z, c, y), {"weights": torch.ones(3)}, "same number of rows"),
        "integers": ((z.long(), c, y), {}, "`z` must be floating point"),
        "no y": ((z, c, None), {}, r"I\(Z;C\|Y\) and needs y"),
        "one row": ((z[:1], c[:1], y[:1]), {}, "at least 2 rows, got 1"),
        "nan": ((holes, c, y), {}, "`z` became non-finite.*lower the learning rate"),
        "infinity": ((far, c, y), {}, "`z` became non-finite"),
        "flat c": ((z, c[:, 0], y), {}, r"`c` must be codes of shape \(n, "),
        "columns of c": ((z, torch.cat([c, c, c], 1), y), {}, r"`c` must be codes of shape"),
        "a code of c": ((z, wrong, y), {}, strange),
        "a new class": ((z, c, y + 3), {}, "classes in training were 0 to 2"),
        "a negative class": ((z, c, y - 3), {}, r"`y` must hold classes 0, 1, \.\.\."),
        "fractions of y": ((z, c, y.float()), {}, "`y` must be integer classes"),
        "negative weights": ((z, c, y), {"weights": -torch.ones(16)}, "`weights` must be finite"),
        "no weight": ((z, c, y), {"weights": torch.zeros(16)}, "not all 0"),
    }


@every_pair
@pytest.mark.parametrize("case", errors("binary"))
def test_wrong_inputs_are_named(name: str, kind: str, case: str):
    arguments, options, message = errors(kind)[case]
    estimator = make(name, kind, conditional=True)
    with pytest.raises(InfoshedError, match=message) as caught:
        estimator(*arguments, **options)
    with pytest.raises(InfoshedError, match=message):
        estimator.loss(*arguments, **options)
    assert isinstance(caught.value, NonFiniteError) == ("non-finite" in message)


@every_name
def test_wrong_training_rows_are_named(name: str):
    kind = next(k for n, k in PAIRS if n == name)
    _, c, y, _ = dependent(kind, 1)(16)
    attribute = ATTRIBUTES[kind]
    with pytest.raises(InfoshedError, match="same number of rows"):
        build_estimator(name, 4, attribute, c, y[:3])
    with pytest.raises(InfoshedError, match="`y` must hold classes 0, 1"):
        build_estimator(name, 4, attribute, c, y - 5)
    with pytest.raises(InfoshedError, match="`weights` must be finite"):
        build_estimator(name, 4, attribute, c, y, weights=torch.full((16,), float("nan")))


@pytest.mark.parametrize("constant", [np.zeros(9), np.zeros(9, int), np.full(9, "a")])
def test_a_constant_c_has_no_attribute(constant: np.ndarray):
    with pytest.raises(InfoshedError, match=r"one value only.*attribute that varies"):
        infer_attribute(constant)


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n in ESTIMATORS for k in KINDS])
def test_an_attribute_it_does_not_take_is_refused(name: str, kind: str):
    if ESTIMATORS[name].handles(ATTRIBUTES[kind]):
        made = make(name, kind)
        parts = made.parts if isinstance(made, SumOfParts) else [made]
        assert all(isinstance(part, ESTIMATORS[name]) for part in parts)
    else:
        with pytest.raises(InfoshedError, match=f"'{name}' does not take {kind} attributes"):
            make(name, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_auto_finds_an_estimator_for_every_kind(kind: str):
    assert math.isfinite(value(make("auto", kind), dependent(kind, 1)(16)))


def test_an_unknown_critic_is_refused():
    with pytest.raises(InfoshedError, match=r"`critic` must be one of .*got 'minee'"):
        make("minee", "binary")
