"""The easier variant of coloured MNIST: its colours and masks, and the whole set where MNIST is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from infoshed import load
from infoshed.data.colored_mnist import MD5, read_idx
from infoshed.data.colored_mnist_rerun import clamped_colors, masks, mean_colors


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_each_channel_of_a_palette_holds_ten_levels_once():
    means = mean_colors(rng())
    assert means.shape == (10, 3)
    for channel in means.T:
        np.testing.assert_allclose(np.sort(channel), np.arange(0.05, 1, 0.1))
    np.testing.assert_allclose(means[:, 0], np.arange(0.05, 1, 0.1))
    assert not np.array_equal(means, mean_colors(rng(1)))


def test_colours_are_clamped_not_redrawn():
    colors = clamped_colors(np.full((20_000, 3), 0.05), 0.04, rng())
    # Normal(0.05, 0.2^2) lies below 0 with probability Phi(-0.25) = 0.401.
    assert (colors == 0).mean() == pytest.approx(0.401 + 0.006, abs=0.01)
    inside = clamped_colors(np.full((20_000, 3), 0.5), 0.01, rng())
    assert inside.mean() / 255 == pytest.approx(0.5 - 0.5 / 255, abs=0.002)
    assert (inside / 255).std() == pytest.approx(0.1, rel=0.02)


def test_masks_are_those_of_a_bilinear_enlargement():
    images = rng().integers(0, 256, (40, 28, 28), dtype=np.uint8)
    ours = np.unpackbits(masks(images), axis=1).reshape(-1, 32, 32)
    theirs = [
        np.asarray(Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR)) for i in images
    ]
    # Pillow rounds to whole grey values on the way; few pixels are that near the threshold.
    assert (ours == (np.stack(theirs) / 255 >= 0.3)).mean() > 0.995


def test_the_set_is_that_of_the_re_run(mnist_folder: Path):
    data = load("colored-mnist-rerun", data_dir=mnist_folder, sigma2=0.03)
    assert (len(data.train), len(data.validation)) == (50_000, 10_000)
    unbiased, biased = data.tests["unbiased"], data.tests["biased"]
    assert unbiased.x.shape == (10_000, 3, 32, 32)
    labels = read_idx(mnist_folder / list(MD5)[3])
    assert unbiased.y.tolist() == biased.y.tolist() == labels.tolist()
    assert unbiased.rgb is not None
    assert data.train.rgb is not None
    # Any colour is as likely as any other.
    assert (unbiased.rgb.double() / 255).mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.015)
    counts = torch.stack([column.bincount(minlength=8) for column in unbiased.c.T])
    assert (counts.double() / 10_000 - 1 / 8).abs().max() < 0.015
    # In training the red mean rises with the digit, and the spread is the one asked for.
    for digit in range(2, 8):
        red = data.train.rgb[data.train.y == digit, 0].double() / 255
        if 3 <= digit <= 6:  # far from the clamps
            assert float(red.std()) == pytest.approx(0.03**0.5, rel=0.05)
        assert float(red.median()) == pytest.approx(digit / 10 + 0.05, abs=0.02)
