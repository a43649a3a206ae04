"""What training leaves in its folder after every epoch, and how it goes on from there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import infoshed.train
from infoshed import METHODS, DataSet, InfoshedError, Run, fit, load_run

Check = Callable[[Run, Run], None]


def test_rows_of_metrics_are_written_after_every_epoch(table: DataSet, tmp_path: Path):
    run = fit(table, "mi", epochs=3, strength=1.0, out=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == run.metrics
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    entropy = table.attribute.entropy
    assert entropy is not None
    for row in rows:
        assert row["mi_share"] == pytest.approx(row["mi"] / entropy)
        assert row["strength"] == 1.0
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert {p.name for p in tmp_path.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "results.json",
        "model.safetensors",
        "checkpoint.safetensors",
    }


@pytest.mark.parametrize("changed", [{"seed": 1}, {"strength": 0.5}, {"batch_size": 32}])
def test_other_settings_do_not_resume(table: DataSet, tmp_path: Path, changed: dict[str, Any]):
    fit(table, "mi", epochs=1, out=tmp_path)
    with pytest.raises(InfoshedError, match=r"made with another `.*resume with the same settings"):
        fit(table, "mi", epochs=2, out=tmp_path, resume=True, **changed)


def test_the_option_that_differs_is_named(table: DataSet, tmp_path: Path):
    fit(table, "mi", epochs=1, out=tmp_path)
    with pytest.raises(InfoshedError, match=r"another `strength`: 0\.3, now 0\.5; resume"):
        fit(table, "mi", epochs=2, out=tmp_path, resume=True, strength=0.5)


def test_everybody_who_may_read_the_folder_may_read_the_model(table: DataSet, tmp_path: Path):
    fit(table, "plain", epochs=1, out=tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir() if path.is_file()}
    assert len(modes) == 1


def test_other_data_does_not_resume(table: DataSet, tmp_path: Path):
    fit(table, "plain", epochs=1, out=tmp_path)
    with pytest.raises(InfoshedError, match="made with another `params`"):
        fit(replace(table, params={"sigma2": 0.03}), "plain", out=tmp_path, resume=True)


def test_there_must_be_something_to_resume(table: DataSet, tmp_path: Path):
    with pytest.raises(InfoshedError, match="nothing to resume"):
        fit(table, "plain", out=tmp_path / "none", resume=True)
    with pytest.raises(InfoshedError, match="`resume` needs `out`"):
        fit(table, "plain", resume=True)


def test_resuming_a_finished_run_gives_it_again(table: DataSet, same_run: Check, tmp_path: Path):
    run = fit(table, "mi", epochs=2, out=tmp_path)
    same_run(run, fit(table, "mi", epochs=2, out=tmp_path, resume=True))


def test_an_interrupt_before_the_first_epoch_ends_leaves_a_run(
    table: DataSet, same_run: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(METHODS["plain"], "step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(table, "plain", epochs=2, out=tmp_path)
    assert load_run(tmp_path).metrics == []
    same_run(
        fit(table, "plain", epochs=2),
        fit(table, "plain", epochs=2, out=tmp_path, resume=True),
    )


def test_an_interrupt_while_a_checkpoint_is_written_leaves_rows_and_weights_of_one_epoch(
    table: DataSet, same_run: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_state, calls = infoshed.train.save_state, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:  # the initial state, the first epoch, the second
            raise KeyboardInterrupt
        save_state(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(infoshed.train, "save_state", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(table, "plain", epochs=3, out=tmp_path)
    first = replace(fit(table, "plain", epochs=1), results={})
    same_run(first, load_run(tmp_path))
    same_run(
        fit(table, "plain", epochs=3), fit(table, "plain", epochs=3, out=tmp_path, resume=True)
    )


def test_resuming_in_the_first_epoch_is_the_run_that_was_not_stopped(
    table: DataSet, same_run: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(3)
    features = table.train.x.shape[1]
    net = nn.Sequential(nn.Linear(features, 8), nn.Dropout(0.5), nn.Linear(8, 4))
    settings: dict[str, Any] = {"encoder": net, "dim": 4, "epochs": 2}

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    whole = fit(table, "plain", **settings)
    torch.manual_seed(7)  # what the caller has done does not matter, here and on resuming
    with monkeypatch.context() as patch:
        patch.setattr(METHODS["plain"], "step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(table, "plain", **settings, out=tmp_path)
    torch.manual_seed(8)
    same_run(whole, fit(table, "plain", **settings, out=tmp_path, resume=True))


def test_a_module_of_the_callers_is_copied(table: DataSet, same_run: Check):
    net = nn.Linear(table.train.x.shape[1], 4)
    weight = net.weight.detach().clone()
    first = fit(table, "plain", encoder=net, dim=4, epochs=1)
    assert torch.equal(net.weight, weight)
    same_run(first, fit(table, "plain", encoder=net, dim=4, epochs=1))


def test_a_run_that_goes_on_is_not_shorter_and_keeps_no_results_of_the_shorter_one(
    table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fit(table, "plain", epochs=2, out=tmp_path)
    with pytest.raises(InfoshedError, match="has 2 epochs already, more than the 1 of `epochs`"):
        fit(table, "plain", epochs=1, out=tmp_path, resume=True)
    assert load_run(tmp_path).config.epochs == 2

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(infoshed.train.Training, "finish", kill)
        with pytest.raises(Killed):
            fit(table, "plain", epochs=3, out=tmp_path, resume=True)
    with pytest.raises(InfoshedError, match="has no model yet; finish it with --resume"):
        load_run(tmp_path)
    fit(table, "plain", epochs=3, out=tmp_path, resume=True)
    assert len(load_run(tmp_path).metrics) == 3
