"""Predictions on a split, and what they are worth."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from infoshed.nn import Model
from infoshed.types import Split


@torch.no_grad()
def logits_of(model: Model, split: Split) -> Tensor:
    """Logits (n, classes) of every row, in evaluation mode."""
    model.eval()
    return torch.cat([model(batch.x) for batch in split.batches()])


@torch.no_grad()
def features_of(model: Model, split: Split) -> Tensor:
    """Representations z (n, dim) of every row, in evaluation mode."""
    model.eval()
    return torch.cat([model.encode(batch.x) for batch in split.batches()])


def evaluate(model: Model, split: Split) -> dict[str, Any]:
    """Accuracy in [0, 1] and the confusion counts (rows: true class), JSON-able."""
    guess = logits_of(model, split).argmax(1)
    confusion = np.zeros((model.classes, model.classes), dtype=int)
    np.add.at(confusion, (split.y.numpy(), guess.numpy()), 1)
    return {"accuracy": float((guess == split.y).double().mean()), "confusion": confusion.tolist()}


def validate(model: Model, split: Split, weights: Tensor) -> dict[str, float]:
    """Accuracy on biased validation data, plain and weighted.

    Args:
        weights: p(y) / p(y|c) for each row (n,), under which y and c are independent. The
            weighted accuracy speaks for the pairs (y, c) that occur in the biased data; where
            many pairs never do, a model that fails on them looks better here than it is.
    """
    right = (logits_of(model, split).argmax(1) == split.y).double()
    weights = weights.double()
    return {
        "val_accuracy": float(right.mean()),
        "val_accuracy_weighted": float((right * weights).sum() / weights.sum()),
    }
