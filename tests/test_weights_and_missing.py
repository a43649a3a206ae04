"""Rows with an importance, and rows whose attribute is missing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from infoshed import (
    METHODS,
    Binary,
    Categorical,
    Continuous,
    DataSet,
    DebiasedClassifier,
    FixedStrength,
    InfoshedError,
    MultiCategorical,
    MutualInformationPenalty,
    Split,
    fit,
    infer_attribute,
)
from infoshed.experiments.selection import figures_for_selection
from infoshed.label_prior import LabelPrior
from infoshed.pressure import budget_nats
from infoshed.targets import Classes

WEIGHING = [name for name, method in METHODS.items() if method.weighs]


def repeated(counts: torch.Tensor, *arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(a.repeat_interleave(counts, 0) for a in arrays)


def test_weights_of_a_split_have_mean_one_and_travel_with_its_rows():
    weights = torch.tensor([1.0, 3.0, 0.0, 4.0])
    split = Split(torch.randn(4, 2), torch.tensor([0, 1, 0, 1]), torch.zeros(4, 1).long(),
                  weights=weights)  # fmt: skip
    batch = split.take(torch.tensor([3, 1]))
    assert batch.weights is not None
    assert batch.weights.tolist() == [2.0, 1.5]
    x, y, _ = batch
    assert (x.shape, y.tolist()) == ((2, 2), [1, 1])


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [1.0, float("nan")], [1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]):
    with pytest.raises(InfoshedError, match="weights"):
        Split(torch.zeros(2, 1), torch.tensor([0, 1]), torch.zeros(2, 1).long(), weights=weights)  # type: ignore[arg-type]


def test_a_loss_with_whole_weights_is_that_of_repeated_rows():
    counts = torch.tensor([2, 0, 1, 5])
    logits, y = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    logits_repeated, y_repeated = repeated(counts, logits, y)
    expected = F.cross_entropy(logits_repeated, y_repeated)
    loss = Classes(("a", "b", "c")).loss(logits, y, counts / counts.float().mean())
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_the_label_prior_of_weighted_rows_is_that_of_repeated_rows():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (60,), generator=generator)
    c = torch.randn(60, 2, generator=generator) + y[:, None]
    counts = torch.tensor([0, 2]).repeat(30)  # of mean 1: the regression's ridge is the same
    attribute = Continuous("c", (0.0, 0.0), (1.0, 1.0))
    weighted = LabelPrior(y, c, attribute, 3, counts.float())
    many, codes = repeated(counts, y, c)
    plain = LabelPrior(many, codes, attribute, 3)
    torch.testing.assert_close(weighted.log_ratio(c), plain.log_ratio(c), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(weighted.log_marginal, plain.log_marginal)


def test_missing_values_are_refused_unless_asked_for():
    with pytest.raises(InfoshedError, match="missing"):
        Categorical.from_values(["a", None, "b"])
    spec = Categorical.from_values(["a", None, "b", float("nan"), "b"], missing=True)
    assert spec.levels == ("a", "b")
    assert spec.probabilities == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    codes = spec.encode(["b", None, "a"], missing=True)
    assert codes.tolist() == [[1], [-1], [0]]
    assert spec.known(codes).tolist() == [True, False, True]
    assert spec.filled(codes).tolist() == [[1], [0], [0]]
    with pytest.raises(InfoshedError, match="no value that is not missing"):
        Categorical.from_values([None, None], missing=True)


def test_missing_numbers_and_several_columns():
    spec = Continuous.from_values([1.0, np.nan, 3.0], missing=True)
    assert (spec.mean, spec.scale) == ((2.0,), (1.0,))
    codes = spec.encode([3.0, np.nan], missing=True)
    assert codes[0].item() == 1
    assert codes[1].isnan().all()
    assert spec.known(codes).tolist() == [True, False]
    several = MultiCategorical.from_values([["a", "x"], ["b", None], ["a", "y"]], missing=True)
    codes = several.encode([["a", "x"], [None, "y"]], missing=True)
    assert codes.tolist() == [[0, 0], [-1, 1]]
    assert several.known(codes).tolist() == [True, False]
    binary = infer_attribute(np.array([True, None, False], dtype=object), missing=True)
    assert isinstance(binary, Binary)


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_a_row_without_an_attribute_has_no_part_in_the_penalty(
    kind: str, make_data: Callable[..., DataSet]
):
    data = make_data(kind, n=256)
    c, y = data.train.c.clone(), data.train.y
    missing = torch.arange(len(c)) % 3 == 0
    c[missing] = -1 if data.attribute.heads else float("nan")
    # One row is missing for the other too, so that both go by weights and draw alike.
    noise_of_z = torch.randn(len(c), 8, generator=torch.Generator().manual_seed(0))
    z = noise_of_z + y[:, None] + 0.5 * data.train.c
    seen = []
    for noise in (0.0, 100.0):
        shed = MutualInformationPenalty(
            8, data.attribute, c, y, pressure=FixedStrength(1.0), seed=3
        )
        leaf = (z + noise * missing[:, None]).requires_grad_()
        # The standardisation of z reads all rows, as z is known in all: it sees them alike.
        shed.estimator.standardize = None
        for _ in range(3):
            shed.update(leaf.detach(), c, y)
        task = (leaf[~missing] ** 2).mean()
        shed.term(task, leaf, c, y).backward()
        assert leaf.grad is not None
        assert leaf.grad[missing].norm() < 1e-4 * leaf.grad[~missing].norm()
        seen.append((shed.running.mean, leaf.grad[~missing]))
    torch.testing.assert_close(*[s[0] for s in seen], rtol=1e-3, atol=1e-4)
    before, after = (s[1] for s in seen)
    assert (after - before).norm() < 2e-2 * before.norm()


def test_a_batch_without_any_attribute_changes_nothing(table: DataSet):
    c = table.train.c.clone()
    c[::2] = -1
    shed = MutualInformationPenalty(8, table.attribute, c, pressure=FixedStrength(1.0))
    z = torch.randn(4, 8, requires_grad=True)
    gone = torch.full((4, 1), -1)
    for _ in range(30):
        shed.update(z.detach(), gone)
    assert shed.term(z.square().sum(), z, gone) == 0
    assert shed.running.value is None
    with pytest.raises(InfoshedError, match="missing in all rows"):
        MutualInformationPenalty(8, table.attribute, gone, pressure=FixedStrength(1.0))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_weights_and_missing_attributes_or_says_so(
    method: str, table: DataSet, fast_options: Callable[[str], dict[str, Any]]
):
    weights = torch.rand(len(table.train))
    c = table.train.c.clone()
    c[::4] = -1
    changed = {
        "takes no row weights": replace(table, train=replace(table.train, weights=weights)),
        "missing in 80 training rows": replace(table, train=replace(table.train, c=c)),
    }
    for refusal, data in changed.items():
        if method in WEIGHING:
            row = fit(data, method, epochs=1, **fast_options(method)).metrics[-1]
            assert np.isfinite(row["task_loss"])
        else:
            with pytest.raises(InfoshedError, match=refusal):
                fit(data, method, epochs=1, **fast_options(method))


@pytest.mark.parametrize("method", ["plain", "mi"])
def test_equal_weights_are_no_weights(method: str, table: DataSet):
    same = replace(table, train=replace(table.train, weights=torch.full((len(table.train),), 7.0)))
    one, two = (fit(data, method, epochs=1, average=0) for data in (table, same))
    torch.testing.assert_close(one.model.head.weight, two.model.head.weight, rtol=1e-3, atol=1e-4)


def test_half_of_the_attributes_shed_nearly_as_well_as_all(make_data: Callable[..., DataSet]):
    data = make_data(n=2000)
    c = data.train.c.clone()
    c[torch.randperm(len(c), generator=torch.Generator().manual_seed(1))[:1000]] = -1
    partly = replace(data, train=replace(data.train, c=c))
    unbiased = [
        fit(d, m, epochs=6, lr=3e-3, seed=0).results["unbiased"]["accuracy"]
        for d, m in ((data, "plain"), (data, "mi"), (partly, "mi"))
    ]
    plain, whole, half = unbiased
    assert whole > plain + 0.03
    assert half > plain + 0.03


def test_a_lone_row_changes_nothing(table: DataSet):
    """A DataLoader that keeps its last batch may end with one."""
    penalty = MutualInformationPenalty(2, table.attribute, table.train.c, steps=2)
    z = torch.randn(1, 2, requires_grad=True)
    penalty(z, table.train.c[:1])
    z.sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [[1.0, 1.0]]
    assert penalty.updates == 0


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_few_rows_are_no_error_for_a_critic_that_shuffles(rows: int):
    attribute = infer_attribute(np.random.default_rng(0).normal(size=40), "size")
    penalty = MutualInformationPenalty(2, attribute, steps=4)
    penalty.update(torch.randn(rows, 2), torch.randn(rows, 1))
    assert torch.isfinite(penalty.running.mean)


def test_doubles_and_short_whole_numbers_are_taken(table: DataSet):
    split = table.train
    found = []
    for kind, whole in ((torch.float32, torch.int64), (torch.float64, torch.int32)):
        penalty = MutualInformationPenalty(6, table.attribute, split.c, split.y.to(whole))
        z = split.x.to(kind, copy=True).requires_grad_()
        penalty(z, split.c, split.y.to(whole))
        z.square().sum().backward()
        assert z.grad is not None
        assert z.grad.dtype == kind
        found.append(z.grad.float())
    torch.testing.assert_close(*found)


def test_padding_may_hold_anything(table: DataSet):
    """Rows whose c is missing move no statistics of the critic."""
    split = table.train
    c = torch.cat([split.c, torch.full_like(split.c, -1)])
    held = []
    for value in (0.0, 1000.0):
        z = torch.cat([split.x, torch.full_like(split.x, value)])
        penalty = MutualInformationPenalty(6, table.attribute, c)
        for _ in range(5):
            penalty.update(z, c)
        held.append(float(penalty.hold_out(split.x, split.c)))
    assert held[0] == pytest.approx(held[1], abs=1e-3)


def test_what_only_validation_rows_lack_stops_no_training(make_data: Callable[..., DataSet]):
    data = make_data()
    c, y = data.validation.c.clone(), data.validation.y.clone()
    c[:3], y[5:8] = -1, 2  # missing, and a class without training rows
    data = replace(
        data,
        validation=replace(data.validation, c=c, y=y),
        classes=("no", "yes", "perhaps"),
        target=None,
    )
    run = fit(data, "mi", epochs=2)
    assert np.isfinite(run.metrics[-1]["mi_held_out"])


def test_budgets_are_of_the_weighted_rows():
    rng = np.random.default_rng(0)
    y, c = rng.integers(0, 2, (2, 4000))
    c[:3000] = y[:3000]  # told by y, and weighed down
    attribute, weights = infer_attribute(c), torch.ones(4000)
    weights[:3000] = 1e-3
    rows = torch.from_numpy(y), attribute.encode(c)
    assert budget_nats("label", attribute, *rows) > 0.2
    assert budget_nats("label", attribute, *rows, weights) < 0.01
    rare = torch.from_numpy(np.where(c == 0, 1e-9, 1.0)).float()
    assert budget_nats("10%", attribute, *rows, rare) == pytest.approx(0, abs=1e-6)
    assert budget_nats("10%", attribute, *rows) == pytest.approx(0.1 * np.log(2), abs=1e-3)


def test_the_rule_reads_weights(make_data: Callable[..., DataSet]):
    """Whole weights are as many copies."""
    data = make_data()
    times = torch.randint(1, 4, (len(data.validation),), generator=torch.Generator().manual_seed(0))
    logits = torch.randn(len(times), 2, generator=torch.Generator().manual_seed(1))
    weighted = replace(data, validation=replace(data.validation, weights=times.float()))
    repeated_rows = data.validation.rows(torch.arange(len(times)).repeat_interleave(times))
    copies = replace(data, validation=repeated_rows)
    one = figures_for_selection(logits, weighted)
    other = figures_for_selection(logits.repeat_interleave(times, 0), copies)
    for name in ("val_accuracy", "val_nll_adjusted"):
        assert one[name] == pytest.approx(other[name], abs=1e-5)


def test_rows_of_weight_0_do_not_shape_the_attribute_of_an_estimator():
    rng = np.random.default_rng(0)
    age, y = rng.normal(40, 10, 200), rng.integers(0, 2, 200)
    X, weights = rng.normal(size=(200, 3)), np.ones(200)
    age[:5], weights[:5] = 99999.0, 0.0
    settings: dict[str, Any] = {"epochs": 1, "random_state": 0}
    model = DebiasedClassifier(**settings)
    model.fit(X, y, sensitive_features=age, sample_weight=weights)
    attribute: Any = model.run_.attribute
    assert attribute.scale[0] == pytest.approx(age[5:].std(), rel=1e-4)
    site = np.array(["a", *rng.choice(["b", "c"], 199)])
    weights = np.array([0.0, *np.ones(199)])
    model.fit(X, y, sensitive_features=site, sample_weight=weights)
    levels: Any = model.run_.attribute
    assert tuple(levels.levels) == ("b", "c")
    with pytest.raises(InfoshedError, match="one value"):
        model.fit(X, y, sensitive_features=np.where(weights > 0, "b", "a"), sample_weight=weights)
