"""Running the jobs of an experiment that have no row yet, in one or several processes.

Each run trains in a work folder of its own, named by its key, and leaves a checkpoint there after
every epoch; when it has ended, its row is appended and the folder removed (or kept as a run folder,
without the checkpoint). So whatever stops the work, the same command goes on from the last
checkpoints. Every process computes with one thread: the numbers do not depend on how many there
are. On several machines Ray gives out the runs (`infoshed.experiments.cluster`).
"""

import json
import multiprocessing
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from infoshed.checks import InfoshedError, NonFiniteError, check_number
from infoshed.experiments.base import Experiment, Job, Plan, Row, pressure
from infoshed.experiments.rows import append_row, locked, read_rows, revision
from infoshed.progress import RunsBar
from infoshed.run import versions
from infoshed.targets import SCORES

DIVERGED = NonFiniteError.__name__
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Places:
    """rows: the file of rows. work: the folder for unfinished runs. data: the folder above the
    data sets' own ones, None for the loaders' places. keep: leave the folders of finished runs in
    `work`, without their checkpoints."""

    rows: Path
    work: Path
    data: Path | None = None
    keep: bool = False


def reproduce(
    experiment: Experiment, plan: Plan, places: Places, processes: int | None = None,
    say: Callable[[str], None] | None = None,
    ray: str | None = None,
) -> list[Row]:  # fmt: skip
    """Run what is missing, and return all rows.

    Args:
        experiment, plan: what to run.
        places: where rows, work and data are.
        processes: how many to run at a time; one, as by default, runs in this process. With Ray
            as many as it has processors, unless given.
        say: is given one line for each finished run; standard error unless given, where a
            terminal also shows a bar.
        ray: give the runs to Ray at this address; "local" starts one, "auto" finds one.

    A run that fails is a row with `error`, and the next one follows. One that diverged is not tried
    again; one that failed for another reason is, when the command is given again. Raises
    `InfoshedError` when data are missing, when another command works in the same folder, or when a
    process is killed (on Ray: the same run four times).
    """
    if processes is not None:
        check_number("jobs", processes, 1, integer=True)
    experiment.chosen_contenders(plan)
    places.work.mkdir(parents=True, exist_ok=True)
    with open(places.work / "lock", "a") as lock:
        try:
            with locked(lock, wait=False), RunsBar() as bar:
                queue = Queue(experiment, plan, places.rows, say or bar.say, bar.show)
                if ray is not None:
                    from infoshed.experiments.cluster import run_on_ray  # Ray is optional

                    run_on_ray(queue, places, ray, processes)
                else:
                    _work_off(queue, places, processes or 1)
        except BlockingIOError:
            raise InfoshedError(
                f"another command is at work in {places.work}; wait for it, or run several "
                "processes with --jobs"
            ) from None
    return read_rows(places.rows)


class Queue:
    """Which job is next, and what has been said about those that are done."""

    def __init__(
        self, experiment: Experiment, plan: Plan, rows: Path, say: Callable[[str], None],
        show: Callable[[int, int, str], None] = lambda ended, known, running: None,
    ):  # fmt: skip
        self.experiment, self.plan, self.say, self.show = experiment, plan, say, show
        self.rows = {row["key"]: row for row in read_rows(rows)}
        self.settled = {k for k, row in self.rows.items() if _is_settled(row)}
        self.running: dict[str, Job] = {}
        self.seconds: list[float] = []

    def _open(self) -> tuple[list[Job], int]:
        """The known jobs that are neither done nor running, and the number of known ones."""
        rows = [row for key, row in self.rows.items() if key in self.settled]
        jobs = {job.key: job for job in self.experiment.jobs(rows, self.plan)}
        taken = self.settled | set(self.running)
        return [job for key, job in jobs.items() if key not in taken], len(jobs)

    def next(self) -> Job | None:
        """The most important job that is open, now taken; None if there is none (yet)."""
        jobs, known = self._open()
        if not jobs:
            return None
        self.running[jobs[0].key] = jobs[0]
        self._show(known - len(jobs) - len(self.running) + 1, known)
        return jobs[0]

    def _show(self, ended: int, known: int) -> None:
        at_work = (
            f"{job.contender} {pressure(job.options)}".strip() + f" seed {job.seed}"
            for job in self.running.values()
        )
        self.show(ended, known, ", ".join(at_work))

    def done(self, row: Row, seconds: float, processes: int) -> None:
        """Take note of a finished run and say so; `seconds` is what it took."""
        self.running.pop(row["key"], None)
        self.settled.add(row["key"])
        self.rows[row["key"]] = row
        self.seconds.append(seconds)
        jobs, known = self._open()
        left = (len(jobs) + len(self.running)) * mean(self.seconds) / processes
        ended = known - len(jobs) - len(self.running)
        self._show(ended, known)
        self.say(
            f"{ended} of {known} known runs  {describe(row, self.experiment)}  {took(left)} left"
        )


