"""Data sets: one file each, a function returning a `DataSet`, and a line in `DATASETS`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from infoshed.checks import InfoshedError, check_choice
from infoshed.data.adult import adult
from infoshed.data.colored_mnist import colored_mnist
from infoshed.data.colored_mnist_rerun import colored_mnist_rerun
from infoshed.data.digits import digits
from infoshed.data.faces import faces
from infoshed.data.german import german
from infoshed.data.imdb_faces import imdb_faces
from infoshed.types import DataSet

DATASETS: dict[str, Callable[..., DataSet]] = {
    "digits": digits,
    "colored-mnist": colored_mnist,
    "colored-mnist-rerun": colored_mnist_rerun,
    "faces": faces,
    "imdb-faces": imdb_faces,
    "adult": adult,
    "german": german,
}


def load(name: str, **params: Any) -> DataSet:
    """The data set called `name`, made with `params` (such as sigma2, seed, data_dir).

    Raises `InfoshedError` for an unknown name or parameter, or when files are missing.
    """
    check_choice("data set", name, DATASETS)
    known = inspect.signature(DATASETS[name]).parameters
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
    return DATASETS[name](**plain)
