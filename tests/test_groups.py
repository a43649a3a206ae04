"""Groups (y, c) against counting by hand, and draws against the shares they should have."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infoshed import DataSet, infer_attribute
from infoshed.groups import BINS, Groups
from infoshed.seeds import torch_generator


def groups_of(data: DataSet) -> Groups:
    return Groups(data.train.y, data.train.c, data.attribute)


@pytest.mark.parametrize("kind", ["binary", "categorical", "multi-categorical"])
def test_a_group_is_a_pair_that_occurs(kind: str, make_data: Callable[..., DataSet]):
    data = make_data(kind)
    groups = groups_of(data)
    pairs = [(int(y), *c.tolist()) for y, c in zip(data.train.y, data.train.c, strict=True)]
    number = dict(zip(pairs, groups.index.tolist(), strict=True))
    assert len(set(number.values())) == len(number) == len(groups)
    assert [number[p] for p in pairs] == groups.index.tolist()
    assert Counter(groups.index.tolist()) == dict(enumerate(groups.counts.tolist()))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 1)), min_size=6))
def test_rows_get_the_group_of_their_pair_and_others_none(rows: list[tuple[int, int, int]]):
    table = np.array([(0, 0, 0), (1, 3, 1), *rows])
    attribute = infer_attribute(np.array([(0, 0), (1, 1), (2, 0), (3, 1)]), "parts")
    half = len(table) // 2 + 1
    y, c = torch.from_numpy(table[:, 0]), attribute.encode(table[:, 1:])
    groups = Groups(y[:half], c[:half], attribute)
    seen = {tuple(r): int(g) for r, g in zip(table[:half].tolist(), groups.index, strict=True)}
    assert groups.of(y, c).tolist() == [seen.get(tuple(r), -1) for r in table.tolist()]


def test_a_continuous_attribute_is_cut_at_its_quartiles():
    values = np.random.default_rng(0).normal(3, 2, 1000)
    attribute = infer_attribute(values, "age")
    c = attribute.encode(values)
    groups = Groups(torch.zeros(1000, dtype=torch.int64), c, attribute)
    assert groups.counts.tolist() == [250] * BINS
    edges = np.quantile(values, [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(groups.discrete(c)[:, 0], np.searchsorted(edges, values))
    beyond = attribute.encode(np.array([-100.0, 100.0]))
    assert groups.of(torch.zeros(2, dtype=torch.int64), beyond).tolist() == [0, BINS - 1]


def test_several_continuous_columns_are_binned_jointly():
    values = np.random.default_rng(1).normal(size=(4000, 2))
    attribute = infer_attribute(values, "place")
    c = attribute.encode(values)
    groups = Groups(torch.zeros(4000, dtype=torch.int64), c, attribute)
    assert len(groups) == BINS**2
    expected = np.stack(
        [np.searchsorted(np.quantile(v, [0.25, 0.5, 0.75]), v) for v in values.T], 1
    )
    np.testing.assert_array_equal(groups.discrete(c), expected)


def test_draws_give_every_group_the_same_share_and_every_row_of_it_too():
    y = torch.tensor([0] * 90 + [1] * 10)
    c = torch.tensor([0] * 80 + [1] * 10 + [1] * 9 + [0])[:, None]
    groups = Groups(y, c, infer_attribute(c[:, 0].numpy(), "group"))
    n = 40_000
    rows = groups.draw(n, torch_generator(0, "test"))
    counts = torch.bincount(rows, minlength=100)
    sizes = groups.counts[groups.index]
    assert sorted(groups.counts.tolist()) == [1, 9, 10, 80]
    expected = n / (4 * sizes)
    # Five standard deviations of a Poisson count, 100 rows.
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()
