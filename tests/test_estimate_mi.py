"""`estimate_mi` against known information, and what must not change it."""

import json
import random
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import InfoshedError, infer_attribute
from infoshed.checks import NonFiniteError
from infoshed.estimators import ESTIMATORS
from infoshed.offline import MIEstimate, estimate_mi, inputs
from infoshed.truth import Case, Sample, build_case


def quick(sample: Sample, **options: Any) -> MIEstimate:
    options.setdefault("estimator", "quick")
    return estimate_mi(sample.z, sample.c, **options)


def truth(case: Case) -> float:
    """To about 0.003 nats; a fraction of the draws that `case.nats` takes."""
    return case.known if case.known is not None else case.monte_carlo(0, 2**16)[0]


def numpy_state() -> list[int]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return [*state["state"]["key"].tolist(), state["state"]["pos"]]


def plain(classes: int = 3, dim: int = 6, n: int = 1000, **params: Any) -> Sample:
    return build_case("gaussian_classes", classes=classes, dim=dim, **params).draw(n, seed=0)


def noise(n: int, d: int = 4, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(0, classes, n)


def check_sound(found: MIEstimate) -> None:
    """What holds for every estimate: finite, ordered, within its limits, and JSON."""
    assert 0 <= found.low <= found.nats <= found.high < np.inf
    assert 0.001 <= found.null_p <= 1
    if found.entropy is not None and found.unit == "nats":
        assert found.high <= found.entropy
    assert np.isfinite(list(found.judges.values())).all()
    state = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert state["nats"] == found.nats
    assert state["warnings"] == list(found.warnings)
    assert set(state) == set(MIEstimate.__dataclass_fields__)


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


# Hard data


@pytest.mark.parametrize("n", [10, 11, 17, 30])
@pytest.mark.parametrize("kind", ["discrete", "conditional", "continuous"])
def test_few_rows_give_a_number_and_a_warning(n: int, kind: str):
    z, c = noise(n, classes=2, seed=1)
    c[:2] = 0, 1
    y = np.arange(n) % 2 if kind == "conditional" else None
    attribute = z[:, :2] + z[:, 2:] if kind == "continuous" else c
    found = estimate_mi(z, attribute, y=y, estimator="quick")
    check_sound(found)
    assert found.warnings[0].startswith(f"only {n} rows")


@pytest.mark.parametrize("columns", [1, 3])
def test_ten_rows_do_for_all_judges_of_continuous_c(columns: int):
    z, _ = noise(10, d=6)
    check_sound(estimate_mi(z[:, :3], z[:, 3 : 3 + columns], folds=2))


@pytest.mark.parametrize("estimator", ["quick", "auto"])
def test_wild_values_more_columns_than_rows_and_lone_rows_are_survived(estimator: str):
    rng = np.random.default_rng(0)
    c = np.arange(60) % 2
    c[7] = 2  # a class with one row
    z = rng.normal(size=(60, 80))
    z[:, 0] = 1e6 * rng.standard_t(1, 60).clip(-1, 1)
    z[:, 1] = 3.0
    found = estimate_mi(z, c, estimator=estimator, folds=2)
    check_sound(found)
    assert found.nats < 0.3
    assert any("2 (1)" in w for w in found.warnings)


def test_z_without_variation_tells_nothing():
    c = np.arange(100) % 3
    for estimator in ("quick", "class-scoring"):
        found = estimate_mi(np.full((100, 2), 0.1), c, estimator=estimator, folds=2)
        check_sound(found)
        assert found.nats < 1e-6
        assert found.null_p > 0.05
        assert "2 of 2 columns of z are constant and were ignored" in found.warnings


def test_repeated_noise_is_not_mistaken_for_information():
    # A judge that has seen a row knows the value of its copy; ungrouped, trees and nets show it.
    z, c = noise(400, d=3, classes=2, seed=2)
    twice = np.tile(np.arange(400), 2)
    found = estimate_mi(z[twice], c[twice], folds=3)
    assert found.nats < 0.03
    assert found.null_p > 0.01
    assert any(w.startswith("800 rows of z have exact copies") for w in found.warnings)


def test_many_copies_are_read_as_a_code_and_the_reader_is_told():
    z, c = noise(100)
    many = np.repeat(np.arange(100), 8)
    found = estimate_mi(z[many], c[many], estimator="quick")
    assert "table" in found.judges
    assert any("drop the copies" in w for w in found.warnings)
    codes = build_case("discrete_codes").draw(800, seed=0)
    assert not any("drop the copies" in w for w in quick(codes).warnings)


def test_few_candidates_have_a_ceiling_that_is_told():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(60, 1))
    z = c + 0.01 * rng.normal(size=(60, 1))  # 4.6 nats; folds of 12 rows cannot show them
    found = estimate_mi(z, c, estimator="quick")
    assert any(f"close to {np.log(12):.1f} nats" in w for w in found.warnings)


