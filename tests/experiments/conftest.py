"""A small experiment on a generated table, and rows made by hand."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from infoshed import DataSet
from infoshed.experiments import EXPERIMENTS
from infoshed.experiments.base import Cell, Contender, Experiment, Job, Plan, Row
from infoshed.experiments.runner import Places


class Toy(Experiment):
    """Plain training and `mi` at three strengths on a table, two epochs each."""

    name = "toy"
    summary = "a generated table"

    def __init__(self, data: DataSet):
        self.data = data

    def contenders(self, plan: Plan) -> dict[str, Contender]:
        return {"mi": Contender("mi", {"critic_steps": 1}), "plain": Contender("plain")}

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        entrants = self.chosen_contenders(plan)
        cell = Cell("main", "table", {}, {"epochs": 2})
        return self.staged([cell], entrants, dict.fromkeys(entrants, plan.seeds or 1), rows)

    def load(self, job: Job, root: Path | None) -> DataSet:
        return self.data


@pytest.fixture
def toy(make_data: Callable[..., DataSet], monkeypatch: pytest.MonkeyPatch) -> Toy:
    experiment = Toy(make_data("binary", 200))
    monkeypatch.setitem(EXPERIMENTS, "toy", experiment)
    return experiment


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "results" / "toy.jsonl", tmp_path / "work")


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """A row as a run leaves it; figures and J are given."""

    def make(
        contender: str = "mi",
        strength: float | None = 1.0,
        seed: int = 0,
        accuracy: float = 0.5,
        j: float | None = 1.0,
        error: str | None = None,
        **changes: Any,
    ) -> Row:
        options = {} if strength is None else {"strength": strength}
        given: dict[str, Any] = {
            "experiment": "colored-mnist",
            "table": "main",
            "dataset": "colored-mnist",
            "params": {"sigma2": 0.02},
            "method": contender.split("-")[0],
            "settings": {"epochs": 3},
        }
        job = Job(contender=contender, options=options, seed=seed, **(given | changes))
        if error is not None:
            return job.to_row() | {"error": error}
        figures = {"accuracy_unbiased": accuracy, "accuracy_biased": 0.99}
        row = job.to_row() | {"figures": figures, "seconds": 10.0}
        if j is not None:
            row["selection"] = {
                "val_accuracy": 0.9,
                "val_nll_adjusted": j - 0.25,
                "val_leakage": 0.25,
            }
        return row

    return make
