"""Strength: fixed, or moved by a budget."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import Budget, Categorical, Continuous, FixedStrength, InfoshedError
from infoshed.information import label_information
from infoshed.pressure import budget_nats


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


def test_one_step_moves_by_no_more_than_the_rate():
    (strength,) = observed(Budget(0.1, start=0.3, rate=0.02), [1e6])
    assert strength == pytest.approx(0.3 * math.exp(0.02), rel=1e-5)


def test_one_step_by_hand():
    pressure = Budget(0.4, start=0.3, rate=0.02, momentum=0.05)
    (strength,) = observed(pressure, [0.6])
    excess = (0.05 * 0.2) / 0.4  # the average has moved a twentieth of the way
    assert strength == pytest.approx(0.3 * math.exp(0.02 * excess), rel=1e-6)


def test_a_budget_of_nothing_is_measured_by_the_floor():
    (strength,) = observed(Budget(0.0, start=0.3, rate=0.02, floor=0.02, momentum=0.05), [0.1])
    assert strength == pytest.approx(0.3 * math.exp(0.02 * 0.05 * 0.1 / 0.02), rel=1e-6)


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
