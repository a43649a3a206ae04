"""The coloured-digits protocol: flat colours tied to the class at training, not at test.

A pixel is lit iff its grey value exceeds 128; lit pixels take one flat colour, the rest are 0.
Training: colour ~ Normal(mean_k, sigma2 I) on the [0, 1] scale for class k, each channel redrawn
until it lies strictly in (0, 1); then int(255 colour). Unbiased test: the mean is one of the ten,
uniformly at random. The attribute is colour // 32 per channel: three 8-way categoricals.
Smaller sigma2 ties colour and class more tightly. Protocol of Kim et al., "Learning Not to Learn"
(arXiv 1812.10352), as reconstructed from public sources.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from infoshed.attributes import MultiCategorical
from infoshed.checks import check_number
from infoshed.types import DataSet, Recipe, Split

BINS = 8
MEANS = (
    np.array(
        [
            (220, 20, 60),  # 0 crimson
            (0, 128, 128),  # 1 teal
            (253, 233, 16),  # 2 lemon
            (0, 149, 182),  # 3 bondi blue
            (237, 145, 33),  # 4 carrot orange
            (145, 30, 188),  # 5 strong violet
            (70, 240, 240),  # 6 cyan
            (250, 197, 187),  # 7 your pink
            (210, 245, 60),  # 8 lime
            (128, 0, 0),  # 9 maroon
        ]
    )
    / 255
)


def check_sigma2(sigma2: float) -> None:
    """Raise `InfoshedError` unless the colour variance is a number in [0.001, 1]."""
    check_number("sigma2", sigma2, 0.001, 1.0)


def biased_colors(y: np.ndarray, sigma2: float, rng: np.random.Generator) -> np.ndarray:
    """Colours that follow the class: y (n,) -> (n, 3) uint8."""
    mean = MEANS[y]
    color = mean + rng.normal(scale=sigma2**0.5, size=mean.shape)
    outside = (color <= 0) | (color >= 1)
    while outside.any():
        again = mean[outside] + rng.normal(scale=sigma2**0.5, size=int(outside.sum()))
        color[outside] = again
        outside = (color <= 0) | (color >= 1)
    return (255 * color).astype(np.uint8)


def unbiased_colors(n: int, sigma2: float, rng: np.random.Generator) -> np.ndarray:
    """Colours around a mean drawn independently of the class: (n, 3) uint8."""
    return biased_colors(rng.integers(0, len(MEANS), n), sigma2, rng)


def paint(lit: np.ndarray, colors: np.ndarray) -> torch.Tensor:
    """Masks (n, h, w) bool and colours (n, 3) uint8 -> images (n, 3, h, w) uint8."""
    return torch.from_numpy(lit[:, None].astype(np.uint8) * colors[:, :, None, None])


def bins(colors: np.ndarray) -> np.ndarray:
    """The attribute's raw values: colours (n, 3) uint8 -> (n, 3) int in 0..7."""
    return colors.astype(np.int64) // (256 // BINS)


def colored_data(
    name: str,
    description: str,
    arrays: Mapping[str, np.ndarray],
    unpack: Callable[[np.ndarray], np.ndarray],
    recipe: Recipe,
    params: dict[str, Any],
) -> DataSet:
    """The data set of masks, classes and colours.

    Args:
        name, description, recipe, params: as in `DataSet`.
        arrays: for each of train, validation and test NAME_lit and NAME_y, and colours (n, 3) uint8
            train_color, validation_color, biased_color and unbiased_color (the two tests).
        unpack: NAME_lit -> masks (n, h, w) bool.
    """
    # The attribute, three 8-way categoricals, with the shares of the training colours.
    attribute = MultiCategorical.from_values(
        bins(arrays["train_color"]),
        "colour",
        names=("red", "green", "blue"),
        levels=tuple(range(BINS)),
    )

    def split(digits: str, colors: np.ndarray) -> Split:
        images = paint(unpack(arrays[f"{digits}_lit"]), colors)
        labels = torch.from_numpy(arrays[f"{digits}_y"].astype(np.int64))
        return Split(images, labels, attribute.encode(bins(colors)), torch.from_numpy(colors))

    return DataSet(
        name=name,
        description=description,
        train=split("train", arrays["train_color"]),
        validation=split("validation", arrays["validation_color"]),
        tests={
            "biased": split("test", arrays["biased_color"]),
            "unbiased": split("test", arrays["unbiased_color"]),
        },
        attribute=attribute,
        classes=tuple("0123456789"),
        recipe=recipe,
        params=params,
        shows_images=True,
    )
