"""Sweeps: every strength with every seed once, and one of them picked from biased data."""

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from infoshed import DATASETS, METHODS, DataSet, InfoshedError, load, load_run
from infoshed.experiments import cluster, runner
from infoshed.experiments.base import Job, Plan, Row, limited
from infoshed.experiments.choice import choose, read_sweep, verdict
from infoshed.experiments.rows import read_rows
from infoshed.experiments.runner import Places, folder_name, reproduce
from infoshed.experiments.selection import score
from infoshed.experiments.sweep import FACTORS, SEEDS, Sweep, make_sweep, sweep
from infoshed.experiments.trade_off import trade_off_svg
from infoshed.train import Training, make_config
from own_files import people, write_table

NOWHERE = Path("nowhere")


@pytest.fixture
def table_set(make_data: Callable[..., DataSet], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a generated data set with one parameter."""

    def make(kind: str = "binary", seed: int = 0) -> DataSet:
        return make_data(kind, 200, seed, params={"kind": kind, "seed": seed})

    monkeypatch.setitem(DATASETS, "table", make)
    return "table"


def made(dataset: str, method: str = "mi", **changes: Any) -> Sweep:
    given: dict[str, Any] = {
        "strengths": None, "budgets": None, "seeds": None, "quick": False, "settings": {},
        "place": {},
    }  # fmt: skip
    return make_sweep(dataset, method, **(given | changes))


def keys(made: Sweep) -> list[str]:
    return [job.key for job in made.jobs([], Plan())]


def test_every_strength_runs_with_every_seed_once(
    table_set: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def again() -> list[Row]:
        return sweep(table_set, strengths=[0, 1], seeds=1, epochs=1, out=tmp_path)

    rows = again()
    assert [row["options"]["strength"] for row in rows] == [0, 1]
    assert rows == read_rows(tmp_path / "rows.jsonl")
    for row in rows:
        kept = tmp_path / "runs" / folder_name(row)
        assert kept.name.startswith(f"strength-{row['options']['strength']:g}-seed0-")
        assert not (kept / "checkpoint.safetensors").exists()
        run = load_run(kept)
        assert run.config.seed == row["seed"]
        assert run.config.options == row["options"]
        split = DATASETS[table_set](seed=row["seed"]).validation
        accuracy = (run.predict(split.x) == split.y).double().mean()
        assert row["figures"]["accuracy_validation"] == pytest.approx(float(accuracy))

    lines = (tmp_path / "rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text(lines[0])
    done: list[Job] = []
    execute = runner.execute
    monkeypatch.setattr(
        runner, "execute", lambda made, job, places: done.append(job) or execute(made, job, places)
    )
    figures = {row["key"]: row["figures"] for row in again()}
    assert [job.key for job in done] == [rows[1]["key"]]
    assert figures == {row["key"]: row["figures"] for row in rows}


def test_the_seeds_of_all_strengths_go_on_together(table_set: str):
    jobs = made(table_set, strengths=[0, 1], seeds=2).jobs([], Plan())
    order = [(job.options["strength"], job.seed) for job in jobs]
    assert order == [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_a_failed_run_is_a_row_without_a_folder(
    table_set: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("infoshed.experiments.base.fit", failing)
    rows = sweep(table_set, strengths=[1], seeds=1, epochs=1, out=tmp_path)
    assert [row["error"] for row in rows] == ["RuntimeError: oops"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["lock"]
    choice = choose(*read_sweep(tmp_path))[0]
    assert choice.chosen is None
    assert "failed: strength 1, seed 0: RuntimeError: oops" in verdict(choice)
    assert trade_off_svg([choice]) is None


def test_the_same_wish_in_other_words_is_the_same_run(table_set: str):
    one = made(table_set, strengths=[1, 0.5], seeds=1)
    assert keys(one) == keys(made(table_set, strengths=["1", 0.5, 1.0], seeds=1))
    assert keys(one) == keys(
        made(table_set, strengths=[1, 0.5], seeds=1, settings={"kind": "binary"})
    )
    others: list[dict[str, Any]] = [{"critic_steps": 2}, {"epochs": 2}, {"kind": "categorical"}]
    for settings in others:
        other = made(table_set, strengths=[1, 0.5], seeds=1, settings=settings)
        assert not set(keys(one)) & set(keys(other))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_grid(table_set: str, method: str):
    grid = made(table_set, method).grid
    default = METHODS[method].Options()
    if hasattr(default, "strength"):
        strengths = [options["strength"] for options in grid]
        assert strengths[0] == default.strength
        assert min(strengths) == 0
        assert max(strengths) == pytest.approx(10 * default.strength)
        assert len(set(strengths)) == len(FACTORS)
    else:
        assert len(grid) == 1
    assert len(keys(made(table_set, method))) == len(grid) * SEEDS


def test_budgets_are_swept_too(table_set: str, tmp_path: Path):
    grid = made(table_set, budgets=["5%", "0.1", "label"], settings={"conditional": False}).grid
    assert [options["budget"] for options in grid] == ["5%", 0.1, "label"]
    assert {options["strength"] for options in grid} == {None}
    sweep(table_set, budgets=["5%", 0.1], seeds=1, epochs=1, out=tmp_path)
    choice = choose(*read_sweep(tmp_path))[0]
    text = " ".join(verdict(choice))
    assert re.search(r"chosen: budget (5%|0\.1) runners-up: budget (5%|0\.1) \(J larger", text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "cifar"}, "`data set` must be one of"),
        ({"method": "magic"}, "`method` must be one of"),
        ({"strengths": [-1]}, "`strength` must be a finite number at least 0; got -1"),
        ({"strengths": ["much"]}, "`strength` must be a finite number"),
        ({"strengths": []}, "`strengths` must hold at least one strength"),
        ({"strengths": [1], "budgets": [1]}, "`strengths` or `budgets`, not both"),
        ({"method": "plain", "strengths": [1]}, "'plain' has no option `strength`"),
        ({"method": "dann", "budgets": [1]}, "'dann' has no option `budget`"),
        ({"budgets": ["lots"]}, "`budget` must be nats"),
        ({"seeds": 0}, "`seeds` must be an integer at least 1"),
        ({"settings": {"epochs": 0}}, "`epochs` must be an integer at least 1"),
        ({"settings": {"sigma2": 0.02}}, "'mi' has no option `sigma2`"),
        ({"settings": {"kind": "continuous"}, "method": "blindeye"}, "takes attributes of kind"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    table_set: str, changes: dict[str, Any], message: str
):
    with pytest.raises(InfoshedError, match=message):
        made(**({"dataset": table_set} | changes))


class Dying(Sweep):
    """A sweep whose runs at strength 1 kill their process after one epoch, the first time."""

    def run(self, job: Job, data: DataSet, folder: Path) -> Row:
        died = folder.parent / f"{job.key}.died"
        if died.exists():
            died.write_text(f"goes on: {(folder / 'checkpoint.safetensors').is_file()}")
        elif job.options["strength"] == 1:
            died.touch()
            checkpoint = Training.checkpoint

            def dying(training: Training, *arguments: Any) -> None:
                checkpoint(training, *arguments)
                if training.epoch == 1:
                    os.kill(os.getpid(), signal.SIGKILL)

            Training.checkpoint = dying  # type: ignore[method-assign]
        return super().run(job, data, folder)


@pytest.mark.slow
def test_ray_loses_no_row_when_a_worker_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers lack the tests
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    plain = made("digits", strengths=[0, 1], seeds=2, settings={"epochs": 2})
    plain = replace(plain, cell=replace(plain.cell, limit=200))
    dying = Dying(**{f.name: getattr(plain, f.name) for f in fields(plain)})
    places = Places(tmp_path / "ray" / "rows.jsonl", tmp_path / "ray" / "runs", keep=True)
    said: list[str] = []
    rows = reproduce(dying, Plan(), places, 2, said.append, ray="local")
    assert len(places.rows.read_text().splitlines()) == len(said) == 4
    assert {row["key"] for row in rows} == set(keys(plain))
    died = sorted(path.stem for path in places.work.glob("*.died"))
    assert died == sorted(row["key"] for row in rows if row["options"]["strength"] == 1)
    assert {path.read_text() for path in places.work.glob("*.died")} == {"goes on: True"}
    for row in rows:
        assert load_run(places.work / folder_name(row)).config.seed == row["seed"]

    alone = reproduce(
        plain, Plan(), Places(tmp_path / "rows.jsonl", tmp_path / "runs"), 1, said.append
    )
    assert {row["key"]: (row["figures"], score(row)) for row in rows} == {
        row["key"]: (row["figures"], score(row)) for row in alone
    }


def test_a_run_on_another_disk_brings_its_folder_back(table_set: str, tmp_path: Path):
    plain = made(table_set, strengths=[0], seeds=1, settings={"epochs": 1})
    (job,) = plain.jobs([], Plan())
    there = Places(tmp_path / "there" / "rows.jsonl", tmp_path / "there", keep=True)
    answer = cluster._task(plain, job, there, tmp_path / "missing")
    assert not there.work.exists()
    assert isinstance(answer.result, dict)
    cluster._keep(answer.files, tmp_path / job.key)
    run = load_run(tmp_path / job.key)
    assert run.results["validation"]["accuracy"] == answer.result["figures"]["accuracy_validation"]
    assert "checkpoint.safetensors" not in answer.files


@pytest.mark.slow
def test_several_processes_keep_the_folders_too(tmp_path: Path):
    rows = sweep("digits", strengths=[0, 1], seeds=1, epochs=1, out=tmp_path, jobs=2)
    assert len(rows) == 2
    assert all(load_run(tmp_path / "runs" / folder_name(row)) for row in rows)


def test_without_ray_the_extra_is_named(
    table_set: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InfoshedError, match=re.escape("pip install 'infoshed[ray]'")):
        sweep(table_set, strengths=[1], seeds=1, epochs=1, out=tmp_path, ray="local")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["lock"]


def test_a_sweep_has_the_options_of_the_recipe_and_the_precision(tmp_path: Path):
    table = str(write_table(tmp_path / "people.csv", people()))
    asked: dict[str, Any] = {"target": "income", "attribute": "sex"}
    data = load(table, **asked)
    config = make_config(data, "mi", 0, {})
    found = made(table, settings=asked | {"precision": "bfloat16"})
    assert {options["critic_steps"] for options in found.grid} == {config.options["critic_steps"]}
    assert found.cell.settings == {"precision": "bfloat16"}
    found = made(table, strengths=[0.3], settings=asked | {"critic_steps": 2})
    assert [options["critic_steps"] for options in found.grid] == [2]


def test_a_limit_of_rows_keeps_all_that_belongs_to_them(table: DataSet):
    n = len(table.train)
    train = replace(table.train, weights=torch.arange(1.0, n + 1))
    few = limited(replace(table, train=train), 50, 0).train
    assert few.weights is not None
    at = [int((train.x == row).all(1).nonzero()[0]) for row in few.x]
    expected = torch.tensor(at, dtype=torch.float32) + 1
    torch.testing.assert_close(few.weights, expected / expected.mean())
