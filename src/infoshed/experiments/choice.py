"""Which strength to take: the rule of selection applied to the rows of a sweep, and shown.

The rule (`infoshed.experiments.selection`) sees the biased validation split only. Test figures are
in the rows, but nothing here shows them unless an oracle is asked for: what the best setting on a
test split would have given, and the regret, the points of accuracy (or of R2, where the target is
a quantity) that the rule leaves there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infoshed.checks import InfoshedError
from infoshed.experiments.base import Row, pressure
from infoshed.experiments.rows import read_rows
from infoshed.experiments.runner import folder_name
from infoshed.experiments.selection import RULE, by_options, common_rows, score
from infoshed.experiments.summary import Entry, by_place, place_of, summarize
from infoshed.experiments.sweep import ROWS, RUNS, read_grid
from infoshed.experiments.tables import cell, count, place
from infoshed.targets import ACCURACY, SCORES, Score
from infoshed.types import DRAWN_ALIKE

TERMS = ("j", "val_nll_adjusted", "val_leakage")
NEEDED = {"contender", "dataset", "method", "options", "seed", "key"}
ORACLE = "oracle, not available in practice"


@dataclass(frozen=True)
class Choice:
    """The settings of one method in one place, ranked.

    Args:
        title: data set, method and what else they share.
        score: what predictions are judged by.
        entries: the chosen one first, then the runners-up by J (mean over the seeds that all
            have), then those with a failed run. Figures as in rows, with `j` and its two terms.
        chosen: the first one, or None where the rule has nothing to go by.
        folders: run folders of the chosen one by seed, those that are there.
        left_out: rows of seeds that not every setting has; they are not compared.
        missing: runs of the grid that have not ended.
    """

    title: str
    score: Score
    entries: tuple[Entry, ...]
    chosen: Entry | None
    folders: dict[int, Path]
    left_out: int
    missing: int

    @property
    def figure(self) -> str:
        """The score on the validation split, as rows call it."""
        return f"{self.score.key}_validation"


@dataclass(frozen=True)
class Oracle:
    """best: the setting with the largest mean score on the test split. value: of it, a share or
    R2. chosen: that of the chosen one. regret: their difference in points, hundredths."""

    split: str
    best: Entry
    value: float
    chosen: float
    regret: float


def read_sweep(path: Path) -> tuple[list[Row], Path]:
    """The rows of a sweep's folder, or of a file of rows, and the folder of its runs. Raises
    `InfoshedError` where there are none."""
    file = path / ROWS if path.is_dir() else path
    try:
        rows = read_rows(file)
    except InfoshedError:
        rows = [{}]
    if path.is_file() and (not rows or any(NEEDED - set(row) for row in rows)):
        raise InfoshedError(
            f"{path} holds no rows of runs, which are lines of JSON; give the folder of a sweep, "
            f"or the {ROWS} in it"
        )
    if not rows:
        raise InfoshedError(
            f"no runs in {file}; make some with `infoshed sweep DATASET --out {path}`"
        )
    return rows, file.parent / RUNS


def choose(rows: Sequence[Row], runs: Path) -> list[Choice]:
    """Apply the rule to each method and place among the rows.

    Args:
        rows: from `read_rows`. runs: the folder where the runs' own ones are.
    """
    planned = read_grid(runs.parent)
    return [_choose(group, runs, planned.get(place_of(group[0]), ())) for group in by_place(rows)]


def _choose(rows: Sequence[Row], runs: Path, planned: Sequence[str]) -> Choice:
    compared = [row for group in common_rows(by_options(rows)) for row in group]
    entries = summarize([_with_selection(row) for row in compared], None)
    ranked = sorted(entries, key=lambda e: (not e.chosen, bool(e.failed), _j(e)))
    good = (e for e in ranked if e.chosen and "j" in e.figures and not e.failed)
    chosen = next(good, None)
    folders = {
        row["seed"]: folder
        for row in rows
        if chosen and row["options"] == chosen.options
        # Earlier versions called it by its key.
        for folder in (runs / row["key"], runs / folder_name(row))
        if folder.is_dir()
    }
    first = rows[0]
    where = f"{first['dataset']} {place(summarize([first], None)[0])}".strip()
    title = f"{where}, {first['contender']}"
    missing = len(set(planned) - {row["key"] for row in rows})
    figures = [name for row in rows for name in row.get("figures", {})]
    score = next((s for k, s in SCORES.items() if f"{k}_validation" in figures), ACCURACY)
    return Choice(title, score, tuple(ranked), chosen, folders, len(rows) - len(compared), missing)


def _with_selection(row: Row) -> Row:
    """The row with J and its terms among its figures."""
    j = score(row)
    if j is None:
        return row
    return row | {"figures": row["figures"] | row["selection"] | {"j": j}}


def _j(entry: Entry) -> float:
    return entry.figures["j"].mean if "j" in entry.figures else float("inf")


def oracle(choice: Choice, split: str) -> Oracle | None:
    """What the best setting on a test split would have given; None where nothing is chosen.

    Raises `InfoshedError` for a split whose score the rows do not have.
    """
    if choice.chosen is None:
        return None
    prefix = f"{choice.score.key}_"
    name = prefix + split
    known = [k.removeprefix(prefix) for k in choice.chosen.figures if k.startswith(prefix)]
    tests = [k for k in known if k != "validation"]
    if split not in tests:
        raise InfoshedError(f"`oracle` must be a test split, {' or '.join(tests)}; got {split!r}")
    good = [e for e in choice.entries if name in e.figures and not e.failed]
    best = max(good, key=lambda e: e.figures[name].mean)
    value, chosen = best.figures[name].mean, choice.chosen.figures[name].mean
    return Oracle(split, best, value, chosen, 100 * (value - chosen))


def label(entry: Entry) -> str:
    """The setting of an entry as text."""
    return pressure(entry.options) or "no strength"


def table_head(choice: Choice) -> list[str]:
    """The headings of `table_rows`."""
    validation = f"validation {choice.score.title}{choice.score.unit}"
    return ["setting", "seeds", "J, nats", "adjusted NLL", "leakage", validation, "rule"]


def table_rows(choice: Choice) -> list[list[str]]:
    """The entries under `table_head`."""
    return [
        [
            label(e), count(e),
            *(cell(name, e.figures.get(name)) for name in (*TERMS, choice.figure)),
            "chosen" if e is choice.chosen else "",
        ]
        for e in choice.entries
    ]  # fmt: skip


def verdict(choice: Choice) -> list[str]:
    """What is chosen, what came next and by how much, failures, and the folders, a line each."""
    if choice.chosen is None:
        lines = ["nothing to choose: no setting has J for every run that is compared"]
    else:
        best = choice.chosen.figures["j"].mean
        others = [e for e in choice.entries[1:] if "j" in e.figures and not e.failed]
        behind = [f"{label(e)} (J larger by {e.figures['j'].mean - best:.3f})" for e in others]
        lines = [f"chosen: {label(choice.chosen)}"]
        lines += [f"runners-up: {', '.join(behind)}"] if behind else []
        if behind and choice.chosen.seeds == 1:
            lines.append("one seed each, so no spread is known: another may choose otherwise")
        worst = choice.chosen.figures["j"].high
        near = [label(e) for e in others if e.figures["j"].low <= worst]
        if near and choice.chosen.seeds > 1:
            lines.append(
                f"within the spread of {choice.chosen.seeds} seeds: {', '.join(near)}; more seeds "
                "would tell better"
            )
    if choice.missing:
        lines.append(
            f"the grid is incomplete: {choice.missing} of its runs have not ended, and the choice "
            "may change; the same `infoshed sweep` goes on"
        )
    lines += [f"failed: {label(e)}, {error}" for e in choice.entries for error in e.errors]
    if choice.left_out:
        lines.append(f"left out: {choice.left_out} runs of seeds that not every setting has")
    lines += [f"run folder, seed {seed}: {path}" for seed, path in choice.folders.items()]
    return lines


def oracle_line(found: Oracle, score: Score) -> str:
    """The oracle in a line."""
    best, chosen = (score.text(value) for value in (found.value, found.chosen))
    of = "" if score.share else f" of {score.title}"
    biased = ""
    if found.split in DRAWN_ALIKE:
        biased = "; this test is as biased as the training rows, and rewards what reads the bias"
    return (
        f"{ORACLE}: {label(found.best)} is best on the {found.split} split, {best}{of}; the chosen "
        f"one has {chosen}, a regret of {found.regret:.1f} points{biased}"
    )


def to_dict(choices: Sequence[Choice], split: str | None) -> dict[str, Any]:
    """All of it as a JSON-able dict; figures are lists of mean, lowest and highest."""
    return {"rule": RULE, "choices": [_choice_dict(choice, split) for choice in choices]}


def _choice_dict(choice: Choice, split: str | None) -> dict[str, Any]:
    found = None if split is None else oracle(choice, split)
    seen = [] if split is None else [f"{choice.score.key}_{split}"]  # asked for, as the oracle is
    return {
        "title": choice.title,
        "chosen": choice.chosen and choice.chosen.options,
        "folders": {str(seed): str(path) for seed, path in choice.folders.items()},
        "left_out": choice.left_out,
        "missing": choice.missing,
        "entries": [
            {
                "options": e.options, "seeds": e.seeds, "failed": e.failed,
                **{n: list(e.figures[n]) for n in (*TERMS, choice.figure, *seen) if n in e.figures},
            }
            for e in choice.entries
        ],
        **({} if found is None else {
            ORACLE: {
                "split": found.split, "options": found.best.options,
                choice.score.key: found.value, f"{choice.score.key}_chosen": found.chosen,
                "regret_points": found.regret,
            }
        }),
    }  # fmt: skip
