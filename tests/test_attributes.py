"""Attribute specifications: codes, entropies, and refusals that name what is wrong."""

import json
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from infoshed import (
    Attribute,
    Binary,
    Categorical,
    Continuous,
    InfoshedError,
    MultiCategorical,
    infer_attribute,
)
from infoshed.attributes import attribute_from_dict

LEVELS = st.one_of(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=8, unique=True),
    st.lists(st.text("abzß é語", min_size=1, max_size=4), min_size=2, max_size=8, unique=True),
)


@given(LEVELS, st.data())
def test_codes_point_back_to_the_values(levels: list, data: st.DataObject):
    values = levels + data.draw(st.lists(st.sampled_from(levels), max_size=30))
    attribute = Categorical.from_values(values)
    codes = attribute.encode(values)
    assert codes.shape == (len(values), 1)
    assert codes.dtype == torch.int64
    assert [attribute.levels[i] for i in codes[:, 0].tolist()] == values
    assert list(attribute.levels) == sorted(levels)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=9))
def test_entropy_is_that_of_the_counts(counts: list[int]):
    values = np.repeat(np.arange(len(counts)), counts)
    assert Categorical.from_values(values).entropy == pytest.approx(scipy.stats.entropy(counts))


def test_entropy_of_several_categoricals_is_the_sum_of_the_parts():
    values = np.array([[0, 5], [1, 5], [2, 6], [2, 7]])
    attribute = MultiCategorical.from_values(values)
    expected = scipy.stats.entropy([1, 1, 2]) + scipy.stats.entropy([2, 1, 1])
    assert attribute.entropy == pytest.approx(expected)
    assert attribute.heads == (3, 3)


def test_a_level_that_never_occurs_adds_nothing_to_the_entropy():
    attribute = Categorical.from_values([0, 1, 1, 0], levels=(0, 1, 2))
    assert attribute.probabilities == (0.5, 0.5, 0.0)
    assert attribute.entropy == pytest.approx(np.log(2))


def test_features_are_one_hot():
    attribute = MultiCategorical.from_values(np.array([["a", "x"], ["b", "y"], ["c", "x"]]))
    codes = attribute.encode(np.array([["c", "x"], ["a", "y"]]))
    assert attribute.features(codes).tolist() == [[0, 0, 1, 1, 0], [1, 0, 0, 0, 1]]
    assert attribute.width == 5


def test_continuous_codes_are_standardised_by_training_moments():
    rng = np.random.default_rng(0)
    train = rng.normal([5, -3], [2, 0.1], (500, 2))
    attribute = Continuous.from_values(train)
    codes = attribute.encode(train).double()
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(codes.std(0, correction=0), 1, atol=1e-5)
    new = np.array([[7.0, -3.0]])
    expected = (new - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(attribute.encode(new), expected, rtol=1e-5)
    assert attribute.entropy is None
    assert attribute.heads == ()
    assert attribute.width == 2


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 1, 0, 1], np.uint8),
        [True, False, True, False],
        torch.tensor([0, 1, 1]),
        np.array(["a", "b"], dtype=object),
        [0.0, 1.0],
    ],
)
def test_common_containers_are_read(values: Any):
    attribute = Categorical.from_values(values)
    assert len(attribute.levels) == 2
    assert sorted(set(attribute.encode(values)[:, 0].tolist())) == [0, 1]


@pytest.mark.parametrize("make", [Categorical.from_values, Continuous.from_values, infer_attribute])
def test_one_value_only_is_refused_by_name(make: Any):
    with pytest.raises(InfoshedError, match=r"'sex' has one value only.*nothing to shed"):
        make([1, 1, 1] if make is not Continuous.from_values else [1.0, 1.0], name="sex")


def test_one_value_only_in_one_of_several_columns_is_refused_by_name():
    values = np.array([[0, 1], [1, 1]])
    with pytest.raises(InfoshedError, match=r"'scan\[1\]' has one value only"):
        MultiCategorical.from_values(values, "scan")
    with pytest.raises(InfoshedError, match=r"'age' has one value only.*column 1"):
        Continuous.from_values(values.astype(float), "age")


MISSING = {
    "None among text": ["a", "b", None],
    "None among numbers": [1, 2, None],
    "NaN among numbers": [1.0, 2.0, float("nan")],
    "NaN in an object array": np.array(["a", "b", float("nan")], dtype=object),
    "infinity": [0.0, 1.0, float("inf")],
    # numpy turns NaN in a list of text into the text "nan"
    "NaN among text": ["a", "b", float("nan")],
}


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING.keys())
def test_missing_categories_are_refused_with_their_row(values: Any):
    with pytest.raises(InfoshedError, match=r"'site' has 1 missing or non-finite.*row 2"):
        Categorical.from_values(values, "site")


