"""Models as ONNX files, for use without Python or torch.

The graph takes x as the network reads it, float32 of shape (n, ...) with any n: bytes of pictures
are divided by 255 beforehand, and a table's columns are encoded (`Run.inputs`). Either part can be
had: the encoder, x -> z, or the whole model, x -> logits and probabilities of classes or labels, or
predictions of numbers in their unit. Every file is run once in onnxruntime and compared with torch
before it is kept.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infoshed.checks import InfoshedError, check_choice
from infoshed.io import atomic_path
from infoshed.nn import Model
from infoshed.run import Run
from infoshed.seeds import torch_generator
from infoshed.targets import Numbers, Target
from infoshed.version import __version__

TOLERANCE = 1e-5


class EncoderPart(nn.Module):
    """x -> z."""

    outputs = ("z",)

    def __init__(self, model: Model, target: Target):
        super().__init__()
        self.model, self.target = model, target

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.model.encode(x),)


class ModelPart(EncoderPart):
    """x -> logits and probabilities."""

    outputs = ("logits", "probabilities")

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        logits = self.model(x)
        return logits, self.target.probabilities(logits)


class NumbersPart(EncoderPart):
    """x -> predictions in the unit of y."""

    outputs = ("predictions",)
    mean: Tensor
    scale: Tensor

    def __init__(self, model: Model, target: Numbers):
        super().__init__(model, target)
        self.register_buffer("mean", torch.tensor(target.mean))
        self.register_buffer("scale", torch.tensor(target.scale))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.model(x) * self.scale + self.mean,)


PARTS: dict[str, type[EncoderPart]] = {"model": ModelPart, "encoder": EncoderPart}


def export_onnx(run: Run, path: str | Path, part: str = "model") -> float:
    """Write a part of the run's model to `path`, atomically.

    Args:
        part: "model" (outputs `logits` and `probabilities`, (n, classes or labels); of numbers
            `predictions`, (n, columns)) or "encoder" (output `z`, (n, dim)). The input is `x`,
            float32, (n, *shape).

    The names of the classes, the target, the attribute and, of a table or pictures, how x is made
    are in the file's metadata, as JSON. A model that computes in bfloat16 is written in float32.

    Returns the largest difference between onnxruntime and torch, relative to max(1, |output|).
    Raises `InfoshedError` without the extra `onnx`, for a model that cannot be exported, and for a
    difference above `TOLERANCE`.
    """
    check_choice("part", part, PARTS)
    onnx, onnxruntime = _libraries()
    model = deepcopy(run.model).eval()
    model.precision = "float32"
    target, kind = run.target, PARTS[part]
    if isinstance(target, Numbers) and part == "model":
        module: EncoderPart = NumbersPart(model, target)
    else:
        module = kind(model, target)
    module = module.eval()
    x = torch.rand(3, *run.config.shape, generator=torch_generator(0, "onnx"))
    with warnings.catch_warnings(), torch.no_grad(), _quiet():
        warnings.simplefilter("ignore")  # the exporter's about torch itself
        try:
            program: Any = torch.onnx.export(
                module, (x,), dynamo=True, verbose=False, input_names=["x"],
                output_names=list(module.outputs), dynamic_shapes=({0: torch.export.Dim("n")},),
            )  # fmt: skip
        except Exception as error:  # of many kinds, from three libraries
            raise InfoshedError(
                f"the model cannot be exported to ONNX: {type(error).__name__}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        proto = program.model_proto
        onnx.helper.set_model_props(proto, _metadata(run))
        data = proto.SerializeToString()
        difference = _difference(onnxruntime.InferenceSession(data), module, x)
    if difference > TOLERANCE:
        raise InfoshedError(
            f"the exported model differs from torch by {difference:.2g}, above {TOLERANCE:g}; "
            "nothing was written"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return difference


def _difference(session: Any, module: nn.Module, x: Tensor) -> float:
    """The largest, at batches of another size than the exporter saw."""
    worst = 0.0
    for batch in (x[:1], torch.cat([x, x, x])):
        found = session.run(None, {"x": batch.numpy()})
        for got, want in zip(found, module(batch), strict=True):
            want = want.numpy()
            worst = max(worst, float((np.abs(got - want) / np.maximum(1, np.abs(want))).max()))
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's lines on libraries that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _metadata(run: Run) -> dict[str, str]:
    return {
        "infoshed": __version__,
        "classes": json.dumps(run.config.classes),
        "target": json.dumps(run.config.target),
        "attribute": json.dumps(run.config.attribute),
        "inputs": json.dumps(run.config.inputs),
    }


def _libraries() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise InfoshedError(
            f"ONNX export needs {error.name}: pip install 'infoshed[onnx]'"
        ) from None
    return onnx, onnxruntime
