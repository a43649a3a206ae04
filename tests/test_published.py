"""The paper's schedule: what each optimiser is given, how often, and at which rate."""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed import METHODS, Batch, DataSet
from infoshed.label_prior import TargetPrior
from infoshed.methods import Setting, method_options
from infoshed.methods.mi_published import MIPublished
from infoshed.nn import build_model


class Recorder:
    """An optimiser that only notes the gradients it is given."""

    def __init__(self, parameters: Any):
        self.parameters = list(parameters)
        self.steps: list[list[Tensor]] = []

    def zero_grad(self) -> None:
        for p in self.parameters:
            p.grad = None

    def step(self) -> None:
        self.steps.append([cast(Tensor, p.grad).clone() for p in self.parameters])


def make(data: DataSet, **options: Any) -> MIPublished:
    model = build_model("mlp", data.train.x.shape[1:], 8, 2, seed=0).eval()
    prior = TargetPrior(data.target, data.train.y, data.train.c, data.attribute)
    setting = Setting(model, data, 1e-3, 32, prior, seed=0)
    method = METHODS["mi-published"](setting, method_options("mi-published", options))
    return cast(MIPublished, method)


def recorded(data: DataSet, **options: Any) -> tuple[MIPublished, dict[str, Recorder]]:
    method = make(data, **options)
    recorders = {
        "task": Recorder(method.model.parameters()),
        "mi": Recorder(method.model.encoder.parameters()),
        "critic": Recorder(method.estimator.parameters()),
    }
    method.optimizers = recorders  # type: ignore[assignment]
    return method, recorders


def source(data: DataSet, seed: int = 0) -> tuple[Callable[[int], Batch], list[Batch]]:
    """A source of fresh batches, and the batches that it gave."""
    generator = torch.Generator().manual_seed(seed)
    given: list[Batch] = []

    def fresh(n: int) -> Batch:
        given.append(data.train.take(torch.randint(len(data.train), (n,), generator=generator)))
        return given[-1]

    return fresh, given


@pytest.mark.parametrize("scale", [0.03, 3000.0])
def test_every_tensor_of_the_encoder_gets_its_own_balanced_gradient(table: DataSet, scale: float):
    method, recorders = recorded(table, critic_steps=1)
    with torch.no_grad():  # a critic that says little, and one that says much
        for p in method.estimator.parameters():
            p.mul_(scale ** (1 / 4))
    generator = torch.Generator()
    generator.set_state(method.generator.get_state())
    fresh, given = source(table)
    batch = table.train.take(torch.arange(32))
    method.step(batch, fresh)

    encoder = dict(method.model.encoder.named_parameters())
    z = method.model.encoder(batch.x)
    loss = F.cross_entropy(method.model.head(z), batch.y)
    task = torch.autograd.grad(loss, list(method.model.parameters()), retain_graph=True)
    # The critic's own step comes first and shuffles once.
    method.estimator(method.model.encoder(given[0].x), given[0].c, generator=generator)
    estimate = method.estimator(z, batch.c, generator=generator)
    information = torch.autograd.grad(estimate, list(encoder.values()))
    ((*balanced,),) = recorders["mi"].steps
    shortened = 0
    for i, name in enumerate(encoder):
        ours, theirs = np.asarray(information[i], float), np.asarray(task[i], float)
        norm, limit = math.sqrt((ours**2).sum()), math.sqrt((theirs**2).sum())
        shortened += norm > limit
        expected = ours * min(norm, limit) / norm
        np.testing.assert_allclose(balanced[i], expected, rtol=1e-3, atol=1e-8, err_msg=name)
    assert shortened == (len(encoder) if scale > 1 else 0)
    ((*plain,),) = recorders["task"].steps
    for gradient, expected in zip(plain, task, strict=True):
        torch.testing.assert_close(gradient, expected)


def test_the_critic_is_stepped_on_fresh_batches_before_each_step(table: DataSet):
    method, recorders = recorded(table, critic_steps=3)
    fresh, given = source(table)
    for _ in range(2):
        method.step(table.train.take(torch.arange(32)), fresh)
    assert len(recorders["critic"].steps) == 6
    assert [len(b.y) for b in given] == [32] * 6
    assert len({tuple(b.x.flatten().tolist()) for b in given}) == 6


