"""Fitting a critic: the gradient that is written out against autograd's, and what is skipped."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor, nn

from infoshed import Attribute, Categorical, DataSet, infer_attribute
from infoshed.critic import Critic
from infoshed.estimators import build_estimator
from infoshed.estimators.class_scoring import ClassScoring
from infoshed.estimators.discriminant import Discriminant
from infoshed.optim import PackedAdam
from infoshed.truth import build_case

KINDS = ("binary", "categorical", "multi-categorical")
Rows = tuple[Tensor, Tensor, Tensor, Tensor]


def rows_of(attribute: Attribute, n: int, seed: int = 0) -> Rows:
    """z, which tells c something, c, y and weights."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=generator)
    c = torch.stack([torch.randint(0, m, (n,), generator=generator) for m in attribute.heads], 1)
    z = torch.randn(n, 6, generator=generator)
    z[:, 0] += c[:, 0] + 0.5 * y
    z[:, 1] *= 1.0 + c[:, -1]
    return z, c, y, torch.rand(n, generator=generator) + 0.1


def critic_of(
    attribute: Attribute, *, conditional: bool, weighted: bool, name: str = "class-scoring"
) -> Critic:
    _, c, y, weights = rows_of(attribute, 2000, 9)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        estimator = build_estimator(
            name,
            6,
            attribute,
            c,
            y if conditional else None,
            weights=weights if weighted else None,
        )
    return Critic(estimator, 1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_written_out_is_autograds(
    make_data: Callable[..., DataSet],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    conditional: bool,
    weighted: bool,
):
    attribute = make_data(kind).attribute
    critic = critic_of(attribute, conditional=conditional, weighted=weighted)
    for seed in range(5):
        z, c, y, w = rows_of(attribute, 256, seed)
        critic.fit(z, c, y, w if weighted else None, 2, None)
    estimator = critic.estimator
    assert isinstance(estimator, ClassScoring)
    z, c, y, w = rows_of(attribute, 128, 7)
    weights = w if weighted else None
    with torch.no_grad():
        raw = estimator.estimate(*estimator._prepared(z, c, y, weights), None)
    reference = deepcopy(estimator)
    reference.zero_grad()
    loss = reference.loss(z, c, y, weights=weights)
    loss.backward()
    optimizer = critic.optimizer
    assert optimizer is not None
    seen: list[list[Tensor]] = []

    def step() -> Tensor:
        seen.append([grad_of(p).clone() for p in estimator.parameters()])
        return torch.zeros(())

    monkeypatch.setattr(optimizer, "step", step)
    estimates, _ = estimator.fit(optimizer, z, c, y, weights, 1, None)
    assert raw > 0.02
    torch.testing.assert_close(estimates, raw[None], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(estimates, -loss.detach()[None], rtol=1e-5, atol=1e-5)
    for mine, parameter in zip(seen[0], reference.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-5, atol=1e-5)
    # Both have moved the discriminant by the batch.
    for name, value in estimator.discriminant.state_dict().items():
        theirs = reference.discriminant.state_dict()[name]
        if isinstance(value, Tensor):
            torch.testing.assert_close(value, theirs, rtol=1e-4, atol=1e-5)
        else:
            assert value == theirs


def grad_of(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def test_the_discriminant_is_the_textbook_one():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 5))
    c = rng.integers(0, 4, 4000)
    mix = np.eye(5) + 0.3 * rng.normal(size=(5, 5))
    z = (means[c] + rng.normal(size=(4000, 5))) @ mix
    z = (z - z.mean(0)) / z.std(0)
    prior = np.log(np.bincount(c) / len(c))
    discriminant = Discriminant(5, (4,), torch.from_numpy(prior).float())
    discriminant.update(torch.from_numpy(z).float(), torch.from_numpy(c)[:, None], None, None)
    textbook = LinearDiscriminantAnalysis().fit(z, c).predict_log_proba(z) - prior
    # The ridge and the shrinking of noise leave differences of a per cent.
    np.testing.assert_allclose(
        discriminant(torch.from_numpy(z).float(), None), textbook, atol=0.03, rtol=0.05
    )


def test_given_y_the_discriminant_finds_what_is_beyond_y():
    rng = np.random.default_rng(0)
    y, c = rng.integers(0, 3, 20_000), rng.integers(0, 2, 20_000)
    z = rng.normal(size=(20_000, 4))
    z[:, 0] += 3 * y
    z[:, 0] += 1.0 * c
    prior = torch.full((3, 2), 0.5).log()
    discriminant = Discriminant(4, (2,), prior)
    rows = torch.from_numpy(z / 3).float(), torch.from_numpy(c)[:, None], torch.from_numpy(y)
    discriminant.update(*rows, None)
    scores = discriminant(rows[0], rows[2])
    exact = z[:, 0] - 3 * y - 0.5  # log ratio of unit Gaussians at 1 and 0
    error = (scores[:, 1] - scores[:, 0]).numpy() - exact
    assert np.sqrt((error**2).mean()) < 0.05


def test_without_information_the_discriminant_is_silent():
    attribute = Categorical("c", (0, 1, 2), (1 / 3,) * 3)
    critic = critic_of(attribute, conditional=False, weighted=False)
    assert isinstance(critic.estimator, ClassScoring)
    discriminant = critic.estimator.discriminant
    assert isinstance(discriminant, Discriminant)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        z = torch.randn(128, 6, generator=generator)
        discriminant.update(z, torch.randint(0, 3, (128, 1), generator=generator), None, None)
    assert discriminant.weight.abs().max() < 0.02


@pytest.mark.parametrize("critic", ["class-scoring", "class-dv", "shuffled-dv", "mine"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_a_gradient_that_is_not_finite_leaves_the_critic_as_it_was(critic: str, bad: float):
    attribute = Categorical("c", (0, 1), (0.5, 0.5))
    fitted = critic_of(attribute, conditional=False, weighted=False, name=critic)
    optimizer = fitted.optimizer
    assert optimizer is not None
    optimizer.zero_grad()
    for p in fitted.estimator.parameters():
        grad_of(p).fill_(0.1)
    optimizer.step()
    before = [p.clone() for p in fitted.estimator.parameters()]
    moments, count = (optimizer.first.clone(), optimizer.second.clone()), optimizer.count.clone()
    grad_of(next(iter(fitted.estimator.parameters()))).view(-1)[0] = bad
    norm = optimizer.step()
    assert not torch.isfinite(norm)
    for p, old in zip(fitted.estimator.parameters(), before, strict=True):
        assert torch.equal(p, old)
    assert torch.equal(optimizer.first, moments[0])
    assert torch.equal(optimizer.second, moments[1])
    assert torch.equal(optimizer.count, count)


def test_moments_that_are_not_finite_are_left_out():
    discriminant = Discriminant(3, (2,), torch.tensor([0.5, 0.5]).log())
    z, c = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 2
    discriminant.update(z, c[:, None], None, None)
    before = discriminant.moments.clone()
    discriminant.update(z * 1e30, c[:, None], None, None)
    torch.testing.assert_close(discriminant.moments, before)
    assert torch.isfinite(discriminant(z, None)).all()


def adam_by_torch(decay: float, steps: int) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    mine = [nn.Parameter(torch.randn(3, 2, generator=generator)), nn.Parameter(torch.ones(4))]
    theirs = [nn.Parameter(p.detach().clone()) for p in mine]
    packed = PackedAdam(mine, 0.01, decay)
    reference = torch.optim.AdamW(theirs, 0.01, weight_decay=decay, foreach=False)
    for _ in range(steps):
        packed.zero_grad()
        for a, b in zip(mine, theirs, strict=True):
            gradient = torch.randn(a.shape, generator=generator)
            grad_of(a).copy_(gradient)
            b.grad = gradient
        packed.step()
        reference.step()
    return [p.detach() for p in mine], [p.detach() for p in theirs]


@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_packed_adam_is_torchs_adam(decay: float):
    for a, b in zip(*adam_by_torch(decay, 20), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_packed_parameters_follow_their_module_to_another_type():
    layer = nn.Linear(3, 2)
    packed = PackedAdam(layer.parameters(), 0.1)
    layer.double()
    packed.zero_grad()
    layer(torch.ones(1, 3, dtype=torch.float64)).sum().backward()
    before = layer.weight.detach().clone()
    packed.step()
    assert layer.weight.dtype == torch.float64
    assert not torch.equal(layer.weight, before)


def nonlinear(kind: str, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """c in 16 columns that no linear function tells: a parity of signs, or a scale."""
    z = torch.randn(n, 16, generator=generator)
    if kind == "parity":
        bits = torch.randint(0, 2, (n, 2), generator=generator)
        z[:, :2] += 2.0 * (2 * bits - 1)
        return z, (bits[:, 0] ^ bits[:, 1])[:, None]
    c = torch.randint(0, 2, (n, 1), generator=generator)
    z[:, :8] *= 1 + 0.6 * c
    return z, c


# The truth is 0.57 and 0.29 nats.
@pytest.mark.parametrize(("kind", "least"), [("parity", 0.5), ("variance", 0.18)])
def test_what_is_not_linear_is_found_too(kind: str, least: float):
    generator = torch.Generator().manual_seed(0)
    attribute = Categorical("c", (0, 1), (0.5, 0.5))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, c = nonlinear(kind, 4000, generator)
        critic = Critic(build_estimator("class-scoring", 16, attribute, c), 1e-3)
    for _ in range(250):
        z, c = nonlinear(kind, 512, generator)
        critic.fit(z, c, None, None, 4, None)
    z, c = nonlinear(kind, 8000, generator)
    value: Any = critic.estimator(z, c)
    assert float(value.detach()) > least


def test_where_the_discriminant_is_far_off_the_network_is_trusted():
    # z lies in twelve tight clusters. A network alone finds 1.32 nats, the discriminant 0.6, and
    # the two without a trust to be learned 1.15.
    case = build_case("several_categoricals")
    sample = case.draw(20_000, 0)
    attribute = infer_attribute(sample.c)
    z, c = torch.from_numpy(sample.z).float(), attribute.encode(sample.c)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = Critic(build_estimator("class-scoring", z.shape[1], attribute, c), 1e-3)
    for rows in torch.arange(16_000).repeat(4).split(512):
        critic.fit(z[rows], c[rows], None, None, 4, None)
    assert float(critic.estimator(z[16_000:], c[16_000:]).detach()) > 1.22


def test_moments_go_along_to_another_type():
    module = nn.Linear(3, 2)
    optimizer = PackedAdam(module.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    first = optimizer.first.clone()
    module.double()
    optimizer.zero_grad()
    assert first.any()
    torch.testing.assert_close(optimizer.first, first.double())
    assert float(optimizer.count) == 3
