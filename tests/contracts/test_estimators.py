"""The contract of every estimator in `ESTIMATORS`, for every kind of attribute that it takes."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import mutual_info_score
from torch import Tensor

from infoshed import (
    ESTIMATORS,
    Attribute,
    Categorical,
    Continuous,
    InfoshedError,
    NonFiniteError,
    infer_attribute,
)
from infoshed.estimators import Estimator, build_estimator
from infoshed.optim import adam


class Rows(NamedTuple):
    z: Tensor
    c: Tensor
    y: Tensor
    weights: Tensor | None = None

    def take(self, rows: Any) -> "Rows":
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.z[rows], self.c[rows], self.y[rows], weights)


Draw = Callable[[int], Rows]
KINDS = ("binary", "categorical", "multi-categorical", "continuous")
KEEP = 0.8  # else c is drawn anew
RHO = 0.8


def follow(w: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(w)) < KEEP, w, rng.integers(0, m, len(w)))


def one_hot(w: np.ndarray, m: int, rng: np.random.Generator) -> np.ndarray:
    """w to be read off without error: columns far apart on the scale of the noise."""
    return np.eye(m)[w] + 0.05 * rng.normal(size=(len(w), m))


def discrete_information(m: int) -> float:
    """I(W;C) of `follow`: the diagonal holds 4m + 1 parts of the table, other cells 1."""
    return mutual_info_score(None, None, contingency=4 * m * np.eye(m, dtype=int) + 1)


def raw_case(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """z (n, 4) and raw c that it tells about."""
    if kind == "continuous":
        c = rng.normal(size=n)
        z = RHO * c + math.sqrt(1 - RHO**2) * rng.normal(size=n)
        return np.stack([z, *rng.normal(size=(3, n))], 1), c
    if kind == "multi-categorical":  # independent parts: the sum over parts is the joint
        w = rng.integers(0, 2, (n, 2))
        z = np.concatenate([one_hot(w[:, 0], 2, rng), one_hot(w[:, 1], 2, rng)], 1)
        return z, np.stack([follow(w[:, 0], 2, rng), follow(w[:, 1], 2, rng)], 1)
    m = {"binary": 2, "categorical": 4}[kind]
    w = rng.integers(0, m, n)
    return np.concatenate([one_hot(w, m, rng), rng.normal(size=(n, 4 - m))], 1), follow(w, m, rng)


TRUTH = {
    "binary": discrete_information(2),
    "categorical": discrete_information(4),
    "multi-categorical": 2 * discrete_information(2),
    "continuous": -0.5 * math.log(1 - RHO**2),
}


def attribute_of(kind: str) -> Attribute:
    return infer_attribute(raw_case(kind, 4000, np.random.default_rng(99))[1], kind)


ATTRIBUTES = {kind: attribute_of(kind) for kind in KINDS}
PAIRS = [(n, k) for n in ESTIMATORS for k in KINDS if ESTIMATORS[n].handles(ATTRIBUTES[k])]
every_pair = pytest.mark.parametrize(("name", "kind"), PAIRS)
INFORMATION = [(n, k) for n, k in PAIRS if ESTIMATORS[n].unit == "nats"]
every_name = pytest.mark.parametrize("name", ESTIMATORS)
every_way = pytest.mark.parametrize("conditional", [False, True])


def dependent(kind: str, seed: int) -> Draw:
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        z, c = raw_case(kind, n, rng)
        y = torch.from_numpy(rng.integers(0, 3, n))
        return Rows(torch.from_numpy(z).float(), ATTRIBUTES[kind].encode(c), y)

    return draw


def independent(kind: str, seed: int) -> Draw:
    draw, rng = dependent(kind, seed), np.random.default_rng(seed)

    def shuffled(n: int) -> Rows:
        z, c, y, _ = draw(n)
        return Rows(z, c[torch.from_numpy(rng.permutation(n))], y)

    return shuffled


TRAINING = {kind: dependent(kind, 5)(4000) for kind in KINDS}


def transformed(draw: Draw, function: Callable[[Tensor], Tensor]) -> Draw:
    return lambda n: (rows := draw(n))._replace(z=function(rows.z))


def build(
    name: str, attribute: Attribute, rows: Rows, *, conditional: bool = False, seed: int = 0
) -> Estimator:
    """An estimator for rows like these, its initial critic from `seed`."""
    z, c, y, weights = rows
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        y = y if conditional else None
        return build_estimator(name, z.shape[1], attribute, c, y, weights=weights)


def make(name: str, kind: str, *, conditional: bool = False, seed: int = 0) -> Estimator:
    rows = TRAINING[kind]
    return build(name, ATTRIBUTES[kind], rows, conditional=conditional, seed=seed)


def fit(estimator: Estimator, draw: Draw, steps: int = 60, size: int = 192) -> Estimator:
    """Fit the critic on fresh rows, its learning rate falling to 0."""
    pool = draw(steps * size)
    optimizer = adam(estimator.parameters(), 1e-2) if estimator.fitted else None
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        z, c, y, weights = pool.take(slice(step * size, (step + 1) * size))
        if estimator.standardize is not None:
            estimator.standardize.update(z)
        if optimizer is not None:
            optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
            optimizer.zero_grad()
            estimator.loss(z, c, y, weights=weights, generator=generator).backward()
            optimizer.step()
    return estimator


@torch.no_grad()
def value(estimator: Estimator, rows: Rows, seed: int = 1) -> float:
    z, c, y, weights = rows
    generator = torch.Generator().manual_seed(seed)
    return float(estimator(z, c, y, weights=weights, generator=generator))


@cache
def fitted_value(name: str, kind: str) -> float:
    """The estimate of the dependent case on held-out rows, after fitting."""
    return value(fit(make(name, kind), dependent(kind, 1)), dependent(kind, 2)(3000))


def draws(estimator: Estimator, rows: Rows) -> bool:
    """Whether the estimate draws from its generator."""
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    estimator(*rows[:3], generator=generator)
    return not torch.equal(before, generator.get_state())


DRAWING = [pair for pair in PAIRS if draws(make(*pair), dependent(pair[1], 1)(8))]
STILL = [pair for pair in PAIRS if pair not in DRAWING]


@every_name
def test_it_describes_itself(name: str):
    kind = ESTIMATORS[name]
    assert kind.summary
    assert "\n" not in kind.summary
    assert kind.reference
    assert kind.bound in ("lower", "upper", "neither")
    assert kind.takes <= {"discrete", "several", "continuous"}
    assert kind.unit == "nats" or "no mutual information" in kind.unit


@every_name
def test_it_takes_some_kind_of_attribute(name: str):
    assert any(pair[0] == name for pair in PAIRS)


@every_name
def test_one_without_a_gradient_refuses_to_be_trained_against(name: str):
    kind = ESTIMATORS[name]
    if kind.differentiable:
        kind.check_trainable()
    else:
        with pytest.raises(InfoshedError, match=r"has no gradient in z.*train with another critic"):
            kind.check_trainable()


@every_pair
@every_way
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_reach_z_and_every_parameter(
    name: str, kind: str, conditional: bool, dtype: torch.dtype
):
    estimator = make(name, kind, conditional=conditional).to(dtype)
    z, c, y, _ = dependent(kind, 1)(128)
    z = z.to(dtype).requires_grad_()
    estimate = estimator(z, c, y, generator=torch.Generator().manual_seed(0))
    assert estimate.shape == ()
    assert estimate.dtype == dtype
    assert torch.isfinite(estimate)
    if not estimator.differentiable:
        return
    (gradient,) = torch.autograd.grad(estimate, z)
    assert torch.isfinite(gradient).all()
    assert (gradient != 0).any(1).all()
    if not estimator.fitted:
        return
    estimator.loss(z, c, y, generator=torch.Generator().manual_seed(0)).backward()
    for parameter_name, parameter in estimator.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # A bias that shifts all scores alike rightly has no gradient.
        assert parameter.ndim < 2 or parameter.grad.any(), parameter_name


@every_pair
@every_way
def test_single_and_double_precision_agree(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 3)
    rows = dependent(kind, 2)(200)
    single = value(estimator, rows)
    double = value(estimator.double(), rows._replace(z=rows.z.double()))
    assert single == pytest.approx(double, abs=1e-3)


@pytest.mark.parametrize(("name", "kind"), STILL)
@every_way
def test_the_order_of_rows_is_irrelevant_where_nothing_is_drawn(
    name: str, kind: str, conditional: bool
):
    estimator = make(name, kind, conditional=conditional)
    rows = dependent(kind, 1)(64)
    permuted = rows.take(torch.from_numpy(np.random.default_rng(0).permutation(64)))
    assert value(estimator, permuted) == pytest.approx(value(estimator, rows), abs=1e-5)


@pytest.mark.parametrize(("name", "kind"), DRAWING)
@every_way
def test_the_order_of_rows_is_irrelevant_on_average_over_the_draws(
    name: str, kind: str, conditional: bool
):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 5)
    rows = dependent(kind, 1)(64)
    permuted = rows.take(torch.from_numpy(np.random.default_rng(0).permutation(64)))
    values = np.array([[value(estimator, r, seed) for seed in range(40)] for r in (rows, permuted)])
    error = math.sqrt((values.var(1) / 40).sum())
    assert abs(values[0].mean() - values[1].mean()) < 4 * error + 1e-6


@every_pair
def test_the_same_generator_gives_the_same_estimate(name: str, kind: str):
    estimator, rows = make(name, kind), dependent(kind, 1)(64)
    before = torch.get_rng_state()
    assert value(estimator, rows, 7) == value(estimator, rows, 7)
    assert torch.equal(before, torch.get_rng_state())
    assert (value(estimator, rows, 7) != value(estimator, rows, 8)) == ((name, kind) in DRAWING)


@every_pair
@every_way
def test_a_saved_state_restores_the_estimate_and_the_fitting(
    name: str, kind: str, conditional: bool
):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 3)
    other = make(name, kind, conditional=conditional, seed=1)
    rows = dependent(kind, 2)(64)
    if estimator.fitted:
        assert value(other, rows) != value(estimator, rows)
    other.load_state_dict(estimator.state_dict())
    assert value(other, rows) == value(estimator, rows)
    again = [value(fit(e, dependent(kind, 3), 3), rows) for e in (estimator, other)]
    assert again[0] == again[1]


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


@every_pair
def test_the_scale_and_place_of_z_do_not_matter(name: str, kind: str):
    scale, shift = torch.tensor([1e6, 1.0, 1e3, 1.0]), torch.tensor([1e6, 0.0, 0.0, 10.0])

    def moved(draw: Draw) -> Draw:
        return transformed(draw, lambda z: z * scale + shift)

    plain = fit(make(name, kind), dependent(kind, 1), 25)
    large = fit(make(name, kind), moved(dependent(kind, 1)), 25)
    expected = value(plain, dependent(kind, 2)(1000))
    assert value(large, moved(dependent(kind, 2))(1000)) == pytest.approx(expected, abs=5e-3)
    assert expected > 0.05


def hard_batches(kind: str) -> dict[str, Rows]:
    rows = dependent(kind, 1)(48)
    z, c, y, _ = rows
    return {
        "constant column": rows._replace(z=torch.cat([z[:, :3], torch.full((48, 1), 1e4)], 1)),
        "constant z": rows._replace(z=torch.zeros_like(z)),
        "far z": rows._replace(z=z * 1e6 + 1e6),
        "one class": rows._replace(y=torch.ones_like(y)),
        "an absent class": rows.take(y != 1),
        "fewer rows than classes": rows.take(slice(2)),
        "a class with one row": rows.take(slice(12))._replace(y=torch.tensor([2] + [0] * 11)),
        "one value of c": rows._replace(c=c[:1].expand_as(c)),
        "one heavy row": rows._replace(weights=torch.tensor([1e6] + [1e-6] * 47)),
        "one row that counts": rows._replace(weights=torch.eye(48)[0]),
    }


@every_pair
@every_way
@pytest.mark.parametrize("case", hard_batches("binary"))
def test_hard_batches_give_finite_estimates_and_gradients(
    name: str, kind: str, conditional: bool, case: str
):
    rows = hard_batches(kind)[case]
    estimator = fit(make(name, kind, conditional=conditional), lambda n: rows.take([0] * n), 1, 32)
    if estimator.standardize is not None:
        for _ in range(3):
            estimator.standardize.update(rows.z)
    z = rows.z.clone().requires_grad_()
    generator = torch.Generator().manual_seed(0)
    loss = estimator.loss(z, rows.c, rows.y, weights=rows.weights, generator=generator)
    estimate = estimator(z, rows.c, rows.y, weights=rows.weights, generator=generator)
    assert torch.isfinite(estimate)
    assert torch.isfinite(loss)
    if estimator.differentiable:
        (gradient,) = torch.autograd.grad(estimate, z)
        assert torch.isfinite(gradient).all()
    if estimator.fitted:
        loss.backward()
        assert all(
            torch.isfinite(p.grad).all() for p in estimator.parameters() if p.grad is not None
        )


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@every_way
def test_a_wild_critic_stays_finite_and_below_the_entropy(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 5)
    with torch.no_grad():
        for parameter in estimator.parameters():
            parameter.mul_(100)
    rows = dependent(kind, 2)(64)
    z = rows.z.clone().requires_grad_()
    estimate = estimator(z, rows.c, rows.y, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(estimate)
    entropy = ATTRIBUTES[kind].entropy
    if estimator.unit == "nats" and entropy is not None:
        assert float(estimate.detach()) <= entropy + 1e-6
    if estimator.differentiable:
        assert torch.isfinite(torch.autograd.grad(estimate, z)[0]).all()


def errors(kind: str) -> dict[str, tuple[Any, dict[str, Tensor], str]]:
    z, c, y, _ = dependent(kind, 1)(16)
    wrong = c.clone().double() if kind == "continuous" else c.clone()
    wrong[3, -1] = float("nan") if kind == "continuous" else 9
    strange = "`c` became non-finite" if kind == "continuous" else "holds the code 9"
    holes, far = z.clone(), z.clone()
    holes[5, 1], far[5, 1] = float("nan"), float("inf")
    return {
        "columns of z": ((z[:, :3], c, y), {}, r"`z` must have shape \(n, 4\), got \(16, 3\)"),
        "dimensions of z": ((z[0], c, y), {}, r"`z` must have shape \(n, 4\), got \(4,\)"),
        "rows of c": ((z, c[:8], y), {}, "same number of rows; z has 16, c has 8"),
        "rows of y": ((z, c, y[:8]), {}, "same number of rows"),
        "rows of weights": ((z, c, y), {"weights": torch.ones(3)}, "same number of rows"),
        "integers": ((z.long(), c, y), {}, "`z` must be floating point"),
        "no y": ((z, c, None), {}, r"I\(Z;C\|Y\) and needs y"),
        "one row": ((z[:1], c[:1], y[:1]), {}, "at least 2 rows, got 1"),
        "nan": ((holes, c, y), {}, "`z` became non-finite.*lower the learning rate"),
        "infinity": ((far, c, y), {}, "`z` became non-finite"),
        "flat c": ((z, c[:, 0], y), {}, r"`c` must be codes of shape \(n, "),
        "columns of c": ((z, torch.cat([c, c, c], 1), y), {}, r"`c` must be codes of shape"),
        "a code of c": ((z, wrong, y), {}, strange),
        "a new class": ((z, c, y + 3), {}, "classes in training were 0 to 2"),
        "a negative class": ((z, c, y - 3), {}, r"`y` must hold classes 0, 1, \.\.\."),
        "fractions of y": ((z, c, y.float()), {}, "`y` must be integer classes"),
        "negative weights": ((z, c, y), {"weights": -torch.ones(16)}, "`weights` must be finite"),
        "no weight": ((z, c, y), {"weights": torch.zeros(16)}, "not all 0"),
    }


@every_pair
@pytest.mark.parametrize("case", errors("binary"))
def test_wrong_inputs_are_named(name: str, kind: str, case: str):
    arguments, options, message = errors(kind)[case]
    estimator = make(name, kind, conditional=True)
    with pytest.raises(InfoshedError, match=message) as caught:
        estimator(*arguments, **options)
    with pytest.raises(InfoshedError, match=message):
        estimator.loss(*arguments, **options)
    assert isinstance(caught.value, NonFiniteError) == ("non-finite" in message)


@every_name
def test_wrong_training_rows_are_named(name: str):
    kind = next(k for n, k in PAIRS if n == name)
    _, c, y, _ = dependent(kind, 1)(16)
    attribute = ATTRIBUTES[kind]
    with pytest.raises(InfoshedError, match="same number of rows"):
        build_estimator(name, 4, attribute, c, y[:3])
    with pytest.raises(InfoshedError, match="`y` must hold classes 0, 1"):
        build_estimator(name, 4, attribute, c, y - 5)
    with pytest.raises(InfoshedError, match="`weights` must be finite"):
        build_estimator(name, 4, attribute, c, y, weights=torch.full((16,), float("nan")))


@pytest.mark.parametrize("constant", [np.zeros(9), np.zeros(9, int), np.full(9, "a")])
def test_a_constant_c_has_no_attribute(constant: np.ndarray):
    with pytest.raises(InfoshedError, match=r"one value only.*attribute that varies"):
        infer_attribute(constant)


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n in ESTIMATORS for k in KINDS])
def test_an_attribute_it_does_not_take_is_refused(name: str, kind: str):
    if (name, kind) in PAIRS:
        assert isinstance(make(name, kind), ESTIMATORS[name])
    else:
        with pytest.raises(InfoshedError, match=f"'{name}' does not take {kind} attributes"):
            make(name, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_auto_finds_an_estimator_for_every_kind(kind: str):
    assert math.isfinite(value(make("auto", kind), dependent(kind, 1)(16)))


def test_an_unknown_critic_is_refused():
    with pytest.raises(InfoshedError, match=r"`critic` must be one of .*got 'minee'"):
        make("minee", "binary")
