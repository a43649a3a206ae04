"""Running jobs: what is missing is run once, cut-off runs go on, failures are rows."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import infoshed
from infoshed import InfoshedError, NonFiniteError
from infoshed.experiments import EXPERIMENTS, runner
from infoshed.experiments.base import Contender, Experiment, Job, Plan
from infoshed.experiments.rows import read_rows
from infoshed.experiments.runner import Places, reproduce, took
from infoshed.train import Training

SOURCE = Path(infoshed.__file__).resolve().parents[1]


def work_off(toy: Experiment, places: Places, plan: Plan | None = None) -> list[dict[str, Any]]:
    return reproduce(toy, plan or Plan(), places, say=lambda text: None)


def numbers(rows: list[dict[str, Any]]) -> list[Any]:
    """All of the rows that must not depend on time and place."""
    timed = ("seconds", "versions", "revision")
    return [
        {k: v for k, v in row.items() if k not in timed}
        | {"metrics": {k: v for k, v in row["metrics"].items() if k != "seconds"}}
        for row in rows
    ]


def test_the_identity_is_all_that_decides_the_numbers():
    parts: Any = {
        "experiment": "digits", "table": "main", "contender": "plain", "dataset": "digits",
        "params": {"sigma2": 0.02}, "method": "plain", "options": {}, "seed": 0,
        "settings": {"epochs": 40},
    }  # fmt: skip
    job = Job(**parts)
    assert job.key == "b88939ac4724a119"  # rows that are there already are found by it
    assert Job(**parts | {"contender": "baseline"}).key == job.key
    changes: list[dict[str, Any]] = [
        {"table": "other"}, {"params": {"sigma2": 0.03}}, {"method": "adjust"}, {"seed": 1},
        {"options": {"strength": 1.0}}, {"settings": {"epochs": 39}}, {"limit": 100},
        {"dataset": "colored-mnist"}, {"experiment": "faces"},
    ]  # fmt: skip
    assert len({job.key, *(Job(**parts | change).key for change in changes)}) == 1 + len(changes)


def test_grids_hold_all_options_and_start_at_the_default():
    strengths = [options["strength"] for options in Contender("mi").grid()]
    assert strengths == [0.3, 0.09, 0.9]
    plain = Contender("mi", {"loss": "plain"}).grid()
    assert all(options["loss"] == "plain" and options["critic_steps"] for options in plain)
    assert Contender("plain").grid() == [{}]
    assert len(Contender("mi", {"budget": 0.1}).grid()) == 1


def test_what_is_missing_is_run_and_nothing_twice(
    toy: Experiment, places: Places, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    threads = torch.get_num_threads()
    rows = reproduce(toy, Plan(seeds=2), places, say=said.append)
    assert torch.get_num_threads() == threads
    strengths = [(row["contender"], row["options"].get("strength"), row["seed"]) for row in rows]
    assert strengths[:4] == [("mi", 0.3, 0), ("plain", None, 0), ("mi", 0.09, 0), ("mi", 0.9, 0)]
    assert [name for name, *_ in strengths[4:]] == ["mi", "plain"]
    assert [seed for *_, seed in strengths[4:]] == [1, 1]
    grid = [row for row in rows if row["contender"] == "mi" and row["seed"] == 0]
    best = min(
        grid, key=lambda r: r["selection"]["val_nll_adjusted"] + r["selection"]["val_leakage"]
    )
    assert strengths[4][1] == best["options"]["strength"]
    for row in rows:
        assert set(row["figures"]) == {
            "accuracy_validation", "accuracy_biased", "accuracy_unbiased",
        }  # fmt: skip
        assert row["config"]["epochs"] == row["metrics"]["epoch"] == 2
        assert {"torch", "infoshed"} <= set(row["versions"])
    assert len(said) == 6
    assert "6 of 6" in said[-1]
    assert [path.name for path in places.work.iterdir()] == ["lock"]
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("ran again"))
    assert reproduce(toy, Plan(seeds=2), places, say=said.append) == rows
    assert len(said) == 6


def test_a_run_agrees_with_fit(toy: Experiment, places: Places):
    rows = work_off(toy, places, Plan(only=("plain",)))
    run = infoshed.fit(toy.load(None, None), "plain", seed=0, epochs=2)  # type: ignore[arg-type]
    assert rows[0]["figures"]["accuracy_unbiased"] == run.results["unbiased"]["accuracy"]


class Killed(BaseException):
    """A kill: nothing in the library catches it."""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_killed_run_goes_on_where_it_was(
    toy: Experiment,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
):
    plan = Plan(only=("plain",))
    whole = work_off(toy, Places(tmp_path / "whole.jsonl", tmp_path / "whole"), plan)
    checkpoint, run_epoch = Training.checkpoint, Training.run_epoch
    epochs: list[int] = []

    def killed(self: Training, *arguments: Any) -> None:
        checkpoint(self, *arguments)
        if self.epoch == after:
            raise Killed

    def counted(self: Training, *arguments: Any) -> dict[str, Any]:
        epochs.append(self.epoch)
        return run_epoch(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "checkpoint", killed)
        with pytest.raises(Killed):
            work_off(toy, places, plan)
    assert read_rows(places.rows) == []
    monkeypatch.setattr(Training, "run_epoch", counted)
    assert numbers(work_off(toy, places, plan)) == numbers(whole)
    assert epochs == list(range(after, 2))


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(
    toy: Experiment, places: Places
):
    job = next(toy.jobs([], Plan(only=("plain",))))
    folder = places.work / job.key
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert "error" not in work_off(toy, places, Plan(only=("plain",)))[0]


@pytest.mark.parametrize(
    ("error", "again"), [(NonFiniteError("loss became\nnon-finite"), 1), (RuntimeError("oops"), 2)]
)
def test_a_failure_is_a_row_and_the_others_go_on(
    toy: Experiment,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    again: int,
):
    fit, tried = infoshed.fit, []

    def failing(data: Any, method: str, **rest: Any) -> Any:
        if method == "mi":
            tried.append(rest["strength"])
            raise error
        return fit(data, method, **rest)

    monkeypatch.setattr("infoshed.experiments.base.fit", failing)
    said: list[str] = []
    rows = reproduce(toy, Plan(seeds=2), places, say=said.append)
    by_name = {name: [r for r in rows if r["contender"] == name] for name in ("mi", "plain")}
    text = " ".join(str(error).split())
    assert [r["error"] for r in by_name["mi"]] == [f"{type(error).__name__}: {text}"] * 3
    assert ["error" in r for r in by_name["plain"]] == [False, False]
    assert sum("FAILED" in line and text in line for line in said) == 3
    reproduce(toy, Plan(seeds=2), places, say=said.append)
    assert len(tried) == 3 * again


def test_a_second_command_in_the_same_folder_is_refused(
    toy: Experiment, places: Places, monkeypatch: pytest.MonkeyPatch
):
    def nested(toy: Experiment, job: Job, places: Places) -> None:
        work_off(toy, places)

    monkeypatch.setattr(runner, "execute", nested)
    with pytest.raises(InfoshedError, match=r"another command is at work in .*work"):
        work_off(toy, places)


def test_unknown_methods_are_refused(toy: Experiment, places: Places):
    with pytest.raises(InfoshedError, match="`only` must be one of mi, plain; got 'magic'"):
        work_off(toy, places, Plan(only=("magic",)))


@pytest.mark.parametrize("name", ["colored-mnist", "faces", "fairness"])
def test_a_data_folder_without_the_data_is_named(name: str, tmp_path: Path):
    places = Places(tmp_path / "rows.jsonl", tmp_path / "work", tmp_path)
    with pytest.raises(InfoshedError, match=r"(lacks|not in) .*--data-dir"):
        reproduce(EXPERIMENTS[name], Plan(quick=True), places)
    assert read_rows(places.rows) == []


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_jobs_of_every_experiment_are_sound(name: str, quick: bool):
    experiment = EXPERIMENTS[name]
    jobs = list(experiment.jobs([], Plan(quick)))
    assert len({job.key for job in jobs}) == len(jobs)
    assert {job.experiment for job in jobs} == {name}
    assert {job.contender for job in jobs} == set(experiment.contenders(Plan(quick)))
    assert all(job.settings["epochs"] >= 1 for job in jobs)
    first = dict.fromkeys(job.contender for job in jobs)
    only = tuple(list(first)[1:3])
    assert {job.contender for job in experiment.jobs([], Plan(quick, only))} == set(only)
    tables = {job.table for job in jobs}
    assert tables <= set(experiment.titles)


@pytest.mark.slow
def test_several_processes_leave_the_same_rows(tmp_path: Path):
    digits, plan = EXPERIMENTS["digits"], Plan(quick=True, only=("plain", "adjust"))
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        rows = reproduce(digits, plan, Places(folder / "rows.jsonl", folder), processes)
        found.append(sorted(numbers(rows), key=lambda row: row["key"]))
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.slow
def test_workers_end_with_a_killed_parent():
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from infoshed.experiments import EXPERIMENTS\n"
        "from infoshed.experiments.runner import Places, Worker\n"
        "if __name__ == '__main__':\n"
        "    worker = Worker(EXPERIMENTS['digits'], Places(Path('x'), Path('x')))\n"
        "    worker.pipe.send(None)\n"  # no job: an answer says that it is up
        "    worker.pipe.poll(60)\n"
        "    print('up', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    parent.send_signal(signal.SIGKILL)
    # The worker holds the other end of this pipe: reading ends when it has ended too.
    parent.communicate(timeout=60)
    assert parent.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 min"), (89, "1 min"), (3599, "1 h 0 min"), (9000, "2 h 30 min")]
)
def test_durations_are_for_people(seconds: float, text: str):
    assert took(seconds) == text