def test_missing_values_are_refused_when_encoding():
    attribute = Categorical.from_values(["a", "b"], "site")
    with pytest.raises(InfoshedError, match="'site' has 1 missing"):
        attribute.encode(["a", None])
    with pytest.raises(InfoshedError, match=r"'age' has 2 missing.*row 0"):
        Continuous.from_values([1.0, 2.0], "age").encode([np.nan, 1.0, np.inf])


def test_an_unseen_value_is_refused_by_name_with_the_known_ones():
    attribute = Categorical.from_values(["a", "b"], "site")
    with pytest.raises(InfoshedError, match=r"'site' has the value 'z'.*known values: 'a', 'b'"):
        attribute.encode(["a", "z"])


def test_values_outside_given_levels_are_refused():
    with pytest.raises(InfoshedError, match=r"outside its levels: \[7\]"):
        Categorical.from_values([0, 1, 7], levels=(0, 1))


def test_fractions_are_not_categories():
    with pytest.raises(InfoshedError, match=r"holds fractions \(such as 0.5\).*Continuous"):
        Categorical.from_values([0.0, 0.5, 1.0])


def test_dates_are_not_categories():
    with pytest.raises(InfoshedError, match="text or whole numbers"):
        Categorical.from_values(np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"))


def test_text_is_not_continuous():
    with pytest.raises(InfoshedError, match="'age' is continuous and needs numbers"):
        Continuous.from_values(["old", "young"], "age")


def test_binary_refuses_three_values():
    with pytest.raises(InfoshedError, match="declared binary but has 3 values; use Categorical"):
        Binary.from_values([0, 1, 2])


def test_wrong_columns_are_refused():
    categorical = Categorical.from_values([0, 1])
    several = MultiCategorical.from_values(np.array([[0, 1], [1, 0]]))
    continuous = Continuous.from_values([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(InfoshedError, match=r"must have shape \(n,\)"):
        categorical.encode(np.zeros((3, 2), int))
    with pytest.raises(InfoshedError, match="has 2 parts, got 3 columns"):
        several.encode(np.zeros((4, 3), int))
    with pytest.raises(InfoshedError, match=r"must have shape \(n, k\)"):
        several.encode([0, 1])
    with pytest.raises(InfoshedError, match="has 2 columns, got 1"):
        continuous.encode([0.0, 1.0])
    with pytest.raises(InfoshedError, match="rectangular"):
        categorical.encode([[0, 1], [0]])


def test_probabilities_and_levels_must_fit():
    with pytest.raises(InfoshedError, match="one probability for each"):
        Categorical("c", (0, 1), (0.5, 0.6))
    with pytest.raises(InfoshedError, match="repeated levels"):
        Categorical("c", (0, 0), (0.5, 0.5))
    with pytest.raises(InfoshedError, match="positive scale"):
        Continuous("c", (0.0,), (0.0,))


EXAMPLES: list[tuple[Attribute, Any]] = [
    (Categorical.from_values(["a", "b", "c"], "site"), ["c", "a"]),
    (Binary.from_values([False, True], "sex"), [True, False]),
    (MultiCategorical.from_values(np.array([[0, 3], [1, 4]]), "colour"), [[1, 3], [0, 4]]),
    (Continuous.from_values([[1.5, 2.0], [2.5, 4.0]], "age"), [[0.0, 1.0]]),
]


@pytest.mark.parametrize(("attribute", "values"), EXAMPLES, ids=lambda v: getattr(v, "kind", ""))
def test_a_specification_survives_json(attribute: Attribute, values: Any):
    again = attribute_from_dict(json.loads(json.dumps(attribute.to_dict())))
    assert again == attribute
    assert type(again) is type(attribute)
    assert torch.equal(again.encode(values), attribute.encode(values))


def test_levels_given_as_a_numpy_array_survive_json():
    attribute = Categorical.from_values([0, 1, 2], levels=np.arange(4))
    assert attribute_from_dict(json.loads(json.dumps(attribute.to_dict()))) == attribute


def test_an_unknown_kind_is_refused():
    with pytest.raises(InfoshedError, match="unknown attribute kind 'ordinal'"):
        attribute_from_dict({"kind": "ordinal", "name": "c"})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1], Binary),
        (["f", "m"], Binary),
        ([True, False], Binary),
        ([[0], [1], [2]], Categorical),
        ([3, 1, 2], Categorical),
        ([[0, 1], [1, 0]], MultiCategorical),
        ([[True, False], [False, True]], MultiCategorical),
        ([0.0, 1.0], Continuous),
        ([[0.1, 2.0], [0.3, 1.0]], Continuous),
    ],
)
def test_the_kind_is_inferred(values: Any, kind: type[Attribute]):
    assert type(infer_attribute(values)) is kind


def test_a_specification_is_not_taken_for_values():
    with pytest.raises(InfoshedError, match="got a specification"):
        infer_attribute(Categorical.from_values([0, 1]))
