"""Runs on Ray: the jobs of an experiment as tasks on the processors of several machines.

Every run is one task with one processor. Ray starts a task anew when its worker or its machine
dies; the run goes on from its checkpoint where the work folder is on a disk that both machines
have, and from the beginning elsewhere. Rows, and the folders that are kept, come back to the
process that gave out the tasks. It alone writes rows, so a row is written once, whatever dies.
Every machine needs this library and, at the same path, the data set's files.
"""

import logging
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from infoshed.checks import InfoshedError
from infoshed.experiments.base import Experiment, Job, Row
from infoshed.experiments.runner import CHECKPOINT, Places, Queue, attempt, portable, record

TRIES_AGAIN = 3


class Answer(NamedTuple):
    """What a task brings back: the row, or the error that stops the work; the seconds it took; the
    files of its run folder where that is on another machine's disk."""

    result: Row | Exception
    seconds: float
    files: dict[str, bytes]


def run_on_ray(queue: Queue, places: Places, address: str, most: int | None = None) -> None:
    """Work off the queue.

    Args:
        address: "local" starts Ray on this machine, "auto" finds the cluster that this machine
            belongs to, "HOST:PORT" or "ray://HOST:PORT" names one. Where this process is connected
            to Ray already, that is used.
        most: runs at a time; None for all that are known, which Ray starts as processors get free.

    Raises `InfoshedError` where Ray is not installed or not found, and when a run was killed
    again and again.
    """
    places = replace(places, rows=places.rows.resolve(), work=places.work.resolve(),
                     data=places.data and places.data.resolve())  # fmt: skip
    marker = places.work / f".{uuid.uuid4().hex}"
    marker.touch()
    try:
        with connected(address, most) as ray:
            _give_out(ray, queue, places, marker, most)
    finally:
        marker.unlink(missing_ok=True)


@contextmanager
def connected(address: str, processors: int | None) -> Iterator[Any]:
    """The `ray` module, connected; a connection made here ends with the block, and its tasks."""
    try:
        import ray
    except ImportError:
        raise InfoshedError(
            "Ray is not installed; running on several machines needs: pip install 'infoshed[ray]'"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    local: dict[str, Any] = {"num_cpus": processors, "include_dashboard": False}
    try:
        ray.init(
            address, log_to_driver=False, logging_level=logging.ERROR,
            **(local if address == "local" else {}),
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InfoshedError(f"no Ray at {address!r}, try 'local' or 'auto': {reason}") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _give_out(ray: Any, queue: Queue, places: Places, marker: Path, most: int | None) -> None:
    task = ray.remote(num_cpus=1, max_retries=TRIES_AGAIN, scheduling_strategy="SPREAD")(_task)
    pending: dict[Any, Job] = {}
    try:
        while True:
            while (most is None or len(pending) < most) and (job := queue.next()) is not None:
                pending[task.remote(queue.experiment, job, places, marker)] = job
            if not pending:
                return
            ready, _ = ray.wait(list(pending), num_returns=1)
            job = pending.pop(ready[0])
            answer = _answer(ray, ready[0], job)
            if isinstance(answer.result, Exception):
                raise answer.result
            _keep(answer.files, places.work / job.key)
            record(answer.result, places)
            processors = int(ray.cluster_resources().get("CPU", 1))
            queue.done(answer.result, answer.seconds, min(most or processors, processors) or 1)
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _answer(ray: Any, reference: Any, job: Job) -> Answer:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # failures of the run itself are no errors
        raise InfoshedError(
            "a worker of Ray cannot start a run; every machine needs the same version of infoshed "
            f"and of Python: {str(error).strip().splitlines()[-1]}"
        ) from None
    except ray.exceptions.RayError as error:
        raise InfoshedError(
            f"the run {job.contender}, seed {job.seed}, was killed on Ray {TRIES_AGAIN + 1} times, "
            f"perhaps for want of memory ({type(error).__name__}); finished runs are kept, the "
            "same command goes on"
        ) from None


def _keep(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a run folder that came from another disk."""
    if files:
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _task(experiment: Experiment, job: Job, places: Places, marker: Path) -> Answer:
    """The life of a task, on some machine. `marker` tells whether the work folder is there."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as temporary:
        here = marker.is_file()
        folder = (places.work if here else Path(temporary)) / job.key
        try:
            result: Row | Exception = attempt(experiment, job, places.data, folder)
        except Exception as error:
            result = portable(error)
        if places.keep and not here and folder.is_dir():
            files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != CHECKPOINT}
    return Answer(result, time.perf_counter() - started, files)
