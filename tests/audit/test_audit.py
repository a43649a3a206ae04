"""`infoshed.audit`: known truths, fairlearn's figures, groups left out."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error

from infoshed import Audit, audit
from infoshed.auditing.text import audit_text, verdict
from infoshed.truth import build_case


def test_the_interval_holds_the_truth_and_the_leak_is_found():
    case = build_case("gaussian_classes", classes=2, dim=8, share=0.3)
    sample = case.draw(2000, seed=1)
    (part,) = audit(sample.z, sample.c, names=["group"], estimator="quick").parts
    assert part.name == "group"
    assert part.leaks
    assert part.information.low <= case.nats <= part.information.high
    assert part.upper_share is not None
    assert part.upper_share >= part.information.high / math.log(2) - 1e-3
    assert (part.given_y, part.label_nats, part.outcomes) == (None, None, None)
    assert verdict(part).startswith("z leaks group: it tells 0.")


def test_a_clean_representation_is_not_accused():
    accused = []
    for seed in range(6):
        sample = build_case("gaussian_classes", classes=3, dim=4, share=0.0).draw(400, seed)
        (part,) = audit(sample.z, sample.c, estimator="quick", seed=seed).parts
        accused.append(part.leaks)
        if not part.leaks:
            assert verdict(part).startswith("no leak of c was found: z tells at most 0.0")
            told = re.search(r"at most ([\d.]+) nats .* interval, ([\d.]+)% of H", verdict(part))
            assert told is not None
            shown = 100 * float(told[1]) / (part.information.entropy or 1)
            assert shown == pytest.approx(float(told[2]), abs=0.1)
        assert part.upper_share is not None
        assert part.upper_share < 0.1
    assert sum(accused) <= 1  # 5% each: two or more of six in 3% of cases


def test_what_linear_erasure_leaves_in_the_variance_is_found():
    concept_erasure = pytest.importorskip("concept_erasure")
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, 1600)
    z = torch.from_numpy(rng.normal(size=(1600, 3)) * np.where(c, 2.0, 1.0)[:, None] + c[:, None])
    z = concept_erasure.LeaceEraser.fit(z, torch.from_numpy(c)[:, None].double())(z)
    (part,) = audit(z, c, estimator="quick").parts
    scores = {probe.probe: probe for probe in part.probes.probes}
    assert scores["linear"].auc == pytest.approx(0.5, abs=0.06)
    assert scores["linear"].balanced_accuracy == pytest.approx(0.5, abs=0.06)
    assert part.leaks
    assert "linear" not in part.probes.chosen
    assert (part.worst_probe.low or 0) > 0.05
    assert part.information.low > 0.05


def test_information_beyond_the_label_is_told_apart():
    case = build_case("conditional_null", labels=2, classes=2, dim=4, tie=0.8)
    sample = case.draw(2000, seed=0)
    (part,) = audit(sample.z, sample.c, sample.y, estimator="quick").parts
    assert part.leaks  # z tells y, and y tells c
    assert part.information.nats > 0.1
    assert part.given_y is not None
    assert part.given_y.null_p > 0.025
    assert part.given_y.low <= 0.0 + 1e-9
    # What y tells about c: a symmetric channel that is right in 90% of rows.
    channel = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert part.label_nats == pytest.approx(channel, abs=0.04)


def test_figures_equal_those_of_fairlearn(table: dict[str, np.ndarray], found: Audit):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    y, guess = (table[name] == "yes" for name in ("y", "guess"))
    for part, groups in zip(found.attributes[:2], (table["sex"], table["race"]), strict=True):
        assert part.outcomes is not None
        kept = np.isin(groups, list(part.outcomes.groups))
        arguments = {"y_true": y[kept], "y_pred": guess[kept], "sensitive_features": groups[kept]}
        for name in (
            "demographic_parity_difference",
            "equal_opportunity_difference",
            "equalized_odds_difference",
        ):
            interval = part.outcomes.figures[name]
            assert interval.value == getattr(fairlearn, name)(**arguments)
            assert interval.low is not None
            assert interval.high is not None
            assert interval.low <= interval.value <= interval.high
        frame = fairlearn.MetricFrame(metrics=fairlearn.selection_rate, **arguments).by_group
        for name, rate in frame.items():
            assert part.outcomes.groups[name].figures["selection_rate"].value == rate


def test_small_groups_are_listed_and_left_out(table: dict[str, np.ndarray], found: Audit):
    race = found.attributes[1]
    rows = int((table["race"] == "c").sum())
    assert rows < 30
    assert race.left_out == {"c": rows}
    assert race.rows == len(table["y"])  # all rows count for information
    assert race.outcomes is not None
    assert list(race.outcomes.groups) == ["a", "b"]
    both = found.intersection
    assert both is not None
    assert both.name == "sex x race x age"
    assert both.rows + sum(both.left_out.values()) == len(table["y"])
    assert set(both.left_out.values()) <= set(range(1, 30))
    assert min(both.groups.values()) >= 30
    assert both.outcomes is not None
    assert both.groups == {name: g.rows for name, g in both.outcomes.groups.items()}
    inside = (
        (table["sex"] == "f") & (table["race"] == "a") & (table["age"] < np.median(table["age"]))
    )
    low = sum(n for name, n in both.groups.items() if name.startswith(("f, a, Q1", "f, a, Q2")))
    assert low == inside.sum()


def test_an_intersection_that_is_too_thin_is_said_to_be(table: dict[str, np.ndarray]):
    c = {name: table[name][:80] for name in ("sex", "race")}
    thin = audit(table["z"][:80], c, estimator="quick", least_group=60)
    assert thin.intersection is None
    assert thin.notes == (
        "fewer than two groups of sex x race have 60 rows each; the intersection was left out",
    )


def test_an_intersection_of_too_many_groups_is_said_to_be():
    rng = np.random.default_rng(0)
    c = rng.integers(0, 9, (400, 2))
    many = audit(rng.normal(size=(400, 2)), c, estimator="quick", least_group=1)
    assert many.intersection is None
    assert "c[0] x c[1] has 8" in many.notes[0]
    assert "at most 64 are audited; the intersection was left out" in many.notes[0]


def test_groups_of_a_quantity_are_its_quarters(table: dict[str, np.ndarray], found: Audit):
    age = found.attributes[2]
    assert not age.discrete
    assert list(age.groups.values()) == [150] * 4
    first, *_, last = age.groups
    assert first.startswith("Q1: ")
    assert last.endswith(f"{table['age'].max():.4g}")
    assert age.leaks
    assert age.upper_share is None
    # One column of z is age / 8 plus noise of one: what its correlation tells.
    slope = 10 / 8
    assert age.information.high > 0.5 * math.log(1 + slope**2) > age.information.low
    assert age.worst_probe.value == pytest.approx(slope**2 / (1 + slope**2), abs=0.1)


def test_aligned_rows_are_those_that_follow_the_reference(table: dict[str, np.ndarray]):
    y, sex, guess = (table[name] for name in ("y", "sex", "guess"))
    agree = (y == "yes") == (sex == "m")
    right = guess == y
    settings: dict[str, Any] = {"predictions": guess, "estimator": "quick"}
    found = audit(table["z"], sex, y, **settings)
    (part,) = found.parts
    assert part.outcomes is not None
    figures = part.outcomes.figures
    assert figures["accuracy_aligned"].value == right[agree].mean()
    assert "aligned rows have a pair of target and" in audit_text(found)
    assert figures["accuracy_conflicting"].value == right[~agree].mean()
    # Reference rows in which the tie is the other way round.
    other = np.where(sex == "m", "f", "m")
    (part,) = audit(table["z"], sex, y, reference=(y, other), **settings).parts
    assert part.outcomes is not None
    assert part.outcomes.figures["accuracy_aligned"].value == right[~agree].mean()
    # And in which there is none.
    loose = np.tile(["f", "m"], len(table["y"]) // 2)
    order = np.argsort(y, kind="stable")
    (part,) = audit(table["z"], sex, y, reference=(y[order], loose), **settings).parts
    assert part.outcomes is not None
    assert "accuracy_aligned" not in part.outcomes.figures
    assert "not tied" in part.outcomes.reasons["accuracy_aligned"]


def test_calibration_by_group_is_that_of_the_scores():
    rng = np.random.default_rng(0)
    group, score = rng.integers(0, 2, 4000), rng.random(4000)
    truth = np.where(group == 1, score, score**2)  # group 0 is scored too high
    y = (rng.random(4000) < truth).astype(int)
    (part,) = audit(
        rng.normal(size=(4000, 2)), group, y, scores=score, estimator="quick", most_rows=500
    ).parts
    assert part.outcomes is not None
    low, high = (part.outcomes.groups[name].figures for name in "01")
    for figures, bias in ((low, 0.5 - 1 / 3), (high, 0.0)):
        interval = figures["calibration_bias"]
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low - 0.005 <= bias <= interval.high + 0.005
        assert interval.value == pytest.approx(bias, abs=0.03)
    assert low["calibration_error"].value == pytest.approx(1 / 6, abs=0.03)
    assert high["calibration_error"].value < 0.06
    assert part.notes == ("information is estimated on a random 500 of 4,000 rows",)


def test_the_positive_class_decides_opportunity(table: dict[str, np.ndarray]):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    y, sex, guess = (table[name] for name in ("y", "sex", "guess"))
    settings: dict[str, Any] = {"estimator": "quick", "scores": 1 - table["score"]}
    (part,) = audit(table["z"], sex, y, predictions=guess, positive="no", **settings).parts
    assert part.outcomes is not None
    wanted = fairlearn.equal_opportunity_difference(
        y == "no", guess == "no", sensitive_features=sex
    )
    assert part.outcomes.figures["equal_opportunity_difference"].value == wanted
    bias = part.outcomes.groups["f"].figures["calibration_bias"].value
    rows = sex == "f"
    assert bias == pytest.approx((1 - table["score"][rows]).mean() - (y[rows] == "no").mean())


def test_scores_stand_in_for_predictions():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 300)
    y = np.array(["x", "y", "z"])[rng.integers(0, 3, 300)]
    c = rng.integers(0, 2, 300)
    (part,) = audit(rng.normal(size=300), c, y, scores=scores, estimator="quick").parts
    assert part.outcomes is not None
    hit = np.array(["x", "y", "z"])[scores.argmax(1)] == y
    assert part.outcomes.figures["accuracy"].value == pytest.approx(hit.mean())
    bias = part.outcomes.groups["1"].figures["calibration_bias"].value
    assert bias == pytest.approx((scores.max(1) - hit)[c == 1].mean())
    assert "there are 3" in part.outcomes.reasons["demographic_parity_difference"]


def test_predicted_quantities(table: dict[str, np.ndarray]):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng(0)
    age, sex = table["age"], table["sex"]
    guess = age + rng.normal(size=len(table["y"])) * np.where(sex == "f", 4, 1) + 2 * (sex == "m")
    found = audit(table["z"], {"sex": sex}, age, predictions=guess, estimator="quick")
    (part,) = found.parts
    assert part.outcomes is not None
    assert part.given_y is not None
    assert "quantity" in found.notes[0]
    frame = fairlearn.MetricFrame(
        metrics=mean_absolute_error, y_true=age, y_pred=guess, sensitive_features=sex
    )
    figures = part.outcomes.figures
    assert figures["mean_absolute_error"].value == pytest.approx(frame.overall)
    assert figures["worst_group_mean_absolute_error"].value == pytest.approx(frame.group_max())
    assert figures["mean_absolute_error_difference"].value == pytest.approx(frame.difference())
    for name, value in frame.by_group.items():
        assert part.outcomes.groups[name].figures["mean_absolute_error"].value == (
            pytest.approx(value)
        )
    shift = part.outcomes.groups["m"].figures["mean_error"]
    assert shift.value == pytest.approx((age - guess)[sex == "m"].mean())
    assert shift.low is not None
    assert shift.high is not None
    assert shift.low < -2 < shift.high
    # Errors of two variances and means: they tell sex.
    assert part.outcomes.residual is not None
    assert part.outcomes.residual.low > 0.1


def test_errors_that_lean_on_the_attribute_are_seen(found: Audit, table: dict[str, np.ndarray]):
    sex, race, _ = found.attributes
    for part, leans in ((sex, True), (race, False)):
        assert part.outcomes is not None
        assert part.outcomes.residual is not None
        assert part.outcomes.residual.conditional
        assert (part.outcomes.residual.null_p < 0.01) == leans
    same = np.full(len(table["y"]), "yes")
    (part,) = audit(table["z"], table["sex"], table["y"], predictions=same, estimator="quick").parts
    assert part.outcomes is not None
    assert part.outcomes.residual is None
    assert part.outcomes.reasons["residual"] == "the prediction has one value only"
