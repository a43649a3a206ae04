"""A small residual network for images, He et al., "Deep Residual Learning" (arXiv 1512.03385).

A block computes relu(x + f(x)) with f two 3x3 convolutions; where it halves the image or widens
the channels, x passes through a 1x1 convolution. A strided 5x5 stem, three stages of two blocks
with 16, 32 and 64 channels, the mean over the pixels, and a linear layer with ReLU: 13
convolutions in depth, 0.18 million parameters, images of any size.

Normalisation is by group (Wu & He, arXiv 1803.08494), not by batch: z of a row then depends on
that row alone, in training too, and averaged weights need no statistics of their own.
"""

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64)
BLOCKS = 2
SMALLEST = 16


class ResNet(nn.Sequential):
    """Images (n, channels, height, width), at least `SMALLEST` pixels a side -> z (n, dim)."""

    def __init__(self, channels: int, dim: int):
        width = WIDTHS[0]
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False),
            _norm(width),
            nn.ReLU(),
        ]
        for stage, wider in enumerate(WIDTHS):
            for i in range(BLOCKS):
                layers.append(Block(width, wider, stride=2 if stage and not i else 1))
                width = wider
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, dim), nn.ReLU()]
        super().__init__(*layers)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Block(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x)))))): (n, narrow, h, w) -> (n, wide, h', w'),
    h' = ceil(h / stride)."""

    def __init__(self, narrow: int, wide: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(narrow, wide, 3, stride=stride, padding=1, bias=False),
            _norm(wide),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1, bias=False),
            _norm(wide),
        )
        same = narrow == wide and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(narrow, wide, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.residual(x))


def _norm(channels: int) -> nn.GroupNorm:
    # One group: on a CPU, in the channels-last layout, several groups take a third more time.
    return nn.GroupNorm(1, channels)
