"""What travels through the library: batches (x, y, c), splits and data sets.

x is the input (uint8 images in NCHW, or floats), y the class (int64) or the codes of another target
(see `infoshed.targets`), c the codes of the bias attribute (see `infoshed.attributes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.attributes.codes import check_codes
from infoshed.checks import (
    InfoshedError,
    as_array,
    check_same_length,
    check_type,
    check_weights,
)
from infoshed.inputs import Inputs
from infoshed.targets import Classes, Target

DRAWN_ALIKE = ("biased", "test", "validation")
"""Names of splits that are drawn as the training rows are, and so as biased as they."""


@dataclass(frozen=True)
class Batch:
    """x (n, ...), y (n,) or (n, k) codes, c (n, columns) codes, which `x, y, c = batch` unpacks;
    and where rows have them weights (n,), of mean 1 in the whole split."""

    x: Tensor
    y: Tensor
    c: Tensor
    weights: Tensor | None = None

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.x, self.y, self.c))


def as_input(x: Tensor) -> Tensor:
    """`x` as a network reads it: uint8 images become floats in [0, 1]; 4-D tensors are laid out
    channels-last, in which convolutions on a CPU are faster. Float inputs are taken as they are."""
    x = x.float().div_(255) if x.dtype == torch.uint8 else x.float()
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def as_tensor(name: str, values: Any) -> Tensor:
    """Numbers, such as a list, an array or a data frame of numbers, as a tensor. Raises
    `InfoshedError` for what is no number."""
    if isinstance(values, Tensor):
        return values
    array = as_array(name, values)
    if array.dtype.kind not in "biuf":
        codes = {
            "y": "`numpy.unique(y, return_inverse=True)[1]` numbers classes 0, 1, ...",
            "c": "`spec = infoshed.infer_attribute(c)`, then `spec.encode(c)`, makes codes",
        }
        raise InfoshedError(
            f"`{name}` must be numbers, got {array.dtype}; "
            + codes.get(name, "make numbers of every column, one-hot of text, and fill the gaps")
        )
    # torch shares memory, and takes neither what is read-only nor what runs backwards.
    shared = array.flags.writeable and min((1, *array.strides)) > 0
    return torch.as_tensor(array if shared else array.copy())


def check_inputs(x: Tensor) -> None:
    """Raise `InfoshedError` where `x` (n, ...) holds NaN or infinity, which would come out again as
    NaN, or as a class like any other."""
    if not x.is_floating_point() or x.ndim < 2:
        return
    good = torch.isfinite(x).flatten(1).all(1)
    if not bool(good.all()):
        first = int((~good).nonzero()[0])
        raise InfoshedError(
            f"`x` holds NaN or infinity in {int((~good).sum()):,} of {len(x):,} rows, first in row "
            f"{first}; fill the gaps or leave these rows out"
        )


@dataclass(frozen=True, repr=False)
class Split:
    """One part of a data set: inputs x (n, ...), classes y (n,), codes c (n, columns) from
    `Attribute.encode`; rgb (n, 3) uint8 where c is a colour, for figures; and weights (n,), the
    importance of every row, on any scale, equal unless given. Of numbers and labels y are the codes
    (n, k) that `encode` of `infoshed.Numbers` or `infoshed.Labels` makes.

    Lists, arrays and data frames of numbers become tensors, whole numbers in y int64. Raises
    `InfoshedError` for shapes that do not fit, for what is no number, and for NaN in x.
    """

    x: Tensor
    y: Tensor
    c: Tensor
    rgb: Tensor | None = None
    weights: Tensor | None = None

    def __post_init__(self):
        for name in ("x", "y", "c"):
            object.__setattr__(self, name, as_tensor(name, getattr(self, name)))
        if self.x.ndim < 2:
            raise InfoshedError(
                f"`x` must have shape (n, ...), a row for each example, got {tuple(self.x.shape)}; "
                "one column of numbers is x.reshape(-1, 1)"
            )
        check_inputs(self.x)
        floats = self.y.is_floating_point()
        if self.y.ndim not in (1, 2) or (floats and self.y.ndim == 1):
            raise InfoshedError(
                "`y` must be classes 0, 1, ... of shape (n,), or codes (n, k) of numbers or labels "
                "(`infoshed.Numbers.from_values(y)`, then its `encode`); "
                f"got {self.y.dtype} of shape {tuple(self.y.shape)}"
            )
        object.__setattr__(self, "y", self.y.float() if floats else self.y.long())
        c = self.c.float() if self.c.is_floating_point() else self.c.long()
        object.__setattr__(self, "c", c)
        check_same_length(x=self.x, y=self.y, c=self.c)
        if not len(self.y):
            raise InfoshedError("a split needs at least one row")
        if self.c.ndim != 2:
            raise InfoshedError(
                f"`c` must be codes of shape (n, columns), got {tuple(self.c.shape)}; "
                "`infoshed.infer_attribute(c).encode(c)` makes them of values (n,)"
            )

        if self.weights is not None:
            weights = torch.as_tensor(self.weights).double()
            check_same_length(x=self.x, weights=weights)
            check_weights(weights)
            object.__setattr__(self, "weights", (weights / weights.mean()).float())

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in ("x", "y", "c"))
        return f"<Split: {shapes}>"

    def rows(self, index: Tensor) -> "Split":
        """The rows at `index` as a split of their own."""
        rgb = None if self.rgb is None else self.rgb[index]
        weights = None if self.weights is None else self.weights[index]
        return Split(self.x[index], self.y[index], self.c[index], rgb, weights)

    def take(self, index: Tensor) -> Batch:
        """The rows at `index` as a batch, x ready for a network."""
        weights = None if self.weights is None else self.weights[index]
        return Batch(as_input(self.x[index]), self.y[index], self.c[index], weights)

    def batches(self, size: int = 500) -> Iterator[Batch]:
        """All rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(torch.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class Recipe:
    """The training settings that suit a data set, used where `fit` is told nothing else.

    Args:
        encoder, dim, epochs, batch_size, lr: as in `infoshed.fit`.
        options: by the name of a method, options of its own.
    """

    encoder: str = "mlp"
    dim: int = 64
    epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class DataSet:
    """Splits with the description of what is in them.

    Args:
        name, description: for people.
        train: what the model is fitted on (biased).
        validation: held out of the same biased distribution: all that a user has for choosing.
        tests: named test splits, such as "biased" and "unbiased"; never used for choosing.
        attribute: the specification of c.
        classes: the names of the classes, in the order of y; none where y is something else.
        recipe: default training settings.
        params: what the data set was made with (for the run's record).
        shows_images: whether reports may show the inputs as pictures.
        inputs: how x was made from a file's rows, where it was; a run keeps it, for new files.
        fingerprint: of all rows as the user's own file has them, by which a file that has changed
            is known; empty where the data are of no such file.
        notes: what was decided in reading, for the user to check.
        target: the specification of y; unless given, classes of these names.
    """

    name: str
    description: str
    train: Split
    validation: Split
    tests: dict[str, Split]
    attribute: Attribute
    classes: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    params: dict[str, Any] = field(default_factory=dict)
    shows_images: bool = False
    inputs: Inputs | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    target: Target = None  # type: ignore[assignment]  # made of `classes` where it is not given

    def __post_init__(self):
        made = "infoshed.Split(x, y, c) makes one of arrays"
        check_type("train", self.train, Split, made)
        check_type("validation", self.validation, Split, made)
        check_type("tests", self.tests, dict, 'give splits by name, {"test": Split(x, y, c)}')
        for name, split in self.tests.items():
            check_type(f"tests['{name}']", split, Split, made)
        if self.validation.x is self.train.x:
            raise InfoshedError(
                f"data set '{self.name}': train and validation are the same rows; keep some out of "
                "training, or nothing can be chosen by them"
            )
        kinds = "infoshed.infer_attribute(c) makes one, or Categorical and Continuous"
        check_type("attribute", self.attribute, Attribute, kinds)
        names = "give the names of the classes in the order of their codes"
        if isinstance(self.classes, str) or not isinstance(self.classes, Sequence):
            check_type("classes", self.classes, tuple, names)
        if self.target is None:
            object.__setattr__(self, "target", Classes(self.classes))
        names = self.target.names if isinstance(self.target, Classes) else ()
        if tuple(self.classes) not in ((), names):
            raise InfoshedError(
                f"data set '{self.name}' has the classes {', '.join(self.classes)} and another "
                "target; give one of `classes` and `target`"
            )
        object.__setattr__(self, "classes", names)
        splits = {"train": self.train, "validation": self.validation, **self.tests}
        for name, split in splits.items():
            wrong = self.target.check(split.y)
            if wrong:
                raise InfoshedError(f"data set '{self.name}', {name}: {wrong}")
            for part in ("x", "c"):
                got, want = getattr(split, part).shape[1:], getattr(self.train, part).shape[1:]
                if got != want:
                    raise InfoshedError(
                        f"data set '{self.name}', {name}: rows of `{part}` have shape "
                        f"{tuple(got)}, in the training data {tuple(want)}"
                    )
            try:
                check_codes(self.attribute, self.attribute.filled(split.c))
            except (InfoshedError, IndexError, RuntimeError) as error:
                why = error if isinstance(error, InfoshedError) else "they are of another form"
                where = f"data set '{self.name}', {name}"
                raise InfoshedError(
                    f"{where}: c are no codes of {self.attribute.name}: {why}"
                ) from None
            if (split.x.dtype == torch.uint8) != (self.train.x.dtype == torch.uint8):
                raise InfoshedError(
                    f"data set '{self.name}', {name}: x is {split.x.dtype}, in the training data "
                    f"{self.train.x.dtype}; of uint8 a network reads fractions of 255, so give "
                    "both as one type, in one unit"
                )
        if not self.target.varies(self.train.y):
            one = "class" if names else "value"
            raise InfoshedError(f"data set '{self.name}': y has one {one} only; nothing to predict")

    def __repr__(self) -> str:
        tests = "".join(f", {len(split):,} {name}" for name, split in self.tests.items())
        return (
            f"<DataSet {self.name}: {len(self.train):,} train, {len(self.validation):,} validation"
            f"{tests}; y {self.target.name}, c {self.attribute.name}>"
        )
