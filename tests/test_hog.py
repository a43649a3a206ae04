"""Histograms of oriented gradients against a loop over pixels, and the symmetries they promise."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch

from infoshed import InfoshedError, load
from infoshed.hog import FAINT, FEATURES, GRIDS, HOG, ORIENTATIONS, PIXELS
from infoshed.nn import build_model
from places import SHARED


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def by_loops(image: np.ndarray) -> np.ndarray:
    """The features of a grey image (48, 48), without its mirror image."""
    grey = (image - image.mean()) / (image.std() + FAINT)
    side = len(grey)
    histograms = {grid: np.zeros((ORIENTATIONS, grid, grid)) for grid in GRIDS}
    for i in range(side):
        for j in range(side):
            across = grey[i, j + 1] - grey[i, j - 1] if 0 < j < side - 1 else 0
            down = grey[i + 1, j] - grey[i - 1, j] if 0 < i < side - 1 else 0
            angle = math.degrees(math.atan2(down, across)) % 180
            at = angle / (180 / ORIENTATIONS)
            low, share = int(at) % ORIENTATIONS, at - int(at)
            for grid, histogram in histograms.items():
                cell = (i * grid // side, j * grid // side)
                weight = math.hypot(across, down) / (side / grid) ** 2
                histogram[(low, *cell)] += (1 - share) * weight
                histogram[((low + 1) % ORIENTATIONS, *cell)] += share * weight
    step = side // PIXELS
    pixels = grey.reshape(PIXELS, step, PIXELS, step).mean((1, 3))
    return np.concatenate([np.sqrt(h).ravel() for h in histograms.values()] + [pixels.ravel()])


def test_features_are_those_of_a_loop_over_the_pixels():
    x = images(2, 1, 48, 48)
    x[0, 0, :20] = 0.5  # a flat part has no direction
    for found, image in zip(HOG()(x), x[:, 0].double().numpy(), strict=True):
        expected = (by_loops(image) + by_loops(image[:, ::-1])) / 2
        assert found.shape == (FEATURES,)
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_light_contrast_and_side_do_not_matter():
    x = images(3, 1, 40, 33)
    torch.testing.assert_close(HOG()(x.flip(3)), HOG()(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(HOG()(1000 * x + 7), HOG()(1000 * x), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(HOG()(100 * x), HOG()(200 * x), atol=0.01, rtol=0.01)


def test_colour_does_not_matter():
    x = images(2, 3, 32, 32)
    torch.testing.assert_close(HOG()(x), HOG()(x.mean(1, keepdim=True)))


def test_a_flat_image_has_finite_features_and_gradients():
    x = torch.full((1, 1, 16, 16), 0.3, requires_grad=True)
    features = HOG()(x)
    features.sum().backward()
    assert torch.isfinite(features).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_the_encoder_learns_one_linear_layer_and_begins_as_the_features():
    model = build_model("hog", (1, 24, 24), FEATURES, 2, seed=0)
    names = [name for name, _ in model.encoder.named_parameters()]
    assert names == ["2.weight", "2.bias"]
    x = images(3, 1, 24, 24)
    # Statistics of the normalisation begin at 0 and 1.
    torch.testing.assert_close(model.eval().encode(x), HOG()(x), atol=1e-4, rtol=1e-4)
    with pytest.raises(InfoshedError, match="at least 16x16"):
        build_model("hog", (1, 8, 8), 4, 2, seed=0)


@pytest.mark.slow
def test_faces_hog_are_the_features_of_faces_in_the_units_of_the_training_split():
    if not SHARED.is_dir():
        pytest.skip(f"no data: {SHARED} is not there")
    pictures, data = (load(n, data_dir=SHARED / "faces") for n in ("faces", "faces-hog"))
    assert data.train.x.shape == (len(pictures.train), FEATURES)
    torch.testing.assert_close(data.train.x.mean(0), torch.zeros(FEATURES), atol=1e-3, rtol=0)
    torch.testing.assert_close(data.train.x.std(0), torch.ones(FEATURES), atol=1e-3, rtol=0)
    some = HOG()(pictures.tests["unbiased"].x[:9].float() / 255)
    raw = HOG()(pictures.train.x.float() / 255)
    expected = (some - raw.mean(0)) / raw.std(0)
    torch.testing.assert_close(data.tests["unbiased"].x[:9], expected, atol=1e-3, rtol=1e-3)
    for name in ("unbiased", "conflicting", "ages_30_39"):
        for part in ("y", "c"):
            assert torch.equal(getattr(data.tests[name], part), getattr(pictures.tests[name], part))
    same = [f.name for f in fields(data) if f.name in ("attribute", "target", "params")]
    assert all(getattr(data, name) == getattr(pictures, name) for name in same)
