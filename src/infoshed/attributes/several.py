"""Several attributes at once, side by side in the columns of one matrix of codes.

What is estimated of them is the sum over parts, sum_k I(Z;C_k), and not the joint information
I(Z;C_1,...,C_k): a z that tells no part may still tell a combination of them, such as whether two
binaries agree. An audit looks at combinations too (`infoshed.audit`).
"""

from typing import Any

import torch
from torch import Tensor

from infoshed.attributes.base import Attribute
from infoshed.attributes.values import columns
from infoshed.checks import InfoshedError


class Several(Attribute):
    """Base of the specifications with parts. `name`: of them together."""

    def __post_init__(self):
        object.__setattr__(self, "parts", tuple(self.parts))
        if len(self.parts) < 1:
            raise InfoshedError(f"attribute '{self.name}' needs at least one part")
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise InfoshedError(f"parts of attribute '{self.name}' share a name: {names}")

    def encode(self, values: Any, missing: bool = False) -> Tensor:
        given = columns(self.name, values, [part.name for part in self.parts])
        if len(given) != len(self.parts):
            raise InfoshedError(
                f"attribute '{self.name}' has {len(self.parts)} parts, got {len(given)} columns"
            )
        return self.joined(
            [part.encode(col, missing) for part, col in zip(self.parts, given, strict=True)]
        )

    def joined(self, codes: list[Tensor]) -> Tensor:
        """The codes of the parts, (n, columns of the part) each, as one matrix (n, columns)."""
        return torch.cat(codes, 1)

    def split(self, codes: Tensor) -> tuple[Tensor, ...]:
        return codes.split([part.columns for part in self.parts], 1)

    def decode(self, codes: Tensor) -> dict[str, Any]:
        each = zip(self.parts, self.split(codes), strict=True)
        return {name: v for part, code in each for name, v in part.decode(code).items()}

    def features(self, codes: Tensor) -> Tensor:
        each = zip(self.parts, self.split(codes), strict=True)
        return torch.cat([part.features(code) for part, code in each], 1)

    def known(self, codes: Tensor) -> Tensor:
        each = zip(self.parts, self.split(codes), strict=True)
        return torch.stack([part.known(code) for part, code in each]).all(0)

    def filled(self, codes: Tensor) -> Tensor:
        each = zip(self.parts, self.split(codes), strict=True)
        return self.joined([part.filled(code) for part, code in each])

    def typical(self) -> Tensor:
        return self.joined([part.typical() for part in self.parts])

    @property
    def columns(self) -> int:
        return sum(part.columns for part in self.parts)

    @property
    def width(self) -> int:
        return sum(part.width for part in self.parts)
