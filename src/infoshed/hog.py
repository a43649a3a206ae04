"""Histograms of oriented gradients: fixed features of images that no label has shaped (Dalal &
Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005).

An image is first made grey, of mean 0 and deviation 1. Central differences give the gradient of
each pixel; its length is shared out between the two nearest of `ORIENTATIONS` directions (a
direction and its opposite are one), and averaged over the cells of every grid in `GRIDS`. The
features are the square roots of these averages, and the grey values averaged over a grid of
`PIXELS`: all of the image and of its mirror image, averaged.

That departs from the paper in three ways: the contrast is normalised over the whole image, not in
blocks; cells come in three sizes; left and right are not told apart.

Features learned for y where c nearly decides it can take c for y. These cannot, and what a linear
layer makes of them can be put right afterwards: see `infoshed.methods.ancova`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ORIENTATIONS = 8
GRIDS = (8, 6, 4)
PIXELS = 12
FEATURES = ORIENTATIONS * sum(side**2 for side in GRIDS) + PIXELS**2
FAINT = 0.02  # of the range of grey values: a deviation that may be noise
SMALLEST = 16


class HOG(nn.Module):
    """Images (n, channels, height, width), at least `SMALLEST` pixels a side -> features
    (n, FEATURES), float32. Without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            grey = x.float().mean(1, keepdim=True)
            spread = grey.std((2, 3), keepdim=True, correction=0)
            grey = (grey - grey.mean((2, 3), keepdim=True)) / (spread + FAINT)
            shares = _shares(grey)
            features = [F.adaptive_avg_pool2d(shares, side) for side in GRIDS]
            features = [_both_ways((cells + 1e-6).sqrt()) for cells in features]
            pixels = F.adaptive_avg_pool2d(grey, PIXELS)
            features.append((pixels + pixels.flip(3)) / 2)
            return torch.cat([part.flatten(1) for part in features], 1)


def _shares(grey: Tensor) -> Tensor:
    """What each pixel of images (n, 1, h, w) gives to each direction, (n, ORIENTATIONS, h, w)."""
    across = F.pad(grey[..., 2:] - grey[..., :-2], (1, 1, 0, 0))
    down = F.pad(grey[..., 2:, :] - grey[..., :-2, :], (0, 0, 1, 1))
    length = (across.square() + down.square() + 1e-12).sqrt()
    turn = (torch.atan2(down, across) / math.pi * ORIENTATIONS).remainder(ORIENTATIONS)
    direction = torch.arange(ORIENTATIONS, device=grey.device)[:, None, None]
    apart = (turn - direction).abs()
    apart = torch.minimum(apart, ORIENTATIONS - apart)
    return length * (1 - apart).clamp_min(0)


def _both_ways(cells: Tensor) -> Tensor:
    """The mean of `cells` (n, ORIENTATIONS, rows, columns) and those of the mirrored image, where
    direction k is direction -k."""
    return (cells + cells.flip(3).flip(1).roll(1, 1)) / 2
