"""Rows of runs summed up: for every contender and strength the mean, lowest and highest over seeds.

`chosen` marks the strength that the rule of selection picks from biased validation data;
`oracle` the one that is best on the test itself, which nobody can know in advance.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, NamedTuple

from infoshed.experiments.base import Row
from infoshed.experiments.selection import by_options, common_rows, score, select


class Spread(NamedTuple):
    """Mean, lowest and highest over seeds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One contender at one strength in one place.

    Args:
        table, params, settings, limit: the place, as in `Job`.
        contender, method, options: who.
        seeds, failed: numbers of finished and of failed runs.
        figures: each over the seeds that finished; a figure that some lack is left out.
        score: mean of J over the seeds (`infoshed.experiments.selection`), if all have it.
        seconds: mean.
        chosen, oracle: see the module. errors: of the failed runs, with their seeds.
    """

    table: str
    params: dict[str, Any]
    settings: dict[str, Any]
    limit: int | None
    contender: str
    method: str
    options: dict[str, Any]
    seeds: int
    failed: int
    figures: Mapping[str, Spread]
    score: float | None
    seconds: float | None
    chosen: bool
    oracle: bool
    errors: tuple[str, ...]

    @property
    def strength(self) -> float | None:
        """The strength, if the method has one that does not move and is the same for all parts of
        c."""
        strength = self.options.get("strength")
        return None if isinstance(strength, dict | str) else strength


def summarize(rows: Sequence[Row], best: str | None) -> list[Entry]:
    """One entry for each place, contender and options, in the order of the rows.

    Args:
        rows: from `read_rows`. best: the figure that the oracle maximises; None for no oracle.
    """
    return [entry for group in by_place(rows) for entry in _entries(group, best)]


def by_place(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows grouped by contender and place: those that the rule of selection compares."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(place_of(row), []).append(row)
    return list(groups.values())


def place_of(row: Row) -> str:
    """Contender and place of a row or a job's row, as one text."""
    names = ("table", "dataset", "params", "settings", "limit", "contender")
    return json.dumps([row[name] for name in names], sort_keys=True)


def _entries(rows: Sequence[Row], best: str | None) -> list[Entry]:
    """The entries of one contender in one place."""
    strengths = by_options(rows)
    picked = select(rows)
    if picked is None and len(strengths) == 1:  # nothing to choose from
        picked = next((row for row in strengths[0] if "error" not in row), None)
    oracle = _oracle(strengths, best)
    return [
        _entry(group, picked is not None and picked["options"] == group[0]["options"], i == oracle)
        for i, group in enumerate(strengths)
    ]


def _oracle(strengths: Sequence[Sequence[Row]], best: str | None) -> int | None:
    """The position of the strength with the largest mean of `best` over the common seeds; None
    where there is nothing to choose."""
    if best is None or len(strengths) == 1:
        return None
    means = []
    for i, group in enumerate(common_rows(strengths)):
        values = [row["figures"][best] for row in group if best in row.get("figures", {})]
        if values and len(values) == len(group):
            means.append((mean(values), -i))
    return -max(means)[1] if means else None


def _entry(rows: Sequence[Row], chosen: bool, oracle: bool) -> Entry:
    good = [row for row in rows if "error" not in row]
    scores = [score(row) for row in good]
    names = dict.fromkeys(name for row in good for name in row["figures"])
    columns = {name: [row["figures"].get(name) for row in good] for name in names}
    first = rows[0]
    return Entry(
        **{k: first[k] for k in ("table", "params", "settings", "limit")},
        **{k: first[k] for k in ("contender", "method", "options")},
        seeds=len(good),
        failed=len(rows) - len(good),
        figures={k: Spread(mean(v), min(v), max(v)) for k, v in columns.items() if None not in v},
        score=mean(scores) if scores and None not in scores else None,  # type: ignore[type-var]
        seconds=mean(row["seconds"] for row in good) if good else None,
        chosen=chosen,
        oracle=oracle,
        errors=tuple(f"seed {row['seed']}: {row['error']}" for row in rows if "error" in row),
    )
