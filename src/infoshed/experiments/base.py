"""Experiments: which runs answer a question, and what is measured on each.

A job is one run with all that decides its numbers. An experiment lists its jobs in order of
importance, given the rows of the finished ones: what later jobs are may depend on what earlier ones
found (see `infoshed.experiments.selection`), so the list is asked for again and again until
every job in it has its row.
"""

import hashlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import torch

from infoshed.assignments import as_text
from infoshed.checks import check_choice
from infoshed.data import DATASETS, load
from infoshed.evaluate import outputs_of
from infoshed.experiments.selection import figures_for_selection, select
from infoshed.methods import METHODS, method_options
from infoshed.run import Run
from infoshed.seeds import torch_generator
from infoshed.train import fit
from infoshed.types import DataSet, Split

Row = dict[str, Any]
"""A finished job: `Job.to_row`, with figures and the record of its run or its `error`."""

FACTORS = (1.0, 0.3, 3.0)


@dataclass(frozen=True)
class Job:
    """One run.

    Args:
        experiment, table: what it belongs to.
        contender: what tables call it.
        dataset, params: the data set and what it is made with; the seed is `seed`.
        method, options: the method and all its own options.
        seed: of data and training.
        settings: further arguments of `fit`, such as epochs and lr.
        limit: use at most so many random rows of each split; None for all.
    """

    experiment: str
    table: str
    contender: str
    dataset: str
    params: dict[str, Any]
    method: str
    options: dict[str, Any]
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the numbers; where files lie and how tables call it do not."""
        return {k: v for k, v in asdict(self).items() if k != "contender"}

    @property
    def key(self) -> str:
        """A short digest of the identity, the same on every machine."""
        text = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_row(self) -> Row:
        """The job's part of its row."""
        return {"key": self.key, "contender": self.contender, **self.identity}


