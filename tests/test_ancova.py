"""Analysis of covariance: its slopes and its scores against scikit-learn, scipy and the truth of
generated data in which c decides y."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.linear_model import LinearRegression

from infoshed import DataSet, InfoshedError, Split, fit
from infoshed.attributes import Categorical, Continuous, MultiCategorical
from infoshed.methods.ancova import covariate, effect_within
from infoshed.types import Recipe

DIM = 6


def parts(n: int, seed: int = 0, width: int = 2, classes: int = 3):
    """z, v and y with class means and slopes drawn at random; classes differ in v."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    v = rng.normal(size=(n, width)) + 3 * y[:, None]
    z = rng.normal(size=(classes, DIM))[y] + v @ rng.normal(size=(width, DIM))
    return torch.from_numpy(z + rng.normal(size=(n, DIM))), torch.from_numpy(v), torch.from_numpy(y)


@pytest.mark.parametrize("seed", range(3))
def test_slopes_are_those_of_a_regression_with_a_column_for_each_class(seed: int):
    z, v, y = parts(200, seed)
    design = np.concatenate([v, np.eye(3)[y]], 1)
    expected = LinearRegression(fit_intercept=False).fit(design, z).coef_.T[:2]
    np.testing.assert_allclose(effect_within(z, v, y, "c"), expected, rtol=1e-8)


def test_an_effect_that_is_added_is_found_and_shifts_of_classes_are_not():
    z, v, y = parts(200)
    added, shift = torch.randn(2, DIM).double(), 5 * torch.randn(3, DIM).double()
    found = effect_within(z + v @ added + shift[y], v, y, "c")
    torch.testing.assert_close(found, effect_within(z, v, y, "c") + added)


