"""Sweeps: one method on one data set over a grid of strengths or budgets, and seeds.

A sweep is an experiment of the user's own: the same rows, resumed in the same way. Which strength
to take is decided by `infoshed.experiments.choice`, from biased data alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from infoshed.checks import InfoshedError, check_choice, check_number
from infoshed.data import load, loader_parameters
from infoshed.experiments.base import Cell, Contender, Experiment, Job, Plan, Row, limited
from infoshed.experiments.runner import Places, reproduce
from infoshed.experiments.selection import figures_for_selection
from infoshed.experiments.summary import place_of
from infoshed.io import read_json, write_json
from infoshed.methods import METHODS, method_options
from infoshed.pressure_parts import make_pressures
from infoshed.seeds import torch_generator
from infoshed.train import make_config, recipe_options
from infoshed.types import DataSet

FACTORS, SEEDS = (1.0, 0.3, 3.0, 0.1, 10.0, 0.0), 3
QUICK_FACTORS, QUICK_SEEDS, QUICK_EPOCHS, QUICK_ROWS = (1.0, 0.3, 3.0, 0.0), 2, 8, 5000
SETTINGS = ("epochs", "batch_size", "lr", "average", "encoder", "dim", "precision")  # of `fit`
ROWS, RUNS, GRID, FINGERPRINTS = "rows.jsonl", "runs", "grid.json", "data.json"


@dataclass(frozen=True)
class Sweep(Experiment):
    """See the module; `make_sweep` makes one from what a user gives.

    Args:
        cell: data set, its parameters, settings of `fit`, limit of rows.
        contender: the name of the method with the options that all runs share.
        method: its name. grid: all its options, once for each strength or budget.
        seeds: how many, from 0.
        headline: of the validation split, so that progress shows no test figure.
        fingerprint: of the data, as in `DataSet`.
    """

    cell: Cell
    contender: str
    method: str
    grid: tuple[dict[str, Any], ...]
    seeds: int
    headline: str
    fingerprint: str = ""

    name: ClassVar[str] = "sweep"
    summary: ClassVar[str] = "one method over a grid of strengths or budgets"

    def contenders(self, plan: Plan) -> dict[str, Contender]:
        return {self.contender: Contender(self.method)}

    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        who = Contender(self.method)
        for seed in range(self.seeds):
            for options in self.grid:
                yield self.job(self.cell, self.contender, who, options, seed)

    def load(self, job: Job, root: Path | None) -> DataSet:
        """The data of a job; `root` is the data set's own folder here, as in training."""
        place = {} if root is None else {"data_dir": root}
        data = load(job.dataset, seed=job.seed, **job.params, **place)
        if data.fingerprint != self.fingerprint:
            raise InfoshedError(f"{job.dataset} has changed since this sweep began; begin another")
        return data if job.limit is None else limited(data, job.limit, job.seed)


def sweep(
    dataset: str,
    method: str = "mi",
    *,
    strengths: Sequence[float | str] | None = None,
    budgets: Sequence[float | str] | None = None,
    seeds: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    jobs: int | None = None,
    ray: str | None = None,
    data_dir: str | Path | None = None,
    **settings: Any,
) -> list[Row]:
    """Train `method` at every strength (or budget) with every seed; what is there is not redone.

    Args:
        dataset: a name in `DATASETS`, or the user's own file. method: a name in `METHODS`.
        strengths: to try; unless given, 0 to 10 times the method's default. A method without a
            strength has one entry in its grid.
        budgets: to try instead: nats, "5%" of H(C), or "label".
        seeds: runs of each, 3 unless given.
        quick: few epochs, seeds, strengths and rows, to see that all works.
        out: folder for rows.jsonl and the run folders in runs/; runs/sweep-DATASET unless given.
        jobs: runs at a time, each a process with one thread (1); on Ray a limit.
        ray: run on Ray: "local", "auto" or the address of a cluster; needs the extra `ray`.
        data_dir: folder of the data set's files, on every machine.
        settings: parameters of the data set, arguments of `fit` and options of the method that all
            runs share.

    Returns all rows of the folder. Raises `InfoshedError` for settings that make no sense, before
    anything is trained, and as `infoshed.experiments.runner.reproduce` does.
    """
    place = {} if data_dir is None else {"data_dir": Path(data_dir)}
    made = make_sweep(dataset, method, strengths, budgets, seeds, quick, settings, place)
    folder = sweep_folder(dataset, quick) if out is None else Path(out)
    places = Places(folder / ROWS, folder / RUNS, place.get("data_dir"), keep=True)
    folder.mkdir(parents=True, exist_ok=True)
    note_data(folder, made.cell, made.fingerprint)
    write_grid(folder, list(made.jobs([], Plan())))
    return reproduce(made, Plan(), places, jobs, ray=ray)


def write_grid(folder: Path, jobs: Sequence[Job]) -> None:
    """Note in grid.json which runs a sweep is to have, so that one that was cut off is known."""
    planned = read_grid(folder)
    write_json(folder / GRID, planned | {place_of(jobs[0].to_row()): [job.key for job in jobs]})


