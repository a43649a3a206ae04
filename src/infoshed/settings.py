"""The settings of `infoshed train`: as flags, in a TOML file, in a run's folder, as a command."""

import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import Group, Parameter, Token

from infoshed.assignments import as_text
from infoshed.checks import InfoshedError
from infoshed.data import DATASETS, own
from infoshed.io import read_json
from infoshed.methods import METHODS
from infoshed.nn import ENCODERS
from infoshed.run import Config

DATA = Group("Data")
TRAINING = Group("Training")
METHOD = Group("Method (see `infoshed list`)")
AttributeKind = Literal["auto", "categorical", "continuous"]
ENCODER_HELP = f"One of {', '.join(ENCODERS)}; unless given, the data set's recipe."
METHOD_HELP = f"One of {', '.join(METHODS)} (mi)."
KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
# Whatever a loader takes is a setting, the seed apart, which is everybody's.
LOADERS = (*DATASETS.values(), own)
DATA_KEYS = sorted({k for make in LOADERS for k in signature(make).parameters} - {"seed", "path"})


def whole_number(_: Any, tokens: Sequence[Token]) -> int:
    """Cyclopts by itself rounds: `--epochs 1.5` would silently train one epoch."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"a whole number is expected, got {tokens[0].value}") from None


Whole = Parameter(converter=whole_number)


@Parameter(name="*")
@dataclass
class SharedFlags:
    """What one run and a sweep of runs can be set to alike."""

    sigma2: Annotated[float | None, Parameter(group=DATA)] = None
    "Variance of the colour around its class's mean (0.02); smaller is more biased."
    train_on: Annotated[str | None, Parameter(group=DATA)] = None
    "Faces: the biased set to train on, EB1 (women 0-29, men 40+) or EB2 (the reverse)."
    size: Annotated[int | None, Whole, Parameter(group=DATA)] = None
    "Side of the images in pixels: IMDB faces (48), own pictures (64)."
    color: Annotated[bool | None, Parameter(group=DATA)] = None
    "Colour rather than grey images: IMDB faces (grey), own pictures (colour)."
    attribute: Annotated[str | None, Parameter(group=DATA)] = None
    "The attribute to shed. Own file: its columns, with commas. German credit: sex or age."
    target: Annotated[str | None, Parameter(group=DATA)] = None
    "Own file: the column to predict, classes or a quantity; several with commas."
    target_kind: Annotated[str | None, Parameter(group=DATA)] = None
    "Own file: auto, classes or numbers, where the target's numbers do not say (auto)."
    attribute_kind: Annotated[str | None, Parameter(group=DATA)] = None
    "Own file: auto, categorical or continuous, where numbers do not say; or age=continuous,..."
    categories: Annotated[str | None, Parameter(group=DATA)] = None
    "Own file: columns of numbers that are names, such as a postcode, with commas; any column."
    images: Annotated[str | None, Parameter(group=DATA)] = None
    "Own file: folder of the pictures that a column of it names; they are the input then."
    agreement: Annotated[float | None, Parameter(group=DATA)] = None
    "Two signals: probability that the attribute equals the class in biased rows (0.9)."
    data_dir: Annotated[str | None, Parameter(group=DATA)] = None
    "Folder that holds the data set's files."

    epochs: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Passes over the training data; unless given, the data set's recipe."
    batch_size: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Rows per step; unless given, the data set's recipe."
    lr: Annotated[float | None, Parameter(group=TRAINING)] = None
    "Adam's learning rate; unless given, the data set's recipe."
    average: Annotated[float | None, Parameter(group=TRAINING)] = None
    "Decay of the averaged weights that are kept (0.995); 0 keeps the last weights."
    encoder: Annotated[str | None, Parameter(group=TRAINING, help=ENCODER_HELP)] = None
    dim: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Columns of z; unless given, the data set's recipe."
    precision: Annotated[str | None, Parameter(group=TRAINING)] = None
    "What the encoder computes in: float32, or bfloat16 for speed (float32)."

    method: Annotated[str | None, Parameter(group=METHOD, help=METHOD_HELP)] = None
    conditional: Annotated[bool | None, Parameter(group=METHOD)] = None
    "Penalise I(Z;C|Y) rather than I(Z;C)."
    loss: Annotated[str | None, Parameter(group=METHOD)] = None
    "Task loss of mi: adjusted, plain or reweighed; unless given, adjusted where that can learn."
    critic: Annotated[str | None, Parameter(group=METHOD)] = None
    "Estimator that is backpropagated; auto picks by the kind of attribute."
    critic_steps: Annotated[int | None, Whole, Parameter(group=METHOD)] = None
    "Critic steps per encoder step, K (1). mi takes 5 on tables of your own, mi-published 40."
    critic_lr: Annotated[float | None, Parameter(group=METHOD)] = None
    "Learning rate of the critic (0.001)."
    levels: Annotated[str | None, Parameter(group=METHOD)] = None
    "Of ancova: take the attribute's levels as categories, numbers (10-14 is 12) or ranks."


@Parameter(name="*")
@dataclass
class TrainFlags(SharedFlags):
    """Settings of `infoshed train`; the same names are the keys of its TOML file."""

    track: Annotated[str | None, Parameter(group=TRAINING)] = None
    "Write the figures to tensorboard or mlflow too (extras of the same names; both with a comma)."
    seed: Annotated[int | None, Whole, Parameter(group=TRAINING)] = None
    "Seed of everything: split, colours, weights, batches (0)."
    strength: Annotated[float | str | None, Parameter(group=METHOD)] = None
    "For mi the paper's lambda (0.3), 0 is plain; or sex=1,age=0; or '0 to 0.3 over 2' epochs."
    budget: Annotated[str | float | None, Parameter(group=METHOD)] = None
    'Hold the information at a level: nats ("0.05"), a share of H(C) ("5%"), "label"; or sex=5%,...'
    on_alarm: Annotated[str | None, Parameter(group=METHOD)] = None
    "With a budget, at signs of collapse: warn, stop, or back-off, raising the budget (warn)."


def read_config(path: Path | None) -> dict[str, Any]:
    """The settings in a TOML file. Raises `InfoshedError` for broken files and unknown keys."""
    if path is None:
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InfoshedError(f"cannot read {path}: {error}") from None
    known = {"dataset", *(f.name for f in fields(TrainFlags))}
    strange = sorted(set(settings) - known)
    if strange:
        raise InfoshedError(
            f"{path} has the unknown key `{strange[0]}`; known: {', '.join(sorted(known))}"
        )
    kinds = get_type_hints(TrainFlags) | {"dataset": str}
    for key, value in settings.items():
        allowed = [k for k in get_args(kinds[key]) if k is not type(None)] or [kinds[key]]
        whole = type(value) is int and float in allowed
        if type(value) not in allowed and not whole:
            names = " or ".join(KINDS[k] for k in allowed)
            raise InfoshedError(f"{path}: `{key}` must be {names}, got {value!r}")
    return settings


def saved_settings(folder: Path) -> dict[str, Any]:
    """The settings that the run in `folder` was started with, by the names of `TrainFlags`."""
    if not (folder / "config.json").is_file():
        raise InfoshedError(
            f"no run in {folder}: it has no config.json; start one with `infoshed train NAME "
            f"--out {folder}`, without --resume"
        )
    config = Config.from_dict(read_json(folder / "config.json"))
    # Flags of the data are in `params`: a run's `attribute` is something else.
    names = [f.name for f in fields(TrainFlags) if f.name not in DATA_KEYS]
    settings = {name: getattr(config, name, None) for name in names}
    settings |= {"dataset": config.dataset, **config.params, **config.options}
    return {k: v for k, v in settings.items() if v is not None}


def command_of(config: Config) -> str:
    """The command that trains a run of `config` again; a data folder is left out, being the
    machine's own."""
    settings = {"method": config.method, "seed": config.seed, "epochs": config.epochs}
    names = ("batch_size", "lr", "average", "encoder", "dim", "precision")
    settings |= {name: getattr(config, name) for name in names}
    settings |= {k: v for k, v in config.params.items() if k != "seed"}
    settings |= {k: v for k, v in config.options.items() if v is not None}
    words = [config.dataset]
    for key, value in settings.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", as_text(value)]
    return f"infoshed train {shlex.join(words)}"
