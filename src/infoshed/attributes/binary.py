"""One of exactly two values."""

from dataclasses import dataclass
from typing import ClassVar

from infoshed.attributes.categorical import Categorical
from infoshed.checks import InfoshedError


@dataclass(frozen=True)
class Binary(Categorical):
    """One of exactly two values."""

    kind: ClassVar[str] = "binary"

    def __post_init__(self):
        super().__post_init__()
        if len(self.levels) != 2:
            raise InfoshedError(
                f"attribute '{self.name}' is declared binary but has {len(self.levels)} values; "
                "use Categorical"
            )
