"""What every estimator in `ESTIMATORS` says, against truth, weights and invariances."""

import math

import numpy as np
import pytest
import torch
from estimator_cases import (
    ATTRIBUTES,
    INFORMATION,
    KEEP,
    PAIRS,
    TRUTH,
    Draw,
    Rows,
    build,
    dependent,
    discrete_information,
    every_pair,
    every_way,
    fit,
    fitted_value,
    follow,
    independent,
    make,
    one_hot,
    transformed,
    value,
)
from scipy.stats import norm
from torch import Tensor

from infoshed import (
    ESTIMATORS,
    Attribute,
    Categorical,
    Continuous,
    Mixed,
    infer_attribute,
)


@every_pair
@every_way
def test_it_finds_next_to_nothing_in_independent_data(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), independent(kind, 1), 40)
    assert abs(value(estimator, independent(kind, 2)(2000))) < 0.04


@every_pair
def test_it_finds_dependence(name: str, kind: str):
    assert fitted_value(name, kind) > 0.15


@pytest.mark.parametrize(("name", "kind"), INFORMATION)
def test_it_comes_near_the_truth_on_the_side_of_its_bound(name: str, kind: str):
    estimate, truth, bound = fitted_value(name, kind), TRUTH[kind], ESTIMATORS[name].bound
    # Three standard errors of the mean log ratio over the held-out rows, whose deviation is of
    # the order of the information.
    if bound != "upper":
        assert 0.8 * truth < estimate < truth + 0.05
    else:
        assert estimate > truth - 0.05


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_what_does_not_measure_information_is_a_share(name: str, kind: str):
    if ESTIMATORS[name].unit != "nats":
        assert fitted_value(name, kind) <= 1 + 1e-6


@pytest.mark.parametrize(("name", "kind"), INFORMATION)
def test_an_invertible_map_of_z_changes_little(name: str, kind: str):
    mix = (
        torch.eye(4) + 0.4 * torch.from_numpy(np.random.default_rng(0).normal(size=(4, 4))).float()
    )
    assert torch.linalg.cond(mix) < 8
    if name == "ksg":  # it sees the information in any coordinates in the limit alone
        mix = torch.linalg.qr(mix).Q

    def mapped(z: Tensor) -> Tensor:
        return z @ mix

    after = value(
        fit(make(name, kind), transformed(dependent(kind, 1), mapped)),
        transformed(dependent(kind, 2), mapped)(3000),
    )
    assert after == pytest.approx(fitted_value(name, kind), abs=0.06, rel=0.1)


@pytest.mark.parametrize(("name", "kind"), INFORMATION)
def test_dropping_columns_of_z_adds_nothing(name: str, kind: str):
    def dropped(z: Tensor) -> Tensor:
        return z[:, 2:]

    draw, held_out = (transformed(dependent(kind, seed), dropped) for seed in (1, 2))
    estimator = fit(build(name, ATTRIBUTES[kind], draw(2000)), draw)
    after = value(estimator, held_out(3000))
    assert after < fitted_value(name, kind) + 0.03
    if kind in ("binary", "continuous"):  # all that z told was in the dropped columns
        assert abs(after) < 0.04


def pair_of_pairs(kind: str, seed: int) -> tuple[Attribute, Draw]:
    """Two independent pairs (z_k, c_k) side by side, so weakly tied that no ceiling is met."""
    rng = np.random.default_rng(seed)

    def discrete(n: int) -> tuple[np.ndarray, Tensor]:
        w, noise = rng.integers(0, 2, (2, 2, n))
        c = np.where(rng.random((2, n)) < 0.5, w, noise)
        return np.concatenate([one_hot(v, 2, rng) for v in w], 1), torch.from_numpy(c.T.copy())

    def continuous(n: int) -> tuple[np.ndarray, Tensor]:
        c = rng.normal(size=(n, 2))
        z = np.stack([0.5 * c[:, 0], c[:, 0] * 0, 0.5 * c[:, 1], c[:, 1] * 0], 1)
        return z + math.sqrt(0.75) * rng.normal(size=(n, 4)), torch.from_numpy(c).float()

    def draw(n: int) -> Rows:
        z, c = (continuous if kind == "continuous" else discrete)(n)
        return Rows(torch.from_numpy(z).float(), c, torch.zeros(n, dtype=torch.int64))

    if kind == "continuous":
        return Continuous("c", (0.0, 0.0), (1.0, 1.0)), draw
    return Categorical("c", (0, 1, 2, 3), (0.25,) * 4), draw


@pytest.mark.parametrize(
    ("name", "kind"), [p for p in INFORMATION if p[1] in ("categorical", "continuous")]
)
def test_independent_pairs_add_up(name: str, kind: str):
    attribute, raw = pair_of_pairs(kind, 1)
    single = Continuous("c", (0.0,), (1.0,)) if kind == "continuous" else ATTRIBUTES["binary"]

    def both(n: int) -> Rows:
        rows = raw(n)
        return rows if kind == "continuous" else rows._replace(c=rows.c @ torch.tensor([[2], [1]]))

    def one(n: int) -> Rows:
        rows = raw(n)
        return rows._replace(z=rows.z[:, :2], c=rows.c[:, :1])

    whole, half = (
        value(fit(build(name, a, draw(2000)), draw), draw(3000))
        for a, draw in ((attribute, both), (single, one))
    )
    assert half > 0.08
    assert whole == pytest.approx(2 * half, abs=0.07)


