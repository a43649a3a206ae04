"""Fresh probes on data of known information."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from infoshed import InfoshedError
from infoshed.auditing import PROBES, Leakage, probe_leakage
from infoshed.auditing.probes import PartLeakage

FAST = {name: PROBES[name] for name in ("linear", "neighbors")}


def two_gaussians(n: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """c fair, the first of three columns of z has mean +-gap/2."""
    rng = np.random.default_rng(seed)
    c = rng.integers(0, 2, n)
    z = rng.normal(size=(n, 3))
    z[:, 0] += gap * (c - 0.5)
    return z, c


def only(found: Leakage) -> PartLeakage:
    (part,) = found.parts
    return part


def test_two_gaussians_are_told_apart_as_well_as_can_be():
    gap = 2.0
    part = only(probe_leakage(*two_gaussians(3000, gap, 0), *two_gaussians(3000, gap, 1)))
    assert [p.probe for p in part.probes] == list(PROBES)
    assert (part.levels, part.fit_rows, part.judged_rows) == (2, 3000, 3000)
    assert part.entropy == pytest.approx(math.log(2), abs=1e-3)
    assert part.chance is not None
    assert 0.5 <= part.chance < 0.54

    def density(z: float) -> float:
        p = norm.pdf(z, [-gap / 2, gap / 2])
        return float(p.mean() * math.log(2) - (p / 2 * np.log(p.sum() / p)).sum())

    information = quad(density, -8, 8)[0]
    accuracy, auc = norm.cdf(gap / 2), norm.cdf(gap / math.sqrt(2))
    for score in part.probes:
        assert score.accuracy == pytest.approx(accuracy, abs=0.03)
        assert score.balanced_accuracy == pytest.approx(accuracy, abs=0.03)
        assert score.auc == pytest.approx(auc, abs=0.03)
        assert score.nats == pytest.approx(information, abs=0.05)
        assert not score.floored
        assert score.r2 is None
    for key, truth in {
        "nats": information,
        "accuracy": accuracy,
        "balanced_accuracy": accuracy,
    }.items():
        interval = part.worst[key]
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low - 0.01 < truth < interval.high + 0.01
        assert interval.high - interval.low < 0.08


def test_each_probe_finds_what_is_made_for_it():
    def circle(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(1500, 2))
        return z, (np.hypot(*z.T) > 1.2).astype(int)

    part = only(probe_leakage(*circle(0), *circle(1)))
    scores = {p.probe: p for p in part.probes}
    assert scores["linear"].auc == pytest.approx(0.5, abs=0.08)
    for name in ("mlp", "boosting", "neighbors"):
        assert (scores[name].accuracy or 0) > 0.93, name
    assert "linear" not in part.chosen
    assert (part.worst["accuracy"].low or 0) > 0.93


def test_a_representation_that_tells_nothing_is_not_accused():
    # Over many draws the worst of the panel stays at chance, although it is picked.
    values, covered = [], []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        z, c = rng.normal(size=(400, 3)), (rng.random(400) < 0.7).astype(int)
        part = only(probe_leakage(z[:200], c[:200], z[200:], c[200:], probes=FAST, seed=seed))
        interval = part.worst["balanced_accuracy"]
        assert interval.low is not None
        assert interval.high is not None
        values.append(interval.value)
        covered.append(interval.low <= 0.5 <= interval.high)
        for score in part.probes:
            assert (score.nats or 0) >= 0
            assert not (score.floored and score.nats)
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)
    assert np.mean(covered) >= 0.8


def test_picking_the_best_of_many_probes_at_chance_is_allowed_for():
    class Guess(LogisticRegression):
        """Guesses by a seed of its own, whatever z is."""

        def predict_proba(self, X: Any) -> np.ndarray:
            p = np.random.default_rng(int(self.C)).random(len(X))
            return np.stack([1 - p, p], 1)

    def guess(number: int):
        return replace(PROBES["linear"], classifier=lambda n, early, seed: Guess(C=number))

    panel = {f"guess {i}": guess(i) for i in range(1, 60)}
    part = only(probe_leakage(*two_gaussians(200, 0, 0), *two_gaussians(300, 0, 1), probes=panel))
    best = max(p.accuracy or 0 for p in part.probes)
    assert best > 0.55  # the naive figure
    assert abs(part.worst["accuracy"].value - 0.5) < 0.06
    assert (part.worst["accuracy"].low or 1) < 0.5


@pytest.mark.parametrize("kind", ["discrete", "continuous"])
def test_copies_of_judged_rows_make_no_interval_narrower(kind: str):
    fit, (z, c) = two_gaussians(600, 1.0, 0), two_gaussians(400, 1.0, 1)
    key, probes = "nats", {"linear": PROBES["linear"]}
    if kind == "continuous":
        key, noise = "r2", np.random.default_rng(2).normal(size=1000)
        fit, c = (fit[0], fit[1] + noise[:600]), c + noise[600:]
    single = only(probe_leakage(*fit, z, c, probes=probes)).worst[key]
    copied = only(probe_leakage(*fit, z.repeat(4, 0), c.repeat(4), probes=probes)).worst[key]
    assert copied.value == pytest.approx(single.value, abs=0.02)
    widths = [w.high - w.low for w in (single, copied) if w.high is not None and w.low is not None]
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_chance_and_balanced_accuracy_where_values_are_unequal():
    rng = np.random.default_rng(0)
    c = (rng.random(8000) < 0.9).astype(int)
    z = (c + 0.8 * rng.normal(size=8000))[:, None]
    part = only(probe_leakage(z[:4000], c[:4000], z[4000:], c[4000:], probes=FAST))
    assert part.chance == np.mean(c[4000:])
    linear = part.probes[0]
    # The best cut for balanced accuracy lies half way between the means.
    assert linear.balanced_accuracy == pytest.approx(norm.cdf(0.5 / 0.8), abs=0.04)
    assert linear.accuracy == pytest.approx(part.chance, abs=0.02)


def test_overconfident_probabilities_are_cooled():
    class Sure(LogisticRegression):
        def predict_proba(self, X: Any) -> np.ndarray:
            return np.eye(2)[self.predict(X)]

    panel = {
        "linear": PROBES["linear"],
        "sure": replace(PROBES["linear"], classifier=lambda n, early, seed: Sure()),
    }
    part = only(probe_leakage(*two_gaussians(1000, 1, 0), *two_gaussians(2000, 1, 1), probes=panel))
    linear, sure = part.probes
    right = norm.cdf(0.5)  # what the sure guess tells: a binary symmetric channel
    told = math.log(2) + right * math.log(right) + (1 - right) * math.log(1 - right)
    assert sure.nats == pytest.approx(told, abs=0.02)
    assert (linear.nats or 0) > (sure.nats or 0)


def test_several_values_and_text():
    rng = np.random.default_rng(0)
    names = np.array(["blue", "green", "red"])
    k = rng.integers(0, 3, 1200)
    z = rng.normal(size=(1200, 2)) + 4 * np.stack([np.cos(2 * k), np.sin(2 * k)], 1)
    part = only(probe_leakage(z[:600], names[k[:600]], z[600:], names[k[600:]], probes=FAST))
    assert part.levels == 3
    assert (part.worst["accuracy"].low or 0) > 0.95
    assert part.probes[0].auc is None
    assert part.worst["nats"].value == pytest.approx(math.log(3), abs=0.1)


def test_parts_are_probed_one_by_one():
    z, c = two_gaussians(1200, 6, 0)
    other = np.random.default_rng(1).integers(0, 3, 1200)
    both = np.stack([c, other], 1)
    found = probe_leakage(z[:600], both[:600], z[600:], both[600:], probes=FAST)
    first, second = found.parts
    assert first.name != second.name
    assert (first.levels, second.levels) == (2, 3)
    assert first.worst["accuracy"].value > 0.98
    assert second.worst["balanced_accuracy"].value == pytest.approx(1 / 3, abs=0.07)


def test_continuous_columns_are_explained_as_far_as_they_can_be():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 3))
    c = np.stack([z[:, 0] + 0.5 * rng.normal(size=2000), rng.normal(size=2000)], 1)
    found = probe_leakage(z[:1000], c[:1000], z[1000:], c[1000:])
    first, second = found.parts
    assert first.levels is None
    assert first.entropy is None
    assert first.probes[0].r2 == pytest.approx(0.8, abs=0.02)
    assert all((p.r2 or 0) > 0.6 for p in first.probes)
    interval = first.worst["r2"]
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < 0.8 < interval.high
    assert first.chosen == ("linear", "linear")
    assert abs(second.worst["r2"].value) < 0.05


def test_the_unit_of_z_and_c_does_not_matter():
    z, c = two_gaussians(600, 2, 0)
    plain = probe_leakage(z[:300], c[:300], z[300:], c[300:], probes=FAST)
    scaled = z * [1e4, 1e-4, 1] + [1e5, 0, 0]
    moved = probe_leakage(scaled[:300], c[:300], scaled[300:], c[300:], probes=FAST)
    for one, two in zip(only(plain).probes, only(moved).probes, strict=True):
        assert one.nats == pytest.approx(two.nats, abs=1e-3)


def test_tensors_codes_and_caps():
    z, c = two_gaussians(900, 2, 0)
    codes = torch.from_numpy(c)[:, None]
    z_tensor = torch.from_numpy(z).float()
    found = probe_leakage(
        z_tensor[:600], codes[:600], z_tensor[600:], codes[600:],
        probes=FAST, fit_rows=100, judged_rows=50,
    )  # fmt: skip
    assert (only(found).fit_rows, only(found).judged_rows) == (100, 50)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["parts"][0]["levels"] == 2


def test_the_seed_decides_and_global_generators_are_left_alone():
    z, c = two_gaussians(500, 1, 0)
    state = np.random.get_state()  # noqa: NPY002
    one, two = (probe_leakage(z[:300], c[:300], z[300:], c[300:], seed=3) for _ in range(2))
    np.testing.assert_equal(np.random.get_state(), state)  # noqa: NPY002
    assert one == two
    assert one != probe_leakage(z[:300], c[:300], z[300:], c[300:], seed=4)


def test_values_too_rare_to_learn_do_not_stop_the_panel():
    z, c = two_gaussians(200, 3, 0)
    c[0], c[150] = 7, 8  # once among the fit rows, and among the judged rows only
    part = only(probe_leakage(z[:100], c[:100], z[100:], c[100:]))
    assert part.levels == 4
    assert all(math.isfinite(p.nats or 0) for p in part.probes)
    assert (part.worst["accuracy"].value) > 0.85


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z_judged": np.zeros((30, 2))}, "same number of columns, got 3 and 2"),
        ({"c_fit": np.zeros(30, int)}, "'c' has one value only in the 30 fit rows"),
        ({"c_judged": np.ones(30, int)}, "'c' has one value only in the 30 judged rows"),
        ({"c_fit": np.arange(29) % 2}, "same number of rows"),
        ({"c_fit": np.linspace(0, 1, 30)}, "must be of the same kind"),
        ({"z_fit": np.full((30, 3), np.nan)}, "`z` has NaN or infinity"),
        ({"fit_rows": 3}, "`fit_rows` must be an integer at least 20"),
        ({"probes": {}}, "the panel has no probe"),
        ({"c_fit": np.arange(30)}, "fewer than two values of 'c' occur twice"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, Any], message: str):
    z, c = two_gaussians(30, 1, 0)
    good: dict[str, Any] = {"z_fit": z, "c_fit": c, "z_judged": z, "c_judged": c}
    with pytest.raises(InfoshedError, match=message):
        probe_leakage(**(good | changes))


def test_too_few_rows_are_refused():
    z, c = two_gaussians(30, 1, 0)
    with pytest.raises(InfoshedError, match="at least 20 judged rows are needed, got 9"):
        probe_leakage(z, c, z[:9], c[:9])
