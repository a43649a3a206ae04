"""Trackers, by reading back what they wrote, against metrics.jsonl."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infoshed import DataSet, InfoshedError, Run, fit
from infoshed.tracking import TRACKERS, Trackers

History = dict[str, list[tuple[int, float]]]


def expected(run: Run) -> History:
    """Every figure with its epochs, as the run has them."""
    history: History = {}
    for row in run.metrics:
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                history.setdefault(name, []).append((row["epoch"], float(value)))
    for name, result in run.results.items():
        history[f"accuracy_{name}"] = [(len(run.metrics), result["accuracy"])]
    return history


def same(found: History, run: Run, rel: float = 1e-6) -> None:
    want = expected(run)
    assert set(found) == set(want)
    for name, points in want.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points], name
        values = [value for _, value in points]
        assert [value for _, value in found[name]] == pytest.approx(values, rel=rel, abs=1e-6)


def events(folder: Path) -> History:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {
        name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]
    }


def test_tensorboard(table: DataSet, tmp_path: Path, same_run: Callable[[Run, Run], None]):
    pytest.importorskip("tensorboard")
    run = fit(table, "mi", epochs=2, out=tmp_path / "run", track="tensorboard")
    same(events(tmp_path / "run"), run)
    same_run(run, fit(table, "mi", epochs=2))  # tracking changes nothing
    more = fit(table, "mi", epochs=3, out=tmp_path / "run", resume=True, track="tensorboard")
    found = events(tmp_path / "run")
    assert [step for step, _ in found["task_loss"]] == [1, 2, 3]
    assert found["accuracy_biased"][-1] == (3, pytest.approx(more.results["biased"]["accuracy"]))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file store beside the run folders."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return tracking.MlflowClient((tmp_path / "mlruns").as_uri())


def mlflow_runs(client: Any) -> list[Any]:
    experiment = client.get_experiment_by_name("infoshed")
    return client.search_runs([experiment.experiment_id])


def test_mlflow(table: DataSet, tmp_path: Path, client: Any):
    run = fit(table, "mi", epochs=2, out=tmp_path / "run", track="mlflow", strength=0.2)
    (kept,) = mlflow_runs(client)

    def history() -> History:
        return {
            name: [(m.step, m.value) for m in client.get_metric_history(kept.info.run_id, name)]
            for name in client.get_run(kept.info.run_id).data.metrics
        }

    same(history(), run)
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "run"
    settings = kept.data.params
    assert settings["method"] == "mi"
    assert float(settings["strength"]) == 0.2
    assert settings["attribute"] == "group"
    fit(table, "mi", epochs=3, out=tmp_path / "run", resume=True, track="mlflow", strength=0.2)
    assert len(mlflow_runs(client)) == 1  # the same run goes on
    assert [step for step, _ in history()["task_loss"]] == [1, 2, 3]


def test_a_run_that_was_cut_off_is_marked(
    table: DataSet, tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
):
    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trackers, "epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        fit(table, "plain", epochs=2, out=tmp_path / "run", track="mlflow")
    assert [run.info.status for run in mlflow_runs(client)] == ["KILLED"]


def test_mistakes(table: DataSet, tmp_path: Path):
    with pytest.raises(InfoshedError, match="`track` must be one of mlflow, tensorboard"):
        fit(table, "plain", track="paper", out=tmp_path / "run")
    with pytest.raises(InfoshedError, match="`track` needs `out`"):
        fit(table, "plain", track="tensorboard")


@pytest.mark.parametrize("name", TRACKERS)
def test_without_its_extra_it_says_what_to_install(
    name: str, table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for module in list(sys.modules):
        if module.split(".")[0] in (name, "torch") and name in module:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InfoshedError, match=rf"pip install 'infoshed\[{name}\]'"):
        fit(table, "plain", track=name, out=tmp_path / "run")
