"""Predictions on a split, and what they are worth."""

from typing import Any

import torch
from torch import Tensor

from infoshed.nn import Model
from infoshed.targets import Target
from infoshed.types import Split


@torch.no_grad()
def outputs_of(model: Model, split: Split) -> Tensor:
    """What the head says of every row (n, outputs), such as logits, in evaluation mode."""
    model.eval()
    return torch.cat([model(batch.x) for batch in split.batches()])


@torch.no_grad()
def features_of(model: Model, split: Split) -> Tensor:
    """Representations z (n, dim) of every row, in evaluation mode."""
    model.eval()
    return torch.cat([model.encode(batch.x) for batch in split.batches()])


def evaluate(model: Model, split: Split, target: Target) -> dict[str, Any]:
    """The figures of the target, JSON-able: see the kinds in `infoshed.targets`."""
    return target.figures(outputs_of(model, split), split.y)


def validate(model: Model, split: Split, weights: Tensor, target: Target) -> dict[str, float]:
    """The score of the target on biased validation data, plain and weighted.

    Args:
        weights: p(y) / p(y|c) for each row (n,), under which y and c are independent. The
            weighted score speaks for the pairs (y, c) that occur in the biased data; where
            many pairs never do, a model that fails on them looks better here than it is.
    """
    scores, weights = target.scores(outputs_of(model, split), split.y).double(), weights.double()
    key = f"val_{target.score.key}"
    return {
        key: float(scores.mean()),
        f"{key}_weighted": float((scores * weights).sum() / weights.sum()),
    }
