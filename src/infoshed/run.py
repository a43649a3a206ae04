"""A trained run: the model, what it was trained with, and what came out.

On disk a run is a folder: config.json, metrics.jsonl (a row per epoch), results.json,
model.safetensors, and beside them checkpoint.safetensors (for resuming) and report.html. Nothing
in it is executed on load.

The form of config.json has a number, `FORMAT`. A new entry has a default under which older files
mean what they meant, and the number stays; an entry that is renamed, dropped or means something
else raises it, and `Config.from_dict` turns the older form into the newer. So every version reads
what earlier ones wrote, and refuses what later ones did.
"""

import json
import platform
import warnings
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infoshed.attributes import Attribute, attribute_from_dict
from infoshed.attributes.values import by_name
from infoshed.checks import InfoshedError, check_choice
from infoshed.files.frame import as_read
from infoshed.inputs import Inputs, TableInputs, UnknownValueWarning, inputs_from_dict
from infoshed.io import load_state, read_json, save_state, write_json, write_text
from infoshed.methods import METHODS
from infoshed.nn import Model, build_model
from infoshed.seeds import seeded
from infoshed.targets import Classes, Target, target_from_dict
from infoshed.types import DataSet, as_input, as_tensor, check_inputs
from infoshed.version import __version__

LEAKAGE = {"attribute", "rows", "nats", "low", "high", "share_of_entropy", "label_nats"}
FORMAT = 2  # 1: `classes`, their names, where there is `target` now


@dataclass(frozen=True)
class Config:
    """Everything that decides a run's numbers, and what is needed to read its model.

    Args:
        dataset, params: the data set and what it was made with.
        method, options: the method and its own options, all of them.
        seed: of everything random in training.
        epochs, batch_size, lr: of the training loop.
        average: decay of the averaged weights that the run keeps; 0 keeps the last weights.
        precision: of the encoder's arithmetic, a name in `PRECISIONS`.
        encoder: a name in `ENCODERS`, or "custom" for the caller's own module.
        dim: columns of z. shape: of one input. bytes: whether inputs were uint8, of which a network
            reads fractions of 255; None in runs of versions that did not note it.
        target: `Target.to_dict`. attribute: `Attribute.to_dict`.
        inputs: `Inputs.to_dict`, where x was made from the rows of a file.
        fingerprint: of all rows of the user's own file, as in `DataSet`; empty where the data are
            of none, and in runs of versions that did not note it.
    """

    dataset: str
    params: dict[str, Any]
    method: str
    options: dict[str, Any]
    seed: int
    epochs: int
    batch_size: int
    lr: float
    average: float
    encoder: str
    dim: int
    shape: tuple[int, ...]
    target: dict[str, Any]
    attribute: dict[str, Any]
    precision: str = "float32"
    bytes: bool | None = None
    inputs: dict[str, Any] | None = None
    fingerprint: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of y; none where the target is something else."""
        return tuple(self.target["names"]) if self.target["kind"] == Classes.kind else ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, with the format's version."""
        return json.loads(json.dumps({"format": FORMAT, **asdict(self)}))

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "Config":
        """Read back `to_dict`, of this or an earlier version. Raises `InfoshedError` for one of a
        later version and for missing entries."""
        if not isinstance(state, dict):
            raise InfoshedError("config.json is not a run's configuration")
        state = dict(state)
        version = state.pop("format", None)
        if version == 1 and "classes" in state:
            params = state.get("params")
            name = params.get("target", "y") if isinstance(params, dict) else "y"
            state["target"] = Classes(state.pop("classes"), name).to_dict()
        elif version != FORMAT:
            raise InfoshedError(
                f"config.json has format {version!r}, this version of infoshed reads {FORMAT}"
            )
        later = sorted(set(state) - {f.name for f in fields(cls)})
        if later:
            raise InfoshedError(
                f"config.json has the entry `{later[0]}`, which this version of infoshed "
                f"({__version__}) does not know; the run is of a later one, or was edited"
            )
        try:
            config = cls(**state)
        except TypeError as error:
            raise InfoshedError(f"config.json is not a run's configuration: {error}") from None
        return config


