"""The training loop. It knows no method by name: a method is given batches and trains on them.

After every epoch the state of everything (model, averaged weights, method, random streams) is a
checkpoint, so a run that was interrupted or killed continues bit for bit.
"""

import os
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from infoshed.checks import InfoshedError, NonFiniteError, check_choice, check_number, check_type
from infoshed.evaluate import evaluate, validate
from infoshed.io import load_state, read_json, save_state, write_json, write_new_json
from infoshed.label_prior import TargetPrior
from infoshed.methods import METHODS, Setting, check_data, method_options
from infoshed.nn import ENCODERS, PRECISIONS, Model
from infoshed.progress import TrainingBar
from infoshed.run import Config, Run, check_unchanged, new_model, read_metrics, write_metrics
from infoshed.seeds import seeded, torch_generator
from infoshed.tracking import Trackers, tracker_names
from infoshed.types import Batch, DataSet

AVERAGE = 0.995
CHECK_EVERY = 20


def fit(
    data: DataSet,
    method: str = "mi",
    *,
    seed: int = 0,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    average: float | None = None,
    encoder: str | nn.Module | None = None,
    dim: int | None = None,
    precision: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    track: str | None = None,
    begin: Callable[[], None] = lambda: None,
    **options: Any,
) -> Run:
    """Train `method` on `data` and evaluate the last model.

    Args:
        data: from `infoshed.load`, or your own `DataSet`.
        method: a name in `METHODS`; `options` are its own (`strength`, `budget`, ...).
        seed: of the weights, the batches, the critic. The same seed gives the same numbers.
        epochs, batch_size, lr: as the data set's recipe, unless given.
        average: decay of the exponentially averaged weights that are evaluated and kept
            (0.995 unless given; 0 keeps the last weights).
        encoder: a name in `ENCODERS`, or a module mapping x to z (n, dim), of which a copy is
            trained.
        dim: columns of z.
        precision: "float32", or "bfloat16" for the encoder's arithmetic (weights, z, the critic
            and the head stay float32): faster where the processor has matrix units for it.
        out: run folder to write; checkpoints are kept there after every epoch.
        resume: continue the run in `out` from its last checkpoint.
        quiet: show no progress; else a bar on a terminal, and elsewhere a line of figures after
            an epoch, every ten seconds at most.
        track: write the figures to "tensorboard" or "mlflow" too (extras; both with a comma), see
            `infoshed.tracking`; needs `out`.
        begin: is called when settings and data have been found to fit, before training.

    Returns the run. Raises `InfoshedError` for settings that make no sense, and `NonFiniteError`
    when training diverges. On Ctrl-C the last finished epoch is left in `out` as a usable run.
    """
    given = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "average": average, "dim": dim}
    given["precision"] = precision
    folder = None if out is None else Path(out)
    check_type("data", data, DataSet, "infoshed.load makes one of a name or a file")
    check_folder(folder, resume)
    tracker_names(track)
    config = make_config(data, method, seed, options, encoder, **given)
    training = Training(data, config, deepcopy(encoder) if isinstance(encoder, nn.Module) else None)
    rows = training.resume(folder) if resume and folder is not None else []
    begin()
    if folder is not None and not resume:
        with seeded(seed, "train"):  # what the first checkpoint holds of the global generator
            training.start(folder)
    bar = TrainingBar(
        f"{data.name} {method}", config.epochs, training.steps, data.attribute.entropy, quiet,
        data.target.score,
    )  # fmt: skip
    before = rows[-1]["seconds"] if rows else 0.0
    started = time.perf_counter()
    trackers = Trackers(track, config, folder, training.epoch)
    with trackers, seeded(seed, "train"), bar:
        training.restore_global()
        try:
            while training.epoch < config.epochs and not training.method.stopped:
                row = training.run_epoch(bar)
                row["seconds"] = round(before + time.perf_counter() - started, 3)
                rows.append(row)
                bar.epoch(row)
                if folder is not None:
                    training.checkpoint(folder, rows)
                trackers.epoch(row)
        except KeyboardInterrupt:
            if folder is not None:
                training.load_state_dict(load_state(folder / "checkpoint.safetensors"))
                rows = rows[: training.epoch]
                training.finish()
                Run(training.averaged, config, rows, {}, rows[-1]["seconds"] if rows else 0.0).save(
                    folder
                )
            raise
        training.finish()
        model = training.averaged
        splits = {"validation": data.validation, **data.tests}
        results = {name: evaluate(model, split, data.target) for name, split in splits.items()}
        trackers.results(results, training.epoch)
    run = Run(model, config, rows, results, rows[-1]["seconds"] if rows else 0.0)
    if folder is not None:
        run.save(folder)
    return run