def _is_settled(row: Row) -> bool:
    return "error" not in row or row["error"].startswith(DIVERGED)


def describe(row: Row, experiment: Experiment) -> str:
    """A finished run in a line."""
    where = " ".join(f"{k}={v}" for k, v in row["params"].items())
    who = f"{row['contender']} {pressure(row['options'])}".strip()
    name = f"{row['table']} {where}  {who} seed {row['seed']}"
    if "error" in row:
        return f"{name}  FAILED: {row['error']}"
    figure = row["figures"].get(experiment.headline)
    score = SCORES[experiment.headline.split("_")[0]]
    found = "" if figure is None else f"  {experiment.headline} {score.text(figure)}"
    return f"{name}{found}  {row['seconds']:.0f} s"


def took(seconds: float) -> str:
    """A duration for people."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def execute(experiment: Experiment, job: Job, places: Places) -> Row:
    """Run a job and append its row; the row, with `error` where it failed."""
    row = attempt(experiment, job, places.data, places.work / job.key)
    record(row, places)
    return row


def attempt(experiment: Experiment, job: Job, data_dir: Path | None, folder: Path) -> Row:
    """Run a job in `folder`, from its checkpoint if there is one; its row, not yet written."""
    data = experiment.load(job, data_dir)  # missing files are no property of the method
    row = job.to_row() | {"versions": versions(), "revision": revision()}
    try:
        found = experiment.run(job, data, folder)
        try:
            json.dumps(found, allow_nan=False)
        except ValueError:
            raise NonFiniteError("figures of the run are not finite (NaN or infinity)") from None
        row |= found
    except Exception as error:  # a method that fails is a result; the others go on
        row |= {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return row


def record(row: Row, places: Places) -> None:
    """Append a row, and then clear up what its run needed no longer."""
    append_row(places.rows, row)
    folder = places.work / row["key"]
    if places.keep and "error" not in row:
        (folder / CHECKPOINT).unlink(missing_ok=True)
        kept = places.work / folder_name(row)
        shutil.rmtree(kept, ignore_errors=True)  # of a row that was taken out by hand
        folder.rename(kept)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def folder_name(row: Row) -> str:
    """What the folder of a finished run is called, by strength or budget, seed and the start of the
    key: "strength-0.3-seed1-1f2e3d4c"."""
    text = re.sub(r"[^\w.]+", "-", pressure(row["options"]) or row["method"], flags=re.ASCII)
    return f"{text[:60].strip('-')}-seed{row['seed']}-{row['key'][:8]}"


def _work_off(queue: Queue, places: Places, processes: int) -> None:
    if processes > 1:
        _in_processes(queue, places, processes)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while (job := queue.next()) is not None:
            started = time.perf_counter()
            row = execute(queue.experiment, job, places)
            queue.done(row, time.perf_counter() - started, 1)
    finally:
        torch.set_num_threads(threads)


class Worker:
    """A process that runs one job after another."""

    def __init__(self, experiment: Experiment, places: Places):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, experiment, places, os.getpid()), daemon=True
        )
        self.process.start()
        other.close()
        self.job: Job | None = None
        self.started = 0.0

    def give(self, job: Job) -> None:
        """Start `job`."""
        self.job, self.started = job, time.perf_counter()
        self.pipe.send(job)

    def take(self) -> Row:
        """The row of the job that has ended. Raises `InfoshedError` if the process died."""
        try:
            answer = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise InfoshedError(
                f"a process was killed (exit code {self.process.exitcode}), perhaps for want of "
                "memory; finished runs are kept, the same command with fewer --jobs goes on"
            ) from None
        self.job = None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _in_processes(queue: Queue, places: Places, processes: int) -> None:
    workers: list[Worker] = []
    try:
        while True:
            idle = [worker for worker in workers if worker.job is None]
            while (idle or len(workers) < processes) and (job := queue.next()) is not None:
                if not idle:
                    workers.append(Worker(queue.experiment, places))
                    idle.append(workers[-1])
                idle.pop().give(job)
            busy: dict[Any, Worker] = {w.pipe: w for w in workers if w.job is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                worker = busy[pipe]
                row = worker.take()
                queue.done(row, time.perf_counter() - worker.started, processes)
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()


def _serve(pipe: Connection, experiment: Experiment, places: Places, parent: int) -> None:
    """The life of a worker: jobs in, rows (or the error that stops the work) out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(execute(experiment, job, places))
        except Exception as error:
            pipe.send(portable(error))


def portable(error: Exception) -> Exception:
    """An error that surely can be sent between processes."""
    if isinstance(error, InfoshedError | OSError):
        return error
    return InfoshedError(f"{type(error).__name__}: {error}")


def _leave_with(parent: int) -> None:
    """End this process when its parent is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
