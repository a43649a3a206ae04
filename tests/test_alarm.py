"""The collapse alarm, in situations made to ring it."""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict
from torch import Tensor, nn

from infoshed import Batch, DataSet, InfoshedError, fit
from infoshed.alarm import GRACE, IN_A_ROW, CollapseAlarm, CollapseWarning, probe
from infoshed.label_prior import TargetPrior
from infoshed.methods import METHODS, Setting, method_options
from infoshed.methods.mi import MI
from infoshed.nn import build_model
from infoshed.pressure import Budget

UNIFORM = torch.full((3,), 1 / 3).log()


def sample(distance: float, n: int = 3000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """z (n, 5) whose first columns have a mean at `distance` for each of three values of c."""
    generator = torch.Generator().manual_seed(seed)
    c = torch.randint(3, (n, 1), generator=generator)
    z = torch.randn(n, 5, generator=generator)
    z[torch.arange(n), c[:, 0]] += distance
    return z, c


def test_the_probe_agrees_with_another_cross_fitted_discriminant():
    z, c = sample(1.5)
    found = probe(z, c, None, (3,), UNIFORM)
    model, codes = LinearDiscriminantAnalysis(), c[:, 0].numpy()
    odds = np.asarray(cross_val_predict(model, z.numpy(), codes, method="predict_log_proba"))
    ratios = odds[np.arange(len(c)), codes] + math.log(3)
    assert found.nats == pytest.approx(ratios.mean(), abs=0.01)
    assert found.error == pytest.approx(ratios.std() / len(c) ** 0.5, rel=0.1)
    assert found.nats > 0.3


def test_the_probe_finds_nothing_where_nothing_is():
    z, c = sample(0.0, n=200)
    assert abs(probe(z, c, None, (3,), UNIFORM).nats) < 0.03


def test_the_probe_of_several_parts_sums_them():
    z, c = sample(1.5)
    single = probe(z, c, None, (3,), UNIFORM).nats
    twice = probe(z, c.repeat(1, 2), None, (3, 3), UNIFORM.repeat(2)).nats
    assert twice == pytest.approx(2 * single, rel=0.01)


def test_given_y_the_probe_leaves_out_what_y_explains():
    z, y = sample(1.5)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(3, y.shape, generator=generator)
    c = torch.where(torch.rand(y.shape, generator=generator) < 0.7, y, noise)
    table = torch.full((3, 3), 0.1) + 0.7 * torch.eye(3)
    assert probe(z, c, None, (3,), UNIFORM).nats > 0.1
    assert abs(probe(z, c, y[:, 0], (3,), table.log()).nats) < 0.02


def test_the_probe_refuses_arrays_of_different_lengths():
    z, c = sample(0.0, n=50)
    with pytest.raises(InfoshedError, match="same number of rows"):
        probe(z, c[:40], None, (3,), UNIFORM)


def signs(distance: float = 0.0, **changes: Any) -> list[str]:
    z, c = sample(distance, n=400)
    alarm = CollapseAlarm(2.0, (3,), changes.pop("prior", UNIFORM))
    alarm.epochs, alarm.beaten = changes.pop("epochs", GRACE), changes.pop("beaten", IN_A_ROW - 1)
    given = {"task_loss": 0.5, "z": z, "c": c, "y": None, "critic": 0.0}
    return alarm.signs(**(given | changes))


def test_no_signs_where_all_is_well():
    assert signs() == []
    assert signs(distance=1.5, critic=0.5) == []


@pytest.mark.parametrize("loss", [1.95, 2.0, 5.0])
def test_a_task_loss_at_chance_is_a_lost_label(loss: float):
    (text,) = signs(task_loss=loss)
    assert "label is lost" in text
    assert signs(task_loss=1.8) == []


def test_the_task_loss_is_given_time_to_leave_chance():
    assert signs(task_loss=2.0, epochs=GRACE - 1) == []
    assert signs(task_loss=2.0, epochs=GRACE)


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_z_has_collapsed(value: float):
    (text,) = signs(z=torch.full((400, 5), value))
    assert "z has collapsed" in text


def test_a_critic_that_a_fresh_probe_beats_is_blind():
    (text,) = signs(distance=1.5, critic=0.01)
    assert "critic is blind (it reads 0.01 nats" in text
    (text,) = signs(distance=1.5, critic=-0.4)
    assert "it reads 0 nats" in text
    assert signs(distance=1.5, critic=0.01, prior=None) == []


def test_a_critic_is_given_time_to_catch_up():
    z, c = sample(1.5, n=400)
    alarm = CollapseAlarm(2.0, (3,), UNIFORM)
    readings = [0.0, 0.5, 0.0, 0.0]
    found = [bool(alarm.signs(0.5, z, c, None, critic)) for critic in readings]
    assert found == [False, False, False, True]


def method(data: DataSet, **options: Any) -> MI:
    model = build_model("mlp", data.train.x.shape[1:], 8, 2, seed=0)
    prior = TargetPrior(data.target, data.train.y, data.train.c, data.attribute)
    made = METHODS["mi"](
        Setting(model, data, 1e-3, 64, prior, 0), method_options("mi", {"budget": 0.1} | options)
    )
    assert isinstance(made, MI)
    return made


@pytest.mark.parametrize("loss", ["plain", "adjusted", "reweighed"])
def test_chance_is_the_loss_of_a_head_that_knows_the_shares_alone(table: DataSet, loss: str):
    made = method(table, loss=loss)
    (alarm,) = made.alarms.values()
    with torch.no_grad():
        for parameter in made.model.head.parameters():
            parameter.zero_()
        (head,) = [m for m in made.model.head.modules() if isinstance(m, nn.Linear)]
        head.bias.copy_(made.setting.prior.joint.log_marginal)
        train = table.train
        logits = made.model(train.x)
        expected = made.task_loss(logits, Batch(train.x, train.y, train.c))
    assert alarm.chance == pytest.approx(float(expected), rel=1e-5)


def test_back_off_raises_the_budget_epoch_after_epoch(table: DataSet):
    made = method(table, on_alarm="back-off")
    assert made.penalty is not None
    pressure = made.penalty.pressure
    assert isinstance(pressure, Budget)
    made.penalty.held.add(torch.tensor(0.3))  # a critic that sees well
    for _ in range(GRACE):
        made.end_epoch({"task_loss": 0.0})
    start = float(pressure.nats)
    with pytest.warns(CollapseWarning, match="label is lost.*budget is raised"):
        assert made.end_epoch({"task_loss": 9.0}) == {"alarm": 1.0}
    assert made.end_epoch({"task_loss": 9.0}) == {"alarm": 1.0}  # warned of once
    assert float(pressure.nats) == pytest.approx(1.5**2 * start)
    assert made.end_epoch({"task_loss": 0.0}) == {"alarm": 0.0}
    assert float(pressure.nats) == pytest.approx(1.5**2 * start)
    assert not made.stopped


class Constant(nn.Module):
    """An encoder that tells nothing."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(len(x), 4)


@pytest.mark.parametrize(("action", "epochs"), [("stop", 1), ("warn", 3)])
def test_training_stops_where_asked_to(table: DataSet, action: str, epochs: int):
    with pytest.warns(CollapseWarning, match=r"budget of 0\.1 nats.*z has collapsed"):
        run = fit(table, "mi", epochs=3, encoder=Constant(), dim=4, budget=0.1, on_alarm=action)
    assert len(run.metrics) == epochs
    assert run.metrics[0]["alarm"] == 1
    assert run.summary()["epochs"] == epochs


def test_a_stopped_run_that_is_resumed_is_the_same_run(
    table: DataSet, tmp_path: Any, same_run: Callable[..., None]
):
    settings: dict[str, Any] = {"dim": 4, "budget": 0.1, "on_alarm": "stop", "epochs": 3}
    with pytest.warns(CollapseWarning):
        first = fit(table, "mi", encoder=Constant(), out=tmp_path / "run", **settings)
    again = fit(table, "mi", encoder=Constant(), out=tmp_path / "run", resume=True, **settings)
    same_run(first, again)


@pytest.mark.filterwarnings("ignore::infoshed.alarm.CollapseWarning")
def test_a_resumed_run_under_a_budget_goes_on_bit_for_bit(
    table: DataSet, tmp_path: Any, same_run: Callable[..., None]
):
    settings: dict[str, Any] = {"budget": 0.02, "on_alarm": "back-off"}
    whole = fit(table, "mi", epochs=3, **settings)
    fit(table, "mi", epochs=2, out=tmp_path / "run", **settings)
    same_run(whole, fit(table, "mi", epochs=3, out=tmp_path / "run", resume=True, **settings))


def test_options_of_the_alarm_are_checked(table: DataSet):
    with pytest.raises(InfoshedError, match="`on_alarm` must be one of back-off, stop, warn"):
        fit(table, "mi", budget=0.1, on_alarm="panic")
    with pytest.raises(InfoshedError, match="`on_alarm` goes with a `budget`"):
        fit(table, "mi", strength=1.0, on_alarm="stop")
    assert method_options("mi", {"budget": 0.1}).on_alarm == "warn"
    assert method_options("mi", {}).on_alarm is None


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_too_few_rows_are_no_collapse(rows: int):
    alarm = CollapseAlarm(math.log(2), (2,), torch.tensor([0.5, 0.5]).log())
    z, c = torch.zeros(rows, 3), torch.zeros(rows, 1).long()
    assert alarm.signs(0.1, z, c, None, 0.0) == []


def test_batch_statistics_and_a_last_row_alone_stop_no_budget(table: DataSet):
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
    data = replace(table, validation=table.validation.rows(torch.arange(129)))
    run = fit(data, "mi", encoder=net, dim=4, epochs=1, batch_size=64, budget="5%")
    assert len(run.metrics) == 1


def test_a_resumed_run_does_not_warn_again_of_what_goes_on(table: DataSet, tmp_path: Path):
    def warned(**changes: Any) -> int:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always", CollapseWarning)
            fit(table, "mi", budget=1e-6, lr=1e-8, seed=0, quiet=True, **changes)
        return sum(issubclass(w.category, CollapseWarning) for w in found)

    out = tmp_path / "run"
    assert warned(epochs=7, out=out) == 1
    assert warned(epochs=8, out=out, resume=True) == 0
