"""The record of an estimate, and what the penalty and `mi` put into it."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import mutual_info_score
from torch import Tensor, nn

from infoshed import (
    Budget,
    DataSet,
    FixedStrength,
    InfoshedError,
    MutualInformationPenalty,
    NonFiniteError,
    fit,
)
from infoshed.estimators.inputs import entropy_given
from infoshed.health import Health, RunningMean
from infoshed.penalty import PATIENCE
from infoshed.pressure import Pressure

ZERO = torch.zeros(())


def health(running: float, held_out: float | None, ceiling: float | None) -> Health:
    held = None if held_out is None else torch.tensor(held_out)
    return Health.of(torch.tensor(running), held, ZERO, ZERO, ceiling)


@pytest.mark.parametrize(
    ("running", "estimate", "saturated"),
    [(-0.3, 0.0, 0.0), (0.5, 0.5, 0.0), (0.985, 0.985, 1.0), (1.4, 1.0, 1.0)],
)
def test_the_estimate_stays_between_nothing_and_the_ceiling(
    running: float, estimate: float, saturated: float
):
    record = health(running, running - 0.25, 1.0)
    assert float(record.estimate) == pytest.approx(estimate)
    assert record.share is not None
    assert float(record.share) == pytest.approx(estimate)
    assert float(record.saturated) == saturated
    assert record.gap is not None
    assert float(record.gap) == pytest.approx(0.25)


def test_what_is_not_known_is_not_among_the_metrics():
    assert set(health(3.0, None, None).metrics()) == {
        "mi",
        "mi_saturated",
        "critic_gradient",
        "skipped",
    }
    assert float(health(3.0, None, None).estimate) == 3.0


def test_a_running_mean_by_hand():
    mean = RunningMean(0.25)
    assert mean.value is None
    for value in (1.0, 3.0, float("nan"), 2.0, float("inf"), 10.0):
        mean.add(torch.tensor(value))
    expected = torch.lerp(torch.tensor(2.0), torch.tensor(2.0), 0.25)
    assert mean.value is not None
    assert float(mean.value) == pytest.approx(float(expected) + 0.25 * (10 - float(expected)))
    again = RunningMean(0.25)
    again.load_state_dict(mean.state_dict())
    again.add(ZERO)
    mean.add(ZERO)
    assert torch.equal(again.value or ZERO, mean.value)


def test_the_ceiling_given_y_is_the_conditional_entropy(make_data: Callable[..., DataSet]):
    data = make_data("categorical")
    y, c, attribute = data.train.y, data.train.c, data.attribute
    assert attribute.entropy is not None
    expected = attribute.entropy - mutual_info_score(y.numpy(), c[:, 0].numpy())
    assert entropy_given(attribute, c, y, None) == pytest.approx(expected, abs=1e-6)
    assert entropy_given(attribute, c, None, None) == pytest.approx(attribute.entropy)
    continuous = make_data("continuous")
    assert entropy_given(continuous.attribute, continuous.train.c, y, None) is None


def penalty_of(
    data: DataSet, pressure: Pressure | None = None, **options: Any
) -> MutualInformationPenalty:
    train, pressure = data.train, pressure or FixedStrength(1.0)
    return MutualInformationPenalty(
        6, data.attribute, train.c, train.y, pressure=pressure, **options
    )


CRITICS = ("class-scoring", "class-dv", "shuffled-dv")


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_batch_is_skipped_and_counted(table: DataSet, critic: str, bad: float):
    penalty = penalty_of(table, critic=critic)
    x, y, c = table.train.take(torch.arange(128))
    penalty.update(x, c, y)
    before = deepcopy(penalty.estimator.state_dict())
    estimate = penalty.health.estimate
    broken = x.clone()
    broken[5, 2] = bad
    penalty.update(broken, c, y)
    assert float(penalty.health.skipped) == 1
    assert torch.equal(penalty.health.estimate, estimate)
    after = penalty.estimator.state_dict()
    for name, value in before.items():
        assert value == after[name] if isinstance(value, dict) else torch.equal(value, after[name])
    z = broken.clone().requires_grad_()
    term = penalty.term(z.square().mean(), z, c, y)
    assert float(term) == 0
    penalty.update(x, c, y)
    assert float(penalty.health.skipped) == 0
    assert math.isfinite(float(penalty.health.estimate))


@pytest.mark.parametrize("critic", CRITICS)
def test_values_that_overflow_leave_the_critic_usable(table: DataSet, critic: str):
    penalty = penalty_of(table, critic=critic)
    x, y, c = table.train.take(torch.arange(128))
    penalty.update(x, c, y)
    penalty.update(x * 1e25, c, y)
    for name, value in penalty.estimator.state_dict().items():
        assert isinstance(value, dict) or torch.isfinite(value).all(), name
    penalty.update(x, c, y)
    z = x.clone().requires_grad_()
    assert math.isfinite(float(penalty.term(z.square().mean(), z, c, y).detach()))


def test_nothing_but_bad_batches_is_an_error_with_a_remedy(table: DataSet):
    penalty = penalty_of(table)
    x, y, c = table.train.take(torch.arange(64))
    for _ in range(PATIENCE - 1):
        penalty.update(x * float("nan"), c, y)
    with pytest.raises(NonFiniteError, match=r"non-finite.*; lower `lr` and `critic_lr`"):
        penalty.update(x * float("nan"), c, y)


def test_a_critic_without_parameters_is_read_and_not_fitted(table: DataSet):
    penalty = penalty_of(table, critic="hsic")
    x, y, c = table.train.take(torch.arange(128))
    for _ in range(3):
        penalty.update(x, c, y)
    z = x.clone().requires_grad_()
    assert float(penalty.term(z.square().mean(), z, c, y).detach()) != 0
    assert penalty.ceiling is None
    assert float(penalty.health.estimate) > 0
    again = penalty_of(table, critic="hsic")
    again.load_state_dict(penalty.state_dict())


def test_a_critic_without_a_gradient_is_refused(table: DataSet):
    with pytest.raises(InfoshedError, match="no gradient in z"):
        penalty_of(table, critic="ksg")


def test_weights_change_what_is_measured(table: DataSet):
    y, c = table.train.y, table.train.c
    joint = torch.bincount(2 * y + c[:, 0], minlength=4).float().view(2, 2)
    weights = (joint.sum(1)[:, None] * joint.sum(0) / joint)[y, c[:, 0]]
    values, generator = {}, torch.Generator().manual_seed(0)
    for name, w in (("plain", None), ("independent", weights)):
        penalty = MutualInformationPenalty(
            2, table.attribute, c, weights=w, pressure=FixedStrength(1.0)
        )
        z = F.one_hot(y, 2) + 0.1 * torch.randn(len(y), 2, generator=generator)
        for _ in range(50):
            penalty.update(z, c, weights=w)
        leaf = z.clone().requires_grad_()
        penalty.term(leaf.square().mean(), leaf, c, weights=w)
        values[name] = float(penalty.estimate)
    assert values["plain"] > 0.2
    assert abs(values["independent"]) < 0.05


def test_held_out_rows_tell_what_was_learnt_by_heart(table: DataSet):
    generator = torch.Generator().manual_seed(0)
    penalty = penalty_of(table, lr=1e-2, steps=8)
    few, y, c = table.train.take(torch.arange(64))
    few = torch.randn(few.shape, generator=generator)
    assert penalty.health.held_out is None
    for _ in range(150):
        penalty.update(few.repeat(8, 1), c.repeat(8, 1), y.repeat(8))
    before = {k: v for k, v in penalty.estimator.state_dict().items() if isinstance(v, Tensor)}
    before = deepcopy(before)
    for _ in range(5):
        z = torch.randn(160, 6, generator=generator)
        penalty.hold_out(z, table.validation.c[:160], table.validation.y[:160])
    record = penalty.health
    assert record.held_out is not None
    assert record.gap is not None
    assert float(record.held_out) < 0.1
    assert float(record.gap) > 0.1
    for name, value in before.items():
        assert torch.equal(value, penalty.estimator.state_dict()[name])


def test_the_record_survives_saving(table: DataSet):
    penalty, again = penalty_of(table), penalty_of(table, seed=4)
    x, y, c = table.train.take(torch.arange(128))
    penalty.update(x, c, y)
    penalty.hold_out(x, c, y)
    again.load_state_dict(deepcopy(penalty.state_dict()))
    for each in (penalty, again):
        each.update(x, c, y)
        each.hold_out(x, c, y)
    ours, theirs = penalty.health.metrics(), again.health.metrics()
    assert ours == theirs
    assert set(ours) == {
        "mi",
        "mi_held_out",
        "mi_gap",
        "mi_saturated",
        "critic_gradient",
        "skipped",
    }


def test_a_budget_is_not_spoilt_by_a_bad_batch(table: DataSet):
    penalty = penalty_of(table, pressure=Budget(0.1))
    x, y, c = table.train.take(torch.arange(64))
    for scale in (1.0, float("nan"), 1.0):
        z = (x * scale).requires_grad_()
        penalty.term(z.square().mean(), z, c, y)
    assert math.isfinite(float(penalty.pressure.strength))


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_the_metrics_of_mi_hold_the_record(make_data: Callable[..., DataSet], kind: str):
    data = make_data(kind)
    run = fit(data, "mi", epochs=2)
    for row in run.metrics:
        assert {"mi", "mi_held_out", "mi_gap", "critic_gradient", "skipped"} <= set(row)
        assert row["mi"] >= 0
        assert row["skipped"] == 0
        assert row["critic_gradient"] > 0


def test_held_out_rows_do_not_move_batch_statistics(table: DataSet):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
    counted = encoder[1]
    assert isinstance(counted, nn.BatchNorm1d)
    run = fit(table, "mi", epochs=1, encoder=encoder)
    steps = len(table.train) // 64
    batches = run.model.state_dict()["encoder.1.num_batches_tracked"]
    assert int(batches) <= 2 * steps + 1  # the batch and the pool of each step, and the probe


def test_a_first_value_that_is_not_finite_is_as_if_absent():
    mean = RunningMean(0.2)
    mean.add(torch.tensor(float("nan")), 2)
    assert mean.value is None
    mean.add(torch.tensor(1.0))
    mean.add(torch.tensor(3.0))
    assert float(mean.mean) == pytest.approx(2.0)
