"""Several attributes of different kinds at once, such as sex and age.

The codes are one float32 matrix, as quantities need it: a categorical part's column holds its
code, which is exact up to 16 million values, -1 where it is missing; a quantity's columns are
standardised, NaN where it is missing.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from infoshed.attributes.base import Attribute
from infoshed.attributes.categorical import Categorical
from infoshed.attributes.continuous import Continuous
from infoshed.attributes.several import Several
from infoshed.attributes.values import by_name
from infoshed.checks import InfoshedError


@dataclass(frozen=True)
class Mixed(Several):
    """Attributes of different kinds; codes (n, columns) float32.

    Args:
        name: of them together.
        parts: at least two, `Categorical`, `Binary` or `Continuous`, one of them continuous.
    """

    name: str
    parts: tuple[Attribute, ...]
    kind: ClassVar[str] = "mixed"

    def __post_init__(self):
        super().__post_init__()
        strange = [p.kind for p in self.parts if not isinstance(p, Categorical | Continuous)]
        if strange:
            raise InfoshedError(
                f"parts of attribute '{self.name}' must be categorical or continuous, got "
                f"{strange[0]}"
            )
        quantities = sum(isinstance(part, Continuous) for part in self.parts)
        if len(self.parts) < 2 or not quantities:
            raise InfoshedError(
                f"attribute '{self.name}' is not mixed: it needs two parts or more, one of them "
                "continuous; use MultiCategorical for several categoricals"
            )

    @classmethod
    def from_values(cls, values: Any, name: str | None = None, missing: bool = False) -> "Mixed":
        """Learn a part from each column of `values`, a dict or data frame of columns (n,): floats
        are continuous, else categorical.

        Args:
            name: of them together; unless given the columns' names with commas.
            missing: leave out missing values instead of refusing them.
        """
        given = by_name(values)
        if given is None:
            raise InfoshedError(
                "a mixed attribute is learned from columns by name: a dict or a data frame"
            )
        parts = []
        for part, column in given.items():
            kind = Continuous if column.dtype.kind == "f" else Categorical
            parts.append(kind.from_values(column, part, missing=missing))
        return cls(", ".join(given) if name is None else name, tuple(parts))

    def joined(self, codes: list[Tensor]) -> Tensor:
        return torch.cat([code.float() for code in codes], 1)

    def split(self, codes: Tensor) -> tuple[Tensor, ...]:
        each = zip(self.parts, super().split(codes), strict=True)
        return tuple(code.long() if part.heads else code for part, code in each)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "parts": [p.to_dict() for p in self.parts]}