class Training:
    """The state of a run in progress: model, averaged weights, method and random streams."""

    def __init__(self, data: DataSet, config: Config, encoder: nn.Module | None):
        self.data, self.config = data, config
        self.model = new_model(config, encoder)
        self.average = AveragedModel(self.model, multi_avg_fn=self._average_step)
        train = data.train
        self.prior = TargetPrior(data.target, train.y, train.c, data.attribute, train.weights)
        self.weights = self.prior.weights(data.validation.y, data.validation.c)
        if data.validation.weights is not None:
            self.weights = self.weights * data.validation.weights
        self.method = METHODS[config.method](
            Setting(self.model, data, config.lr, config.batch_size, self.prior, config.seed),
            method_options(config.method, config.options),
        )
        self.order = torch_generator(config.seed, "batches")
        self.draws = torch_generator(config.seed, "fresh")
        self.steps = max(1, len(data.train) // config.batch_size)
        self.epoch = 0
        self.global_state: Tensor | None = None

    @property
    def averaged(self) -> Model:
        """The model with the averaged weights, the one that is evaluated and kept."""
        return cast(Model, self.average.module)

    def run_epoch(self, bar: TrainingBar) -> dict[str, Any]:
        """Train one epoch and return its row of metrics."""
        self.model.train()
        self.method.start_epoch(self.fresh, self.steps)
        order = torch.randperm(len(self.data.train), generator=self.order)
        sums: dict[str, Tensor] = {}
        for i, rows in enumerate(order.split(self.config.batch_size)[: self.steps]):
            metrics = self.method.step(self.data.train.take(rows), self.fresh)
            self.average.update_parameters(self.model)
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0) + value
            if i % CHECK_EVERY == 0 or i == self.steps - 1:  # not every step: it waits for a GPU
                self._check_finite(sums)
                bar.step(self.epoch * self.steps + i + 1)
        self.epoch += 1
        means = {name: float(value) / self.steps for name, value in sums.items()}
        entropy = self.data.attribute.entropy
        means |= self.method.end_epoch(means)
        if "mi" in means and entropy:
            means["mi_share"] = means["mi"] / entropy
        validation = validate(self.averaged, self.data.validation, self.weights, self.data.target)
        return {"epoch": self.epoch, **means, **validation}

    def finish(self) -> None:
        """Let the method finish the averaged model; a checkpoint holds it as it was before."""
        with seeded(self.config.seed, "finish"):
            self.method.finish(self.averaged)

    def fresh(self, n: int) -> Batch:
        """n random training rows."""
        return self.data.train.take(torch.randint(len(self.data.train), (n,), generator=self.draws))

    def _average_step(self, averaged: Any, current: Any, count: Tensor | int) -> None:
        # A short memory at first: the average must not hold on to the initial weights.
        decay = min(self.config.average, (1 + int(count)) / (10 + int(count)))
        for kept, new in zip(averaged, current, strict=True):
            kept.lerp_(new, 1 - decay)

    def _check_finite(self, sums: dict[str, Tensor]) -> None:
        bad = [name for name, value in sums.items() if not bool(torch.isfinite(value))]
        if bad:
            raise NonFiniteError(
                f"{bad[0]} became non-finite (NaN or infinity) in epoch {self.epoch + 1}; lower "
                "`lr` (and `critic_lr`), check the inputs for NaN, or lower `strength`"
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything that training depends on, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "method": self.method.state_dict(),
            "order": self.order.get_state(),
            "draws": self.draws.get_state(),
            "global": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.method.load_state_dict(state["method"])
        self.order.set_state(state["order"])
        self.draws.set_state(state["draws"])
        self.global_state = state["global"]

    def restore_global(self) -> None:
        """Set torch's global generator (dropout reads it) to where a resumed run left it."""
        if self.global_state is not None:
            torch.set_rng_state(self.global_state)

    def start(self, folder: Path) -> None:
        """Begin a run in `folder`; see `check_folder`. Raises `InfoshedError` where another process
        has begun one there meanwhile."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            write_new_json(folder / "config.json", self.config.to_dict())
        except FileExistsError:
            raise InfoshedError(
                f"another run has just begun in {folder}; give this one a folder of its own"
            ) from None
        self.checkpoint(folder, [])

    def resume(self, folder: Path) -> list[dict[str, Any]]:
        """Load the last checkpoint in `folder`; returns the rows of its finished epochs."""
        made, config = Config.from_dict(read_json(folder / "config.json")), self.config
        if (made.dataset, made.params) == (config.dataset, config.params):
            check_unchanged(made, self.data)
        saved, now = made.to_dict(), config.to_dict()
        unknown = [k for k in ("bytes", "fingerprint") if saved[k] in (None, "")]  # not noted then
        differ = [k for k in now if k not in ("epochs", *unknown) and saved[k] != now[k]]
        if differ:
            name, before, after = differ[0], saved[differ[0]], now[differ[0]]
            if name == "options" and isinstance(before, dict) and before.keys() == after.keys():
                name = next(k for k in after if before[k] != after[k])
                before, after = before[name], after[name]
            differs = f": {before!r}, now {after!r}"
            differs = differs if len(differs) < 500 else ""
            raise InfoshedError(
                f"the run in {folder} was made with another `{name}`{differs}; resume with "
                "the same settings and data"
            )
        self.load_state_dict(load_state(folder / "checkpoint.safetensors"))
        if self.epoch > self.config.epochs:
            raise InfoshedError(
                f"the run in {folder} has {self.epoch} epochs already, more than the "
                f"{self.config.epochs} of `epochs`; a shorter run is one of its own"
            )
        write_json(folder / "config.json", now)
        return read_metrics(folder)[: self.epoch]

    def checkpoint(self, folder: Path, rows: list[dict[str, Any]]) -> None:
        """Write metrics and state; a kill between the two loses nothing, as `resume` cuts. Results
        and model of a shorter run that goes on are removed: they would pass for this one's."""
        for name in ("results.json", "model.safetensors"):
            (folder / name).unlink(missing_ok=True)
        write_metrics(folder, rows)
        save_state(folder / "checkpoint.safetensors", self.state_dict())


def check_folder(folder: Path | None, resume: bool) -> None:
    """Raise `InfoshedError` where a run cannot be started in `folder`, as it holds one or several
    or nothing can be written there, or cannot be resumed, as it holds none."""
    if resume and folder is None:
        raise InfoshedError("`resume` needs `out`, the folder of the run to continue")
    if folder is None:
        return
    if not resume and (folder / "config.json").exists():
        go_on = "continue it with --resume (resume=True), or " * _resumable(folder)
        raise InfoshedError(f"{folder} holds a run already; {go_on}choose another folder")
    if resume and not _resumable(folder):
        raise InfoshedError(f"nothing to resume: {folder} has no checkpoint.safetensors")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise InfoshedError(f"{folder} cannot be a run folder: {there} is a file; choose another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InfoshedError(f"{folder} cannot be written: no permission for {there}")
    held = [] if resume else sorted(folder.glob("*/config.json"))
    if held:
        raise InfoshedError(
            f"{folder} is a folder of runs, such as {held[0].parent}; name a new one in it, such "
            f"as {folder / 'NAME'}"
        )


def _resumable(folder: Path) -> bool:
    return (folder / "checkpoint.safetensors").is_file()


def check_settings(
    method: str,
    *,
    seed: int = 0,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    average: float | None = None,
    encoder: str | None = None,
    dim: int | None = None,
    precision: str | None = None,
    track: str | None = None,
    **options: Any,
) -> None:
    """Raise `InfoshedError` for settings of `fit` that no data set makes sense of: to be told
    before one is read."""
    method_options(method, options)
    numbers = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "average": average}
    numbers["dim"] = dim
    _check_numbers({"seed": seed} | {k: v for k, v in numbers.items() if v is not None})
    for name, value, known in (
        ("encoder", encoder, ENCODERS),
        ("precision", precision, PRECISIONS),
    ):
        if value is not None:
            check_choice(name, value, known)
    tracker_names(track)


def _check_numbers(values: Mapping[str, Any]) -> None:
    for name in ("seed", "epochs", "batch_size", "dim"):
        if name in values:
            least = {"seed": 0, "batch_size": 2}.get(name, 1)
            check_number(name, values[name], least, integer=True)
    for name, low, high in (("lr", 1e-8, 10), ("average", 0, 0.99999)):
        if name in values:
            check_number(name, values[name], low, high)


def recipe_options(data: DataSet, method: str) -> dict[str, Any]:
    """The method's own options that the recipe of `data` sets."""
    return dict(data.recipe.options.get(method, {}))


def make_config(
    data: DataSet,
    method: str,
    seed: int,
    options: dict[str, Any],
    encoder: str | nn.Module | None = None,
    **given: Any,
) -> Config:
    """The configuration of a run: what was given, else the method's, else the recipe's.

    Args:
        data, method, seed, encoder: as in `fit`. options: the method's own.
        given: epochs, batch_size, lr, average, dim, precision; None where not given.
    """
    options = asdict(method_options(method, recipe_options(data, method) | options))
    check_data(method, data)
    if encoder is not None and not isinstance(encoder, str | nn.Module):
        got = (
            f"the class {encoder.__name__}" if isinstance(encoder, type) else type(encoder).__name__
        )
        raise InfoshedError(
            f"`encoder` must be a torch.nn.Module that maps x to z (n, dim), or one of "
            f"{', '.join(ENCODERS)}; got {got}, make a module of it first"
        )
    recipe = asdict(data.recipe)
    del recipe["options"]
    values: dict[str, Any] = {"average": AVERAGE} | recipe | METHODS[method].defaults(data, encoder)
    values |= {k: v for k, v in given.items() if v is not None}
    usual_encoder = values.pop("encoder")
    _check_numbers(values | {"seed": seed})
    values |= {name: int(values[name]) for name in ("epochs", "batch_size", "dim")}
    values |= {name: float(values[name]) for name in ("lr", "average")}
    return Config(
        dataset=data.name,
        params=data.params,
        method=method,
        options=options,
        seed=int(seed),
        encoder="custom" if isinstance(encoder, nn.Module) else encoder or usual_encoder,
        shape=tuple(data.train.x.shape[1:]),
        bytes=data.train.x.dtype == torch.uint8,
        target=data.target.to_dict(),
        attribute=data.attribute.to_dict(),
        inputs=None if data.inputs is None else data.inputs.to_dict(),
        fingerprint=data.fingerprint,
        **values,
    )
