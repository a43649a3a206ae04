"""What a scikit-learn user hands in as y: classes, an indicator matrix of labels, or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d
from torch import Tensor

from infoshed.checks import InfoshedError, as_array, check_choice
from infoshed.targets import Classes, Labels, Numbers, Target

KINDS = ("auto", "classes", "numbers")


@dataclass(frozen=True)
class Given:
    """y by scikit-learn's rules: its kind in `infoshed.targets.TARGETS`; classes of any type (n,),
    labels (n, k) of 0 and 1, or float64 numbers (n,) or (n, k)."""

    kind: str
    y: np.ndarray

    @property
    def classes(self) -> np.ndarray | None:
        """What scikit-learn calls `classes_`: the classes, sorted, or positions of labels; numbers
        have none."""
        if self.kind == Numbers.kind:
            return None
        return np.unique(self.y) if self.kind == Classes.kind else np.arange(self.y.shape[1])

    def target(self, weights: np.ndarray | None, used: np.ndarray) -> tuple[Target, Tensor]:
        """The specification of y, learned from the rows (n,) that are `used`, and the codes of all
        rows. Raises `InfoshedError` where there is nothing to predict."""
        share = None if weights is None else weights[used]
        if self.kind == Numbers.kind:
            numbers = Numbers.from_values(self.y[used], weights=share)
            return numbers, numbers.encode(self.y)
        if self.kind == Labels.kind:
            names = [str(j) for j in range(self.y.shape[1])]
            labels = Labels.from_values(self.y[used], names=names, weights=share)
            return labels, labels.encode(self.y)
        names, codes = np.unique(self.y, return_inverse=True)
        if len(np.unique(codes[used])) < 2:
            raise InfoshedError("`y` has one class only; there is nothing to predict")
        return Classes(tuple(map(str, names))), torch.from_numpy(codes)


def read_target(y: Any, kind: str) -> Given:
    """`y` as it is meant.

    Args:
        kind: "classes" (a matrix of 0 and 1 being labels), "numbers", or "auto": numbers where
            some have fractions, classes otherwise.

    Raises `ValueError` as scikit-learn does for what `y` cannot be.
    """
    check_choice("target_kind", kind, KINDS)
    y = y.toarray() if hasattr(y, "toarray") else y  # sparse
    array = as_array("y", y)
    if kind == "auto":
        found = type_of_target(array, input_name="y")
        kind = "numbers" if found.startswith("continuous") else "classes"
    if kind == "numbers":
        settings: Any = {"ensure_2d": False, "dtype": np.float64}
        array = np.asarray(check_array(array, input_name="y", **settings))
        flat = array.ndim == 2 and array.shape[1] == 1
        return Given(Numbers.kind, column_or_1d(array, warn=True) if flat else array)
    if array.ndim == 2 and type_of_target(array, input_name="y") == "multilabel-indicator":
        return Given(Labels.kind, array.astype(np.int64))
    array = column_or_1d(array, warn=True)
    check_classification_targets(array)
    return Given(Classes.kind, array)
