"""The training loop, and what `mi` makes of its options."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infoshed import METHODS, Batch, DataSet, InfoshedError, Recipe, Run, Split, fit, load_run
from infoshed.evaluate import validate
from infoshed.information import label_information
from infoshed.label_prior import TargetPrior
from infoshed.methods import Setting, method_options
from infoshed.methods.base import LOSSES
from infoshed.methods.mi import MI
from infoshed.nn import Model, build_model
from infoshed.pressure import Budget
from infoshed.targets import Classes
from infoshed.train import Training

Check = Callable[[Run, Run], None]


@pytest.mark.parametrize("options", [{}, {"conditional": False, "critic_steps": 5}])
def test_strength_zero_is_plain_training_to_the_last_bit(
    table: DataSet, same_run: Check, options: dict[str, Any]
):
    same_run(fit(table, "plain", seed=5), fit(table, "mi", seed=5, strength=0, **options))


def test_strength_zero_is_plain_training_on_images(images: DataSet, same_run: Check):
    same_run(fit(images, "plain"), fit(images, "mi", strength=0))


def test_strength_matters(table: DataSet):
    runs = [fit(table, "mi", epochs=1, strength=s) for s in (0.5, 1.0)]
    assert not torch.equal(runs[0].model.head.weight, runs[1].model.head.weight)


def test_without_averaging_the_last_weights_are_kept(
    table: DataSet, monkeypatch: pytest.MonkeyPatch
):
    name, last, finish = "head.weight", [], Training.finish

    def look(training: Training) -> None:
        last.append(training.model.state_dict()[name].clone())
        finish(training)

    monkeypatch.setattr(Training, "finish", look)
    run = fit(table, "plain", epochs=2, average=0)
    assert torch.equal(run.model.state_dict()[name], last[0])
    run = fit(table, "plain", epochs=2, average=0.9)
    assert torch.equal(last[1], last[0])
    assert not torch.equal(run.model.state_dict()[name], last[1])


def test_averaged_weights_are_the_running_mean_by_hand(
    table: DataSet, monkeypatch: pytest.MonkeyPatch
):
    weights: list[Tensor] = []
    step = METHODS["plain"].step

    def noted(self: Any, *arguments: Any) -> Any:
        metrics = step(self, *arguments)
        weights.append(self.model.head.weight.detach().clone())
        return metrics

    monkeypatch.setattr(METHODS["plain"], "step", noted)
    run = fit(table, "plain", epochs=3, average=0.5)
    expected = weights[0]
    for count, weight in enumerate(weights[1:], 1):
        decay = min(0.5, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(run.model.head.weight.detach(), expected)


def test_every_row_is_seen_once_in_an_epoch(table: DataSet, monkeypatch: pytest.MonkeyPatch):
    seen: list[Tensor] = []
    step = METHODS["plain"].step

    def noted(self: Any, batch: Any, fresh: Any) -> Any:
        seen.append(batch.x)
        return step(self, batch, fresh)

    monkeypatch.setattr(METHODS["plain"], "step", noted)
    fit(table, "plain", epochs=1, batch_size=32)
    assert [len(x) for x in seen] == [32] * 10
    ours = torch.cat(seen)
    assert not torch.equal(ours, table.train.x)
    assert torch.equal(ours[:, 0].sort().values, table.train.x[:, 0].sort().values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "`epochs` must be an integer at least 1"),
        ({"epochs": 2.5}, "`epochs` must be an integer"),
        ({"batch_size": 1}, "`batch_size` must be an integer at least 2"),
        ({"lr": 0}, "`lr` must be a finite number"),
        ({"lr": float("nan")}, "`lr` must be a finite number"),
        ({"average": 1}, "`average` must be a finite number at least 0 and at most"),
        ({"seed": -1}, "`seed` must be an integer at least 0"),
        ({"encoder": "transformer"}, "`encoder` must be one of"),
        ({"encoder": "conv"}, "needs images of at least 16x16"),
        ({"dim": 0}, "`dim` must be an integer at least 1"),
        ({"encoder": nn.Linear(6, 5)}, r"must map x to z of shape \(n, 8\), got \(2, 5\)"),
        ({"encoder": nn.Linear(7, 8)}, r"cannot read inputs of shape \(n, \*\(6,\)\)"),
        ({"method": "magic"}, "`method` must be one of"),
        ({"strength": -0.1}, "`strength` must be a finite number at least 0"),
        ({"strength": 1, "budget": 0.1}, "`strength` or `budget`, not both"),
        ({"budget": "label", "conditional": True}, r'budget "label" is I\(Y;C\)'),
        ({"budget": "lots"}, "`budget` must be nats"),
        ({"loss": "hinge"}, "`loss` must be one of"),
        ({"critic": "guess"}, "`critic` must be one of"),
        ({"critic_steps": 0}, "`critic_steps` must be an integer at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    table: DataSet, settings: dict[str, Any], message: str, tmp_path: Path
):
    with pytest.raises(InfoshedError, match=message):
        fit(table, out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_numpy_numbers_are_numbers(table: DataSet, same_run: Check, tmp_path: Path):
    settings: dict[str, Any] = {"epochs": np.int64(1), "lr": np.float32(0.5)}
    run = fit(table, "plain", seed=np.int64(3), **settings, out=tmp_path)  # type: ignore[arg-type]
    same_run(run, fit(table, "plain", seed=3, epochs=1, lr=0.5))


def method_on(data: DataSet, **options: Any) -> MI:
    model = build_model("mlp", data.train.x.shape[1:], 8, 2, seed=0).eval()
    prior = TargetPrior(data.target, data.train.y, data.train.c, data.attribute)
    method = METHODS["mi"](Setting(model, data, 1e-3, 64, prior, 0), method_options("mi", options))
    assert isinstance(method, MI)
    return method


def test_the_budget_called_label_is_that_of_the_training_table(table: DataSet):
    method = method_on(table, budget="label")
    assert method.penalty is not None
    assert isinstance(method.penalty.pressure, Budget)
    expected = label_information(table.train.y, table.train.c, table.attribute)
    assert method.penalty.pressure.nats == pytest.approx(expected)
    assert not method.penalty.conditional


def test_the_critic_sees_features_of_the_present_encoder(table: DataSet):
    method = method_on(table, critic_steps=2)
    assert method.penalty is not None
    seen: list[tuple[Tensor, Tensor]] = []
    update, batch = method.penalty.update, table.train.take(torch.arange(64))

    def noted(z: Tensor, *rest: Any, **weights: Any) -> None:
        now = [method.model.encoder(rows.x).detach() for rows in (batch, pools[-1])]
        seen.append((z, torch.cat(now)))
        update(z, *rest, **weights)

    method.penalty.update = noted  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(0)
    pools: list[Any] = []

    def fresh(n: int) -> Any:
        pools.append(table.train.take(torch.randint(len(table.train), (n,), generator=generator)))
        return pools[-1]

    for _ in range(3):
        method.step(batch, fresh)
    assert [len(z) for z, _ in seen] == [128] * 3
    for z, now in seen:
        assert not z.requires_grad
        assert torch.equal(z, now)


def test_the_gradient_is_of_a_critic_that_has_not_seen_the_rows(table: DataSet):
    method, order = method_on(table), []
    assert method.penalty is not None
    for name in ("term", "update"):
        call = getattr(method.penalty, name)

        def noted(*rest: Any, call: Any = call, name: str = name, **weights: Any) -> Any:
            order.append(name)
            return call(*rest, **weights)

        setattr(method.penalty, name, noted)
    method.step(table.train.take(torch.arange(64)), lambda n: pytest.fail("no fresh rows needed"))
    assert order == ["term", "update"]


class Answers(nn.Module):
    """A model with fixed answers."""

    def __init__(self, answers: list[int]):
        super().__init__()
        self.logits = F.one_hot(torch.tensor(answers), 2).float()

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[x[:, 0].long()]


def test_weighted_accuracy_by_hand():
    split = Split(
        torch.arange(4)[:, None].float(), torch.tensor([0, 1, 1, 0]), torch.zeros(4, 1).long()
    )
    model: Any = Answers([0, 0, 1, 0])
    weights = torch.tensor([1.0, 4.0, 2.0, 1.0])
    result = validate(model, split, weights, Classes(("a", "b")))
    assert result["val_accuracy"] == pytest.approx(3 / 4)
    assert result["val_accuracy_weighted"] == pytest.approx(4 / 8)


def test_weighted_validation_accuracy_estimates_the_unbiased_one(
    make_data: Callable[..., DataSet],
):
    data = make_data("binary", n=6000)
    run = fit(data, "plain", epochs=1)
    row, results = run.metrics[-1], run.results
    # 3,000 rows: standard errors of 0.01 (unbiased) and about twice that (weighted).
    assert row["val_accuracy"] == pytest.approx(results["biased"]["accuracy"], abs=0.04)
    unbiased = results["unbiased"]["accuracy"]
    assert row["val_accuracy_weighted"] == pytest.approx(unbiased, abs=0.07)
    assert row["val_accuracy"] > row["val_accuracy_weighted"] + 0.05


def test_adjusted_logits_are_the_posterior_where_z_and_c_are_independent_given_y():
    rng = np.random.default_rng(0)
    y_share = rng.dirichlet(np.ones(3))
    z_given_y, c_given_y = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(2), 3)
    joint = y_share[:, None, None] * z_given_y[:, :, None] * c_given_y[:, None, :]
    head = np.log(joint.sum(2)).T  # log p(y, z): one head that does not see c
    y_given_c = joint.sum(1) / joint.sum((0, 1))
    expected = -(joint * np.log(joint / joint.sum(0))).sum()  # H(Y|Z,C)

    class Exact:
        target = Classes(("a", "b", "c"))

        def log_ratios(self, c: Tensor) -> list[Tensor]:
            return [torch.from_numpy(np.log(y_given_c / y_share[:, None])).T[c[:, 0]]]

    prior: Any = Exact()
    loss = 0.0
    for y, z, c in np.ndindex(joint.shape):
        batch = Batch(torch.empty(1, 0), torch.tensor([y]), torch.tensor([[c]]))
        one = LOSSES["adjusted"](torch.from_numpy(head[z : z + 1]), batch, prior)
        loss += joint[y, z, c] * float(one)
    assert loss == pytest.approx(expected)


def test_the_reweighed_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]])
    y, weights = torch.tensor([0, 1, 0]), torch.tensor([0.5, 2.0, 4.0])

    class Fixed:
        target = Classes(("a", "b"))

        def weights(self, y: Tensor, c: Tensor) -> Tensor:
            return weights

    each = [np.log(1 + np.exp(-2)), np.log(2), np.log(1 + np.exp(3))]
    prior: Any = Fixed()
    loss = LOSSES["reweighed"](logits, Batch(torch.empty(3, 0), y, torch.zeros(3, 1)), prior)
    assert float(loss) == pytest.approx(np.dot(each, [0.5, 2.0, 4.0]) / 3, rel=1e-5)


def test_rows_fewer_than_a_batch_still_train(make_data: Callable[..., DataSet]):
    data = make_data("binary", n=40)
    run = fit(data, "mi", epochs=2, batch_size=64)
    assert len(run.metrics) == 2


def test_the_recipe_of_the_data_is_the_default(table: DataSet):
    data = replace(table, recipe=Recipe(encoder="mlp", dim=5, epochs=1, batch_size=50, lr=0.01))
    config = fit(data, "plain").config
    assert (config.dim, config.epochs, config.batch_size, config.lr) == (5, 1, 50, 0.01)
    assert fit(data, "plain", dim=3, batch_size=20).model.head.in_features == 3


def test_a_data_set_with_one_class_is_refused(table: DataSet):
    one = replace(table.train, y=torch.zeros(len(table.train), dtype=torch.int64))
    with pytest.raises(InfoshedError, match="one class only"):
        replace(table, train=one)
    beyond = replace(table.train, y=table.train.y + 1)
    with pytest.raises(InfoshedError, match=r"y must lie in 0\.\.1.* found .*2"):
        replace(table, train=beyond)


def test_splits_check_their_shapes(table: DataSet):
    x, y, c = table.train.x, table.train.y, table.train.c
    with pytest.raises(InfoshedError, match="same number of rows"):
        Split(x[:5], y, c)
    with pytest.raises(InfoshedError, match="`y` must be"):
        Split(x, y.float(), c)
    with pytest.raises(InfoshedError, match=r"`c` must be codes of shape \(n, columns\)"):
        Split(x, y, c[:, 0])


def test_the_model_kept_is_in_evaluation_shape(table: DataSet):
    run = fit(table, "plain", epochs=1)
    assert isinstance(run.model, Model)
    probabilities = run.predict_proba(table.train.x)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(len(table.train)))
    assert torch.equal(probabilities.argmax(1), run.predict(table.train.x))


def test_a_method_finishes_the_kept_model_once_and_resuming_starts_before_that(
    table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    finished = []

    def finish(self: Any, model: Model) -> None:
        finished.append(self.model is model)
        with torch.no_grad():
            model.head.bias.copy_(100 + torch.rand(2))

    monkeypatch.setattr(METHODS["plain"], "finish", finish)
    whole = fit(table, "plain", epochs=2)
    assert finished == [False]  # the averaged model, not the one that trains on
    assert (whole.model.head.bias > 99).all()
    short = fit(table, "plain", epochs=1, out=tmp_path)
    assert (load_run(tmp_path).model.head.bias > 99).all()
    resumed = fit(table, "plain", epochs=2, out=tmp_path, resume=True)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert whole.metrics[0]["task_loss"] == short.metrics[0]["task_loss"]


def test_where_c_decides_y_adjusted_logits_are_refused_and_mi_does_without(table: DataSet):
    decided = replace(table, train=replace(table.train, c=table.train.y[:, None]))
    with pytest.raises(InfoshedError, match="the attribute decides the class"):
        fit(decided, "adjust")
    with pytest.raises(InfoshedError, match="the attribute decides the class"):
        fit(decided, "mi", loss="adjusted")
    # The penalty has the same seeds, so the losses alone can differ.
    one, two = (fit(decided, "mi", loss=loss, epochs=1) for loss in ("auto", "plain"))
    assert one.metrics[0]["task_loss"] == two.metrics[0]["task_loss"]
    assert one.metrics[0]["task_loss"] > 0.1
