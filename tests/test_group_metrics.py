"""Group metrics: equal to fairlearn and scikit-learn, by hand, and honest about empty cells."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from infoshed import InfoshedError
from infoshed.auditing import METRICS, group_metrics, metric_interval

GAPS = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)


def sample(seed: int, n: int, groups: int = 2, classes: int = 2) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, n)
    y = rng.integers(0, classes, n)
    wrong = rng.random(n) < 0.1 + 0.2 * group / groups
    return y, np.where(wrong, rng.integers(0, classes, n), y), group


@pytest.mark.parametrize("groups", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_gaps_equal_those_of_fairlearn(seed: int, groups: int):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    y, prediction, group = sample(seed, 300, groups)
    found = group_metrics(y, prediction, group)
    for name in GAPS:
        reference = getattr(fairlearn, name)(y, prediction, sensitive_features=group)
        assert getattr(found, name) == reference, name
    frame = fairlearn.MetricFrame(
        metrics={
            "accuracy": accuracy_score,
            "selection_rate": fairlearn.selection_rate,
            "true_positive_rate": fairlearn.true_positive_rate,
            "false_positive_rate": fairlearn.false_positive_rate,
        },
        y_true=y,
        y_pred=prediction,
        sensitive_features=group,
    )
    for name, column in frame.by_group.items():
        for g, value in column.items():
            assert getattr(found.groups[str(g)], str(name)) == value
    assert found.worst_group_accuracy == frame.group_min()["accuracy"]


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4))
def test_accuracies_equal_those_of_scikit_learn(seed: int, groups: int, classes: int):
    y, prediction, group = sample(seed, 60, groups, classes)
    prediction = np.minimum(prediction, y.max())
    if len(np.unique(group)) < 2 or set(prediction) - set(y):
        return
    found = group_metrics(y, prediction, group)
    assert found.accuracy == pytest.approx(accuracy_score(y, prediction), abs=1e-12)
    balanced = balanced_accuracy_score(y, prediction)
    assert found.balanced_accuracy == pytest.approx(balanced, abs=1e-12)
    by_hand = {str(g): np.mean((y == prediction)[group == g]) for g in np.unique(group)}
    assert {g: v.accuracy for g, v in found.groups.items()} == pytest.approx(by_hand)
    assert found.worst_group_accuracy == pytest.approx(min(by_hand.values()))
    assert sum(v.rows for v in found.groups.values()) == len(y)


def test_a_table_by_hand():
    # Women: 2 of 4 selected; men: 3 of 4.
    group = ["f"] * 4 + ["m"] * 4
    y = [1, 1, 0, 0, 1, 1, 0, 0]
    prediction = [1, 0, 1, 0, 1, 1, 1, 0]
    found = group_metrics(y, prediction, group)
    assert found.demographic_parity_difference == 0.25
    assert found.equal_opportunity_difference == 0.5
    assert found.equalized_odds_difference == 0.5
    assert found.accuracy == 5 / 8
    assert found.balanced_accuracy == (3 / 4 + 2 / 4) / 2
    assert found.worst_group_accuracy == 0.5
    assert found.groups["m"].true_positive_rate == 1
    assert found.groups["m"].false_positive_rate == 0.5
    assert found.reasons == {}
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


def test_an_empty_cell_gives_none_and_the_reason():
    group, y, prediction = ["a"] * 3 + ["b"] * 3, [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 1, 0]
    found = group_metrics(y, prediction, group)
    assert found.demographic_parity_difference == pytest.approx(0)
    assert found.equal_opportunity_difference is None
    assert found.equalized_odds_difference is None
    assert found.groups["b"].true_positive_rate is None
    assert found.groups["b"].false_positive_rate == pytest.approx(1 / 3)
    assert set(found.reasons) == {"equal_opportunity_difference", "equalized_odds_difference"}
    assert found.reasons["equal_opportunity_difference"] == "group 'b' has no rows of class 1"
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(InfoshedError, match="not defined here: group 'b' has no rows of class 1"):
        metric_interval("equalized_odds_difference", y, prediction, group)


def test_gaps_of_more_than_two_classes_are_refused_with_the_reason():
    y, prediction, group = sample(0, 90, 2, 3)
    found = group_metrics(y, prediction, group)
    for name in GAPS:
        assert getattr(found, name) is None
        assert found.reasons[name] == "defined for two classes, 0 and 1; there are 3"
    assert found.groups["0"].selection_rate is None
    assert 0 < found.worst_group_accuracy < found.accuracy < 1


def test_tensors_codes_and_whole_floats_are_read():
    y, prediction, group = sample(1, 80)
    expected = group_metrics(y, prediction, group)
    codes = torch.from_numpy(group)[:, None]
    assert group_metrics(torch.from_numpy(y), prediction.astype(float), codes) == expected
    assert group_metrics(y == 1, prediction == 1, group.tolist()) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction": [0.2, 0.7, 1, 0]}, "`prediction` must be classes.*cut a score first"),
        ({"y": [0, -1, 1, 1]}, "`y` must be classes.*found -1"),
        ({"y": [[0], [1], [1], [0]]}, r"`y` must be classes of shape \(n,\), got shape \(4, 1\)"),
        ({"y": [0, 1, 1]}, "same number of rows; y has 3"),
        ({"y": [0, 1, 1, float("nan")]}, "`y` must be classes"),
        ({"group": ["a"] * 4}, r"two groups are needed to compare, found \['a'\]"),
        ({"group": ["a", "b", None, "b"]}, "`group` has 1 missing values"),
        ({"group": [0.1, 0.2, 0.3, 0.4]}, "`group` must be text or whole numbers"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, Any], message: str):
    good: dict[str, Any] = {
        "y": [0, 1, 1, 0],
        "prediction": [0, 1, 1, 0],
        "group": ["a", "a", "b", "b"],
    }
    with pytest.raises(InfoshedError, match=message):
        group_metrics(**(good | changes))


@pytest.mark.parametrize("name", METRICS)
def test_an_interval_equals_resampling_the_rows(name: str):
    y, prediction, group = sample(2, 200)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(600):
        i = rng.integers(0, len(y), len(y))
        draws.append(getattr(group_metrics(y[i], prediction[i], group[i]), name))
    interval = metric_interval(name, y, prediction, group, draws=4000, seed=1)
    assert interval.value == getattr(group_metrics(y, prediction, group), name)
    # 600 draws: a standard error of about 0.08 standard deviations for a 2.5% quantile of these.
    tolerance = 0.3 * float(np.std(draws))
    assert interval.low == pytest.approx(np.quantile(draws, 0.025), abs=tolerance)
    assert interval.high == pytest.approx(np.quantile(draws, 0.975), abs=tolerance)


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group, y = rng.integers(0, 2, 250), rng.integers(0, 2, 250)
        prediction = (rng.random(250) < np.where(group == 1, 0.6, 0.3)).astype(int)
        i = metric_interval(GAPS[0], y, prediction, group, draws=400, seed=seed)
        assert i.low is not None
        assert i.high is not None
        covered.append(i.low <= 0.3 <= i.high)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_intervals_are_seeded_and_nest():
    y, prediction, group = sample(3, 150)
    one, two, other = (
        metric_interval("accuracy", y, prediction, group, seed=seed) for seed in (0, 0, 1)
    )
    assert one == two
    assert one != other
    wide = metric_interval("accuracy", y, prediction, group, level=0.99)
    assert one.low is not None
    assert wide.low is not None
    assert wide.low < one.low


def test_too_few_rows_for_an_interval_are_said_to_be():
    # One row of class 1 in group b: a third of the resamples have none.
    group, y = ["a"] * 4 + ["b"] * 4, [0, 1, 1, 0, 0, 0, 0, 1]
    interval = metric_interval("equal_opportunity_difference", y, y, group)
    assert interval.value == 0
    assert interval.low is None
    assert interval.high is None
    assert interval.reason is not None
    assert "too few rows for an interval" in interval.reason
