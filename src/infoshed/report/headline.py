"""The first sentence of the page of trained runs: how good each method is, and what z tells."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from infoshed.report.content import ReportContent, RunContent
from infoshed.tables import nats_texts
from infoshed.targets import ACCURACY, Score

BIASED, UNBIASED, VALIDATION = "biased", "unbiased", "validation"


def headline_split(content: ReportContent) -> str | None:
    """The split that the verdict is about: the unbiased one, else the first test, else what there
    is; None without any."""
    names = list(dict.fromkeys(split for run in content.runs for split in run.accuracy))
    if UNBIASED in names:
        return UNBIASED
    return next((name for name in names if name != VALIDATION), next(iter(names), None))


def verdict(content: ReportContent) -> tuple[str, str]:
    """One sentence, how often each method is right on the headline split, and its bracket."""
    split = headline_split(content)
    methods = content.methods()
    values = {name: accuracies(runs, split) for name, runs in methods.items()}
    values = {name: list_ for name, list_ in values.items() if list_}
    score = content.score
    if not values:
        return f"{content.dataset}: no {score.title} was recorded.", ""
    baseline, *others = values
    first = mean_text(values[baseline], score)
    if score is ACCURACY:
        claim = f"On {split} data the {baseline} classifier is right {first} of the time"
    else:
        claim = f"On {split} data the {score.title} of {baseline} predictions is {first}"
    claim += "; trained with " * bool(others)
    claim += "; with ".join(f"{name}: {mean_text(values[name], score)}" for name in others)
    if len(content.runs) == 1 and content.runs[0].leakage:
        claim += "; its z tells " + " and ".join(_told(part) for part in content.runs[0].leakage)
    counts = list(dict.fromkeys(len(list_) for list_ in values.values()))
    each = " each" if others else ""
    if counts == [1]:
        return claim, f"(one seed{each})."
    if len(counts) == 1:
        seeds = f"mean of {counts[0]} seeds{each}"
    else:
        seeds = "mean of " + " and ".join(str(len(list_)) for list_ in values.values()) + " seeds"
    ranges = " and ".join(range_text(list_, score) for list_ in values.values())
    return claim, f"({seeds}, range {ranges})."


def _told(part: dict[str, Any]) -> str:
    """An entry of `Run.leakage` in a sentence."""
    nats, low, high = nats_texts(part["nats"], part["low"], part["high"])
    return f"{nats} nats ({low} to {high}) of {part['attribute']}"


def accuracies(runs: Sequence[RunContent], split: str | None) -> list[float]:
    return [run.accuracy[split] for run in runs if split is not None and split in run.accuracy]


def mean_text(values: Sequence[float], score: Score) -> str:
    return score.text(float(np.mean(values)))


def range_text(values: Sequence[float], score: Score) -> str:
    if not score.share:
        return f"{score.text(min(values))} to {score.text(max(values))}"
    return f"{100 * min(values):.1f}–{max(values):.1%}"
