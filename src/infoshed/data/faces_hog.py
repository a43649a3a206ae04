"""The faces of `infoshed.data.faces` by fixed features of their pictures, `infoshed.hog`: what a
linear model of them can know, computed once. For comparing methods: a run reads features, not
pictures. One that is to read pictures trains on `faces` with encoder `hog`.
"""

from dataclasses import replace
from pathlib import Path

import torch

from infoshed.data.faces import faces
from infoshed.hog import HOG
from infoshed.types import DataSet, Recipe, Split, as_input

CHUNK = 512  # pictures


def faces_hog(
    *, train_on: str = "EB1", seed: int = 0, data_dir: str | Path | None = None
) -> DataSet:
    """UTKFace by fixed features of the pictures, for linear models.

    x (n, 1072) are the features of `infoshed.hog`, each standardised by its mean and deviation in
    the training split. All else, and the arguments, as of `faces`.
    """
    data = faces(train_on=train_on, seed=seed, data_dir=data_dir)
    train = _features(data.train)
    mean, spread = train.mean(0), train.std(0).clamp_min(1e-6)

    def standardised(split: Split) -> Split:
        return replace(split, x=(_features(split) - mean) / spread)

    return replace(
        data,
        name="faces-hog",
        description=data.description.replace(
            "UTKFace crops, 48x48 grey,", "Histograms of oriented gradients of UTKFace crops,"
        ),
        train=replace(data.train, x=(train - mean) / spread),
        validation=standardised(data.validation),
        tests={name: standardised(split) for name, split in data.tests.items()},
        recipe=Recipe(encoder="linear", dim=2, epochs=12, batch_size=256, lr=1e-3),
    )


def _features(split: Split) -> torch.Tensor:
    return torch.cat([HOG()(as_input(x)) for x in split.x.split(CHUNK)])
