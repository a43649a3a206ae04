"""Other places where the figures of a run are written, beside metrics.jsonl.

Every epoch's row goes to each tracker as scalars, the epoch being the step; at the end come the
scores as `accuracy_SPLIT` (`r2_SPLIT` of numbers). A tracker is a class and a line in `TRACKERS`.
They see figures only and draw no random numbers, so a run is the same with and without them.
"""

import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

from infoshed.checks import InfoshedError, check_choice
from infoshed.run import Config
from infoshed.targets import target_from_dict


class Tracker(ABC):
    """Writes the figures of one run.

    Args:
        config: of the run. folder: the run folder.
        done: epochs that were trained before (of a run that goes on).

    Attributes:
        title: what people call it.
        package: what it needs, which is also the name of infoshed's extra.
    """

    title: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, config: Config, folder: Path, done: int):
        self.config, self.folder, self.done = config, folder, done

    @abstractmethod
    def scalars(self, values: dict[str, float], step: int) -> None:
        """Write figures by name."""

    @abstractmethod
    def close(self, finished: bool) -> None:
        """The run has ended, or was cut off."""


class TensorBoard(Tracker):
    """Event files in RUN/tensorboard, for `tensorboard --logdir runs`."""

    title, package = "TensorBoard", "tensorboard"

    def __init__(self, config: Config, folder: Path, done: int):
        super().__init__(config, folder, done)
        from torch.utils.tensorboard import SummaryWriter

        # What was written after the last checkpoint of a run that was killed is not shown.
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        settings = "\n".join(f"    {k}: {v}" for k, v in parameters(config).items())
        self.writer.add_text("config", settings)

    def scalars(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self, finished: bool) -> None:
        self.writer.close()


class MLflow(Tracker):
    """A run of the experiment "infoshed", called like the run folder: where $MLFLOW_TRACKING_URI
    says, else in the file store `mlruns` beside the run folder. A run that goes on is found by its
    tag."""

    title, package = "MLflow", "mlflow"
    EXPERIMENT, TAG = "infoshed", "infoshed.folder"

    def __init__(self, config: Config, folder: Path, done: int):
        super().__init__(config, folder, done)
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self.metric = Metric
        place = os.environ.get("MLFLOW_TRACKING_URI")
        place = place or (folder.resolve().parent / "mlruns").as_uri()
        with _file_store():
            self.client = MlflowClient(place)
            found = self.client.get_experiment_by_name(self.EXPERIMENT)
            experiment = (
                found.experiment_id if found else self.client.create_experiment(self.EXPERIMENT)
            )
            tag = str(folder.resolve())
            # Quotes end the text of a filter.
            runs = self.client.search_runs([experiment], f"tags.\"{self.TAG}\" = '{tag}'") if (
                done and "'" not in tag
            ) else []  # fmt: skip
            if runs:
                self.run = runs[0].info.run_id
                self.client.update_run(self.run, status="RUNNING")
                return
            tags = {self.TAG: tag, "mlflow.runName": folder.name}
            self.run = self.client.create_run(experiment, tags=tags).info.run_id
            pairs = [Param(k, str(v)[:500]) for k, v in parameters(config).items()]
            self.client.log_batch(self.run, params=pairs)

    def scalars(self, values: dict[str, float], step: int) -> None:
        now = int(1000 * time.time())
        # Other characters, as a part of c may have them in its name, are refused.
        named = {re.sub(r"[^\w\-./: ]", "_", name): value for name, value in values.items()}
        metrics = [self.metric(name, value, now, step) for name, value in named.items()]
        self.client.log_batch(self.run, metrics=metrics)

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.run, "FINISHED" if finished else "KILLED")


TRACKERS: dict[str, type[Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow}


class Trackers:
    """Several trackers as one, closed when the block ends.

    Args:
        names: with commas, or None for none. folder: the run folder, which they need.

    Raises `InfoshedError` for unknown names, no folder, and a missing extra.
    """

    def __init__(self, names: str | None, config: Config, folder: Path | None, done: int):
        wanted = tracker_names(names)
        if wanted and folder is None:
            raise InfoshedError("`track` needs `out`, the folder of the run")
        self.key = target_from_dict(config.target).score.key
        self.trackers: Sequence[Tracker] = [
            TRACKERS[name](config, folder, done) for name in wanted if folder
        ]

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for tracker in self.trackers:
            tracker.close(finished=kind is None)

    def epoch(self, row: dict[str, Any]) -> None:
        """Write the row of an epoch."""
        values = {k: float(v) for k, v in row.items() if k != "epoch" and _is_figure(v)}
        for tracker in self.trackers:
            tracker.scalars(values, int(row["epoch"]))

    def results(self, results: dict[str, dict[str, Any]], step: int) -> None:
        """Write the score of every split."""
        values = {f"{self.key}_{name}": float(r[self.key]) for name, r in results.items()}
        for tracker in self.trackers:
            tracker.scalars(values, step)


def tracker_names(text: str | None) -> list[str]:
    """The names between commas, each once. Raises `InfoshedError` for one that is not known, or
    whose package is not installed."""
    wanted = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in wanted:
        check_choice("track", name, TRACKERS)
        tracker = TRACKERS[name]
        if find_spec(tracker.package) is None:
            raise InfoshedError(
                f"tracking in {tracker.title} needs {tracker.package}: "
                f"pip install 'infoshed[{tracker.package}]'"
            )
    return list(dict.fromkeys(wanted))


def parameters(config: Config) -> dict[str, Any]:
    """The settings of a run, flat: those of the data as `data.NAME`, the method's as they are."""
    settings = asdict(config)
    data, options = settings.pop("params"), settings.pop("options")
    for name in ("attribute", "inputs", "target"):
        settings.pop(name)
    settings |= {"attribute": config.attribute["name"], "target": config.target["name"]}
    return settings | {f"data.{k}": v for k, v in data.items()} | options


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


@contextmanager
def _file_store() -> Iterator[None]:
    """Newer versions of MLflow open folders only where this variable allows it."""
    name = "MLFLOW_ALLOW_FILE_STORE"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