def test_warnings_of_imbalance_weights_and_rising_curves():
    z, c = noise(600)
    rare = estimate_mi(z, np.where(np.arange(600) < 12, 1, 0), estimator="quick", name="ill")
    assert any(w.startswith("heavy imbalance: 98.0% of rows have ill = 0") for w in rare.warnings)
    assert any("1 (12)" in w for w in rare.warnings)
    weights = np.where(np.arange(600) < 60, 50.0, 1.0)
    weighed = estimate_mi(z, c, weights=weights, estimator="quick")
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert f"the weights leave an effective {effective:.0f} of 600 rows" in weighed.warnings
    sample = plain(classes=5, dim=100, n=300)
    assert any("still rises with the number of rows" in w for w in quick(sample).warnings)
    clean = quick(plain())
    assert clean.warnings == ()


def test_of_too_many_rows_a_part_is_used(monkeypatch: pytest.MonkeyPatch):
    sample = plain(n=1500)
    monkeypatch.setattr(inputs, "MOST_ROWS", {True: 700, False: 300})
    found = quick(sample)
    assert found.rows == 700
    assert found.warnings[0] == "1,500 rows given; a random 700 of them were used"
    assert found.nats == pytest.approx(
        truth(build_case("gaussian_classes", classes=3, dim=6)), abs=0.1
    )
    y = np.arange(1500)  # most classes are not among the rows that are left
    assert quick(Sample(sample.z, sample.z[:, 0]), y=y // 3).rows == 300


def test_memory_stays_far_below_what_pairs_of_rows_would_take():
    z, c = noise(20_000, d=16, seed=1)
    tracemalloc.start()
    found = estimate_mi(z, c, estimator="quick")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.nats < 0.005
    assert peak < 200e6


# Errors

Z, C = noise(60)
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("lengths", {"c": C[:50]}, "same number of rows; z has 60, c has 50"),
    ("length of y", {"y": C[:50]}, "same number of rows"),
    ("length of weights", {"weights": np.ones(59)}, "same number of rows"),
    ("three axes", {"z": Z[:, None]}, r"`z` must have shape \(n, d\), got \(60, 1, 4\)"),
    ("text", {"z": np.full((60, 2), "a")}, "`z` must hold numbers"),
    ("no columns", {"z": Z[:, :0]}, "`z` must have shape"),
    ("ragged", {"z": [[1.0], [1.0, 2.0]]}, "rectangular"),
    ("one value", {"c": np.ones(60, int)}, "'site' has one value only"),
    ("one float", {"c": np.ones(60)}, "'site' has one value only"),
    ("missing c", {"c": [None, *["a", "b"] * 29, "a"]}, "'site'.*missing"),
    ("few rows", {"z": Z[:9], "c": C[:9]}, "at least 10 rows, got 9"),
    ("few rows that count", {"weights": (np.arange(60) < 9) * 1.0}, "at least 10 rows, got 9"),
    ("fractions in y", {"y": C + 0.5}, "`y` must hold classes"),
    ("missing y", {"y": np.where(C > 1, np.nan, C)}, "'y'.*missing"),
    ("one y", {"y": np.zeros(60, int)}, "`y` has one value only"),
    ("negative weights", {"weights": np.arange(60) - 1.0}, "`weights` must be finite, at least 0"),
    ("no weights", {"weights": np.zeros(60)}, "not all 0"),
    ("weights of text", {"weights": ["1"] * 60}, "`weights` must be numbers"),
    ("one fold", {"folds": 1}, "`folds` must be an integer at least 2"),
    ("seed", {"seed": -1}, "`seed` must be an integer at least 0"),
    ("continuous", {"c": Z[:, 0], "estimator": "class-scoring"}, "does not take continuous"),
]


