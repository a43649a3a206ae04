"""The penalty: gradients against hand computations, and use in a loop of one's own."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from infoshed import Batch, Budget, DataSet, FixedStrength, InfoshedError, MutualInformationPenalty
from infoshed.balance import balance
from infoshed.nn import Model, build_model


def balanced_by_hand(
    gradient: np.ndarray, task: np.ndarray, units: np.ndarray | float = 1.0
) -> np.ndarray:
    norm = math.sqrt(float(((units * gradient.astype(float)) ** 2).sum()))
    limit = math.sqrt(float(((units * task.astype(float)) ** 2).sum()))
    return gradient * (min(norm, limit) / norm) if norm > 0 else gradient


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_balance_by_hand(seed: int, scale: float, task_scale: float):
    rng = np.random.default_rng(seed)
    gradient = (scale * rng.normal(size=(5, 3))).astype(np.float32)
    task = (task_scale * rng.normal(size=(5, 3))).astype(np.float32)
    balanced = balance(torch.from_numpy(gradient), torch.from_numpy(task).norm())
    np.testing.assert_allclose(balanced, balanced_by_hand(gradient, task), rtol=1e-4)


def test_a_gradient_shorter_than_the_tasks_is_left_alone():
    gradient, task = torch.tensor([0.3, 0.4]), torch.tensor([3.0, 4.0])
    assert torch.equal(balance(gradient, task.norm()), gradient)
    torch.testing.assert_close(balance(task, gradient.norm()), torch.tensor([0.3, 0.4]))


def test_in_units_of_the_columns_their_scale_does_not_matter():
    rng = np.random.default_rng(0)
    gradient, task, scale, units = (
        torch.from_numpy(a) for a in (*rng.normal(size=(2, 6, 3)), *rng.uniform(1e-3, 1, (2, 3)))
    )
    plain = balance(9 * gradient, (task * units).norm(), units)
    # A column that is `scale` times as wide has gradients `scale` times as short.
    wide = balance(9 * gradient / scale, (task * units).norm(), units * scale)
    torch.testing.assert_close(wide, plain / scale)
    assert float((plain * units).norm()) == pytest.approx(float((task * units).norm()))


def test_zero_gradients_stay_zero():
    zero, some = torch.zeros(4), torch.ones(4)
    assert torch.equal(balance(zero, some.norm()), zero)
    assert torch.equal(balance(zero, zero.norm()), zero)
    assert torch.equal(balance(some, zero.norm()), zero)


def setup(
    data: DataSet, strength: float = 0.7, *, conditional: bool = True, **changes: Any
) -> tuple[Model, MutualInformationPenalty]:
    """A model and a penalty whose critic knows something of its features."""
    model = build_model("mlp", data.train.x.shape[1:], 8, 2, seed=0).eval()
    y = data.train.y if conditional else None
    penalty = MutualInformationPenalty(
        8, data.attribute, data.train.c, y, pressure=FixedStrength(strength), **changes
    )
    rows = data.train.take(torch.arange(256))
    for _ in range(30):
        penalty.update(model.encoder(rows.x).detach(), rows.c, rows.y)
    return model, penalty


def information_gradient(
    penalty: MutualInformationPenalty, z: Tensor, batch: Batch
) -> tuple[float, np.ndarray]:
    """The estimate that `term` will see, and its gradient in z."""
    generator = torch.Generator()
    generator.set_state(penalty.generator.get_state())
    leaf = z.detach().requires_grad_()
    estimate = penalty.estimator(leaf, batch.c, batch.y, generator=generator)
    (gradient,) = torch.autograd.grad(estimate, leaf)
    return float(estimate.detach()), gradient.numpy()


def forward(model: Model, data: DataSet) -> tuple[Batch, Tensor, Tensor]:
    batch = data.train.take(torch.arange(64))
    z = model.encoder(batch.x)
    return batch, z, F.cross_entropy(model.head(z), batch.y)


# With the first scale of the task loss the information gradient is shortened, with the other not.
@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("critic", ["class-scoring", "shuffled-dv"])
def test_the_gradient_in_z_is_the_balanced_one(
    table: DataSet, scale: float, conditional: bool, critic: str
):
    model, penalty = setup(table, 0.7, conditional=conditional, critic=critic)
    batch, z, task_loss = forward(model, table)
    _, information = information_gradient(penalty, z, batch)
    (task,) = torch.autograd.grad(scale * task_loss, z, retain_graph=True)
    units = z.detach().numpy().std(0)
    expected = balanced_by_hand(information, task.numpy(), units)
    longer = np.linalg.norm(units * information) > np.linalg.norm(units * task.numpy())
    assert longer == (scale < 1)
    term = penalty.term(scale * task_loss, z, batch.c, batch.y)
    (gradient,) = torch.autograd.grad(term, z)
    np.testing.assert_allclose(gradient, 0.7 * expected, rtol=1e-4, atol=1e-9)


def test_the_value_is_strength_times_the_estimate(table: DataSet):
    model, penalty = setup(table, 0.7)
    batch, z, task_loss = forward(model, table)
    estimate, _ = information_gradient(penalty, z, batch)
    term = penalty.term(task_loss, z, batch.c, batch.y)
    assert estimate > 0.01
    assert float(term.detach()) == pytest.approx(0.7 * estimate, rel=1e-4)
    assert float(penalty.estimate) == pytest.approx(estimate, rel=1e-5)


def test_backward_gives_what_two_backward_passes_give(table: DataSet):
    model, penalty = setup(table, 0.7)
    batch, z, task_loss = forward(model, table)
    encoder, head = list(model.encoder.parameters()), list(model.head.parameters())
    task = torch.autograd.grad(task_loss, [z, *encoder, *head], retain_graph=True)
    information = information_gradient(penalty, z, batch)[1]
    balanced = balanced_by_hand(information, task[0].numpy(), z.detach().numpy().std(0))
    information = torch.autograd.grad(
        z, encoder, 0.7 * torch.from_numpy(balanced), retain_graph=True
    )
    (task_loss + penalty.term(task_loss, z, batch.c, batch.y)).backward()
    expected = [t + i for t, i in zip(task[1:], information, strict=False)]
    expected += task[1 + len(encoder) :]
    for parameter, gradient in zip([*encoder, *head], expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-7)


def test_the_critic_is_not_moved_by_the_term(table: DataSet):
    model, penalty = setup(table)
    before = [p.detach().clone() for p in penalty.estimator.parameters()]
    for p in penalty.estimator.parameters():
        p.grad = None
    batch, z, task_loss = forward(model, table)
    (task_loss + penalty.term(task_loss, z, batch.c, batch.y)).backward()
    for p, old in zip(penalty.estimator.parameters(), before, strict=True):
        assert p.grad is None
        assert torch.equal(p, old)


@pytest.mark.parametrize("critic", ["class-scoring", "shuffled-dv"])
def test_an_update_takes_one_step_for_each_part_of_the_pool(
    table: DataSet, monkeypatch: pytest.MonkeyPatch, critic: str
):
    _, penalty = setup(table, steps=3, critic=critic)
    optimizer = penalty.critic.optimizer
    assert optimizer is not None
    steps: list[Tensor] = []
    monkeypatch.setattr(optimizer, "step", lambda: steps.append(torch.ones(())) or steps[-1])
    rows = table.train.take(torch.arange(96))
    z = torch.randn(96, 8)
    fitted = penalty.critic.fit(z, rows.c, rows.y, None, 3, penalty.generator)
    assert len(steps) == 3
    assert fitted.estimates.shape == fitted.gradients.shape == (3,)


def test_the_budget_sees_every_estimate(table: DataSet):
    model, _ = setup(table)
    penalty = MutualInformationPenalty(
        8, table.attribute, table.train.c, pressure=Budget(5.0, start=0.3)
    )
    batch = table.train.take(torch.arange(64))
    strengths = []
    for _ in range(5):
        z = model.encoder(batch.x)
        penalty.term(F.cross_entropy(model.head(z), batch.y), z, batch.c)
        strengths.append(float(penalty.pressure.strength))
    assert strengths == sorted(strengths, reverse=True)  # 5 nats are never reached
    assert strengths[-1] < 0.3


def test_a_restored_penalty_goes_on_bit_for_bit(table: DataSet):
    model, penalty = setup(table, critic="shuffled-dv")
    again = MutualInformationPenalty(
        8,
        table.attribute,
        table.train.c,
        table.train.y,
        pressure=FixedStrength(0.7),
        critic="shuffled-dv",
        seed=1,
    )
    again.load_state_dict(deepcopy(penalty.state_dict()))
    batch = table.train.take(torch.arange(64))
    values = []
    for each in (penalty, again):
        each.update(model.encoder(batch.x).detach(), batch.c, batch.y)
        z = model.encoder(batch.x)
        values.append(each.term(F.cross_entropy(model.head(z), batch.y), z, batch.c, batch.y))
    assert torch.equal(values[0], values[1])


def test_making_a_penalty_leaves_the_global_generator_alone(table: DataSet):
    before = torch.get_rng_state()
    setup(table)
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_settings_are_named(table: DataSet):
    pressure = FixedStrength(1.0)
    with pytest.raises(InfoshedError, match="`critic_steps` must be an integer at least 1"):
        MutualInformationPenalty(8, table.attribute, table.train.c, pressure=pressure, steps=0)
    with pytest.raises(InfoshedError, match="`critic_lr` must be a finite number"):
        MutualInformationPenalty(8, table.attribute, table.train.c, pressure=pressure, lr=-1.0)
    with pytest.raises(InfoshedError, match="`critic` must be one of"):
        MutualInformationPenalty(8, table.attribute, table.train.c, pressure=pressure, critic="x")
    penalty = MutualInformationPenalty(8, table.attribute, table.train.c, pressure=pressure)
    with pytest.raises(InfoshedError, match="same number of rows"):
        penalty.update(torch.zeros(4, 8), table.train.c[:3])


def train_by_hand(data: DataSet, seed: int, strength: float) -> nn.Module:
    """Somebody else's loop, with or without the penalty in it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
        head = nn.Linear(4, 2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 5e-3)
    train = data.train
    shed = MutualInformationPenalty(
        4, data.attribute, train.c, train.y, pressure=FixedStrength(strength), lr=3e-3, seed=seed
    )
    for _ in range(200):
        x, y, c = train.take(torch.randint(len(train), (128,), generator=generator))
        z = encoder(x)
        loss = F.cross_entropy(head(z), y)
        if strength:
            pool = train.take(torch.randint(len(train), (256,), generator=generator))
            shed.update(encoder(pool.x).detach(), pool.c, pool.y)
            loss = loss + shed.term(loss, z, c, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def probe(encoder: nn.Module, data: DataSet, of: str) -> float:
    """What a fresh logistic regression reads from z on unbiased data, half of it held out."""
    split = data.tests["unbiased"]
    z = encoder(split.x).detach().numpy()
    target = split.c[:, 0].numpy() if of == "c" else split.y.numpy()
    half = len(z) // 2
    return float(LogisticRegression().fit(z[:half], target[:half]).score(z[half:], target[half:]))


def test_in_a_loop_of_ones_own_it_lowers_what_a_probe_reads(make_data: Callable[..., DataSet]):
    data = [make_data("binary", n=2000, seed=seed) for seed in range(3)]
    strengths = (0.0, 3.0)
    encoders = {s: [train_by_hand(d, i, s) for i, d in enumerate(data)] for s in strengths}

    def probes(strength: float, of: str) -> np.ndarray:
        return np.array([probe(e, d, of) for e, d in zip(encoders[strength], data, strict=True)])

    drop = probes(0.0, "c") - probes(3.0, "c")
    # Half of 1,000 rows are probed: one accuracy has a standard error of about 0.02.
    assert drop.min() > 0.1
    assert drop.mean() > 0.15
    assert probes(3.0, "y").min() > 0.75
