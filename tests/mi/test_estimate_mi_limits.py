"""`estimate_mi` on hard data, its errors, and each estimator by name."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from infoshed import InfoshedError, infer_attribute
from infoshed.checks import NonFiniteError
from infoshed.estimators import ESTIMATORS
from infoshed.offline import estimate_mi, inputs
from infoshed.offline.estimate import BLIND
from infoshed.truth import Sample, build_case
from mi_samples import check_sound, noise, plain, quick, truth

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


@pytest.mark.parametrize("size", [2, 3, 20])
def test_small_classes_of_y_do_not_pass_for_information(size: int):
    found = []
    for seed in range(4):
        z, c = noise(600, classes=2, seed=seed)
        y = np.arange(600) // size
        if size == 2:
            y[300:] = 1000  # half of the rows are of one large class
        found.append(estimate_mi(z, c, y=y, estimator="quick", seed=seed))
    assert np.mean([one.nats for one in found]) < 0.03
    said = "300 rows of classes of y with fewer than 3 rows were left out"
    assert all(
        (found[0].rows, one.warnings[0].startswith(said)) == (300, True) for one in found
    ) == (size == 2)


def test_classes_of_y_that_nothing_can_be_learned_in_are_refused():
    z, c = noise(100, classes=2)
    with pytest.raises(InfoshedError, match="only 0 rows are of a class of y with at least 3"):
        estimate_mi(z, c, y=np.arange(100) // 2, estimator="quick")


def test_weights_that_leave_hardly_a_row_are_refused():
    z, c = noise(100, classes=2)
    weights = np.full(100, 1e-20)
    weights[3] = 1.0
    with pytest.raises(InfoshedError, match=r"leave an effective 1\.0 of 100 rows"):
        estimate_mi(z, c, weights=weights, estimator="quick")


def test_no_more_is_read_of_a_quantity_than_its_candidates_can_show():
    z = np.random.default_rng(0).normal(size=(12, 2))
    found = estimate_mi(z, z[:, 0], folds=5)
    assert found.nats <= np.log(12)
    check_sound(found)


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
    assert clean.warnings == (BLIND,)


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


@pytest.mark.parametrize("estimator", ["quick", "class-scoring"])
def test_a_constant_z_is_independent_of_a_sorted_c(estimator: str):
    c = np.repeat(["a", "b"], [100, 200])
    found = estimate_mi(np.zeros((300, 3)), c, estimator=estimator)
    assert found.nats < 1e-3
    assert found.null_p > 0.2


def test_weights_that_untie_leave_nothing_to_find_for_a_named_estimator():
    p = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 400)
        c = np.where(rng.random(400) < 0.1, 1 - y, y)
        shares = np.zeros((2, 2))
        np.add.at(shares, (y, c), 1 / 400)
        weights = shares.sum(1)[y] * shares.sum(0)[c] / shares[y, c]
        z, attribute = y + rng.normal(size=400), c + 0.5 * rng.normal(size=400)
        given: dict[str, Any] = {"estimator": "gaussian", "seed": seed}
        p.append(estimate_mi(z, attribute, weights=weights, **given).null_p)
        assert estimate_mi(z, attribute, **given).null_p == 0.01  # unweighted they are tied
    assert np.mean(np.array(p) <= 0.05) <= 0.1


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