@pytest.mark.parametrize(("options", "text"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_mistakes_are_named(options: dict[str, Any], text: str):
    given = {"z": Z, "c": C, "name": "site", "estimator": "quick"} | options
    with pytest.raises(InfoshedError, match=text):
        estimate_mi(given.pop("z"), given.pop("c"), **given)


def test_an_unknown_estimator_is_answered_with_the_known_ones():
    with pytest.raises(InfoshedError) as error:
        estimate_mi(Z, C, estimator="fast")
    assert all(name in str(error.value) for name in ("auto", "quick", *ESTIMATORS))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_row_of_z_is_named(value: float):
    z = Z.copy()
    z[[17, 40], 2] = value
    with pytest.raises(NonFiniteError, match=r"in 2 rows \(first at row 17\)"):
        estimate_mi(z, C)


def test_columns_by_name_are_refused():
    with pytest.raises(InfoshedError, match=r"must be an array, got columns by name"):
        estimate_mi(Z, {"sex": C})


def test_a_combination_of_values_for_each_row_is_refused():
    c = np.arange(1100)
    with pytest.raises(InfoshedError, match=r"1,100 of 1,100 rows have a value of c that no other"):
        estimate_mi(noise(1100)[0], np.stack([c // 50, c % 50], 1))


# Named estimators

KINDS = {
    "discrete": C,
    "several": np.stack([C, (Z[:, 0] > 0).astype(int)], 1),
    "continuous": Z[:, :1] + Z[:, 1:2] ** 2,
}
TAKEN = [
    (name, kind)
    for name, estimator in ESTIMATORS.items()
    for kind, c in KINDS.items()
    if estimator.handles(infer_attribute(c))
]


@pytest.mark.parametrize(("name", "kind"), TAKEN)
def test_every_named_estimator_reads_what_it_takes(name: str, kind: str):
    y = None if kind == "several" else np.arange(60) % 2
    found = estimate_mi(Z, KINDS[kind], y=y, estimator=name, folds=2)
    check_sound(found)
    assert found.estimator == name
    assert (found.bound, found.unit) == (ESTIMATORS[name].bound, ESTIMATORS[name].unit)
    assert found.judges.keys() == {name}
    assert found.conditional == (y is not None)
    if found.unit != "nats":
        assert found.share_of_entropy is None


@pytest.mark.parametrize("name", ["class-scoring", "ksg", "hsic"])
def test_named_estimators_tell_dependence_from_none(name: str):
    z, c = noise(400, d=2, classes=2)
    shifted = estimate_mi(z + c[:, None], c, estimator=name, folds=3)
    unrelated = estimate_mi(z, c, estimator=name, folds=3)
    assert shifted.nats > 2 * unrelated.nats
    assert shifted.null_p == 0.01 < unrelated.null_p


@pytest.mark.parametrize("name", ["class-scoring", "shuffled-dv", "club"])
def test_named_estimators_do_with_ten_rows_and_copies(name: str):
    z, c = noise(10, classes=2, seed=3)
    c[:2] = 0, 1
    check_sound(estimate_mi(z, c, estimator=name))
    check_sound(estimate_mi(z[[*range(9), 0]], c, estimator=name))


def test_nearest_neighbours_refuse_many_columns():
    with pytest.raises(InfoshedError, match=r"ksg compares distances .* at most 20"):
        estimate_mi(np.random.default_rng(0).normal(size=(60, 21)), C, estimator="ksg")


def test_values_of_their_own_are_no_information():
    # A value that no judge has seen must not be told by its being unseen.
    rng = np.random.default_rng(3)
    z, n = rng.normal(size=(600, 4)), 600
    with pytest.raises(InfoshedError, match="an id, perhaps"):
        estimate_mi(z, np.arange(n), estimator="quick")
    c = np.where(rng.random(n) < 0.3, 10 + np.arange(n), rng.integers(0, 2, n))
    found = estimate_mi(z, c, estimator="quick")
    assert found.low == 0
    assert found.nats < 0.02
    assert any("occur once" in warning for warning in found.warnings)