@dataclass(frozen=True)
class Cell:
    """A place where every contender is run: arguments as in `Job`."""

    table: str
    dataset: str
    params: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is asked for: a quick version, some contenders only (all if empty), seeds per cell
    (the experiment's own number if None)."""

    quick: bool = False
    only: tuple[str, ...] = ()
    seeds: int | None = None


@dataclass(frozen=True)
class Contender:
    """A method with the options that make it this contender.

    Args:
        method, options: as in `Job`.
        settings: by data set, `Job.settings` that it has instead of the cell's.
    """

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def grid(self, factors: Sequence[float] = FACTORS) -> list[dict[str, Any]]:
        """All options for each strength: `factors` times the default one, in that order. A method
        without a strength, or with one that moves or one for each part of c, has one entry."""
        options = asdict(method_options(self.method, self.options))
        if not options.get("strength") or isinstance(options["strength"], dict | str):
            return [options]
        return [
            options | {"strength": float(f"{options['strength'] * factor:.6g}")}
            for factor in factors
        ]


def contenders(
    kind: str, *, first: Sequence[str], leave_out: Sequence[str] = ()
) -> dict[str, Contender]:
    """All methods that take an attribute of this kind, `first` at the head, under their names."""
    names = [*first, *(name for name in METHODS if name not in first)]
    return {
        name: Contender(name)
        for name in names
        if name in METHODS and name not in leave_out and kind in METHODS[name].kinds
    }


def pressure(options: dict[str, Any]) -> str:
    """What a run presses with: "strength 0.3" or "budget 5%"; empty for a method without either."""
    for name in ("budget", "strength"):
        value = options.get(name)
        if value is not None:
            return f"{name} {as_text(value) if isinstance(value, str | dict) else f'{value:g}'}"
    return ""


OURS = {
    "mi-marginal": Contender("mi", {"conditional": False}),
    "mi-plain-loss": Contender("mi", {"loss": "plain"}),
    "mi-reweighed": Contender("mi", {"loss": "reweighed"}),
    "mi-budget-label": Contender("mi", {"budget": "label", "loss": "plain"}),
}
"""Variants of the default method."""


class Experiment(ABC):
    """Base of the experiments in `EXPERIMENTS`.

    Class attributes: `name`; `summary`, one line; `titles` of its tables; `columns`, the figures
    that tables show and their headings; `axis`, the parameter of the data that tables have in
    columns instead, each with the `headline` figure; `headline`, the figure told of a run;
    `oracle`, the figure on the test that an oracle would pick strengths by, None where none is
    best; `trade_off`, whether what counts is the curve over the strengths.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    titles: ClassVar[dict[str, str]] = {}
    columns: ClassVar[dict[str, str]] = {
        "accuracy_unbiased": "unbiased test, %",
        "accuracy_biased": "biased test, %",
    }
    axis: ClassVar[str | None] = None
    headline: str = "accuracy_unbiased"
    oracle: ClassVar[str | None] = "accuracy_unbiased"
    trade_off: ClassVar[bool] = False

    @abstractmethod
    def contenders(self, plan: Plan) -> dict[str, Any]:
        """Every contender by name, in order of importance."""

    @abstractmethod
    def jobs(self, rows: Sequence[Row], plan: Plan) -> Iterator[Job]:
        """The jobs that are known given the finished `rows`, in order of importance."""

    def chosen_contenders(self, plan: Plan) -> dict[str, Any]:
        """The contenders that `plan.only` names. Raises `InfoshedError` for an unknown name."""
        known = self.contenders(plan)
        for name in plan.only:
            check_choice("only", name, known)
        return {k: v for k, v in known.items() if not plan.only or k in plan.only}

    def job(self, cell: Cell, name: str, contender: Any, options: dict[str, Any], seed: int) -> Job:
        """One run of a contender (it has a `method` and `settings`) in a cell."""
        settings = contender.settings.get(cell.dataset, cell.settings)
        return Job(
            self.name, cell.table, name, cell.dataset, cell.params, contender.method, options,
            seed, settings, cell.limit,
        )  # fmt: skip

    def staged(
        self,
        cells: Sequence[Cell],
        entrants: dict[str, Contender],
        seeds: dict[str, int],
        rows: Sequence[Row],
        factors: Sequence[float] = FACTORS,
        tuned: Sequence[Cell] | None = None,
        compared: Mapping[str, int] | None = None,
    ) -> Iterator[Job]:
        """Jobs in four stages: every contender at its default strength in the first cell, then the
        other strengths in the `tuned` cells, then the other cells at the strength that the rule of
        selection picks, at seed 0, then the further seeds likewise.

        Args:
            cells: where to run; the first one matters most.
            tuned: the cells where all strengths are run, the first cell among them; every other
                cell takes the strength of the last of them before it. All unless given.
            compared: how many seeds of all strengths the rule compares, by contender; one unless
                given.
            entrants: contenders by name. seeds: how many for each.
            rows: the finished jobs.
            factors: strengths as multiples of the default one, 1 first.
        """
        grids = {name: contender.grid(factors) for name, contender in entrants.items()}
        tuned = cells if tuned is None else tuned
        done = {row["key"]: row for row in rows}
        compared = {n: min((compared or {}).get(n, 1), seeds.get(n, 1)) for n in entrants}

        def strengths(cell: Cell, name: str) -> Iterator[Job]:
            for seed in range(compared[name]):
                for options in grids[name]:
                    yield self.job(cell, name, entrants[name], options, seed)

        def jobs() -> Iterator[Job]:
            for cell in cells[:1]:
                for name, contender in entrants.items():
                    yield self.job(cell, name, contender, grids[name][0], 0)
            for cell in tuned:
                for name in entrants:
                    yield from strengths(cell, name)
            for seed in range(max(seeds.values(), default=0)):
                where = cells[0]
                for cell in cells:
                    where = cell if cell in tuned else where
                    for name, contender in entrants.items():
                        keys = [job.key for job in strengths(where, name)]
                        if seed < seeds[name] and all(key in done for key in keys):
                            picked = select([done[key] for key in keys])
                            if picked is not None:
                                yield self.job(cell, name, contender, picked["options"], seed)

        yield from {job.key: job for job in jobs()}.values()  # each once, where it first stands

    def measure(self, run: Run, data: DataSet) -> dict[str, float | None]:
        """Figures of a run beyond the accuracy on each split."""
        return {}

    def load(self, job: Job, root: Path | None) -> DataSet:
        """The data of a job, from `root` (the folder of its files, or the one above), else as the
        loader finds them. Raises `InfoshedError` when files are missing."""
        reads_files = "data_dir" in signature(DATASETS[job.dataset]).parameters
        place = {"data_dir": root} if root is not None and reads_files else {}
        data = load(job.dataset, seed=job.seed, **job.params, **place)
        return data if job.limit is None else limited(data, job.limit, job.seed)

    def run(self, job: Job, data: DataSet, folder: Path) -> Row:
        """Train and measure; a run that was cut off in `folder` goes on from its checkpoint.

        Returns `figures` (accuracy, or R2, on every split and those of `measure`), `selection`
        (from the validation split alone), `config`, `metrics` of the last epoch and `seconds`.
        """
        resume = (folder / "checkpoint.safetensors").is_file()
        if not resume and folder.exists():
            shutil.rmtree(folder)  # killed before its first checkpoint
        run = fit(
            data, job.method, seed=job.seed, out=folder, resume=resume, quiet=True,
            **job.settings, **job.options,
        )  # fmt: skip
        score = data.target.score.key
        figures = {f"{score}_{name}": r[score] for name, r in run.results.items()}
        logits = outputs_of(run.model, data.validation)
        config = {k: v for k, v in run.config.to_dict().items() if k not in ("attribute", "target")}
        return {
            "figures": figures | self.measure(run, data),
            "selection": figures_for_selection(logits, data),
            "config": config,
            "metrics": run.metrics[-1],
            "seconds": round(run.seconds, 2),
        }


def limited(data: DataSet, limit: int, seed: int) -> DataSet:
    """`data` with at most `limit` random rows in each split."""

    def part(name: str, split: Split) -> Split:
        order = torch.randperm(len(split), generator=torch_generator(seed, f"limit {name}"))[:limit]
        return split.rows(order)

    return replace(
        data,
        train=part("train", data.train),
        validation=part("validation", data.validation),
        tests={name: part(name, split) for name, split in data.tests.items()},
    )
