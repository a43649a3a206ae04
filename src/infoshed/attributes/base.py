"""The contract of an attribute specification; see the package for the form of its codes."""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar

from torch import Tensor

TYPICAL = 10_000  # rows: shares are right to 1e-4


class Attribute(ABC):
    """A frozen description of c. See the package for the form of its codes."""

    kind: ClassVar[str]
    name: str
    parts: "tuple[Attribute, ...]"
    """What it is made of; itself where it is one."""

    @abstractmethod
    def encode(self, values: Any, missing: bool = False) -> Tensor:
        """Codes of raw `values`, shape (n, columns). Raises `InfoshedError` for missing (unless
        `missing`), infinite or unseen values, naming the attribute and the value."""

    @abstractmethod
    def decode(self, codes: Tensor) -> dict[str, Any]:
        """The values that `codes` (n, columns), none of them missing, stand for: numpy arrays (n,)
        by the names of the parts."""

    @abstractmethod
    def features(self, codes: Tensor) -> Tensor:
        """`codes` as floats (n, width) for a network that reads c: one-hot, or as they are."""

    @abstractmethod
    def known(self, codes: Tensor) -> Tensor:
        """Which rows of `codes` have no missing code, (n,) bool."""

    @abstractmethod
    def typical(self) -> Tensor:
        """Codes (n, columns) whose columns are each distributed as in training, for what needs to
        know the marginal p(c) alone."""

    @abstractmethod
    def filled(self, codes: Tensor) -> Tensor:
        """`codes` with 0 for missing ones, for a reader that weighs such rows by 0."""

    @abstractmethod
    def split(self, codes: Tensor) -> tuple[Tensor, ...]:
        """The codes of each part, as that part's own `encode` makes them."""

    @property
    def heads(self) -> tuple[int, ...]:
        """Number of values of each part; empty where one of them is continuous."""
        return ()

    @property
    def entropy(self) -> float | None:
        """H(C) in nats on the training data (sum over parts), None where c, or a part of it, is
        continuous."""
        return None

    @property
    def columns(self) -> int:
        """Columns of the codes."""
        return 1

    @property
    @abstractmethod
    def width(self) -> int:
        """Columns of `features`."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `attribute_from_dict`."""
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


class Single(Attribute):
    """Base of the specifications without parts."""

    @property
    def parts(self) -> tuple[Attribute, ...]:  # type: ignore[override]
        return (self,)

    def split(self, codes: Tensor) -> tuple[Tensor, ...]:
        return (codes,)
