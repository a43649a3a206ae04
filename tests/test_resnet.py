"""The residual network beyond the contract of all encoders."""

import pytest
import torch
import torch.nn.functional as F

from infoshed.nn import build_model
from infoshed.resnet import Block, ResNet
from infoshed.types import as_input


def images(*shape: int) -> torch.Tensor:
    return as_input(torch.rand(shape, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(("narrow", "wide", "stride"), [(8, 8, 1), (8, 16, 2), (8, 16, 1)])
def test_a_block_is_its_formula(narrow: int, wide: int, stride: int):
    torch.manual_seed(0)
    block, x = Block(narrow, wide, stride), torch.randn(3, narrow, 9, 7)
    w = dict(block.named_parameters())
    h = F.conv2d(x, w["residual.0.weight"], stride=stride, padding=1)
    # Normalised over the channels and pixels of each row; gain and offset begin at 1 and 0.
    h = F.relu(F.layer_norm(h, h.shape[1:]))
    h = F.conv2d(h, w["residual.3.weight"], padding=1)
    h = F.layer_norm(h, h.shape[1:])
    same = narrow == wide and stride == 1
    shortcut = x if same else F.conv2d(x, w["shortcut.weight"], stride=stride)
    torch.testing.assert_close(block(x), F.relu(h + shortcut), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side", [16, 17, 48, 64])
def test_images_of_any_size_are_read(side: int):
    assert ResNet(1, 5)(images(2, 1, side, side)).shape == (2, 5)


def test_rows_do_not_depend_on_their_neighbours_in_training_either():
    encoder = build_model("resnet", (1, 24, 24), 6, 2, seed=0).train().encoder
    x = images(8, 1, 24, 24)
    torch.testing.assert_close(encoder(x)[2:4], encoder(x[2:4]))


def test_nothing_but_parameters_is_learned():
    # Averaged weights average parameters; statistics kept in buffers would be left behind.
    assert not list(ResNet(1, 4).buffers())


def test_its_size_is_the_one_that_is_stated():
    encoder = ResNet(1, 64)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in encoder.modules()) == 13 + 2
    assert sum(p.numel() for p in encoder.parameters()) == pytest.approx(180_000, rel=0.02)
