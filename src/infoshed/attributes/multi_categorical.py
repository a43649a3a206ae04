"""Several categoricals at once, such as three colour channels of eight bins each."""

from dataclasses import dataclass
from typing import Any, ClassVar

from infoshed.attributes.categorical import Categorical
from infoshed.attributes.several import Several
from infoshed.attributes.values import by_name, columns


@dataclass(frozen=True)
class MultiCategorical(Several):
    """Several categoricals at once; codes (n, k) int64.

    Args:
        name: of them together. parts: at least one.
    """

    name: str
    parts: tuple[Categorical, ...]  # type: ignore[assignment]
    kind: ClassVar[str] = "multi-categorical"

    @classmethod
    def from_values(
        cls,
        values: Any,
        name: str = "c",
        names: Any = None,
        levels: Any = None,
        missing: bool = False,
    ) -> "MultiCategorical":
        """Learn one `Categorical` per column of `values`: (n, k), or columns (n,) by name.

        Args:
            names: names of the k parts; unless given those of the columns, or "name[0]", ...
            levels: the levels of every part where they are known beforehand.
            missing: leave out missing values instead of refusing them.
        """
        given = columns(name, values)
        names = names or by_name(values) or [f"{name}[{i}]" for i in range(len(given))]
        return cls(
            name,
            tuple(
                Categorical.from_values(column, part, levels, missing)
                for column, part in zip(given, names, strict=True)
            ),
        )

    @property
    def heads(self) -> tuple[int, ...]:
        return tuple(len(part.levels) for part in self.parts)

    @property
    def entropy(self) -> float:
        return sum(part.entropy for part in self.parts)
