"""Data sets: one file each, a function returning a `DataSet`, and a line in `DATASETS`."""

import inspect
from collections.abc import Callable
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
from infoshed.data.two_signals import two_signals
from infoshed.types import DataSet

DATASETS: dict[str, Callable[..., DataSet]] = {
    "digits": digits,
    "colored-mnist": colored_mnist,
    "colored-mnist-rerun": colored_mnist_rerun,
    "faces": faces,
    "imdb-faces": imdb_faces,
    "adult": adult,
    "german": german,
    "two-signals": two_signals,
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
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in params.items()}
    return DATASETS[name](**plain)