def read_grid(folder: Path) -> dict[str, list[str]]:
    """Keys of the runs that the newest sweep of each place is to have; none without grid.json.
    Raises `InfoshedError` for a file that holds something else."""
    if not (folder / GRID).is_file():
        return {}
    planned = read_json(folder / GRID)
    if not isinstance(planned, dict) or not all(isinstance(v, list) for v in planned.values()):
        raise InfoshedError(f"{folder / GRID} is not the grid of a sweep; delete it")
    return planned


def sweep_folder(dataset: str, quick: bool) -> Path:
    """Where a sweep goes unless told otherwise."""
    return Path("runs") / f"sweep-{Path(dataset).stem}{'-quick' if quick else ''}"


def make_sweep(
    dataset: str,
    method: str,
    strengths: Sequence[float | str] | None,
    budgets: Sequence[float | str] | None,
    seeds: int | None,
    quick: bool,
    settings: dict[str, Any],
    place: dict[str, Any],
) -> Sweep:
    """The sweep that is meant, checked against the data; arguments as in `sweep`, `place` with
    `data_dir` if given."""
    known = loader_parameters(dataset)
    check_choice("method", method, METHODS)
    if seeds is None:
        seeds = QUICK_SEEDS if quick else SEEDS
    check_number("seeds", seeds, 1, integer=True)
    params = {k: v for k, v in settings.items() if k in known}
    training: dict[str, Any] = {"epochs": QUICK_EPOCHS} if quick else {}
    training |= {k: v for k, v in settings.items() if k in SETTINGS and k not in params}
    shared = {k: v for k, v in settings.items() if k not in params and k not in training}
    data = load(dataset, **params, **place)
    options = recipe_options(data, method) | shared
    grid = _grid(method, strengths, budgets, options, QUICK_FACTORS if quick else FACTORS)
    for options in grid:
        make_config(data, method, 0, options, **training)
        if "budget" in options:
            y, c = data.target.strata(data.train.y), data.train.c
            make_pressures(options["strength"], options["budget"], data.attribute, y, c)
    _check_choosable(data if not quick else limited(data, QUICK_ROWS, 0))
    cell = Cell(
        "sweep", dataset, {k: v for k, v in data.params.items() if k != "seed"},
        training, QUICK_ROWS if quick else None,
    )  # fmt: skip
    name = " ".join([method, *(f"{k}={v}" for k, v in shared.items())])
    headline = f"{data.target.score.key}_validation"
    return Sweep(cell, name, method, grid, seeds, headline, data.fingerprint)


def _check_choosable(data: DataSet) -> None:
    """Raise `InfoshedError` where the rule of selection cannot read the validation split: before
    anything is trained, not after."""
    guess = torch.randn(
        len(data.validation), data.target.outputs, generator=torch_generator(0, "choosable")
    )
    try:
        figures_for_selection(guess, data)
    except InfoshedError as error:
        raise InfoshedError(
            f"no setting could be chosen by the {len(data.validation):,} validation rows of "
            f"{data.name}: {error}"
        ) from None


def note_data(folder: Path, cell: Cell, fingerprint: str) -> None:
    """Note in data.json the fingerprint of the data of `cell`. Raises `InfoshedError` where runs in
    the folder are of other rows: what is compared must be of the same."""
    path = folder / FINGERPRINTS
    known = read_json(path) if path.is_file() else {}
    if not isinstance(known, dict):
        raise InfoshedError(f"{path} is not of a sweep; delete it")
    if not fingerprint:
        return
    name = json.dumps([cell.dataset, cell.params], sort_keys=True)
    if known.get(name, fingerprint) != fingerprint:
        raise InfoshedError(
            f"{cell.dataset} has changed since the runs in {folder} were trained; give the sweep "
            "another folder with --out, or delete that one"
        )
    write_json(path, known | {name: fingerprint})


def _grid(
    method: str,
    strengths: Sequence[float | str] | None,
    budgets: Sequence[float | str] | None,
    shared: dict[str, Any],
    factors: Sequence[float],
) -> tuple[dict[str, Any], ...]:
    """All options of the method for each entry; equal ones once."""
    if strengths is not None and budgets is not None:
        raise InfoshedError("give `strengths` or `budgets`, not both")
    name = "strength" if strengths is not None else "budget"
    values = strengths if strengths is not None else budgets
    if values is None:
        return tuple(Contender(method, shared).grid(factors))
    if not values:
        raise InfoshedError(f"`{name}s` must hold at least one {name}, got none")
    made = [asdict(method_options(method, shared | {name: _number(value)})) for value in values]
    return tuple(options for i, options in enumerate(made) if options not in made[:i])


def _number(value: float | str) -> float | str:
    """A number where it is one, so that 1, 1.0 and "1" are the same run."""
    try:
        return float(value)
    except ValueError:
        return value
