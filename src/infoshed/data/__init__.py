"""Data sets: one file each, a function returning a `DataSet`, and a line in `DATASETS`; and the
user's own files, `infoshed.data.own`."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from infoshed.checks import InfoshedError, meant
from infoshed.data.adult import adult
from infoshed.data.colored_mnist import colored_mnist
from infoshed.data.colored_mnist_rerun import colored_mnist_rerun
from infoshed.data.digits import digits
from infoshed.data.faces import faces
from infoshed.data.faces_hog import faces_hog
from infoshed.data.german import german
from infoshed.data.imdb_faces import imdb_faces
from infoshed.data.own import FORMATS, is_own, own
from infoshed.data.two_signals import two_signals
from infoshed.types import DataSet

DATASETS: dict[str, Callable[..., DataSet]] = {
    "digits": digits,
    "colored-mnist": colored_mnist,
    "colored-mnist-rerun": colored_mnist_rerun,
    "faces": faces,
    "faces-hog": faces_hog,
    "imdb-faces": imdb_faces,
    "adult": adult,
    "german": german,
    "two-signals": two_signals,
}


def load(name: str, **params: Any) -> DataSet:
    """The data set called `name`, made with `params` (such as sigma2, seed, data_dir); or one from
    the .csv, .tsv or .parquet file `name`, with the parameters of `infoshed.data.own.own`.

    Raises `InfoshedError` for an unknown name or parameter, or when files are missing.
    """
    name = str(name)
    make, known = loader(name), loader_parameters(name)
    strange = sorted(set(params) - set(known))
    if strange:
        raise InfoshedError(
            f"data set '{name}' takes no parameter `{strange[0]}`; it takes {', '.join(known)}"
        )
    folder = params.get("data_dir")
    if folder is not None and not Path(folder).is_dir():
        raise InfoshedError(
            f"the data folder {folder} does not exist; point --data-dir (data_dir) at the folder "
            f"that holds the files of '{name}'"
        )
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in params.items()}
    return make(**plain)


def loader(name: str) -> Callable[..., DataSet]:
    """What makes the data set, or reads the file, called `name`."""
    if name not in DATASETS and is_own(name):
        return partial(own, name)
    if name not in DATASETS:
        known = f"{', '.join(sorted(DATASETS))}, or a {', '.join(FORMATS)} file"
        raise InfoshedError(
            f"`data set` must be one of {known}; got {name!r}{meant(name, DATASETS)}"
        )
    return DATASETS[name]


def loader_parameters(name: str) -> list[str]:
    """Names of the parameters that the data set called `name` takes."""
    return list(inspect.signature(loader(name)).parameters)