def new_model(config: Config, encoder: nn.Module | None = None) -> Model:
    """The model of a run before training, with what its method adds to it.

    Args:
        encoder: the caller's own module, where the configuration names none.

    Raises `InfoshedError` for an unknown method or encoder, or one that does not fit.
    """
    check_choice("method", config.method, METHODS)
    model = build_model(
        encoder or config.encoder, config.shape, config.dim,
        target_from_dict(config.target).outputs, config.seed, config.precision,
    )  # fmt: skip
    with seeded(config.seed, "extend"):
        return METHODS[config.method].extend(model)


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {
        "infoshed": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(repr=False)
class Run:
    """A trained model with its record.

    Args:
        model: the model that predicts (the averaged weights).
        config: what it was trained with.
        metrics: one dict per epoch.
        results: per split the figures of the target, such as accuracy and confusion; empty until
            training has ended.
        seconds: wall time of training.
        leakage: what fresh judges read of each attribute in z of the validation rows
            (`infoshed.auditing.leakage`): dicts of `attribute`, `rows`, and in nats I(Z;C) as
            `nats`, `low`, `high` (95%) with `share_of_entropy`, and I(Y;C) of the training rows as
            `label_nats`, both None for a quantity. Empty where nobody looked.
    """

    model: Model
    config: Config
    metrics: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    leakage: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        score = self.target.score
        found = ", ".join(f"{k} {score.text(r[score.key])}" for k, r in self.results.items())
        epochs = f"{len(self.metrics)} of {self.config.epochs} epochs"
        return (
            f"<Run: {self.config.method} on {self.config.dataset}, seed {self.config.seed}, "
            f"{epochs}{f'; {score.title} ' * bool(found)}{found}>"
        )

    @property
    def attribute(self) -> Attribute:
        """The specification of c."""
        return attribute_from_dict(self.config.attribute)

    @property
    def target(self) -> Target:
        """The specification of y."""
        return target_from_dict(self.config.target)

    @property
    def inputs(self) -> Inputs | None:
        """How x is made from the rows of a file; None where x came as an array."""
        return None if self.config.inputs is None else inputs_from_dict(self.config.inputs)

    @torch.no_grad()
    def encode(self, x: Any) -> Tensor:
        """Representations z (n, dim) of inputs x (n, ...): numpy or torch, uint8 images or
        floats; of a run of a table of your own also rows as they are, a data frame or a dict of
        columns; an `UnknownValueWarning` tells of categories that training rows lacked. Raises
        `InfoshedError` when x has another shape than the training inputs, lacks a column, holds
        NaN, or is bytes where those were not."""
        columns = by_name(x)
        if columns is not None and isinstance(self.inputs, TableInputs):
            columns = as_read(columns)
            x = torch.from_numpy(self.inputs(columns))
            for line in self.inputs.unknown(columns):
                warnings.warn(line, UnknownValueWarning, stacklevel=2)
        if not isinstance(x, Tensor):
            array = np.asarray(x)
            if array.dtype.kind not in "biuf":
                raise InfoshedError(
                    f"`x` must be numbers as the data set has them, got {array.dtype}; rows of a "
                    "file go through `infoshed predict RUN FILE`; a run of your own table takes "
                    "them as a data frame or a dict of columns"
                )
            x = as_tensor("x", array)
        if tuple(x.shape[1:]) != tuple(self.config.shape) or x.ndim < 2:
            want = ", ".join(map(str, self.config.shape))
            raise InfoshedError(f"`x` must have shape (n, {want}), got {tuple(x.shape)}")
        if x.dtype == torch.uint8 and self.config.bytes is False:
            raise InfoshedError(
                "`x` is uint8, which a network reads as fractions of 255, and the run was trained "
                "on numbers of another type; give x.astype(float), in the training data's units"
            )
        check_inputs(x)
        self.model.eval()
        parts = [self.model.encode(as_input(part)) for part in x.split(500)]
        return torch.cat(parts) if parts else torch.empty(0, self.config.dim)

    @torch.no_grad()
    def predict_proba(self, x: Any) -> Tensor:
        """Probabilities of inputs x (n, ...): of the classes (n, classes), or of each label
        (n, labels). Raises `InfoshedError` where the target is numbers."""
        return self.target.probabilities(self.model.head(self.encode(x)))

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Of inputs x (n, ...) the classes (n,) int64, the labels (n, labels) of 0 and 1, or
        numbers (n,) or (n, columns) float64 in the unit of y."""
        return self.target.predictions(self.model.head(self.encode(x)))

    @property
    def information(self) -> str:
        """What the figure `mi` of the epochs estimates: "I(Z;C|Y)" or "I(Z;C)"."""
        return "I(Z;C|Y)" if self.config.options.get("conditional") else "I(Z;C)"

    def summary(self) -> dict[str, Any]:
        """One JSON-able dict: method, seed, the score on every split (accuracy_<split>, or
        r2_<split> of numbers), the last epoch's figures, and `leakage`."""
        last, key = self.metrics[-1] if self.metrics else {}, self.target.score.key
        return {
            "dataset": self.config.dataset,
            **self.config.params,
            "method": self.config.method,
            "seed": self.config.seed,
            **{f"{key}_{name}": r[key] for name, r in self.results.items()},
            **{k: last.get(k) for k in ("task_loss", "mi", "mi_share", "strength")},
            **{k: last.get(k) for k in (f"val_{key}", f"val_{key}_weighted")},
            "epochs": len(self.metrics),
            "seconds": round(self.seconds, 2),
            "leakage": self.leakage,
        }

    def save(self, folder: str | Path) -> None:
        """Write the run to `folder` (made if need be), each file atomically."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", self.config.to_dict())
        save_state(folder / "model.safetensors", self.model.state_dict())
        write_metrics(folder, self.metrics)
        self.save_results(folder)

    def save_results(self, folder: str | Path) -> None:
        """Write results.json alone to `folder`, atomically."""
        record = {
            "results": self.results,
            "seconds": self.seconds,
            "leakage": self.leakage,
            "versions": versions(),
        }
        write_json(Path(folder) / "results.json", record)


def load_run(folder: str | Path, encoder: nn.Module | None = None) -> Run:
    """The run that `Run.save` or `fit(out=...)` wrote.

    Args:
        folder: the run folder.
        encoder: the module for a run that was trained with the caller's own encoder.

    Raises `InfoshedError` when files are missing, broken, or of another version.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InfoshedError(f"{folder} is not a run folder: it has no config.json")
    config = Config.from_dict(read_json(folder / "config.json"))
    if config.encoder == "custom" and encoder is None:
        raise InfoshedError(
            f"the run in {folder} has an encoder of its own: load_run(folder, encoder=module)"
        )
    model = new_model(config, encoder)
    if not (folder / "model.safetensors").is_file():
        raise InfoshedError(f"the run in {folder} has no model yet; finish it with --resume")
    try:
        model.load_state_dict(load_state(folder / "model.safetensors"))
    except RuntimeError as error:
        raise InfoshedError(f"the weights in {folder} do not fit the model: {error}") from None
    record = read_json(folder / "results.json")
    if not isinstance(record, dict) or not {"results", "seconds"} <= set(record):
        raise InfoshedError(f"{folder / 'results.json'} lacks the results of a run")
    leakage = record.get("leakage", [])  # runs of earlier versions have none
    dicts = isinstance(leakage, list) and all(isinstance(part, dict) for part in leakage)
    if not dicts or any(not set(part) >= LEAKAGE for part in leakage):
        raise InfoshedError(f"{folder / 'results.json'} has an entry `leakage` of another form")
    return Run(model, config, read_metrics(folder), record["results"], record["seconds"], leakage)


def data_of(config: Config, data_dir: str | None = None) -> DataSet:
    """The data that the run of this configuration was trained on, read again. Raises
    `InfoshedError` where they are not there, or not what they were."""
    from infoshed.data import load  # which a run that comes with arrays does not need

    if config.fingerprint and not Path(config.dataset).is_file():
        raise InfoshedError(
            f"the run was trained on the file {config.dataset}, and from {Path.cwd()} there is "
            "none; go to the folder from which it was trained"
        )
    place = {"data_dir": data_dir} if data_dir else {}
    data = load(config.dataset, **config.params, **place)
    check_unchanged(config, data)
    return data


def check_unchanged(config: Config, data: DataSet) -> None:
    """Raise `InfoshedError` where `data`, read again from the user's own file, are not those that
    the run of this configuration was trained on. Splits are drawn from all rows in their order: of
    a file with other rows, test rows would be some that the run has seen."""
    if config.fingerprint and config.fingerprint != data.fingerprint:
        raise InfoshedError(
            f"{data.name} has changed since the run was trained on it, in rows, columns or their "
            "order. Rows that the run has seen may be among its test rows now; train again, or "
            "audit what `infoshed encode RUN FILE` writes for rows that it has not seen"
        )


def write_metrics(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write metrics.jsonl atomically, one JSON object per line."""
    write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl; none if there is no such file."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
