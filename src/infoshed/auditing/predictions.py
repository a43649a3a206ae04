"""Predictions beside the truth, brought to codes in which 1 is the positive class.

Where there are two classes the score of a row is the probability of the positive one, and it came
true where y is that; else the score is the largest probability, and it came true where y is that
class.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from infoshed.auditing.inputs import Target, target
from infoshed.checks import InfoshedError, as_array, check_same_length


@dataclass(frozen=True)
class Predictions:
    """Predicted classes with the true ones, as codes (n,) in which 1 is the positive class where
    there are two; or predicted and true quantities (n,).

    Args:
        y, predicted: (n,). classes: names; empty for quantities.
        scores: (n,) see the module; and `came_true` (n,) bool; or None.
    """

    y: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]
    scores: np.ndarray | None = None
    came_true: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Predictions":
        """Some rows of it."""
        parts = (None if a is None else a[rows] for a in (self.scores, self.came_true))
        return Predictions(self.y[rows], self.predicted[rows], self.classes, *parts)


def read_predictions(
    truth: Target, predictions: Any, scores: Any, positive: Any, name: str
) -> tuple[Predictions | None, list[str]]:
    """Predictions beside the truth, as codes in which 1 is positive where there are two classes.

    Arguments and errors as in `audit`; `name` is the target's. Without predictions and scores
    there is nothing, None.
    """
    if not truth.classes:
        if scores is not None or positive is not None:
            raise InfoshedError(
                f"`scores` and `positive` are for classes, and {name} is a quantity; give its "
                "`predictions`"
            )
        if predictions is None:
            return None, []
        guess = as_array("predictions", predictions)
        guess = guess[:, 0] if guess.ndim == 2 and guess.shape[1] == 1 else guess
        if guess.ndim != 1 or guess.dtype.kind not in "biuf" or not np.isfinite(guess).all():
            raise InfoshedError(
                f"`predictions` must be finite numbers of shape (n,), as {name} is a quantity; got "
                f"{guess.dtype} of shape {guess.shape}"
            )
        return Predictions(truth.values, guess.astype(np.float64), ()), []
    classes, m = list(truth.classes), len(truth.classes)
    if positive is not None and (m != 2 or str(positive) not in classes):
        raise InfoshedError(
            f"`positive` must be one of two classes of {name}; got {positive!r}, and the "
            f"{m} classes are {', '.join(classes[:12])}"
        )
    if predictions is None and scores is None:
        return None, []
    y, flip = truth.values, positive is not None and str(positive) == classes[0]
    probability = None if scores is None else _probabilities(scores, m, flip, name)
    check_same_length(y=y, scores=probability)
    if predictions is None:
        assert probability is not None
        predicted = probability.argmax(1)
    else:
        guess = target("predictions", predictions)
        check_same_length(y=y, predictions=guess.values)
        if not guess.classes:
            raise InfoshedError(
                f"`predictions` must be classes, as {name} is; give probabilities as `scores`"
            )
        strange = [value for value in guess.classes if value not in classes]
        if len(strange) == len(guess.classes):
            raise InfoshedError(
                f"no prediction is a class of {name}: predictions hold {', '.join(strange[:5])}, "
                f"{name} holds {', '.join(classes[:5])}"
            )
        classes += strange
        predicted = np.array([classes.index(value) for value in guess.classes])[guess.values]
    notes = []
    if probability is not None and np.isin(probability, (0, 1)).all():
        notes.append(
            "the scores are 0 and 1 only: hard decisions rather than probabilities, so calibration "
            "shows no more than the rate of errors; give probabilities, or give these as "
            "predictions"
        )
    score, came_true = None, None
    if probability is not None and m == 2:
        score, came_true = probability[:, 0 if flip else 1], y == (0 if flip else 1)
    elif probability is not None:
        score, came_true = probability.max(1), probability.argmax(1) == y
    if len(classes) == 2:
        if flip:
            y, predicted, classes = 1 - y, 1 - predicted, classes[::-1]
        if positive is None:
            notes.append(f"'{classes[1]}' is taken as the positive class of {name}")
    return Predictions(y, predicted, tuple(classes), score, came_true), notes


def _probabilities(scores: Any, m: int, flip: bool, name: str) -> np.ndarray:
    """Probabilities (n, m) of the classes in sorted order. `flip`: the first one is positive."""
    array = as_array("scores", scores)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    shape = array.shape
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InfoshedError("`scores` must be finite numbers; drop or fill rows without")
    if (array < 0).any() or (array > 1).any():
        raise InfoshedError(
            f"`scores` must be probabilities in [0, 1], found {array.min():g} to "
            f"{array.max():g}; apply a sigmoid or softmax to logits"
        )
    if array.ndim == 1 and m == 2:
        return np.stack([array, 1 - array] if flip else [1 - array, array], 1)
    if array.ndim != 2 or shape[1] != m:
        wanted = f"(n,) or (n, {m})" if m == 2 else f"(n, {m})"
        raise InfoshedError(
            f"`scores` must have shape {wanted}, as {name} has {m} classes; got {shape}"
        )
    if (abs(array.sum(1) - 1) > 1e-3).any():
        raise InfoshedError("rows of `scores` must sum to 1; apply a softmax to logits")
    return array
