"""Information in tables, against scikit-learn and exact values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from infoshed import Continuous, InfoshedError, infer_attribute
from infoshed.information import label_information, table_information


def test_a_table_of_independent_rows_and_columns_holds_nothing():
    assert table_information(np.outer([100, 300, 600], [20, 30, 50])) == 0


@pytest.mark.parametrize("m", [2, 5, 10])
def test_a_diagonal_table_holds_its_entropy(m: int):
    table = 100_000 * np.eye(m)
    assert table_information(table) == pytest.approx(np.log(m), abs=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 6))
def test_large_tables_agree_with_scikit_learn(seed: int, rows: int, columns: int):
    table = np.random.default_rng(seed).integers(1, 10**6, (rows, columns))
    expected = mutual_info_score(None, None, contingency=table)
    assert table_information(table) == pytest.approx(expected, abs=2e-5)


def test_empty_rows_and_columns_change_nothing():
    table = np.array([[50, 10], [5, 40]])
    padded = np.zeros((4, 3), int)
    padded[np.ix_([0, 2], [0, 2])] = table
    assert table_information(padded) == pytest.approx(table_information(table))


def test_the_correction_removes_most_of_the_bias_of_small_samples():
    joint = 0.4 * np.eye(4) / 4 + 0.6 / 16
    truth = mutual_info_score(None, None, contingency=(joint * 1600).round().astype(int))
    rng = np.random.default_rng(0)
    tables = rng.multinomial(400, joint.ravel(), size=500).reshape(-1, 4, 4)
    corrected = np.array([table_information(t) for t in tables])
    plain = np.mean([mutual_info_score(None, None, contingency=t) for t in tables])
    assert abs(corrected.mean() - truth) < 4 * corrected.std() / len(tables) ** 0.5
    assert abs(corrected.mean() - truth) < 0.25 * abs(plain - truth)


def test_small_tables_never_give_less_than_nothing():
    assert table_information(np.array([[1, 1], [1, 1]])) == 0


def test_parts_are_summed():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 30_000)
    c = np.stack(
        [np.where(rng.random(len(y)) < 0.5, y, 0), (y + rng.integers(0, 2, len(y))) % 3], 1
    )
    attribute = infer_attribute(c)
    value = label_information(torch.from_numpy(y), attribute.encode(c), attribute)
    expected = sum(float(mutual_info_score(y, column)) for column in c.T)
    assert value == pytest.approx(expected, abs=5e-4)


def test_a_continuous_attribute_has_no_table():
    attribute = Continuous.from_values([0.0, 1.0], "age")
    with pytest.raises(InfoshedError, match="'age' is continuous"):
        label_information(torch.tensor([0, 1]), torch.zeros(2, 1), attribute)
