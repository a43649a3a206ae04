"""Strength: fixed, or moved by a budget."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from infoshed import (
    Budget,
    Categorical,
    Continuous,
    DataSet,
    FixedStrength,
    InfoshedError,
    MutualInformationPenalty,
    Ramp,
    Run,
    fit,
    infer_attribute,
)
from infoshed.fingerprint import fingerprint
from infoshed.information import label_information
from infoshed.pressure import LEAST, Pressure, budget_nats


def test_fixed_strength_does_not_move():
    pressure = FixedStrength(0.7)
    for estimate in (0.0, 100.0, -5.0):
        pressure.observe(torch.tensor(estimate))
    assert float(pressure.strength) == pytest.approx(0.7)
    pressure.load_state_dict(pressure.state_dict())
    assert float(pressure.strength) == pytest.approx(0.7)


@pytest.mark.parametrize("strength", [-1, float("nan"), float("inf"), "1", True])
def test_fixed_strength_refuses_what_is_no_strength(strength: Any):
    with pytest.raises(InfoshedError, match="`strength` must be a finite number at least 0"):
        FixedStrength(strength)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.4), (0.4, 0.1)])
def test_a_ramp_moves_evenly_and_stays(start: float, end: float):
    pressure, seen = Ramp(start, end, steps=4), []
    for _ in range(6):
        pressure.observe(torch.tensor(100.0))
        pressure.advance()
        seen.append(float(pressure.strength))
    np.testing.assert_allclose(seen[:4], np.linspace(start, end, 5)[1:], rtol=1e-6)
    np.testing.assert_allclose(seen[4:], end, rtol=1e-6)
    other = Ramp(start, end, steps=4)
    assert float(other.strength) == pytest.approx(start)
    other.load_state_dict(pressure.state_dict())
    assert float(other.strength) == pytest.approx(end)


@pytest.mark.parametrize(
    "bad", [{"start": -1}, {"end": float("nan")}, {"steps": 0}, {"steps": "2"}], ids=str
)
def test_a_ramp_refuses_what_is_no_ramp(bad: dict[str, Any]):
    with pytest.raises(InfoshedError, match=f"`{next(iter(bad))}` must be"):
        Ramp(**{"start": 0, "end": 0.3, "steps": 10, **bad})


def test_a_ramp_presses_as_the_strength_that_it_has_reached(table: DataSet):
    """The first step under a ramp of two to 0.6 is one under 0.3, each later one under 0.6."""
    batch = table.train.take(torch.arange(64))

    def added(pressure: Pressure, calls: int) -> Tensor:
        penalty, z = penalty_under(pressure, table), batch.x
        for _ in range(calls):
            z = batch.x.clone().requires_grad_()
            penalty(z, batch.c)
            z.square().mean().backward()
        assert z.grad is not None
        return z.grad - 2 * z.detach() / z.numel()

    for calls, strength in (1, 0.3), (2, 0.6), (4, 0.6):
        torch.testing.assert_close(
            added(Ramp(0, 0.6, steps=2), calls), added(FixedStrength(strength), calls)
        )


def test_a_run_goes_on_in_the_middle_of_a_ramp(
    table: DataSet, same_run: Callable[..., None], tmp_path: Path
):
    strength = "0.1 to 0.4 over 1.5"
    whole = fit(table, epochs=3, strength=strength)
    fit(table, epochs=1, strength=strength, out=tmp_path)
    same_run(whole, fit(table, epochs=3, strength=strength, out=tmp_path, resume=True))
    seen = [row["strength"] for row in whole.metrics]
    steps = len(table.train) // whole.config.batch_size
    expected = np.interp(np.arange(1, 3 * steps + 1), [0, 1.5 * steps], [0.1, 0.4])
    np.testing.assert_allclose(seen, expected.reshape(3, steps).mean(1), rtol=1e-5)


def observed(pressure: Budget, estimates: list[float]) -> list[float]:
    strengths = []
    for estimate in estimates:
        pressure.observe(torch.tensor(estimate))
        strengths.append(float(pressure.strength))
    return strengths


def test_strength_rises_above_the_budget_and_falls_below_it():
    rising = observed(Budget(0.5, start=0.3), [0.8] * 20)
    falling = observed(Budget(0.5, start=0.3), [0.2] * 20)
    assert rising == sorted(rising)
    assert rising[0] > 0.3
    assert falling == sorted(falling, reverse=True)
    assert falling[0] < 0.3


def test_strength_stays_on_the_budget():
    np.testing.assert_allclose(observed(Budget(0.5, start=0.3), [0.5] * 20), 0.3, rtol=1e-6)


def test_strength_stays_within_its_limits_and_never_vanishes():
    rising = observed(Budget(0.1, low=0.05, high=2.0), [50.0] * 500)
    falling = observed(Budget(0.1, low=0.05, high=2.0), [-50.0] * 500)
    assert max(rising) == pytest.approx(2.0)
    assert min(falling) == pytest.approx(0.05)


def test_a_limit_is_left_as_soon_as_the_estimate_turns():
    pressure = Budget(0.1, low=0.05, high=2.0, momentum=1.0)
    observed(pressure, [50.0] * 500)
    (strength,) = observed(pressure, [0.0])
    assert strength < 2.0 * math.exp(-pressure.gain)


def test_one_step_moves_by_no_more_than_rate_and_gain():
    (strength,) = observed(Budget(0.1, start=0.3, rate=0.02, gain=0.5), [1e6])
    assert strength == pytest.approx(0.3 * math.exp(0.52), rel=1e-5)


def test_one_step_by_hand():
    pressure = Budget(0.4, start=0.3, rate=0.02, gain=0.5, momentum=0.05)
    (strength,) = observed(pressure, [0.6])
    excess = (0.05 * 0.2) / 0.4  # the average has moved a twentieth of the way
    assert strength == pytest.approx(0.3 * math.exp((0.02 + 0.5) * excess), rel=1e-6)


def test_a_budget_of_nothing_is_measured_by_the_floor():
    pressure = Budget(0.0, start=0.3, rate=0.02, gain=0.0, floor=0.02, momentum=0.05)
    (strength,) = observed(pressure, [0.1])
    assert strength == pytest.approx(0.3 * math.exp(0.02 * 0.05 * 0.1 / 0.02), rel=1e-6)


# What pressure does to information, in the crudest way: it wells up as the task is learned, and
# is worn down in proportion to the strength.
@pytest.mark.parametrize("budget", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("growth", [0.002, 0.02])
def test_a_budget_is_held_on_a_model_of_training(budget: float, growth: float):
    generator = torch.Generator().manual_seed(0)
    pressure, level, levels = Budget(budget), 0.0, []
    for _ in range(1500):
        noise = float(torch.randn((), generator=generator)) * (2 * level / 128) ** 0.5
        pressure.observe(torch.tensor(level + noise))
        level += growth * (1 - level) - 0.1 * float(pressure.strength) * level
        levels.append(level)
    last = np.array(levels[1000:])
    assert last.mean() == pytest.approx(budget, rel=0.1)
    assert last.std() < 0.2 * budget


def test_a_budget_out_of_reach_ends_at_the_least_strength():
    assert observed(Budget(2.0), [0.5] * 500)[-1] == pytest.approx(LEAST)


def test_backing_off_raises_the_budget_and_lowers_the_strength():
    pressure = Budget(0.4, start=0.3)
    pressure.back_off()
    assert float(pressure.nats) == pytest.approx(0.6)
    pressure.average = pressure.nats
    assert float(pressure.strength) == pytest.approx(0.15)
    nothing = Budget(0.0, floor=0.02)
    nothing.back_off()
    assert float(nothing.nats) == pytest.approx(0.02)


def test_a_restored_budget_goes_on_as_if_nothing_had_happened():
    estimates = torch.rand(30, generator=torch.Generator().manual_seed(0)).tolist()
    whole = observed(Budget(0.5), estimates)
    first, second = Budget(0.5), Budget(0.5)
    before = observed(first, estimates[:10])
    second.load_state_dict(first.state_dict())
    assert before + observed(second, estimates[10:]) == whole


ATTRIBUTE = Categorical("site", (0, 1), (0.5, 0.5))
Y = torch.tensor([0, 1] * 100)
C = torch.tensor([0, 1] * 90 + [1, 0] * 10)[:, None]


@pytest.mark.parametrize(
    ("budget", "nats"),
    [
        (0.05, 0.05),
        ("0.05", 0.05),
        (0, 0.0),
        ("5%", 0.05 * math.log(2)),
        ("100%", math.log(2)),
        ("label", label_information(Y, C, ATTRIBUTE)),
    ],
)
def test_budgets_are_read(budget: float | str, nats: float):
    assert budget_nats(budget, ATTRIBUTE, Y, C) == pytest.approx(nats)
    assert nats < 0.7


@pytest.mark.parametrize("budget", ["", "much", "5 nats", "%", "labels", None, [1]])
def test_a_budget_in_other_words_is_refused(budget: Any):
    with pytest.raises(InfoshedError, match=r'`budget` must be nats.*"5%".*"label"'):
        budget_nats(budget, ATTRIBUTE, Y, C)


@pytest.mark.parametrize("budget", [-0.1, "-0.1", "-5%", "101%", "nan", "inf", "nan%"])
def test_a_budget_outside_its_range_is_refused(budget: float | str):
    with pytest.raises(InfoshedError, match=r"`budget.*` must be a finite number at least 0"):
        budget_nats(budget, ATTRIBUTE, Y, C)


@pytest.mark.parametrize("budget", ["5%", "label"])
def test_a_continuous_attribute_needs_nats(budget: str):
    attribute = Continuous("age", (0.0,), (1.0,))
    c = torch.zeros(200, 1)
    with pytest.raises(InfoshedError, match=r"'age' is.*continuous.*nats"):
        budget_nats(budget, attribute, Y, c)
    assert budget_nats("0.1", attribute, Y, c) == pytest.approx(0.1)


def penalty_under(pressure: Pressure, data: DataSet) -> MutualInformationPenalty:
    """A penalty whose critic knows something of x."""
    penalty = MutualInformationPenalty(6, data.attribute, data.train.c, pressure=pressure)
    for _ in range(20):
        penalty.update(data.train.x, data.train.c)
    return penalty


def test_a_budget_follows_held_out_rows_once_they_are_read(table: DataSet):
    penalty = penalty_under(Budget(0.1, momentum=1.0), table)
    pressure: Any = penalty.pressure
    z = table.train.x.clone().requires_grad_()
    penalty.term(z.square().mean(), z, table.train.c)
    assert float(pressure.average) == pytest.approx(float(penalty.estimate))
    held_out = penalty.hold_out(table.validation.x, table.validation.c)
    assert float(pressure.average) == pytest.approx(float(held_out))
    penalty.term(z.square().mean(), z, table.train.c)
    assert float(pressure.average) == pytest.approx(float(held_out))
    assert float(held_out) != pytest.approx(float(penalty.estimate))


@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_the_gradient_under_a_budget_does_not_depend_on_that_of_the_task(
    table: DataSet, scale: float
):
    penalty = penalty_under(Budget(0.1), table)
    pressure = penalty.pressure
    z = table.train.x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(penalty.estimator(z, table.train.c), z)
    (found,) = torch.autograd.grad(penalty.term(scale * z.square().mean(), z, table.train.c), z)
    torch.testing.assert_close(found, float(pressure.strength) * expected, rtol=1e-4, atol=1e-9)


def late(run: Run, name: str) -> float:
    """Mean over the last third of the epochs."""
    return float(np.mean([row[name] for row in run.metrics[-(len(run.metrics) // 3) :]]))


def test_the_strength_falls_slowly_until_the_budget_is_reached_once():
    pressure = Budget(1.0, rate=0.1, momentum=1.0)

    def fall(estimate: float) -> float:
        before = pressure.integral.clone()
        pressure.observe(torch.tensor(estimate))
        return round(float(before - pressure.integral), 5)

    assert fall(0.6) == pytest.approx(0.01)
    assert fall(1.2) == pytest.approx(-0.02)
    assert fall(0.6) == pytest.approx(0.04)
    again = Budget(1.0, rate=0.1, momentum=1.0)
    again.load_state_dict(pressure.state_dict())
    pressure = again
    assert fall(0.6) == pytest.approx(0.04)  # a resumed run knows that it was reached


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::infoshed.alarm.CollapseWarning")  # of the first epochs
def test_a_budget_is_held_in_training(make_data: Callable[..., DataSet]):
    data = make_data(n=4000)
    run = fit(data, "mi", budget=0.05, conditional=False, critic_steps=4, epochs=12)
    assert late(run, "mi_held_out") == pytest.approx(0.05, rel=0.2)
    assert late(run, "budget") == pytest.approx(0.05)
    assert late(run, "strength") > LEAST


@pytest.mark.filterwarnings("ignore::infoshed.alarm.CollapseWarning")
def test_a_budget_that_does_not_bind_ends_at_the_least_strength(make_data: Callable[..., DataSet]):
    run = fit(make_data(n=4000), "mi", budget="100%", conditional=False, epochs=10)
    assert late(run, "strength") == pytest.approx(LEAST, rel=0.05)
    assert 0.1 < late(run, "mi_held_out") < 0.69


def test_a_budget_above_the_entropy_is_no_budget():
    c = np.array([0, 1] * 50)
    attribute = infer_attribute(c, "sex")
    y, codes = torch.from_numpy(c), attribute.encode(c)
    assert budget_nats(0.69, attribute, y, codes) == 0.69
    with pytest.raises(InfoshedError, match=r'above H\(sex\) = 0.693.* is written "5%"'):
        budget_nats(5.0, attribute, y, codes)
    continuous = infer_attribute(np.linspace(0, 1, 100), "age")
    assert budget_nats(5.0, continuous, y, continuous.encode(np.linspace(0, 1, 100))) == 5.0


def test_every_penalty_follows_a_pressure_of_its_own(table: DataSet):
    ramp = Ramp(0, 1, steps=10)
    first, second = penalty_under(ramp, table), penalty_under(ramp, table)
    z, c = table.train.x.clone().requires_grad_(), table.train.c
    for _ in range(5):
        for penalty in (first, second):
            penalty.term(z.square().mean(), z, c)
    assert float(first.pressure.strength) == pytest.approx(0.5)
    assert float(second.pressure.strength) == pytest.approx(0.5)
    assert float(ramp.strength) == 0


def test_the_state_of_another_kind_of_pressure_is_refused(table: DataSet):
    ramp, fixed = penalty_under(Ramp(0, 1, 10), table), penalty_under(FixedStrength(1.0), table)
    for one, other in ((ramp, fixed), (fixed, ramp)):
        with pytest.raises(InfoshedError, match="another kind of pressure"):
            one.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("one", "other"),
    [(Ramp(0, 0.3, 100), Ramp(0, 3.0, 100)), (Budget(0.01), Budget(0.01, rate=1.0)),
     (FixedStrength(0.3), FixedStrength(0.4))],
)  # fmt: skip
def test_processes_compare_all_that_makes_a_pressure(
    table: DataSet, one: Pressure, other: Pressure
):
    first, again, second = (penalty_under(p, table)._common() for p in (one, one, other))
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(second)