def extremes(theta: float, n: int = 6000, seed: int = 0, biased: bool = True) -> Split:
    """c in [0, 1) decides y where `biased`, else is independent; x tells c by its first column,
    y by the second, and both by the others."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    c = (0.4 * rng.random(n) + 0.6 * y) if biased else rng.random(n)
    noise = rng.normal(size=(n, DIM)) @ MIX
    x = np.outer(y - 0.5, TELLS_Y) + theta * np.outer(c - 0.5, TELLS_C) + noise
    return Split(torch.from_numpy(x).float(), torch.from_numpy(y), torch.from_numpy(c)[:, None])


TELLS_Y = np.array([0.0, 1, 0.3, 0.3, 0, 0])
TELLS_C = np.array([5.0, 0, 2, -1, 0, 0])
MIX = np.linalg.cholesky(0.6 * np.eye(DIM) + 0.4).T


def decided(n: int = 6000) -> DataSet:
    splits = [extremes(1, n, 0), extremes(1, 1000, 1), extremes(1, 6000, 2, biased=False)]
    c = Continuous.from_values(splits[0].c.numpy(), "age")
    train, validation, unbiased = (replace(s, c=c.encode(s.c.numpy())) for s in splits)
    return DataSet(
        name="extremes", description="Generated.", train=train, validation=validation,
        tests={"unbiased": unbiased}, attribute=c, classes=("a", "b"),
        recipe=Recipe(encoder="linear", dim=DIM, epochs=2, batch_size=64, lr=1e-3),
    )  # fmt: skip


def test_the_head_is_the_discriminant_at_equal_c_though_c_decides_y():
    data = decided(60_000)
    run = fit(data, "ancova", average=0)
    encoder, head = run.model.encoder[1], run.model.head  # type: ignore[index]
    weight = (head.weight.diff(dim=0) @ encoder.weight)[0].detach().numpy()
    truth = np.linalg.solve(MIX.T @ MIX, TELLS_Y)
    assert weight @ truth / np.linalg.norm(weight) / np.linalg.norm(truth) > 0.99


def test_it_is_right_more_often_than_plain_training_where_c_is_independent_of_y():
    data = decided()
    accuracy = {m: fit(data, m).results["unbiased"]["accuracy"] for m in ("plain", "ancova")}
    # The best rule that does not see c, from the law of the test data.
    law = MIX.T @ MIX + np.outer(TELLS_C, TELLS_C) / 12
    best = data.tests["unbiased"].x.numpy() @ np.linalg.solve(law, TELLS_Y) > 0
    best = float((best == data.tests["unbiased"].y.numpy()).mean())
    assert accuracy["plain"] < accuracy["ancova"] - 0.03
    assert accuracy["ancova"] <= best + 0.01


def test_scores_are_log_densities_at_the_mean_of_c():
    z, v, y = parts(50_000, width=1)
    attribute = Continuous.from_values(v.numpy(), "c")
    data = DataSet(
        name="z", description="Generated.",
        train=Split(z.float(), y, attribute.encode(v.numpy())),
        validation=Split(z[:99].float(), y[:99], attribute.encode(v[:99].numpy())),
        tests={}, attribute=attribute, classes=("a", "b", "c"),
        recipe=Recipe(encoder="linear", dim=DIM, epochs=1, batch_size=512, lr=1e-3),
    )  # fmt: skip
    run = fit(data, "ancova")
    rest = z - (v - v.mean(0)) @ effect_within(z, v, y, "c")
    means = [rest[y == k].mean(0) for k in range(3)]
    spread = np.cov((rest - torch.stack(means)[y]).T)
    law = [multivariate_normal(m.numpy(), spread).logpdf(z[:99]) for m in means]  # type: ignore
    expected = np.stack(law, 1) + np.log(np.bincount(y) / len(y))
    with torch.no_grad():
        found = run.model(z[:99].float()).numpy()
    # Up to what the classes share; the covariance is shrunk by less than a hundredth.
    apart = [a - a.mean(1, keepdims=True) for a in (found, expected)]
    np.testing.assert_allclose(*apart, atol=0.005 * np.ptp(apart[1]), rtol=0)


def ages(y: torch.Tensor) -> tuple[np.ndarray, Categorical]:
    within = np.random.default_rng(0).integers(0, 3, len(y))
    levels = np.array(["0-9", "10-19", "20-29", "30-39", "40-49", "50-59"])
    return levels[within + 3 * y.numpy()], Categorical.from_values(levels, "age", levels.tolist())


def test_levels_that_decide_the_class_need_numbers():
    y = torch.arange(600) % 2
    values, attribute = ages(y)
    codes = attribute.encode(values)
    z = torch.randn(600, 2).double()
    with pytest.raises(
        InfoshedError, match=r"'age' does not vary within the classes.*levels \"numbers\""
    ):
        effect_within(z, covariate(attribute, codes, "categories"), y, "age")
    years = np.array([int(value.split("-")[0]) + 4.5 for value in values])
    expected = LinearRegression().fit(np.stack([years, y], 1), z).coef_[:, 0]
    found = effect_within(z, covariate(attribute, codes, "numbers"), y, "age")
    np.testing.assert_allclose(found[0], expected, rtol=1e-8)


def test_numbers_stand_for_each_of_several_attributes():
    pair = [Categorical.from_values([1, 5, 20], "hue"), Categorical.from_values([0, 1], "dark")]
    attribute = MultiCategorical("colour", tuple(pair))
    codes = torch.tensor([[0, 1], [1, 1], [2, 0]])
    assert covariate(attribute, codes, "numbers").tolist() == [[1, 1], [5, 1], [20, 0]]
    assert covariate(attribute, codes, "categories").shape == (3, 5)


def test_text_is_the_number_in_it_or_the_middle_of_a_range():
    texts = ["15-19", "-5", "10-14", "over 20.5"]
    attribute = Categorical.from_values(texts, "age")
    found = covariate(attribute, attribute.encode(texts), "numbers")
    assert found.flatten().tolist() == [17, -5, 12, 20.5]
    ranks = covariate(attribute, attribute.encode(texts), "ranks")
    assert ranks.flatten().tolist() == [2, 0, 1, 3]


def test_what_levels_are_is_one_of_three():
    with pytest.raises(InfoshedError, match="`levels` must be one of categories, numbers, ranks"):
        fit(decided(100), "ancova", levels="letters")


@pytest.mark.parametrize("levels", [["low", "middle", "high"], ["1 a", "1 b", "2"]])
def test_text_without_a_number_each_is_refused(levels: list[str]):
    attribute = Categorical.from_values(levels, "dose")
    with pytest.raises(InfoshedError, match="levels of 'dose' do not name a number each"):
        covariate(attribute, attribute.encode(levels), "numbers")


def test_a_quantity_is_one_already_and_many_values_are_refused():
    values = np.arange(300.0)
    quantity, many = (
        Continuous.from_values(values, "age"),
        Categorical.from_values(range(300), "zip"),
    )
    with pytest.raises(InfoshedError, match="'age' is a quantity and has no levels"):
        covariate(quantity, quantity.encode(values), "numbers")
    codes = many.encode(range(300))
    with pytest.raises(InfoshedError, match="at most 256 values of 'zip', got 300"):
        covariate(many, codes, "categories")
    assert covariate(many, codes, "numbers").shape == (300, 1)


@pytest.mark.parametrize("scale", [1e-4, 1, 1e4])
def test_a_tie_is_seen_on_any_scale_beside_what_varies(scale: float):
    y = torch.arange(400) % 2
    tied = torch.stack([scale * torch.randn(400).double() + y, y.double()], 1)
    with pytest.raises(InfoshedError, match="'pair' does not vary within the classes"):
        effect_within(torch.randn(400, 2).double(), tied, y, "pair")


def test_z_of_a_table_is_all_of_its_columns_unless_asked(table: DataSet):
    config = fit(table, "ancova").config
    assert (config.encoder, config.dim, config.epochs) == ("linear", table.train.x.shape[1], 1)
    config = fit(table, "ancova", encoder="mlp", dim=3, epochs=2).config
    assert (config.encoder, config.dim, config.epochs) == ("mlp", 3, 2)


def test_a_binary_attribute_that_is_the_class_is_refused_before_training(table: DataSet):
    codes = {"train": table.train, "validation": table.validation}
    same = {k: replace(s, c=s.y[:, None].to(s.c.dtype)) for k, s in codes.items()}
    with pytest.raises(InfoshedError, match="does not vary within the classes"):
        fit(replace(table, **same), "ancova", epochs=1)
