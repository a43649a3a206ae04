"""`estimate_mi` against known information, and what must not change it."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from infoshed.offline import estimate_mi
from infoshed.truth import Sample, build_case
from mi_samples import check_sound, noise, numpy_state, plain, quick, truth

# Against known information

CASES: list[tuple[str, dict[str, Any]]] = [
    ("gaussian_classes", {"classes": 4, "dim": 16}),
    ("gaussian_classes", {"classes": 2, "dim": 8, "balance": "rare"}),
    ("gaussian_classes", {"classes": 10, "dim": 8, "balance": "long-tailed"}),
    ("gaussian_classes", {"classes": 3, "dim": 8, "decades": 6.0}),
    ("warped", {"classes": 4, "dim": 8}),
    ("noisy_labels", {"classes": 3, "flip": 0.2, "dim": 8}),
    ("discrete_codes", {}),
    ("several_categoricals", {"sizes": (2, 3), "latent": 4, "dim": 8}),
    ("variance_only", {"dim": 8}),
    ("variance_only", {"dim": 8, "rotate": True}),
    ("conditional_gaussian", {"dim": 8}),
    ("weighted_gaussian", {"dim": 8}),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_the_interval_holds_the_information(name: str, params: dict[str, Any]):
    case = build_case(name, **params)
    sample = case.draw(2000, seed=1)
    found = quick(sample, y=sample.y if case.conditional else None, weights=sample.weights, seed=1)
    check_sound(found)
    nats = truth(case)
    slack = 0.02 + 0.04 * nats
    assert found.low - slack <= nats <= found.high + slack
    assert found.high - found.low < 0.3
    assert found.entropy == pytest.approx(case.entropy, abs=0.05)
    assert found.entropy
    assert found.share_of_entropy == pytest.approx(found.nats / found.entropy)
    assert found.conditional == case.conditional
    assert found.null_p <= 0.005


@pytest.mark.parametrize(("columns", "nats"), [(1, 0.3), (1, 3.0), (3, 1.5)])
def test_the_interval_holds_the_information_of_gaussians(columns: int, nats: float):
    sample = build_case("linear_gaussian", nats=nats, columns=columns, dim=6).draw(1000, seed=1)
    found = quick(sample)
    check_sound(found)
    slack = 0.02 + 0.04 * nats
    assert found.low - slack <= nats <= found.high + slack
    assert found.high - found.low < 0.3
    assert found.entropy is None
    assert found.share_of_entropy is None
    assert found.null_p <= 0.002


def test_no_information_reads_as_none():
    found = [estimate_mi(*noise(1000, seed=s), estimator="quick", seed=s) for s in range(8)]
    assert max(f.nats for f in found) < 0.02
    assert all(f.low == 0 for f in found)
    assert sum(f.null_p < 0.05 for f in found) <= 1
    rng = np.random.default_rng(0)
    c = rng.normal(size=(500, 2))
    continuous = estimate_mi(rng.normal(size=(500, 4)), c, estimator="quick")
    assert continuous.nats < 0.02
    assert continuous.null_p > 0.01


def test_nearly_all_information_stays_below_the_entropy_and_says_so():
    found = quick(plain(classes=4, share=0.99, n=2000))
    check_sound(found)
    assert found.share_of_entropy is not None
    assert 0.95 < found.share_of_entropy <= 1
    z, c = noise(500)
    told = estimate_mi(np.eye(3)[c] + 1e-3 * z[:, :3], c, estimator="quick", name="site")
    assert told.nats > 0.98 * np.log(3)
    assert "at the ceiling: z tells nearly all of site" in told.warnings


def test_what_only_y_explains_is_not_counted_given_y():
    sample = build_case("conditional_null", dim=8).draw(2000, seed=0)
    given, marginal = quick(sample, y=sample.y), quick(sample)
    assert given.nats < 0.02 < 0.2 < marginal.low
    assert given.null_p > 0.01 > marginal.null_p
    assert given.entropy is not None
    assert marginal.entropy is not None
    assert given.entropy < marginal.entropy


def test_a_c_that_y_decides_leaves_nothing():
    sample = plain()
    found = quick(sample, y=sample.c)
    check_sound(found)
    assert (found.nats, found.high, found.null_p) == (0, 0, 1)
    assert found.share_of_entropy is None


def test_weights_make_it_that_of_the_weighted_distribution():
    sample = build_case("weighted_null", dim=8).draw(2000, seed=0)
    weighted, plainly = quick(sample, weights=sample.weights), quick(sample)
    assert weighted.nats < 0.03 < 0.2 < plainly.low
    assert weighted.null_p > 0.01 > plainly.null_p
    same = quick(sample, weights=np.full(2000, 3.0))
    assert same.nats == pytest.approx(plainly.nats, abs=1e-9)


def test_rows_of_weight_zero_are_as_if_absent():
    sample = plain()
    counts = (sample.c < 2).astype(float)
    found = quick(sample, weights=counts)
    kept = sample.c < 2
    alone = estimate_mi(
        sample.z[kept], sample.c[kept], weights=np.ones(kept.sum()), estimator="quick"
    )
    assert found == alone
    y = np.arange(1000) % 4
    check_sound(quick(sample, y=y, weights=(y > 0).astype(float)))
    check_sound(quick(Sample(sample.z, sample.z[:, :1]), y=y, weights=(y > 1).astype(float)))


def test_several_categoricals_are_read_jointly():
    # c_1 and c_2 are coins; z shows their exclusive or, of which neither alone tells anything.
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, (1500, 2))
    z = rng.normal(size=(1500, 3)) + 6 * ((c[:, :1] + c[:, 1:]) % 2)
    found = estimate_mi(z, c, estimator="quick")
    assert found.nats == pytest.approx(np.log(2), abs=0.03)
    assert found.entropy == pytest.approx(2 * np.log(2), abs=0.01)
    assert estimate_mi(z, c[:, 0], estimator="quick").nats < 0.02


@pytest.mark.parametrize(("bits", "n"), [(2, 600), (3, 1200)])
def test_auto_finds_a_parity_that_linear_judges_miss(bits: int, n: int):
    case = build_case("parity", bits=bits, dim=6, amplitude=3.0, rotate=True)
    found = quick(case.draw(n, seed=0), estimator="auto", folds=3)
    check_sound(found)
    assert 0.75 * truth(case) < found.nats <= np.log(2)
    assert max(found.judges["linear"], found.judges["linear-scores"]) < 0.02
    assert any(w.startswith("judges disagree") for w in found.warnings)
    assert not any(w.startswith("quick judges") for w in found.warnings)
    short = quick(case.draw(n, seed=0), folds=3)
    assert any(w.startswith("quick judges") for w in short.warnings)
    assert bits == 2 or short.high < 0.75 * truth(case)  # of two bits variances tell


def test_auto_unrolls_a_swiss_roll():
    case = build_case("swiss_roll")
    sample = case.draw(600, seed=0)
    linear, found = quick(sample), quick(sample, estimator="auto", folds=3)
    check_sound(found)
    assert linear.nats < 0.6 * case.nats
    assert 0.8 * case.nats < found.nats < 1.15 * case.nats


# What must not change it


def test_increasing_maps_of_z_and_c_change_nothing_for_continuous_c():
    case = build_case("half_cube", dim=4)
    sample = case.draw(1000, seed=0)
    found = quick(sample)
    assert found.low - 0.1 < case.nats < found.high + 0.1
    bent = quick(Sample(np.arctan(sample.z / 3), np.sign(sample.c) * np.abs(sample.c) ** 2))
    assert bent.nats == pytest.approx(found.nats, rel=0.01)


CHANGES = {
    "scale": lambda z, q: z * 10.0 ** np.arange(-3, 3),
    "shift": lambda z, q: z + 1e4 * np.arange(6),
    "mirror": lambda z, q: -z,
    "rotation": lambda z, q: z @ q,
    "repetition": lambda z, q: np.concatenate([z, z[:, :3], 5 * z], 1),
    "constant": lambda z, q: np.concatenate([z, np.full((len(z), 2), 0.1)], 1),
    "huge": lambda z, q: z * 1e200,
    "far": lambda z, q: z + 1e9,
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_coordinates_of_z_do_not_matter(change: str):
    sample = plain()
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    changed = estimate_mi(CHANGES[change](sample.z, q), sample.c, estimator="quick")
    assert changed.nats == pytest.approx(quick(sample).nats, rel=0.01, abs=0.005)


def test_the_order_of_rows_hardly_matters():
    sample = plain()
    order = np.random.default_rng(2).permutation(1000)
    mixed = estimate_mi(sample.z[order], sample.c[order], estimator="quick")
    assert mixed.nats == pytest.approx(quick(sample).nats, abs=0.02)


def test_the_names_of_values_do_not_matter():
    sample = plain()
    found = quick(sample)
    assert quick(Sample(sample.z, 70 - 10 * sample.c)).nats == pytest.approx(found.nats, abs=0.02)
    text = np.array(["anna", "bert", "carl"], dtype=object)[sample.c]
    forms: list[tuple[Any, Any]] = [
        (torch.from_numpy(sample.z), torch.from_numpy(sample.c)),
        (torch.from_numpy(sample.z).requires_grad_(), list(text)),
        (sample.z.tolist(), sample.c.tolist()),
        (sample.z, text),
        (sample.z, text.astype(str)),
        (sample.z, sample.c[:, None]),
    ]
    for z, c in forms:
        assert estimate_mi(z, c, estimator="quick") == found


def test_half_precision_and_one_column_are_read():
    sample = plain(dim=1, classes=2)
    found = quick(sample)
    assert estimate_mi(sample.z[:, 0], sample.c, estimator="quick") == found
    for kind in (torch.bfloat16, torch.float16):
        half = estimate_mi(torch.from_numpy(sample.z).to(kind), sample.c, estimator="quick")
        # Rounding makes values repeat, which keeps rows together and changes the folds.
        assert half.nats == pytest.approx(found.nats, abs=0.03)


def test_y_may_be_text_or_whole_floats():
    sample = build_case("conditional_gaussian", dim=4).draw(600, seed=0)
    assert sample.y is not None
    found = quick(sample, y=sample.y)
    assert quick(sample, y=sample.y.astype(float)) == found
    assert quick(sample, y=[f"label {v}" for v in sample.y]) == found


def test_the_seed_decides_everything_and_global_state_stays():
    sample = plain(n=240)
    states = (random.getstate(), torch.get_rng_state(), numpy_state())
    first = quick(sample, estimator="auto", folds=3, seed=3)
    random.seed(5)
    torch.manual_seed(5)
    assert quick(sample, estimator="auto", folds=3, seed=3) == first
    one, other = quick(plain(), seed=3), quick(plain(), seed=4)
    assert other != one
    assert other.nats == pytest.approx(one.nats, abs=0.02)
    random.setstate(states[0])
    torch.set_rng_state(states[1])
    small = plain(n=60)
    estimate_mi(small.z, small.c, folds=2)
    estimate_mi(small.z, small.z[:, 0], folds=2)
    estimate_mi(small.z, small.c, estimator="shuffled-dv", folds=2)
    assert random.getstate() == states[0]
    assert numpy_state() == states[2]
    assert torch.equal(torch.get_rng_state(), states[1])


def test_printed_it_is_words():
    rng = np.random.default_rng(0)
    c = np.arange(400) % 2
    found = estimate_mi(c[:, None] + rng.normal(size=(400, 3)), c, estimator="quick")
    first, *rest = str(found).splitlines()
    assert first.startswith(
        f"I(Z;C) = {found.nats:.2f} nats ({found.low:.2f} to {found.high:.2f}, "
    )
    assert "400 rows" in rest
    assert [f"warning: {w}" for w in found.warnings] == [x for x in rest if x.startswith("warn")]