def confounded(kind: str, seed: int) -> tuple[Attribute, Draw]:
    """z shows u and c follows u; under the weights z and c are independent, given y or not. Some
    classes of y weigh more than others."""
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        u, coin = rng.integers(0, 2, (2, n))
        y = rng.integers(0, 2, n)
        followed = follow(u, 2, rng)
        # p(c) / p(c|u) = (1/2) / p(followed|u)
        weights = np.where(followed == u, 1 / (1 + KEEP), 1 / (1 - KEEP)) * (1 + 2 * y)
        if kind == "continuous":
            c = 2.0 * followed - 1 + rng.normal(scale=0.5, size=n)
            zero, one = norm.pdf(c, -1, 0.5), norm.pdf(c, 1, 0.5)
            agreement = (1 + KEEP) / 2 * np.where(u == 1, one, zero)
            given = agreement + (1 - KEEP) / 2 * np.where(u == 1, zero, one)
            weights = (zero + one) / 2 / given * (1 + 2 * y)
        elif kind == "categorical":
            c = 2 * followed + coin
        elif kind == "mixed":
            c = {"part": followed, "noise": rng.normal(size=n)}
        else:
            c = followed if kind == "binary" else np.stack([followed, coin], 1)
        z = np.concatenate([one_hot(u, 2, rng), rng.normal(size=(n, 2))], 1)
        codes = attribute.encode(c)
        z, y, weights = (torch.from_numpy(a) for a in (z, y, weights))
        return Rows(z.float(), codes, y, weights.float())

    attribute: Attribute = Continuous("c", (0.0,), (1.0,))
    if kind != "continuous":
        m = 4 if kind == "categorical" else 2
        attribute = Categorical("c", tuple(range(m)), (1 / m,) * m)
        if kind == "multi-categorical":
            attribute = infer_attribute(np.indices((2, 2)).reshape(2, 4).T, "c")
    if kind == "mixed":
        parts = (Categorical("part", (0, 1), (0.5, 0.5)), Continuous("noise", (0.0,), (1.0,)))
        attribute = Mixed("c", parts)
    return attribute, draw


@every_pair
@every_way
def test_weights_that_make_them_independent_leave_next_to_nothing(
    name: str, kind: str, conditional: bool
):
    attribute, draw = confounded(kind, 1)
    # What weighs all pairs of rows needs fewer of them, and their square in memory.
    held_out = draw(2000 if name in ("infonce", "club", "l1out", "hsic") else 8000)
    estimator = build(name, attribute, draw(4000), conditional=conditional)
    # ksg keeps one row in eight, by their weights.
    assert abs(value(fit(estimator, draw, 40), held_out)) < (0.08 if name == "ksg" else 0.05)

    def unweighted(n: int) -> Rows:
        return draw(n)._replace(weights=None)

    if not conditional:
        estimator = fit(build(name, attribute, unweighted(4000)), unweighted, 40)
        assert value(estimator, held_out._replace(weights=None)) > 0.09


@every_pair
@every_way
def test_equal_weights_are_no_weights(name: str, kind: str, conditional: bool):
    rows = dependent(kind, 1)(2000)
    weighted = rows._replace(weights=torch.full((2000,), 0.3))
    values = [
        value(
            build(name, ATTRIBUTES[kind], r, conditional=conditional),
            r.take(slice(100)),
        )
        for r in (rows, weighted)
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


WEIGHED_EXACTLY = [p for p in PAIRS if p[0].startswith("class-") or p[0] in ("infonce", "club")]


@pytest.mark.parametrize(("name", "kind"), WEIGHED_EXACTLY)
@every_way
def test_a_row_of_weight_two_is_there_twice(name: str, kind: str, conditional: bool):
    estimator = make(name, kind, conditional=conditional)
    rows = dependent(kind, 1)(60)
    twice = rows.take(torch.cat([torch.arange(60), torch.arange(20)]))
    weighted = rows._replace(weights=1 + (torch.arange(60) < 20).float())
    assert value(estimator, weighted) == pytest.approx(value(estimator, twice), abs=1e-5)


def labelled(m: int, seed: int) -> tuple[Attribute, Draw]:
    """z shows y and nothing else; c follows y."""
    attribute = Categorical("c", tuple(range(m)), (1 / m,) * m)
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        y = rng.integers(0, m, n)
        z, c = one_hot(y, m, rng), follow(y, m, rng)
        return Rows(torch.from_numpy(z).float(), attribute.encode(c), torch.from_numpy(y))

    return attribute, draw


CATEGORICAL = pytest.mark.parametrize("name", [n for n, k in PAIRS if k == "categorical"])


@CATEGORICAL
def test_given_y_a_z_that_equals_y_tells_nothing_more(name: str):
    attribute, draw = labelled(3, 1)
    held_out = labelled(3, 2)[1](3000)
    marginal, given_y = (
        value(fit(build(name, attribute, draw(4000), conditional=way), draw), held_out)
        for way in (False, True)
    )
    assert marginal > 0.3
    assert abs(given_y) < 0.04


@CATEGORICAL
def test_given_y_it_finds_what_z_says_beyond_y(name: str):
    # y and w independent, z shows both, c follows w: I(Z;C|Y) = I(W;C).
    rng = np.random.default_rng(0)
    attribute = Categorical("c", (0, 1), (0.5, 0.5))

    def draw(n: int) -> Rows:
        y, w = rng.integers(0, 2, (2, n))
        z = np.concatenate([one_hot(y, 2, rng), one_hot(w, 2, rng)], 1)
        c = attribute.encode(follow(w, 2, rng))
        return Rows(torch.from_numpy(z).float(), c, torch.from_numpy(y))

    estimator = build(name, attribute, draw(4000), conditional=True)
    after = value(fit(estimator, draw), draw(3000))
    if estimator.unit != "nats":
        assert after > 0.3
    else:
        truth = discrete_information(2)
        assert after > 0.8 * truth
        assert estimator.bound == "upper" or after < truth + 0.05
