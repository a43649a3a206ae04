"""The contract of every estimator in `ESTIMATORS`, for every kind of attribute that it takes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from infoshed import ESTIMATORS, Attribute, Categorical, InfoshedError, infer_attribute
from infoshed.estimators import Estimator, build_estimator

Rows = tuple[Tensor, Tensor, Tensor]
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
every_name = pytest.mark.parametrize("name", ESTIMATORS)


def dependent(kind: str, seed: int) -> Draw:
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        z, c = raw_case(kind, n, rng)
        y = torch.from_numpy(rng.integers(0, 3, n))
        return torch.from_numpy(z).float(), ATTRIBUTES[kind].encode(c), y

    return draw


def independent(kind: str, seed: int) -> Draw:
    draw, rng = dependent(kind, seed), np.random.default_rng(seed)

    def shuffled(n: int) -> Rows:
        z, c, y = draw(n)
        return z, c[torch.from_numpy(rng.permutation(n))], y

    return shuffled


def make(name: str, kind: str, *, conditional: bool = False, seed: int = 0) -> Estimator:
    _, c, y = dependent(kind, 5)(4000)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_estimator(name, 4, ATTRIBUTES[kind], c, y if conditional else None)


def fit(estimator: Estimator, draw: Draw, steps: int, lr: float = 3e-3) -> Estimator:
    """Ascend the estimate on fresh rows."""
    optimizer = torch.optim.Adam(estimator.parameters(), lr)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        z, c, y = draw(256)
        if estimator.standardize is not None:
            estimator.standardize.update(z)
        optimizer.zero_grad()
        estimator.loss(z, c, y, generator=generator).backward()
        optimizer.step()
    return estimator


@torch.no_grad()
def value(estimator: Estimator, rows: Rows) -> float:
    return float(estimator(*rows, generator=torch.Generator().manual_seed(1)))


def shuffles(estimator: Estimator, rows: Rows) -> bool:
    """Whether the estimate draws from its generator."""
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    estimator(*rows, generator=generator)
    return not torch.equal(before, generator.get_state())


@every_name
def test_it_describes_itself(name: str):
    kind = ESTIMATORS[name]
    assert kind.summary
    assert "\n" not in kind.summary
    assert kind.reference
    assert kind.bound in ("lower", "upper", "neither")


@every_name
def test_it_takes_some_kind_of_attribute(name: str):
    assert any(pair[0] == name for pair in PAIRS)


@every_pair
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_reach_z_and_every_parameter(
    name: str, kind: str, conditional: bool, dtype: torch.dtype
):
    estimator = make(name, kind, conditional=conditional).to(dtype)
    z, c, y = dependent(kind, 1)(128)
    z = z.to(dtype).requires_grad_()
    estimate = estimator(z, c, y, generator=torch.Generator().manual_seed(0))
    assert estimate.shape == ()
    assert estimate.dtype == dtype
    assert torch.isfinite(estimate)
    estimate.backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert (z.grad != 0).any(1).all()
    for parameter_name, parameter in estimator.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        # A bias that shifts all scores alike rightly has no gradient.
        assert parameter.ndim < 2 or parameter.grad.any(), parameter_name


UNSHUFFLED = [(n, k) for n, k in PAIRS if not shuffles(make(n, k), dependent(k, 1)(8))]


@pytest.mark.parametrize(("name", "kind"), UNSHUFFLED)
@pytest.mark.parametrize("conditional", [False, True])
def test_the_order_of_rows_is_irrelevant_where_nothing_is_shuffled(
    name: str, kind: str, conditional: bool
):
    estimator = make(name, kind, conditional=conditional)
    rows = dependent(kind, 1)(64)
    order = torch.from_numpy(np.random.default_rng(0).permutation(64))
    permuted = tuple(a[order] for a in rows)
    torch.testing.assert_close(estimator(*permuted), estimator(*rows))


@every_pair
def test_the_same_generator_gives_the_same_estimate(name: str, kind: str):
    estimator, rows = make(name, kind), dependent(kind, 1)(64)
    before = torch.get_rng_state()
    first, second = (estimator(*rows, generator=torch.Generator().manual_seed(s)) for s in (7, 7))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    if shuffles(estimator, rows):
        third = estimator(*rows, generator=torch.Generator().manual_seed(8))
        assert not torch.equal(first, third)


@every_pair
@pytest.mark.parametrize("conditional", [False, True])
def test_a_saved_state_restores_the_estimate(name: str, kind: str, conditional: bool):
    estimator = fit(make(name, kind, conditional=conditional), dependent(kind, 1), 3)
    other = make(name, kind, conditional=conditional, seed=1)
    rows = dependent(kind, 2)(64)
    assert value(other, rows) != value(estimator, rows)
    other.load_state_dict(estimator.state_dict())
    assert value(other, rows) == value(estimator, rows)


@every_pair
def test_it_finds_next_to_nothing_in_independent_data(name: str, kind: str):
    estimator = fit(make(name, kind), independent(kind, 1), 200)
    assert abs(value(estimator, independent(kind, 2)(8000))) < 0.04


@every_pair
def test_it_rises_to_the_truth_and_not_beyond(name: str, kind: str):
    estimator = make(name, kind)
    held_out = dependent(kind, 2)(8000)
    before = value(estimator, held_out)
    after = value(fit(estimator, dependent(kind, 1), 500), held_out)
    truth = TRUTH[kind]
    assert abs(after - truth) < abs(before - truth)
    if estimator.bound != "upper":
        assert after > 0.8 * truth
    if estimator.bound == "lower":
        # Three standard errors of the mean log ratio over the held-out rows, whose deviation is
        # of the order of the information.
        assert after < truth + 0.05
    if estimator.bound == "upper":
        assert after > truth - 0.05


def labelled(m: int, seed: int) -> tuple[Attribute, Draw]:
    """z shows y and nothing else; c follows y."""
    attribute = Categorical("c", tuple(range(m)), (1 / m,) * m)
    rng = np.random.default_rng(seed)

    def draw(n: int) -> Rows:
        y = rng.integers(0, m, n)
        z, c = one_hot(y, m, rng), follow(y, m, rng)
        return torch.from_numpy(z).float(), attribute.encode(c), torch.from_numpy(y)

    return attribute, draw


@pytest.mark.parametrize("name", [n for n, k in PAIRS if k == "categorical"])
def test_given_y_a_z_that_equals_y_tells_nothing_more(name: str):
    attribute, draw = labelled(3, 1)
    _, c, y = draw(20_000)
    held_out = labelled(3, 2)[1](8000)
    values = {}
    for conditional in (False, True):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            estimator = build_estimator(name, 3, attribute, c, y if conditional else None)
        values[conditional] = value(fit(estimator, draw, 300), held_out)
    truth = discrete_information(3)
    assert 0.8 * truth < values[False] < truth + 0.05
    assert abs(values[True]) < 0.04


@pytest.mark.parametrize("name", [n for n, k in PAIRS if k == "categorical"])
def test_given_y_it_finds_what_z_says_beyond_y(name: str):
    # y and w independent, z shows both, c follows w: I(Z;C|Y) = I(W;C).
    rng = np.random.default_rng(0)
    attribute = Categorical("c", (0, 1), (0.5, 0.5))

    def draw(n: int) -> Rows:
        y, w = rng.integers(0, 2, (2, n))
        z = np.concatenate([one_hot(y, 2, rng), one_hot(w, 2, rng)], 1)
        c = attribute.encode(follow(w, 2, rng))
        return torch.from_numpy(z).float(), c, torch.from_numpy(y)

    _, c, y = draw(20_000)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        estimator = build_estimator(name, 4, attribute, c, y)
    truth = discrete_information(2)
    assert 0.8 * truth < value(fit(estimator, draw, 400), draw(8000)) < truth + 0.05


@every_pair
def test_the_scale_and_place_of_z_do_not_matter(name: str, kind: str):
    scale, shift = torch.tensor([1e6, 1.0, 1e3, 1.0]), torch.tensor([1e6, 0.0, 0.0, 10.0])

    def moved(draw: Draw) -> Draw:
        def rows(n: int) -> Rows:
            z, c, y = draw(n)
            return z * scale + shift, c, y

        return rows

    plain = fit(make(name, kind), dependent(kind, 1), 25)
    large = fit(make(name, kind), moved(dependent(kind, 1)), 25)
    expected = value(plain, dependent(kind, 2)(2000))
    assert value(large, moved(dependent(kind, 2))(2000)) == pytest.approx(expected, abs=5e-3)
    assert expected > 0.05


@every_pair
def test_a_constant_column_of_z_is_harmless(name: str, kind: str):
    draw = dependent(kind, 1)

    def flat(n: int) -> Rows:
        z, c, y = draw(n)
        return torch.cat([z[:, :3], torch.full((n, 1), 1e4)], 1), c, y

    estimator = fit(make(name, kind), flat, 25)
    assert math.isfinite(value(estimator, flat(500)))


def errors(kind: str) -> dict[str, tuple[Any, str]]:
    z, c, y = dependent(kind, 1)(16)
    return {
        "columns of z": ((z[:, :3], c, y), r"`z` must have shape \(n, 4\), got \(16, 3\)"),
        "dimensions of z": ((z[0], c, y), r"`z` must have shape \(n, 4\), got \(4,\)"),
        "rows of c": ((z, c[:8], y), "same number of rows; z has 16, c has 8"),
        "rows of y": ((z, c, y[:8]), "same number of rows"),
        "integers": ((z.long(), c, y), "`z` must be floating point"),
        "no y": ((z, c, None), r"I\(Z;C\|Y\) and needs y"),
    }


@every_pair
@pytest.mark.parametrize("case", errors("binary"))
def test_wrong_inputs_are_named(name: str, kind: str, case: str):
    arguments, message = errors(kind)[case]
    with pytest.raises(InfoshedError, match=message):
        make(name, kind, conditional=True)(*arguments)


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
    with pytest.raises(InfoshedError, match=r"`critic` must be one of .*got 'mine'"):
        make("mine", "binary")
