"""The adversarial methods: against autograd, scikit-learn, scipy, and their steps by hand."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from infoshed import METHODS, DataSet, InfoshedError, Run, fit
from infoshed.label_prior import TargetPrior
from infoshed.methods import Setting, method_options
from infoshed.methods.adversary import DISCRETE, Adversarial, Adversary, reverse_gradient
from infoshed.methods.dann import ramp
from infoshed.nn import Model, build_model
from infoshed.seeds import seeded
from infoshed.types import Batch

ADVERSARIAL = ("dann", "lntl", "blindeye", "maxent")
ALTERNATING = ("blindeye", "maxent")
every_one = pytest.mark.parametrize("method", ADVERSARIAL)
MakeData = Callable[..., DataSet]


def make_adversary(data: DataSet, lr: float = 3e-3) -> Adversary:
    with seeded(0, "test"):
        return Adversary(data.train.x.shape[1], data.attribute, lr)


def make_method(
    name: str, data: DataSet, model: Model, rows: int, lr: float = 1e-3, **options: Any
) -> tuple[Adversarial, Adversary]:
    """The method called `name` on `model`, and its adversary."""
    prior = TargetPrior(data.target, data.train.y, data.train.c, data.attribute)
    setting = Setting(model, data, lr, rows, prior, 0)
    method = METHODS[name](setting, method_options(name, options))
    assert isinstance(method, Adversarial)
    assert method.adversary is not None
    return method, method.adversary


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_reversed_gradients_are_those_of_the_negative(strength: float):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, 3, generator=generator, requires_grad=True)
    w = torch.randn(3, 2, generator=generator, requires_grad=True)
    loss = ((reverse_gradient(z, strength) @ w).tanh() ** 2).sum()
    plain = ((z @ w).tanh() ** 2).sum()
    assert loss == plain
    got_z, got_w = torch.autograd.grad(loss, (z, w))
    (want_z,) = torch.autograd.grad(-strength * plain, z, retain_graph=True)
    (want_w,) = torch.autograd.grad(plain, w)
    torch.testing.assert_close(got_z, want_z)
    torch.testing.assert_close(got_w, want_w)


@pytest.mark.parametrize("kind", DISCRETE)
def test_an_adversary_alone_reads_c_as_well_as_a_logistic_regression(
    kind: str, make_data: MakeData
):
    data = make_data(kind, n=2000)
    adversary = make_adversary(data)
    for _ in range(15):
        adversary.fit(data.train.x, data.train.c, 20)
    test = data.tests["unbiased"]
    with torch.no_grad():
        guesses = [log_q.argmax(1) for log_q in adversary.log_classes(test.x)]
    for k, guess in enumerate(guesses):
        regression = LogisticRegression(max_iter=1000).fit(data.train.x, data.train.c[:, k])
        want = regression.score(test.x, test.c[:, k])
        # Both are judged on the same 1,000 rows; the larger network may only do a little worse.
        assert (guess == test.c[:, k]).float().mean() > want - 0.03


def test_an_adversary_alone_reads_a_continuous_c_as_well_as_a_regression(make_data: MakeData):
    data = make_data("continuous", n=2000)
    adversary = make_adversary(data)
    for _ in range(15):
        adversary.fit(data.train.x, data.train.c, 20)
    test = data.tests["unbiased"]
    regression = LinearRegression().fit(data.train.x, data.train.c)
    want = np.square(regression.predict(test.x) - test.c.numpy()).mean()
    with torch.no_grad():
        got = float((adversary.network(test.x) - test.c).square().mean())
    assert got < 1.1 * want


def test_fitting_steps_once_per_batch_and_returns_losses_read_before_it(table: DataSet):
    adversary, other = make_adversary(table), make_adversary(table)
    z, c = table.train.x[:40], table.train.c[:40]
    optimizer = torch.optim.Adam(other.network.parameters(), 3e-3)
    losses = []
    for rows in (slice(0, 20), slice(20, 40)):
        loss = F.cross_entropy(other.network(z[rows]), c[rows, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert float(adversary.fit(z, c, 2)) == pytest.approx(np.mean(losses), rel=1e-5)
    for got, want in zip(adversary.network.parameters(), other.network.parameters(), strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", DISCRETE)
def test_loss_and_entropy_agree_with_scikit_learn_and_scipy(kind: str, make_data: MakeData):
    data = make_data(kind)
    adversary = make_adversary(data)
    z, c = data.train.x, data.train.c
    with torch.no_grad():
        posteriors = [q.double().exp().numpy() for q in adversary.log_classes(z)]
        loss, entropy = float(adversary.loss(z, c)), float(adversary.entropy(z))
    assert [q.shape for q in posteriors] == [(len(z), m) for m in data.attribute.heads]
    want = sum(log_loss(c[:, k], q / q.sum(1, keepdims=True)) for k, q in enumerate(posteriors))
    assert loss == pytest.approx(want, rel=1e-5)
    want = sum(scipy.stats.entropy(q, axis=1).mean() for q in posteriors)
    assert entropy == pytest.approx(want, rel=1e-5)


def test_the_loss_of_a_continuous_c_is_a_gaussian_likelihood(make_data: MakeData):
    data = make_data("continuous")
    adversary = make_adversary(data)
    z, c = data.train.x, data.train.c
    with torch.no_grad():
        mean, loss = adversary.network(z).numpy(), float(adversary.loss(z, c))
    want = -scipy.stats.norm.logpdf(c.numpy(), loc=mean).sum(1).mean()
    assert loss == pytest.approx(want, rel=1e-5)
    with pytest.raises(InfoshedError, match="continuous attribute has no classes"):
        adversary.entropy(z)


def test_the_ramp_is_the_published_one():
    for progress in np.linspace(0, 1, 11):
        assert ramp(progress) == pytest.approx(math.tanh(5 * progress))


def test_dann_logs_a_strength_that_follows_the_recipe_and_stays(table: DataSet):
    run = fit(table, "dann", strength=0.5, epochs=4)
    logged = [row["strength"] for row in run.metrics]
    steps = np.arange(20) / 15  # five steps an epoch, three epochs in the recipe
    want = 0.5 * np.tanh(5 * np.minimum(steps, 1)).reshape(4, 5).mean(1)
    np.testing.assert_allclose(logged, want, rtol=1e-5)


@every_one
def test_without_strength_it_is_plain_training(
    method: str, table: DataSet, same_run: Callable[[Run, Run], None]
):
    same_run(fit(table, method, strength=0), fit(table, "plain"))


@every_one
def test_bad_options_are_refused(method: str):
    with pytest.raises(InfoshedError, match="`strength` must be a finite number at least 0"):
        method_options(method, {"strength": -1.0})
    with pytest.raises(InfoshedError, match="`critic_lr` must be a finite number at least 0"):
        method_options(method, {"critic_lr": float("nan")})
    if method in ALTERNATING:
        with pytest.raises(InfoshedError, match="`critic_steps` must be an integer at least 1"):
            method_options(method, {"critic_steps": 0})
    else:
        with pytest.raises(InfoshedError, match="has no option `critic_steps`"):
            method_options(method, {"critic_steps": 2})


def posteriors(network: Any, heads: tuple[int, ...], z: Tensor) -> list[Categorical]:
    return [Categorical(logits=part) for part in network(z).split(heads, 1)]


def cross_entropies(network: Any, heads: tuple[int, ...], z: Tensor, c: Tensor) -> Tensor:
    parts = zip(posteriors(network, heads, z), c.T, strict=True)
    return sum((-q.log_prob(code).mean() for q, code in parts), torch.zeros(()))


def by_hand(
    method: str, model: Model, network: Any, heads: tuple[int, ...], batches: Iterator[Batch]
) -> None:
    """Three steps of `method` on one batch, with textbook optimisers and distributions."""
    main = torch.optim.Adam(model.parameters(), 1e-3)
    opponent = torch.optim.Adam(network.parameters(), 1e-2)
    batch = next(batches)

    def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()

    def task() -> tuple[Tensor, Tensor]:
        z = model.encoder(batch.x)
        return z, F.cross_entropy(model.head(z), batch.y)

    for step in range(3):
        if method == "dann":
            weight = 2 / (1 + math.exp(-10 * step / 15)) - 1
            z, loss = task()
            # Both see the other as it was before the step.
            frozen = copy.deepcopy(network)
            descend(opponent, cross_entropies(network, heads, z.detach(), batch.c))
            descend(main, loss - weight * cross_entropies(frozen, heads, z, batch.c))
        elif method == "lntl":
            z, loss = task()
            entropies = [q.entropy().mean() for q in posteriors(network, heads, z)]
            descend(main, loss - 0.01 * torch.stack(entropies).mean())
            z = model.encoder(batch.x)
            frozen = copy.deepcopy(network)
            descend(opponent, cross_entropies(network, heads, z.detach(), batch.c))
            descend(main, -0.1 * cross_entropies(frozen, heads, z, batch.c))
        else:
            for _ in range(2):
                pool = next(batches)
                z = model.encoder(pool.x).detach()
                descend(opponent, cross_entropies(network, heads, z, pool.c))
            z, loss = task()
            for q in posteriors(network, heads, z):
                uniform = Categorical(logits=torch.zeros_like(q.logits))
                if method == "maxent":
                    loss = loss + kl_divergence(q, uniform).mean()
                else:
                    divergence = kl_divergence(uniform, q) + uniform.entropy()
                    loss = loss + divergence.mean()
            descend(main, loss)


@every_one
@pytest.mark.parametrize("kind", DISCRETE)
def test_three_steps_agree_with_the_same_by_hand(method: str, kind: str, make_data: MakeData):
    data = make_data(kind)
    rows = 16
    model = build_model("mlp", data.train.x.shape[1:], 8, 2, seed=1)
    options = {"strength": 1.0, "critic_lr": 1e-2}
    options |= {"critic_steps": 2} if method in ALTERNATING else {}
    trained, adversary = make_method(method, data, model, rows, **options)
    hand = copy.deepcopy(model)
    network = copy.deepcopy(adversary.network)
    order = torch.arange(len(data.train)).split(rows)
    batch, pools = data.train.take(order[0]), iter(order[1:])

    def fresh(n: int) -> Batch:
        return data.train.take(torch.cat([next(pools) for _ in range(n // rows)]))

    trained.start_epoch(fresh, 5)
    for _ in range(3):
        assert trained.step(batch, fresh)["adversary_loss"] > 0
    by_hand(method, hand, network, data.attribute.heads, (data.train.take(i) for i in order))
    for got, want in zip(model.parameters(), hand.parameters(), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-5)
    pairs = zip(adversary.network.parameters(), network.parameters(), strict=True)
    for got, want in pairs:
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["dann", "lntl", "maxent"])
def test_against_an_adversary_that_keeps_up_a_fresh_probe_loses_c_and_keeps_y(
    method: str, make_data: MakeData
):
    # A linear encoder to two columns, as one that can keep all of x loses nothing by turning; and
    # an adversary with ten more steps, as with the published one these methods run in circles.
    data = make_data(n=2000)
    rows, c, test = data.train.take(torch.arange(2000)), data.train.c, data.tests["unbiased"]
    linear = torch.nn.Linear(6, 2)
    model = build_model(linear, (6,), 2, 2, seed=0)
    with torch.no_grad():
        start = torch.Generator().manual_seed(0)
        linear.weight.copy_(torch.eye(2, 6) + 0.1 * torch.randn(2, 6, generator=start))

    def probe(codes: Tensor) -> float:
        """Held-out accuracy of a fresh logistic regression, where c and y are unrelated."""
        with torch.no_grad():
            z = model.encoder(test.x).numpy()
        half = len(z) // 2
        regression = LogisticRegression(max_iter=1000).fit(z[:half], codes[:half])
        return float(regression.score(z[half:], codes[half:]))

    assert probe(test.c[:, 0]) > 0.95
    options = {"strength": 30.0 if method == "lntl" else 1.0, "critic_lr": 3e-3}
    trained, adversary = make_method(method, data, model, 2000, 1e-2, **options)
    trained.start_epoch(lambda n: rows, 1)
    for _ in range(60):
        with torch.no_grad():
            z = model.encoder(rows.x)
        adversary.fit(z, c, 10)
        trained.step(rows, lambda n: rows)
    # Without c: 50%; with the label's own column alone: 84%.
    assert probe(test.c[:, 0]) < 0.82
    assert probe(test.y) > 0.7


@pytest.mark.parametrize("method", ALTERNATING)
def test_an_adversary_that_stays_as_it_is_becomes_unsure(method: str, make_data: MakeData):
    data = make_data(n=500)
    rows = data.train.take(torch.arange(500))
    model = build_model("mlp", (6,), 8, 2, seed=0)
    trained, adversary = make_method(method, data, model, 500, strength=1.0)
    with torch.no_grad():
        z = model.encoder(rows.x)
    for _ in range(20):
        adversary.fit(z, rows.c, 10)
    adversary.optimizer.lr = 0.0
    entropies = []
    for _ in range(60):
        with torch.no_grad():
            entropies.append(float(adversary.entropy(model.encoder(rows.x))))
        trained.step(rows, lambda n: rows)
    assert entropies[0] < 0.6 * math.log(2)
    assert entropies[-1] > 0.9 * math.log(2)
