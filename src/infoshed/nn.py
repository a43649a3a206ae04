"""Encoders, heads and the multilayer perceptron that critics are made of. Modules only.

An encoder maps x to z of shape (n, dim); a head maps z to outputs, such as logits (n, classes). A
new encoder is a function (shape of one input, dim) -> module and a line in `ENCODERS`.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from infoshed.checks import InfoshedError, check_choice
from infoshed.hog import FEATURES, HOG
from infoshed.hog import SMALLEST as SMALLEST_HOG
from infoshed.resnet import SMALLEST, ResNet
from infoshed.seeds import seeded
from infoshed.types import as_input


def mlp(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers of the given sizes with activations between them."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        layers += [activation()] * (i > 0) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


def conv(shape: Sequence[int], dim: int) -> nn.Module:
    """The net of the paper for 28x28 digits: conv5x5(64)-pool-conv5x5(64)-pool-fc512-fc(dim),
    valid convolutions, ReLU throughout, z included."""
    channels, height, width = _image(shape, 16)
    flat = 64 * math.prod(((s - 4) // 2 - 4) // 2 for s in (height, width))
    # Pooling before ReLU gives the same function (both are monotone) on a quarter of the pixels.
    return nn.Sequential(
        nn.Conv2d(channels, 64, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(flat, 512),
        nn.ReLU(),
        nn.Linear(512, dim),
        nn.ReLU(),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def conv_small(shape: Sequence[int], dim: int) -> nn.Module:
    """A small net for 8x8 images: conv3x3(32)-conv3x3(64)-pool-fc128-fc(dim), ReLU, and dropout
    of one half around fc128, for data sets so small that the net would learn them by heart."""
    channels, height, width = _image(shape, 4)
    flat = 64 * (height // 2) * (width // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(flat, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, dim),
        nn.ReLU(),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def resnet(shape: Sequence[int], dim: int) -> nn.Module:
    """A residual network of 13 convolutions for photographs; see `infoshed.resnet`."""
    return ResNet(_image(shape, SMALLEST)[0], dim)


def hog(shape: Sequence[int], dim: int) -> nn.Module:
    """Fixed features of an image, see `infoshed.hog`, standardised, and one linear layer: nothing
    that the labels teach but the weights of 1,072 features."""
    _image(shape, SMALLEST_HOG)
    return nn.Sequential(HOG(), nn.BatchNorm1d(FEATURES, affine=False), _linear(FEATURES, dim))


def mlp_encoder(shape: Sequence[int], dim: int) -> nn.Module:
    """Two hidden layers of 128 for tables and features; images are flattened. z is linear in the
    last of them: of few columns behind a ReLU, all may be dead from the start."""
    return nn.Sequential(nn.Flatten(), mlp((math.prod(shape), 128, 128, dim)))


def linear(shape: Sequence[int], dim: int) -> nn.Module:
    """One linear layer, so that with the head the model is a logistic regression of rank `dim`:
    for tables in which y is nearly linear in x, or with few rows that break the bias. With as many
    columns of z as of x it begins as z = x."""
    return nn.Sequential(nn.Flatten(), _linear(math.prod(shape), dim))


def _linear(inputs: int, dim: int) -> nn.Linear:
    layer = nn.Linear(inputs, dim)
    if inputs == dim:
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    return layer


ENCODERS: dict[str, Callable[[Sequence[int], int], nn.Module]] = {
    "conv": conv,
    "conv-small": conv_small,
    "resnet": resnet,
    "hog": hog,
    "mlp": mlp_encoder,
    "linear": linear,
}


PRECISIONS = ("float32", "bfloat16")


class Model(nn.Module):
    """An encoder with a linear head: x -> z (n, dim) -> outputs (see `infoshed.targets`).

    Args:
        encoder: x -> z. dim: columns of z. outputs: columns of the head's, such as classes.
        precision: what the encoder computes in; weights, z and all that reads z stay float32.
    """

    def __init__(self, encoder: nn.Module, dim: int, outputs: int, precision: str = "float32"):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(dim, outputs)
        self.dim = dim
        self.outputs = outputs
        self.precision = precision

    def encode(self, x: Tensor) -> Tensor:
        """z (n, dim) of inputs x, as the encoder returns it, or float32 where that is bfloat16."""
        return self.in_precision(self.encoder, x)

    def in_precision(self, encoder: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """z (n, dim) of x by `encoder`, computed as this model's own encoder computes."""
        if self.precision == "float32":
            return encoder(x)
        with torch.autocast(x.device.type, torch.bfloat16):
            return encoder(x).float()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encode(x))


def build_model(
    encoder: str | nn.Module, shape: Sequence[int], dim: int, outputs: int, seed: int,
    precision: str = "float32",
) -> Model:  # fmt: skip
    """A model with an encoder by name, or the user's own module with `dim` outputs.

    Args:
        shape: of one input, without the batch dimension. outputs: columns of the head's.
        seed: of the initial weights.
        precision: of the encoder's arithmetic, a name in `PRECISIONS`.
    """
    check_choice("precision", precision, PRECISIONS)
    with seeded(seed, "model"):
        if isinstance(encoder, str):
            check_choice("encoder", encoder, ENCODERS)
            encoder = ENCODERS[encoder](tuple(shape), dim)
        model = Model(encoder, dim, outputs, precision)
        probe = as_input(torch.zeros(2, *shape))
        training = encoder.training
        try:
            with torch.no_grad():
                encoder.eval()
                z = model.encode(probe)
        except RuntimeError as error:
            raise InfoshedError(
                f"the encoder cannot read inputs of shape (n, *{tuple(shape)}): {error}"
            ) from error
        encoder.train(training)
    if z.shape != (2, dim):
        raise InfoshedError(
            f"the encoder must map x to z of shape (n, {dim}), got {tuple(z.shape)} for n = 2; "
            "set `dim` to its number of outputs"
        )
    return model


def _image(shape: Sequence[int], smallest: int) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise InfoshedError(
            f"this encoder needs images of at least {smallest}x{smallest} pixels, "
            f"shape (n, channels, height, width); one input has shape {tuple(shape)}"
        )
    return shape[0], shape[1], shape[2]
