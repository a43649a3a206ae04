"""What an audit found, in frozen records that go to JSON and back.

A representation **leaks** an attribute if one of two tests at 2.5% each says so, 5% together:

- the permutation test of I(Z;C) = 0 (`MIEstimate.null_p` below 0.025);
- the worst fresh probe finds more than nothing (the 95% interval of its held-out nats, or of its
  R^2, lies above 0: 2.5% on that side).
"""

from dataclasses import asdict, dataclass
from typing import Any

from infoshed.auditing.interval import Interval
from infoshed.auditing.plain import read_record
from infoshed.auditing.probes import PartLeakage
from infoshed.offline import MIEstimate

SIGNIFICANT = 0.025
MANY_VALUES, RARE = 20, 50  # groups that can be too many; rows below which judges do not learn one


@dataclass(frozen=True)
class GroupOutcome:
    """How predictions do in one group: its rows, and figures with intervals by name."""

    rows: int
    figures: dict[str, Interval]


@dataclass(frozen=True)
class Outcomes:
    """How predictions treat groups; see `infoshed.auditing.outcomes` for every figure.

    Args:
        figures: over all groups, by name. groups: by group.
        reasons: of every figure that is not defined here, why.
        residual: what the errors tell about c, in nats: I(P;C|Y) of predicted classes, I(Y-P;C) of
            a predicted quantity; None where there is nothing to estimate, see `reasons`.
    """

    figures: dict[str, Interval]
    groups: dict[str, GroupOutcome]
    reasons: dict[str, str]
    residual: MIEstimate | None


@dataclass(frozen=True)
class AttributeAudit:
    """What was found about one attribute, or about the intersection of several.

    Args:
        name: of the attribute. discrete: whether it is, or is a quantity.
        rows: rows that count. groups: rows of every group: values, or quarters of a quantity.
        left_out: groups with too few rows, and their rows.
        information: I(Z;C). given_y: I(Z;C|Y), None without y.
        label_nats: I(Y;C), what a representation that equals y would tell; None without classes.
        probes: the panel of fresh probes.
        outcomes: None without predictions, or where fewer than two groups have enough rows.
        notes: what was decided, in sentences.
    """

    name: str
    discrete: bool
    rows: int
    groups: dict[str, int]
    left_out: dict[str, int]
    information: MIEstimate
    given_y: MIEstimate | None
    label_nats: float | None
    probes: PartLeakage
    outcomes: Outcomes | None
    notes: tuple[str, ...]

    @property
    def worst_probe(self) -> Interval:
        """Nats (R^2 of a quantity) of the worst probe, with its interval."""
        return self.probes.worst["nats" if self.discrete else "r2"]

    @property
    def leaks(self) -> bool:
        """Whether z tells anything about the attribute; see the module."""
        low = self.worst_probe.low
        return self.information.null_p < SIGNIFICANT or (low is not None and low > 0)

    @property
    def sparse(self) -> bool:
        """Whether most rows have one of many values that are too rare to learn: then that nothing
        was found says nothing."""
        counts = self.groups.values()
        rare = sum(rows for rows in counts if rows < RARE)
        return self.discrete and len(counts) > MANY_VALUES and rare > sum(counts) / 2

    @property
    def upper_nats(self) -> float:
        """The most that z is likely to tell, in nats: the upper end of the interval of I(Z;C), or
        of the worst probe's nats where that is higher."""
        probe = self.worst_probe.high if self.discrete else None
        return max(self.information.high, probe or 0.0)

    @property
    def upper_share(self) -> float | None:
        """`upper_nats` as a share of H(C), at most 1, which it is where the attribute is `sparse`;
        None for a quantity."""
        entropy = self.information.entropy
        if not self.discrete or not entropy:
            return None
        if self.sparse:
            return 1.0
        return min(1.0, self.upper_nats / entropy)


@dataclass(frozen=True)
class Audit:
    """What `infoshed.audit` returns.

    Args:
        rows, columns: of z. target: name of y, None without. seed: of everything random.
        attributes: what was found about each, in the order they were given.
        intersection: the same about all of them together, where there are several.
        notes: about all, in sentences.
    """

    rows: int
    columns: int
    target: str | None
    seed: int
    attributes: tuple[AttributeAudit, ...]
    intersection: AttributeAudit | None
    notes: tuple[str, ...]

    @property
    def parts(self) -> tuple[AttributeAudit, ...]:
        """The attributes, then their intersection if there is one."""
        return (*self.attributes, *([self.intersection] if self.intersection else []))

    def __str__(self) -> str:
        """What `infoshed audit` prints: the verdict, the tables, every warning on a line."""
        from infoshed.auditing.text import audit_text  # which reads these records

        return audit_text(self)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form, read back by `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "Audit":
        """The audit from `to_dict`, or from what JSON made of it. Raises `InfoshedError` where it
        is something else."""
        return read_record(cls, state)
