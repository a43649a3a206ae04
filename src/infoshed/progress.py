"""What a person sees while something works: on a terminal what moves, elsewhere (a notebook, a log)
now and then a line of a training that takes long, and a line for every run of several."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from infoshed.targets import ACCURACY, Score

LINE_SECONDS = 10.0  # between lines, at least: a short training has none, a log is not flooded


class TrainingBar:
    """A progress bar over all steps of a run, with the newest figures beside it. Where standard
    error is no terminal, a line after an epoch, once in `LINE_SECONDS` at most.

    Args:
        title: what is being trained.
        epochs, steps: number of epochs, and of steps in each.
        entropy: H(C) in nats, for the share that the MI estimate is of it.
        quiet: show nothing.
        score: of the target, which is shown.
    """

    def __init__(
        self, title: str, epochs: int, steps: int, entropy: float | None, quiet: bool,
        score: Score = ACCURACY,
    ):  # fmt: skip
        self.console = console = Console(stderr=True)
        self.lines, self.title, self.said = (
            not (quiet or console.is_terminal),
            title,
            time.monotonic(),
        )
        self.epochs, self.steps, self.entropy, self.score = epochs, steps, entropy, score
        self.progress = Progress(
            TextColumn(f"{title} {{task.description}}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self.task = self.progress.add_task(f"epoch 0/{epochs}", total=epochs * steps, figures="")

    def __enter__(self) -> "TrainingBar":
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def step(self, done: int) -> None:
        """`done` steps of all epochs are done."""
        epoch = min(done // self.steps + 1, self.epochs)
        self.progress.update(self.task, completed=done, description=f"epoch {epoch}/{self.epochs}")

    def epoch(self, row: dict[str, Any]) -> None:
        """Show the figures of a finished epoch (a row of metrics.jsonl)."""
        figures = f"loss {row['task_loss']:.3f}  {self.score.title[:3]} "
        figures += self.score.text(row[self.score.key])
        if row.get("mi") is not None:
            share = f" ({row['mi'] / self.entropy:.1%} of H)" if self.entropy else ""
            figures += f"  MI {row['mi']:.3f} nats{share}"
        self.progress.update(self.task, figures=figures)
        if self.lines and time.monotonic() - self.said >= LINE_SECONDS:
            line = f"{self.title} epoch {row['epoch']}/{self.epochs}  {figures}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
            self.said = time.monotonic()


class RunsBar:
    """A progress bar over runs, with those that are at work beside it, and a line for each that
    has ended. Without a terminal there are only the lines."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("runs {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.task = self.progress.add_task("", total=1)

    def __enter__(self) -> "RunsBar":
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, ended: int, known: int, running: str) -> None:
        """So many of the known runs have ended, and these are at work."""
        self.progress.update(self.task, completed=ended, total=known, description=_plain(running))


@contextmanager
def working(title: str) -> Iterator[Callable[[str], None]]:
    """A line that moves while the block works; what is yielded takes what it is at."""
    with Console(stderr=True).status(_plain(title)) as status:
        yield lambda text: status.update(_plain(f"{title}: {text}"))


def _plain(text: str) -> str:
    """Names are not markup."""
    return escape(" ".join(text.split()))
