"""From trained runs and their data set to the content of a report page."""

import importlib.util
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from infoshed.assignments import as_text
from infoshed.attributes import Attribute, Categorical
from infoshed.checks import InfoshedError
from infoshed.evaluate import features_of, outputs_of
from infoshed.information import label_information
from infoshed.io import write_text
from infoshed.report.content import ReportContent, RunContent
from infoshed.run import Run, versions
from infoshed.seeds import torch_generator
from infoshed.targets import Target
from infoshed.types import DataSet, Split

if TYPE_CHECKING:
    from infoshed.report.audit import Training

NOT_SHOWN = ("attribute", "target", "inputs", "bytes")  # of the configuration: as long as the data
POINTS, SAMPLES, TRAIN_SAMPLES = 600, 20, 40
NO_REPORT = "no report page: it needs matplotlib and jinja2 (pip install 'infoshed[report]')"


def write_report(runs: list[Run], data: DataSet, path: str | Path, command: str = "") -> Path:
    """Write the report page of `runs` on `data` to `path`, atomically.

    Args:
        runs: at least one; the first one's method is the baseline where there are several.
        data: what they were trained on (one of the data sets, where seeds differ).
        command: how to make the same again, for the page.

    Raises `InfoshedError` when the `report` extra is not installed.
    """
    if not has_report_extra():
        raise InfoshedError(NO_REPORT)
    from infoshed.report import render

    write_text(path, render(collect(runs, data, command)))
    return Path(path)


def has_report_extra() -> bool:
    """Whether `write_report` can work here."""
    return all(importlib.util.find_spec(m) is not None for m in ("matplotlib", "jinja2"))


def collect(runs: list[Run], data: DataSet, command: str) -> ReportContent:
    """What the page shows: figures from the runs, pictures and z from the data's last test split
    (the unbiased one, where there is one)."""
    name = "unbiased" if "unbiased" in data.tests else next(reversed(data.tests), "validation")
    split = data.tests.get(name, data.validation)
    points, samples, train = (
        _pick(split, POINTS, "points"),
        _pick(split, SAMPLES, "samples"),
        _by_class(data.train, data.target, TRAIN_SAMPLES),
    )
    shows = data.shows_images
    attribute = data.attribute
    return ReportContent(
        title=f"{data.name}: what the representation keeps of {attribute.name}",
        dataset=data.name,
        description=data.description,
        classes=data.target.strata_names,
        attribute=attribute.name,
        attribute_levels=_levels(attribute),
        attribute_entropy=attribute.entropy,
        label_information=(
            label_information(data.target.strata(data.train.y), data.train.c, attribute)
            if attribute.heads
            else None
        ),
        runs=tuple(_run_content(run, points, samples) for run in runs),
        samples=_pictures(samples.x) if shows else None,
        sample_labels=data.target.strata(samples.y).numpy() if shows else None,
        sample_split=f"{name} test" if name in data.tests else name,
        train_samples=_pictures(train.x) if shows else None,
        train_sample_labels=data.target.strata(train.y).numpy() if shows else None,
        command=command,
        versions=versions(),
        score=data.target.score,
        chance=float(data.train.y.bincount().max()) / len(data.train) if data.classes else None,
    )


def training_of(runs: Mapping[str, Run], data: DataSet) -> "Training":
    """The training of runs on `data` for the page of an audit, each under a name of its own."""
    from infoshed.report.audit import Training

    attribute = data.attribute
    return Training(
        [
            RunContent(name, run.config.seed, {}, run.metrics, {}, information=run.information)
            for name, run in runs.items()
        ],
        attribute.name,
        attribute.entropy,
        label_information(data.target.strata(data.train.y), data.train.c, attribute)
        if attribute.heads
        else None,
    )


def config_of(run: Run) -> dict[str, Any]:
    """What a run was trained with, options and parameters of the data beside the rest."""
    flat: dict[str, Any] = {}
    for key, value in asdict(run.config).items():
        if key not in NOT_SHOWN:
            values = value if isinstance(value, dict) else {key: value}
            flat |= {name: _plain(one) for name, one in values.items()}
    return flat | {"seconds": round(run.seconds, 1)}


def _run_content(run: Run, points: Split, samples: Split) -> RunContent:
    target = run.target
    return RunContent(
        method=run.config.method,
        seed=run.config.seed,
        accuracy={name: r[target.score.key] for name, r in run.results.items()},
        metrics=run.metrics,
        config=config_of(run),
        confusion={
            name: np.array(r["confusion"]) for name, r in run.results.items() if "confusion" in r
        },
        embedding=_two_dimensions(features_of(run.model, points)),
        embedding_y=target.strata(points.y).numpy(),
        embedding_c=_colors(points, run.attribute),
        predictions=target.strata(target.codes(outputs_of(run.model, samples))).numpy(),
        information=run.information,
        leakage=run.leakage,
    )


def _two_dimensions(z: Tensor) -> np.ndarray:
    """The two principal components of z (n, d), each on unit scale."""
    centred = z.double() - z.double().mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    flat = torch.zeros(len(z), 2, dtype=torch.float64)
    k = min(2, u.shape[1])
    flat[:, :k] = u[:, :k] * s[:k] / max(float(s[0]), 1e-12) * len(z) ** 0.5
    return flat.numpy()


def _levels(attribute: Attribute) -> tuple[str, ...]:
    """Names of the values that `_colors` gives."""
    part = attribute.parts[0]
    if isinstance(part, Categorical):
        return tuple(str(level) for level in part.levels)
    return ("lowest quarter", "second quarter", "third quarter", "highest quarter")


def _colors(split: Split, attribute: Attribute) -> np.ndarray:
    """What to colour the points by: a colour where c is one, else the first code (continuous
    attributes in quarters)."""
    if split.rgb is not None:
        return split.rgb.numpy() / 255
    code = attribute.split(split.c)[0][:, 0]
    if code.is_floating_point():
        quarters = torch.quantile(code, torch.tensor([0.25, 0.5, 0.75]))
        code = torch.bucketize(code, quarters)
    return code.numpy()


def _pick(split: Split, n: int, name: str) -> Split:
    """n random rows (fewer if there are not so many), the same every time."""
    rows = torch.randperm(len(split), generator=torch_generator(0, f"report {name}"))[:n]
    return split.rows(rows)


def _by_class(split: Split, target: Target, n: int) -> Split:
    """The first n / m rows of every class (stratum)."""
    y = target.strata(split.y)
    m = int(y.max()) + 1
    rows = [torch.nonzero(y == k)[: max(1, n // m), 0] for k in range(m)]
    return split.rows(torch.cat(rows))


def _pictures(x: Tensor) -> np.ndarray:
    """Images (n, 1 or 3, h, w) as (n, h, w, 3) uint8."""
    x = x if x.dtype == torch.uint8 else (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return x.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else as_text(value)
