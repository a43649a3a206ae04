"""Numbers and labels as targets, against closed forms, numpy, scipy and scikit-learn."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score, mean_absolute_error, mean_squared_error, r2_score
from torch import Tensor

from infoshed import (
    METHODS,
    Classes,
    DataSet,
    InfoshedError,
    Labels,
    Numbers,
    Recipe,
    Split,
    Target,
    fit,
    infer_attribute,
    load_run,
)
from infoshed.label_prior import LabelPrior, TargetPrior
from infoshed.targets import target_from_dict


def numbers_and_c(n: int, rng: np.random.Generator, tied: bool) -> tuple[np.ndarray, ...]:
    """x (n, 2), y, c: one column of x is y with noise, the other tells c, and c shifts y where they
    are tied; elsewhere y has the same distribution and c says nothing."""
    c = rng.integers(0, 2, n)
    y = rng.normal(size=n) + 2 * (c if tied else rng.integers(0, 2, n))
    x = np.stack([y + rng.normal(size=n), 2 * c - 1 + rng.normal(scale=0.3, size=n)], 1)
    return x.astype(np.float32), 100 + 10 * y, c


def numbers_data(n: int = 1600) -> DataSet:
    rng = np.random.default_rng(0)
    raw = [numbers_and_c(k, rng, tied) for k, tied in ((n, True), (n // 4, True), (4000, False))]
    target, attribute = Numbers.from_values(raw[0][1], "price"), infer_attribute(raw[0][2], "shop")
    splits = [Split(torch.from_numpy(x), target.encode(y), attribute.encode(c)) for x, y, c in raw]
    return DataSet(
        "prices", "Generated.", splits[0], splits[1], {"unbiased": splits[2]}, attribute,
        recipe=Recipe("mlp", dim=2, epochs=6, batch_size=64, lr=3e-3), target=target,
    )  # fmt: skip


def labels_data(n: int = 1600) -> DataSet:
    """Two labels, each with a column of its own; a third column tells c, which follows both."""
    rng = np.random.default_rng(0)

    def split(rows: int, tied: bool) -> tuple[np.ndarray, ...]:
        c = rng.integers(0, 2, rows)
        follows = c if tied else rng.integers(0, 2, rows)
        y = (rng.random((rows, 2)) < np.where(follows, 0.9, 0.1)[:, None]).astype(int)
        x = np.column_stack([2 * y - 1 + rng.normal(size=(rows, 2)), 2 * c - 1])
        x[:, 2] += rng.normal(scale=0.2, size=rows)
        return x.astype(np.float32), y, c

    raw = [split(n, True), split(n // 4, True), split(4000, False)]
    target = Labels.from_values(raw[0][1], "tags", ("sea", "sky"))
    attribute = infer_attribute(raw[0][2], "camera")
    splits = [Split(torch.from_numpy(x), target.encode(y), attribute.encode(c)) for x, y, c in raw]
    return DataSet(
        "tags", "Generated.", splits[0], splits[1], {"unbiased": splits[2]}, attribute,
        recipe=Recipe("mlp", dim=2, epochs=6, batch_size=64, lr=3e-3), target=target,
    )  # fmt: skip


@pytest.fixture(scope="module")
def prices() -> DataSet:
    return numbers_data()


@pytest.fixture(scope="module")
def tags() -> DataSet:
    return labels_data()


def in_z(run: Any, data: DataSet) -> float:
    """Accuracy at c of a fresh logistic regression on z of the unbiased test, half and half."""
    split = data.tests["unbiased"]
    z, c = run.encode(split.x).numpy(), split.c[:, 0].numpy()
    half = len(z) // 2
    return float(LogisticRegression().fit(z[:half], c[:half]).score(z[half:], c[half:]))


def test_numbers_plain_training_follows_c_and_the_others_do_not(prices: DataSet):
    plain, adjust = (fit(prices, name) for name in ("plain", "adjust"))
    mi = fit(prices, "mi", critic_steps=5)
    r2 = [run.results["unbiased"]["r2"] for run in (plain, adjust, mi)]
    x, y = prices.tests["unbiased"].x.numpy(), prices.tests["unbiased"].y.numpy()[:, 0]
    possible = LinearRegression().fit(x[:2000, :1], y[:2000]).score(x[2000:, :1], y[2000:])
    assert r2[0] < possible - 0.1
    assert r2[1] > possible - 0.03
    assert r2[2] > possible - 0.03
    assert in_z(plain, prices) > 0.7
    assert in_z(mi, prices) < in_z(plain, prices) - 0.1
    assert {"r2", "val_r2", "val_r2_weighted", "mi"} <= set(mi.metrics[-1])


def test_labels_plain_training_follows_c_and_the_others_do_not(tags: DataSet):
    plain, adjust = (fit(tags, name) for name in ("plain", "adjust"))
    mi = fit(tags, "mi", critic_steps=5)
    accuracy = [run.results["unbiased"]["accuracy"] for run in (plain, adjust, mi)]
    possible = norm.cdf(1)
    assert accuracy[0] < possible - 0.1
    assert accuracy[1] > possible - 0.03
    assert accuracy[2] > possible - 0.03
    assert in_z(mi, tags) < in_z(plain, tags)


def test_the_adjusted_loss_of_numbers_is_the_posterior_of_y_given_z_and_c():
    rng = np.random.default_rng(0)
    target = Numbers.from_values(rng.normal(3, 2, 500))
    edges = np.array([-np.inf, *target.edges[0], np.inf])
    ratios = rng.normal(size=(40, len(edges) - 1))
    outputs, y = rng.normal(size=(40, 1)), rng.normal(size=(40, 1))
    noise = np.sqrt(((y - outputs) ** 2).mean())
    expected = []
    for o, v, ratio in zip(outputs[:, 0], y[:, 0], ratios, strict=True):
        parts = [
            np.exp(r) * quad(lambda t, o=o: norm.pdf(t, o, noise), a, b)[0]
            for r, a, b in zip(ratio, edges[:-1], edges[1:], strict=True)
        ]
        here = ratio[np.searchsorted(edges, v, side="right") - 1]
        log_p = norm.logpdf(v, o, noise) + here - np.log(sum(parts))
        # Less what the output cannot change.
        expected.append(-(noise**2) * (log_p - here + np.log(noise * np.sqrt(2 * np.pi))))
    ratio = [torch.from_numpy(ratios)]
    loss = target.adjusted(torch.from_numpy(outputs), torch.from_numpy(y), ratio)
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_likelihood_of_numbers_is_that_of_the_posterior_at_its_best_deviation():
    rng = np.random.default_rng(1)
    target = Numbers.from_values(rng.normal(3, 2, (500, 2)))
    outputs, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    ratios, expected = [], 0.0
    for j in range(2):
        edges = np.array([-np.inf, *target.edges[j], np.inf])
        ratio = rng.normal(size=(40, len(edges) - 1))
        ratios.append(torch.from_numpy(ratio))
        here = ratio[range(40), np.searchsorted(edges, y[:, j], side="right") - 1]

        def at(s: float, j=j, edges=edges, ratio=ratio, here=here) -> float:
            mass = np.diff(norm.cdf((edges - outputs[:, j, None]) / s), axis=1)
            log_mass = np.log((np.exp(ratio) * mass).sum(1))
            return -(norm.logpdf(y[:, j], outputs[:, j], s) + here - log_mass).mean()

        expected += min(at(s) for s in np.geomspace(0.05, 20, 2000))
    codes = torch.from_numpy(outputs), torch.from_numpy(y)
    assert float(target.nll(*codes, ratios)) == pytest.approx(expected, abs=1e-5)
    plain = [norm.logpdf(e, 0, np.sqrt((e**2).mean())).mean() for e in (y - outputs).T]
    assert float(target.nll(*codes)) == pytest.approx(-sum(plain), abs=1e-5)


def test_where_c_says_nothing_adjusted_and_plain_losses_are_one(prices: DataSet, tags: DataSet):
    for data in (prices, tags):
        train, missing = data.train, torch.full_like(data.train.c, -1)
        prior = TargetPrior(data.target, train.y, train.c, data.attribute)
        outputs = torch.randn(len(train), data.target.outputs)
        adjusted = data.target.adjusted(outputs, train.y, prior.log_ratios(missing))
        torch.testing.assert_close(adjusted, data.target.loss(outputs, train.y))
        assert prior.weights(train.y, missing).unique().tolist() == [1.0]


def test_a_truth_that_is_constant_but_for_rounding_has_no_variance_of_its_own():
    target = Numbers.from_values(np.arange(7.0))
    figures = [
        target.figures(target.encode(np.full(7, guess)), target.encode(np.full(7, 0.1)))["r2"]
        for guess in (0.1, 3.1)
    ]
    assert figures[0] == pytest.approx(1)
    assert figures[1] == pytest.approx(1 - 9 / np.arange(7.0).var(), rel=1e-4)


def test_figures_of_numbers_are_scikit_learns_in_the_unit_of_y():
    rng = np.random.default_rng(0)
    y = rng.normal([5, -100], [2, 30], (200, 2))
    target = Numbers.from_values(y, names=("a", "b"))
    guess = y + rng.normal(size=(200, 2))
    found = target.figures(target.encode(guess), target.encode(y))
    assert found["r2"] == pytest.approx(r2_score(y, guess), abs=1e-4)
    assert found["mse"] == pytest.approx(mean_squared_error(y, guess), rel=1e-4)
    assert found["mae"] == pytest.approx(mean_absolute_error(y, guess), rel=1e-4)
    assert found["columns"]["b"]["r2"] == pytest.approx(r2_score(y[:, 1], guess[:, 1]), abs=1e-4)
    np.testing.assert_allclose(target.predictions(target.encode(guess)), guess, rtol=1e-4)


def test_figures_of_labels_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, guess = rng.integers(0, 2, (2, 300, 3))
    target = Labels.from_values(y)
    outputs = torch.from_numpy(2.0 * guess - 1)
    found = target.figures(outputs, target.encode(y))
    assert found["accuracy"] == pytest.approx((y == guess).mean())
    assert found["exact"] == pytest.approx((y == guess).all(1).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(y, guess, average="macro"))
    assert found["labels"]["y[2]"]["f1"] == pytest.approx(f1_score(y[:, 2], guess[:, 2]))


def test_strata_of_a_quantity_are_its_tenths_and_of_few_rows_fewer():
    y = np.random.default_rng(0).lognormal(size=1000)
    target = Numbers.from_values(y, "price")
    strata = target.strata(target.encode(y)).numpy()
    assert np.bincount(strata).tolist() == pytest.approx([100] * 10, abs=1)
    assert (np.argsort(np.argsort(y)) // 100 == strata).mean() > 0.98
    assert len(target.strata_names) == 10
    assert target.strata_names[0].startswith("below ")
    few = Numbers.from_values(y[:60])
    assert len(few.strata_names) <= 3
    many = np.random.default_rng(0).normal(size=(1000, 3))
    assert len(Numbers.from_values(many).strata_names) == 8


def test_with_weights_the_bins_weigh_the_same():
    rng = np.random.default_rng(0)
    y, weights = rng.normal(size=2000), rng.integers(0, 4, 2000)
    weighted = Numbers.from_values(y, weights=weights)
    repeated = Numbers.from_values(np.repeat(y, weights))
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.scale == pytest.approx(repeated.scale)
    np.testing.assert_allclose(weighted.edges, repeated.edges, atol=1e-5)


def test_rare_combinations_of_labels_count_as_the_nearest_common_one():
    common = [[0, 0, 0]] * 60 + [[1, 1, 1]] * 40
    y = np.array([*common, [0, 0, 1], [1, 0, 1]])
    target = Labels.from_values(y)
    assert target.strata_names == ("none", "y[0] + y[1] + y[2]")
    assert target.strata(target.encode(y))[-2:].tolist() == [0, 1]


@pytest.mark.parametrize(
    "target",
    [
        Classes(("no", "yes"), "paid"),
        Numbers.from_values(np.random.default_rng(0).normal(size=(90, 2)), "size"),
        Labels.from_values(np.array([["a", "x"], ["b", "y"]] * 30), "tags", ("first", "second")),
    ],
    ids=lambda target: target.kind,
)
def test_a_target_survives_json(target: Target):
    assert target_from_dict(json.loads(json.dumps(target.to_dict()))) == target


def test_labels_keep_their_values():
    y = np.array([["no", 3], ["yes", 5], ["no", 5]], dtype=object)
    target = Labels.from_values(y)
    assert target.encode(y).tolist() == [[0, 0], [1, 1], [0, 1]]
    with pytest.raises(InfoshedError, match=r"label 'y\[0\]' is 'no' or 'yes'; found 'maybe'"):
        target.encode(np.array([["maybe", 3]], dtype=object))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Numbers.from_values([1.0, np.nan]), "missing or not finite in 1 rows"),
        (lambda: Numbers.from_values(["a", "b"]), "must hold numbers"),
        (lambda: Numbers.from_values([2.0, 2.0]), "one value only"),
        (lambda: Numbers.from_values(np.eye(3), names=("a", "a", "b")), "3 columns; `names`"),
        (lambda: Numbers.from_values(np.eye(3)).encode(np.eye(2)), "has 3 columns, got 2"),
        (lambda: Labels.from_values(np.arange(6).reshape(3, 2)), "must have two values"),
        (lambda: Labels.from_values(np.eye(3)).encode(np.eye(2)), "has 3 columns, got 2"),
        (lambda: target_from_dict({"kind": "ranks"}), "of no known form"),
    ],
)
def test_what_cannot_be_a_target_is_said_in_a_line(make: Callable[[], Any], message: str):
    with pytest.raises(InfoshedError, match=message):
        make()


def test_data_sets_check_their_codes(prices: DataSet, tags: DataSet):
    with pytest.raises(InfoshedError, match=r"validation: y must be codes \(n, 1\) of floats"):
        replace(prices, validation=replace(prices.validation, y=prices.validation.y.long()))
    with pytest.raises(InfoshedError, match=r"labels must be 0 or 1, found 1\.\.2"):
        replace(tags, validation=replace(tags.validation, y=tags.validation.y + 1))
    with pytest.raises(InfoshedError, match="one value only"):
        replace(prices, train=replace(prices.train, y=0 * prices.train.y))
    with pytest.raises(InfoshedError, match="give one of `classes` and `target`"):
        replace(prices, classes=("a", "b"))
    with pytest.raises(InfoshedError, match="or codes"):
        replace(prices.train, y=prices.train.y[:, 0])


def test_where_c_decides_the_numbers_adjusted_losses_are_refused():
    y = np.random.default_rng(0).normal(size=400)
    target = Numbers.from_values(y)
    tenth = target.strata(target.encode(y)).numpy()
    attribute = infer_attribute(tenth)
    split = Split(torch.from_numpy(y[:, None]), target.encode(y), attribute.encode(tenth))
    same = DataSet("same", "", split, split.rows(torch.arange(400)), {}, attribute, target=target)
    with pytest.raises(InfoshedError, match="decides"):
        fit(same, "adjust", epochs=1)


def small(data: DataSet, columns: int) -> DataSet:
    """Few rows of it; of two columns of numbers where that is asked."""

    def cut(split: Split) -> Split:
        part = split.rows(torch.arange(200))
        y = part.y if columns == 1 else torch.cat([part.y, part.x[:, :1]], 1)
        return replace(part, y=y)

    train, target = cut(data.train), data.target
    if columns == 2:  # as if these were their values: mean and deviation are near 0 and 1
        target = Numbers.from_values(train.y.numpy(), "both")
    return replace(
        data, train=train, validation=cut(data.validation), target=target,
        tests={k: cut(v) for k, v in data.tests.items()},
    )  # fmt: skip


@pytest.mark.parametrize("which", ["numbers", "two numbers", "labels"])
@pytest.mark.parametrize("method", METHODS)
def test_methods_train_on_the_targets_that_they_take_and_refuse_others(
    method: str, which: str, prices: DataSet, tags: DataSet, fast_options: Any, tmp_path: Path
):
    data = small(tags if which == "labels" else prices, 2 if which == "two numbers" else 1)
    if data.target.kind not in METHODS[method].targets:
        with pytest.raises(InfoshedError, match=f"method '{method}' takes classes as the target"):
            fit(data, method, epochs=1)
        return
    run = fit(data, method, epochs=1, out=tmp_path, **fast_options(method))
    assert all(np.isfinite(v) for v in run.metrics[-1].values())
    again = fit(data, method, epochs=2, out=tmp_path, resume=True, **fast_options(method))
    loaded = load_run(tmp_path)
    assert loaded.target == data.target
    x = data.validation.x
    guess = loaded.predict(x)
    assert torch.equal(guess, again.predict(x))
    assert guess.shape == (200,) if which == "numbers" else (200, 2)
    assert set(run.results) == {"validation", "unbiased"}


def test_predictions_come_in_the_unit_of_y(prices: DataSet):
    run = fit(prices, "plain", epochs=2)
    split = prices.tests["unbiased"]
    truth = prices.target.predictions(split.y)
    guess = run.predict(split.x)
    assert truth.mean() == pytest.approx(110, abs=1)
    assert float((guess - truth).square().mean()) == pytest.approx(
        run.results["unbiased"]["mse"], rel=1e-5
    )
    with pytest.raises(InfoshedError, match="has no probabilities"):
        run.predict_proba(split.x)
    assert "r2_unbiased" in run.summary()
    assert "; R2 validation 0." in repr(run)


def test_the_prior_of_labels_is_that_of_each(tags: DataSet):
    train = tags.train
    prior = TargetPrior(tags.target, train.y, train.c, tags.attribute)
    values = torch.tensor([[0], [1]])
    for j, ratio in enumerate(prior.log_ratios(values)):
        alone: Tensor = LabelPrior(train.y[:, j], train.c, tags.attribute, 2).log_ratio(values)
        torch.testing.assert_close(ratio, alone)


def test_a_ratio_that_underflows_leaves_the_losses_of_numbers_finite():
    target = Numbers.from_values(np.random.default_rng(0).normal(size=500))
    bins = len(target.edges[0]) + 1
    ratios = torch.full((4, bins), -500.0)
    ratios[:, 0] = 0.0  # c says: in the lowest bin; the outputs are elsewhere
    outputs = torch.full((4, 1), 2.0, requires_grad=True)
    y = torch.full((4, 1), 2.1)
    for loss in (target.adjusted(outputs, y, [ratios]), target.nll(outputs, y, [ratios])):
        assert torch.isfinite(loss)
    target.adjusted(outputs, y, [ratios]).backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize("factor", [0.1, 1.0, 5.0])
def test_the_bounded_loss_of_reweighed_numbers_is_bounded(prices: DataSet, factor: float):
    target, outputs = prices.target, torch.tensor([[300.0]], requires_grad=True)
    y, share = torch.zeros(1, 1), torch.tensor([factor])
    bounded = target.bounded(target.loss(outputs, y, share), outputs, y, share)
    (gradient,) = torch.autograd.grad(bounded, outputs)
    assert float(gradient) == pytest.approx(factor, rel=1e-5)
