"""The rule of selection: what it is made of, and that no test figure enters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import DataSet, InfoshedError, infer_attribute
from infoshed.experiments.base import Cell, Contender, Experiment, Job, Row
from infoshed.experiments.selection import figures_for_selection, score, select
from infoshed.label_prior import LabelPrior

Make = Callable[..., Row]


def test_the_likelihood_is_that_of_the_product_with_the_prior(table: DataSet):
    split = table.validation
    logits = torch.randn(len(split), 2, generator=torch.Generator().manual_seed(0))
    prior = LabelPrior(table.train.y, table.train.c, table.attribute, 2)
    ratio = np.exp(prior.log_ratio(split.c).double().numpy())  # p(y|c) / p(y)
    weight = np.exp(logits.double().numpy()) * ratio
    p = weight[np.arange(len(split)), split.y] / weight.sum(1)
    found = figures_for_selection(logits, table)
    assert found["val_nll_adjusted"] == pytest.approx(-np.log(p).mean(), abs=1e-5)
    assert found["val_accuracy"] == pytest.approx(
        np.mean(logits.argmax(1).numpy() == split.y.numpy())
    )


@pytest.mark.parametrize("kind", ["binary", "categorical", "multi-categorical", "continuous"])
def test_leakage_is_what_logits_tell_of_c_beyond_y(make_data: Callable[..., DataSet], kind: str):
    data = make_data(kind, 1600)
    split = data.validation
    noise = torch.randn(len(split), 2, generator=torch.Generator().manual_seed(1))
    clean = noise + 3 * torch.nn.functional.one_hot(split.y, 2)
    telling = clean + torch.stack([4 * split.c[:, 0].float(), 0 * noise[:, 0]], 1)
    assert figures_for_selection(clean, data)["val_leakage"] < 0.05
    assert figures_for_selection(telling, data)["val_leakage"] > 0.15


def test_logits_that_are_no_numbers_are_refused(table: DataSet):
    logits = torch.full((len(table.validation), 2), float("nan"))
    with pytest.raises(InfoshedError):
        figures_for_selection(logits, table)


def test_the_least_mean_over_seeds_wins(make_row: Make):
    rows = [
        make_row(strength=0.3, seed=0, j=0.2),
        make_row(strength=0.3, seed=1, j=1.0),
        make_row(strength=1.0, seed=1, j=0.5),
        make_row(strength=1.0, seed=0, j=0.4),
    ]
    picked = select(rows)
    assert picked is not None
    assert (picked["options"], picked["seed"]) == ({"strength": 1.0}, 0)


def test_test_figures_change_nothing(make_row: Make):
    js = {0.3: 0.9, 1.0: 0.7, 3.0: 0.8}
    for best in js:
        rows = [make_row(strength=s, j=j, accuracy=float(s == best)) for s, j in js.items()]
        picked = select(rows)
        assert picked is not None
        assert picked["options"] == {"strength": 1.0}


def test_only_the_seeds_that_all_strengths_have_are_compared(make_row: Make):
    rows = [make_row(strength=1.0, j=0.5), make_row(strength=3.0, j=0.6)]
    rows += [make_row(strength=1.0, seed=seed, j=9.0) for seed in (1, 2)]
    picked = select(rows)
    assert picked is not None
    assert picked["options"] == {"strength": 1.0}


@pytest.mark.parametrize("bad", [{"error": "NonFiniteError: x"}, {"j": None}])
def test_a_strength_without_a_figure_is_out(make_row: Make, bad: dict[str, Any]):
    rows = [make_row(strength=0.3, **bad), make_row(strength=1.0, j=5.0)]
    assert score(rows[0]) is None
    picked = select(rows)
    assert picked is not None
    assert picked["options"] == {"strength": 1.0}
    assert select(rows[:1]) is None
    assert select([]) is None


def test_untuned_cells_take_the_strength_of_the_tuned_one_before(toy: Experiment):
    cells = [Cell("main", "table", {"part": part}) for part in range(4)]
    entrants, j = {"mi": Contender("mi")}, {(0, 0.9): 2.0, (2, 0.3): 2.0}
    found: dict[tuple[int, float, int], Job] = {}

    def listed(rows: list[dict[str, Any]]) -> list[tuple[int, float, int]]:
        jobs = toy.staged(cells, entrants, {"mi": 2}, rows, (1.0, 3.0), tuned=cells[::2])
        found.update({(j.params["part"], j.options["strength"], j.seed): j for j in jobs})
        return list(found)

    first = [(0, 0.3, 0), (0, 0.9, 0), (2, 0.3, 0), (2, 0.9, 0)]
    assert listed([]) == first  # the others wait for these
    rows = [
        found[key].to_row()
        | {"selection": {"val_nll_adjusted": j.get(key[:2], 1.0), "val_leakage": 0.0}}
        for key in first
    ]
    later = [(1, 0.3, 0), (3, 0.9, 0), (0, 0.3, 1), (1, 0.3, 1), (2, 0.9, 1), (3, 0.9, 1)]
    assert listed(rows) == first + later


def test_strengths_are_compared_over_as_many_seeds_as_asked(toy: Experiment):
    cells = [Cell("main", "table", {"part": part}) for part in range(2)]
    entrants = {"mi": Contender("mi")}
    js = {(0.3, 0): 1.0, (0.9, 0): 0.5, (0.3, 1): 1.0, (0.9, 1): 9.0}  # 0.9 collapses at seed 1

    def jobs(rows: list[dict[str, Any]]) -> list[Job]:
        return list(toy.staged(cells, entrants, {"mi": 3}, rows, (1.0, 3.0), cells[:1], {"mi": 2}))

    def named(found: list[Job]) -> list[tuple[int, float, int]]:
        return [(j.params["part"], j.options["strength"], j.seed) for j in found]

    first = jobs([])
    assert named(first) == [(0, 0.3, 0), (0, 0.9, 0), (0, 0.3, 1), (0, 0.9, 1)]
    rows = [
        job.to_row()
        | {"selection": {"val_nll_adjusted": js[job.options["strength"], job.seed],
                         "val_leakage": 0.0}}
        for job in first
    ]  # fmt: skip
    assert named(jobs(rows[:3])) == named(first)
    later = [(1, 0.3, 0), (1, 0.3, 1), (0, 0.3, 2), (1, 0.3, 2)]
    assert named(jobs(rows)) == named(first) + later


def test_parts_of_mixed_attributes_are_read_as_what_they_are(make_data: Callable[..., DataSet]):
    """A category among numbers is no number: leakage is that of the part alone."""
    data = make_data("categorical", 1600)
    (codes,), rng = data.validation.c.T, np.random.default_rng(0)
    names = np.array(["b", "d", "a", "c"])
    kinds = {"race": names[codes], "age": rng.normal(size=len(codes))}
    logits = torch.nn.functional.one_hot(codes % 2, 2) * 3.0 + torch.randn(len(codes), 2)

    def told(values: dict[str, Any]) -> float:
        c: Any = values if len(values) > 1 else values["race"]
        attribute = infer_attribute(c)
        split = replace(data.validation, c=attribute.encode(c))
        train = split.rows(torch.arange(len(split)))
        made = replace(data, train=train, validation=split, tests={}, attribute=attribute)
        return figures_for_selection(logits, made)["val_leakage"]

    alone = told({"race": kinds["race"]})
    assert alone > 0.1
    assert told(kinds) == pytest.approx(alone, abs=0.02)


def test_missing_values_and_parts_of_one_value_tell_nothing(make_data: Callable[..., DataSet]):
    data = make_data("binary", 1600)
    split, generator = data.validation, torch.Generator().manual_seed(0)
    missing = torch.rand(len(split), generator=generator) < 0.5
    logits = torch.randn(len(split), 2, generator=generator) + 3 * missing.float()[:, None]
    c = torch.where(missing[:, None], -1, split.c)
    gaps = replace(data, validation=replace(split, c=c))
    assert figures_for_selection(logits, gaps)["val_leakage"] < 0.05
    same = replace(data, validation=replace(split, c=0 * split.c))
    assert figures_for_selection(logits, same)["val_leakage"] == 0


def test_values_of_one_row_each_count_as_one(make_data: Callable[..., DataSet]):
    """A camera site seen once in the validation rows is no reason to refuse a whole run."""
    data = make_data("categorical", 1600)
    split, n = data.validation, len(data.validation)
    logits = torch.nn.functional.one_hot(split.c[:, 0] % 2, 2) * 3.0
    logits = logits + torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    seldom = torch.arange(n) > n // 3
    own = torch.where(seldom, 10 + torch.arange(n), split.c[:, 0] % 2)
    one = torch.where(seldom, 10, split.c[:, 0] % 2)

    def told(c: torch.Tensor) -> float:
        attribute = infer_attribute(c.numpy())
        some = replace(split, c=attribute.encode(c.numpy()))
        train = some.rows(torch.arange(n))
        made = replace(data, train=train, validation=some, tests={}, attribute=attribute)
        return figures_for_selection(logits, made)["val_leakage"]

    assert told(own) == pytest.approx(told(one), abs=1e-6)
    assert told(own) > 0.05


def test_an_attribute_of_which_each_row_has_its_own_is_refused(make_data: Callable[..., DataSet]):
    data = make_data("categorical", 400)
    n = len(data.validation)
    attribute = infer_attribute(np.arange(n))
    split = replace(data.validation, c=attribute.encode(np.arange(n)))
    train = split.rows(torch.arange(n))
    made = replace(data, train=train, validation=split, tests={}, attribute=attribute)
    with pytest.raises(InfoshedError, match="validation rows has a c of its own"):
        figures_for_selection(torch.randn(n, 2), made)
