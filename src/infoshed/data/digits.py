"""scikit-learn's bundled 8x8 digits, coloured: the data set that is always there.

1,797 handwritten digits; grey values 0..16 are scaled to 0..255 and coloured by the protocol of
`infoshed.data.color`. 360 digits (20%) are kept for the tests and 200 for validation, split by
seed and stratified by class. Each test digit is painted five times with different colours, so
that the accuracy on the unbiased test depends little on the luck of the colours.
"""

import numpy as np

from infoshed.data.cache import cached
from infoshed.data.color import (
    biased_colors,
    check_sigma2,
    colored_data,
    unbiased_colors,
)
from infoshed.seeds import numpy_generator, stream
from infoshed.types import DataSet, Recipe

TEST, VALIDATION, REPEATS = 360, 200, 5


def digits(*, sigma2: float = 0.02, seed: int = 0) -> DataSet:
    """Coloured 8x8 digits.

    Args:
        sigma2: variance of the colour around the mean of its class; smaller is more biased.
        seed: of the split and the colours.
    """
    check_sigma2(sigma2)
    arrays = cached(
        "digits", {"version": 1, "sigma2": sigma2, "seed": seed}, lambda: _make(sigma2, seed)
    )
    return colored_data(
        "digits",
        "Handwritten 8x8 digits (scikit-learn). In the training data the colour follows the "
        "digit; in the unbiased test it is drawn independently of the digit.",
        arrays,
        lambda lit: lit,
        Recipe(encoder="conv-small", epochs=40, batch_size=64, lr=1e-3),
        {"sigma2": sigma2, "seed": seed},
    )


def _make(sigma2: float, seed: int) -> dict[str, np.ndarray]:
    # Imported where used: scikit-learn takes longer to import than the rest of the library.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    lit = images.reshape(-1, 8, 8) / 16 * 255 > 128
    y = np.asarray(labels, np.int64)
    rows, test = train_test_split(
        np.arange(len(y)), test_size=TEST, stratify=y, random_state=stream(seed, "test") % 2**32
    )
    train, validation = train_test_split(
        rows, test_size=VALIDATION, stratify=y[rows], random_state=stream(seed, "val") % 2**32
    )
    test = np.repeat(test, REPEATS)
    rng = numpy_generator(seed, "digits colours")
    return {
        "train_lit": lit[train],
        "train_y": y[train],
        "train_color": biased_colors(y[train], sigma2, rng),
        "validation_lit": lit[validation],
        "validation_y": y[validation],
        "validation_color": biased_colors(y[validation], sigma2, rng),
        "test_lit": lit[test],
        "test_y": y[test],
        "biased_color": biased_colors(y[test], sigma2, rng),
        "unbiased_color": unbiased_colors(len(test), sigma2, rng),
    }
