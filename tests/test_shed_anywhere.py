"""The penalty in loops and models of other people: its call, its hook on a layer, its doors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from infoshed import (
    Binary,
    Categorical,
    Continuous,
    DataSet,
    InfoshedError,
    MultiCategorical,
    MutualInformationPenalty,
    ShedLayer,
)
from infoshed.types import Batch


def net(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
        return nn.Sequential(body, nn.Linear(4, 2))


def warm(data: DataSet, **options: Any) -> MutualInformationPenalty:
    """A penalty whose critic knows something of the features of `net()`."""
    train = data.train
    shed = MutualInformationPenalty(4, data.attribute, train.c, train.y, **options)
    rows = train.take(torch.arange(256))
    for _ in range(20):
        shed.update(net()[0](rows.x).detach(), rows.c, rows.y)
    return shed


def gradients(model: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def called(data: DataSet, batch: Batch, scale: float = 1.0, **options: Any) -> Tensor:
    """Gradients of a model after one call of the penalty in its training step."""
    model, shed = net(), warm(data, **options)
    z = model[0](batch.x)
    shed(z, batch.c, batch.y, scale=scale)
    (scale * F.cross_entropy(model[1](z), batch.y)).backward()
    return gradients(model)


@pytest.fixture
def batch(table: DataSet) -> Batch:
    return table.train.take(torch.arange(64))


def test_a_call_adds_what_the_term_would(table: DataSet, batch: Batch):
    model, shed = net(), warm(table, pressure=0.7)
    z = model[0](batch.x)
    loss = F.cross_entropy(model[1](z), batch.y)
    (loss + shed.term(loss, z, batch.c, batch.y)).backward()
    torch.testing.assert_close(called(table, batch, pressure=0.7), gradients(model))
    assert not torch.allclose(gradients(model), called(table, batch, pressure=0.0))


@pytest.mark.parametrize("scale", [1 / 8, 2.0**16])
def test_it_goes_by_the_scale_of_the_loss(table: DataSet, batch: Batch, scale: float):
    plain, scaled = called(table, batch), called(table, batch, scale)
    torch.testing.assert_close(scaled / scale, plain, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_add_up(table: DataSet):
    halves = [table.train.take(rows) for rows in torch.arange(128).split(64)]
    model = net()
    for batch in halves:
        shed = warm(table)
        z = model[0](batch.x)
        shed(z, batch.c, batch.y, scale=0.5)
        (F.cross_entropy(model[1](z), batch.y) / 2).backward()
    mean = torch.stack([called(table, batch) for batch in halves]).mean(0)
    torch.testing.assert_close(gradients(model), mean, rtol=1e-4, atol=1e-6)


def test_half_precision_under_autocast(table: DataSet, batch: Batch):
    model, shed = net(), warm(table)
    with torch.autocast("cpu", torch.bfloat16):
        z = model[0](batch.x)
        shed(z, batch.c, batch.y)
        loss = F.cross_entropy(model[1](z).float(), batch.y)
    loss.backward()
    assert z.dtype == torch.bfloat16
    full = called(table, batch)
    assert F.cosine_similarity(gradients(model), full, dim=0) > 0.99


@pytest.mark.parametrize("whole", [False, True])
def test_compiled_models(table: DataSet, batch: Batch, whole: bool):
    model = net()
    expected = called(table, batch)
    if whole:
        hook = ShedLayer(model, "0", table.attribute)
        hook.penalty, hook.dim = warm(table), 4
        hook.expect(batch.c, batch.y)
        logits = torch.compile(model, backend="aot_eager")(batch.x)
    else:
        shed = warm(table)
        z = torch.compile(model[0], backend="aot_eager")(batch.x)
        shed(z, batch.c, batch.y)
        logits = model[1](z)
    F.cross_entropy(logits, batch.y).backward()
    torch.testing.assert_close(gradients(model), expected, rtol=1e-4, atol=1e-6)


def test_nothing_happens_without_gradients(table: DataSet, batch: Batch):
    shed = MutualInformationPenalty(4, table.attribute)
    with torch.no_grad():
        shed(net()[0](batch.x), batch.c)
    assert shed.updates == 0
    with pytest.raises(InfoshedError, match="`z` has no graph"):
        shed(torch.randn(4, 4), batch.c[:4])


@pytest.mark.parametrize(
    "attribute",
    [
        Binary("c", (0, 1), (0.3, 0.7)),
        Categorical("c", ("a", "b", "c"), (0.5, 0.0, 0.5)),
        MultiCategorical("c", (Binary("p", (0, 1), (0.25, 0.75)), Binary("q", (0, 1), (1.0, 0.0)))),
        Continuous("c", (3.0, 1.0), (2.0, 1.0)),
    ],
)
def test_the_marginal_is_the_attributes_own_unless_codes_are_given(attribute: Any):
    codes = attribute.typical()
    if attribute.heads:
        for part, column in zip(getattr(attribute, "parts", (attribute,)), codes.T, strict=True):
            shares = torch.bincount(column, minlength=len(part.levels)) / len(column)
            torch.testing.assert_close(shares, torch.tensor(part.probabilities), atol=1e-4, rtol=0)
    else:
        torch.testing.assert_close(codes.mean(0), torch.zeros(2), atol=1e-3, rtol=0)
        torch.testing.assert_close(codes.std(0), torch.ones(2), atol=1e-3, rtol=0)
    shed = MutualInformationPenalty(4, attribute)
    z = torch.randn(32, 4, requires_grad=True)
    shed(z, codes[torch.randperm(len(codes))[:32]])
    z.square().sum().backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_the_conditional_penalty_needs_training_rows(table: DataSet):
    with pytest.raises(InfoshedError, match="give `c` of the training rows too"):
        MutualInformationPenalty(4, table.attribute, y=table.train.y)


def test_several_attributes_have_a_penalty_each(make_data: Callable[..., DataSet]):
    data = (make_data("binary"), make_data("continuous"))
    rows = [d.train.take(torch.arange(64)) for d in data]
    z = torch.randn(64, 4) + rows[0].c + rows[1].c
    weight, y = torch.randn(4), rows[0].y.float()

    def gradient(*strengths: float) -> Tensor:
        leaf = z.clone().requires_grad_()
        for d, batch, strength in zip(data, rows, strengths, strict=True):
            shed = MutualInformationPenalty(4, d.attribute, pressure=strength)
            for _ in range(20):
                shed.update(z, batch.c)
            shed(leaf, batch.c)
        F.binary_cross_entropy_with_logits(leaf @ weight, y).backward()
        assert leaf.grad is not None
        return leaf.grad

    none, first, second, both = (gradient(*s) for s in ((0, 0), (0.3, 0), (0, 0.2), (0.3, 0.2)))
    assert (first - none).norm() > 0 < (second - none).norm()
    apart = (first - none) + (second - none)
    assert F.cosine_similarity((both - none).flatten(), apart.flatten(), dim=0) > 0.95


OPTIMISERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.02, momentum=0.9),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, 1e-3),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_with_any_optimiser_a_probe_reads_less(make_data: Callable[..., DataSet], optimiser: str):
    read = torch.zeros(2, 2)
    for i in range(2):
        data = make_data("binary", n=2000, seed=i)
        train, test = data.train, data.tests["unbiased"]
        for j, strength in enumerate((0.0, 2.0)):
            model = net(i)
            hook = ShedLayer(
                model, "0", data.attribute, train.c, train.y, pressure=strength, lr=3e-3
            )
            steps = OPTIMISERS[optimiser](model.parameters())
            generator = torch.Generator().manual_seed(0)
            for _ in range(250):
                x, y, c = train.take(torch.randint(len(train), (128,), generator=generator))
                hook.expect(c, y)
                F.cross_entropy(model(x), y).backward()
                steps.step()
                steps.zero_grad()
            z, c = model[0](test.x).detach().numpy(), test.c[:, 0].numpy()
            read[i, j] = LogisticRegression().fit(z[:500], c[:500]).score(z[500:], c[500:])
    before, after = read.mean(0)
    assert before - after > 0.06  # standard error of each accuracy 0.01


class Two(nn.Module):
    """Gives a tuple of which the first is z, as an image."""

    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return (2 * x).view(len(x), 3, -1, 1), "more"


def test_a_layer_with_several_outputs_of_any_shape(table: DataSet):
    model = nn.Sequential(Two())
    hook = ShedLayer(model, "0", table.attribute)
    x = torch.randn(8, 6, requires_grad=True)
    hook.expect(table.train.c[:8])
    z, more = model(x)
    assert (z.shape, more) == ((8, 3, 2, 1), "more")
    torch.testing.assert_close(z.flatten(1), 2 * x)
    assert hook.penalty is not None
    assert hook.penalty.updates == 1
    model(x)  # nothing is expected
    hook.expect(table.train.c[:8])
    model.eval()(x)
    assert hook.penalty.updates == 1
    model.train()
    with pytest.raises(InfoshedError, match="rows of 6 numbers, now of 9"):
        model(torch.randn(8, 9, requires_grad=True))
    hook.expect(table.train.c[:7])
    with pytest.raises(InfoshedError, match="same number of rows"):
        model(x)
    hook.remove()
    hook.expect(table.train.c[:7])
    model(x)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(table: DataSet):
    with pytest.raises(InfoshedError, match=r"no layer 'neck'; it has 0, 0\.0, 0\.1, 0\.2, 1"):
        ShedLayer(net(), "neck", table.attribute)


def test_the_state_of_a_layers_critic_travels(table: DataSet, batch: Batch):
    found = []
    first = ShedLayer(net(), "0", table.attribute, table.train.c, table.train.y)
    assert first.state_dict() == {}
    for hook in (first, None):
        model = net()
        again = ShedLayer(model, "0", table.attribute, table.train.c, table.train.y)
        again.load_state_dict({} if hook is first else found[0])
        again.expect(batch.c, batch.y)
        model(batch.x)
        found.append(again.state_dict())
    assert found[1]["updates"] == 2


@pytest.mark.parametrize("size", [2.0**10, 2.0**40])
def test_float16_with_a_scaler(table: DataSet, batch: Batch, size: float):
    model, shed = net(), warm(table)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=size)
    with torch.autocast("cpu", torch.float16):
        z = model[0](batch.x)
        shed(z, batch.c, batch.y, scale=scaler.get_scale())
        loss = F.cross_entropy(model[1](z).float(), batch.y)
    assert z.dtype == torch.float16
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    found = gradients(model)
    scaler.step(optimizer)
    scaler.update()
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    if size > 2.0**16:  # overflows: the step is left out, and the critic is as it should be
        assert torch.equal(after, before)
        assert scaler.get_scale() < size
    else:
        assert F.cosine_similarity(found, called(table, batch), dim=0) > 0.999
        torch.testing.assert_close(found.norm(), called(table, batch).norm(), rtol=0.02, atol=0)
    assert all(torch.isfinite(p).all() for p in shed.estimator.parameters())
    assert shed.health.skipped == 0