def test_the_paper_takes_forty_critic_steps(table: DataSet):
    method, recorders = recorded(table)
    fresh, _ = source(table)
    method.step(table.train.take(torch.arange(32)), fresh)
    assert len(recorders["critic"].steps) == 40
    assert len(recorders["task"].steps) == len(recorders["mi"].steps) == 1


def test_an_epoch_starts_with_a_pass_of_the_critic_alone(table: DataSet):
    method, recorders = recorded(table, critic_steps=1)
    fresh, given = source(table)
    method.start_epoch(fresh, 7)
    assert len(recorders["critic"].steps) == 7
    assert [len(b.y) for b in given] == [32] * 7
    assert not recorders["task"].steps
    assert not recorders["mi"].steps


def test_the_critic_climbs_its_estimate(table: DataSet):
    method, recorders = recorded(table, critic_steps=1)
    generator = torch.Generator()
    generator.set_state(method.generator.get_state())
    fresh, given = source(table)
    method.start_epoch(fresh, 1)
    z = method.model.encoder(given[0].x).detach()
    estimate = method.estimator(z, given[0].c, generator=generator)
    expected = torch.autograd.grad(-estimate, list(method.estimator.parameters()))
    for gradient, wanted in zip(recorders["critic"].steps[0], expected, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_the_critic_pass_does_not_touch_the_model(table: DataSet):
    method = make(table, critic_steps=2)
    before = {k: v.clone() for k, v in method.model.state_dict().items()}
    critic = [p.detach().clone() for p in method.estimator.parameters()]
    fresh, _ = source(table)
    method.start_epoch(fresh, 3)
    assert all(torch.equal(v, before[k]) for k, v in method.model.state_dict().items())
    moved = zip(method.estimator.parameters(), critic, strict=True)
    assert any(not torch.equal(new, old) for new, old in moved)


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_strength_is_a_ratio_of_learning_rates(table: DataSet, strength: float):
    method = make(table, strength=strength)
    rates = {k: o.param_groups[0]["lr"] for k, o in method.optimizers.items()}
    assert rates["task"] == pytest.approx(1e-3)
    assert rates["mi"] == pytest.approx(1e-3 * strength)
    assert rates["critic"] == pytest.approx(1e-3)
    second = method.optimizers["mi"].param_groups[0]["params"]
    assert {id(p) for p in second} == {id(p) for p in method.model.encoder.parameters()}


def test_the_first_step_moves_the_encoder_by_both_rates(table: DataSet):
    # Adam's first step is lr * sign(gradient): lr + lr * strength where the signs agree.
    method, recorders = recorded(table, critic_steps=1)
    batch = table.train.take(torch.arange(32))
    method.step(batch, source(table)[0])
    gradients = list(zip(recorders["task"].steps[0], recorders["mi"].steps[0], strict=False))
    real = make(table, strength=0.5, critic_steps=1)
    real.optimizers["critic"] = cast(Any, Recorder(real.estimator.parameters()))
    before = [p.detach().clone() for p in real.model.encoder.parameters()]
    real.step(batch, source(table)[0])
    for p, old, (task, mi) in zip(real.model.encoder.parameters(), before, gradients, strict=True):
        clear = (task.abs() > 1e-6) & (mi.abs() > 1e-6)  # Adam's epsilon shortens smaller ones
        assert clear.any()
        expected = -1e-3 * (task.sign() + 0.5 * mi.sign())
        torch.testing.assert_close((p.detach() - old)[clear], expected[clear], atol=3e-5, rtol=0)


def test_a_vanishing_information_gradient_does_no_harm(table: DataSet):
    method = make(table, critic_steps=1)
    with torch.no_grad():
        for p in method.estimator.parameters():
            p.zero_()
    method.optimizers["critic"] = cast(Any, Recorder(method.estimator.parameters()))
    method.step(table.train.take(torch.arange(32)), source(table)[0])
    assert all(torch.isfinite(p).all() for p in method.model.parameters())
