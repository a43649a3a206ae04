"""Auditing a run, or any encoder, on a split of a data set that it was not fitted on.

Probes and estimates are fitted and judged on one held-out split, each row judged by what has not
seen it; the encoder has seen none of them. Training rows are left aside, since what an encoder
memorised of them says nothing about others, and splits are not pooled, since c is tied to y in one
and not in another. The training table says which rows are aligned.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infoshed.auditing.perform import audit
from infoshed.auditing.record import Audit
from infoshed.checks import InfoshedError, check_choice
from infoshed.evaluate import features_of, outputs_of
from infoshed.run import Run
from infoshed.targets import Classes, Labels, Numbers, Target
from infoshed.types import DataSet, Split

PREFERRED = ("unbiased", "test")


def audit_run(
    run: Run, data: DataSet, split: str | None = None, positive: str | None = None, **settings: Any
) -> Audit:
    """Audit a run on a split of its data set.

    Args:
        positive: the class that is wished for, where there are two; the last unless given.
        split: "validation" or the name of a test split; unless given, "unbiased", "test", or the
            data set's first test split.
        settings: `least_group`, `most_rows`, `estimator`, `seed` of `infoshed.audit`.

    Rows whose attribute is missing are left out. Raises `InfoshedError` for an unknown split, for
    data of other inputs or another target than the run has, and as `infoshed.audit` does.
    """
    _check_fits(run, data)
    split, held_out, left_out = _held_out(data, split)
    z = features_of(run.model, held_out)
    train = data.train.rows(data.attribute.known(data.train.c))
    values = [data.attribute.decode(part.c) for part in (held_out, train)]
    note = f"{len(held_out):,} rows of the split '{split}', which the run was not fitted on"
    note += left_out
    outputs = run.model.head(z).detach()
    target, name = run.target, str(data.params.get("target", "label"))
    about: dict[str, Any]
    two = target.names if isinstance(target, Classes) and len(target.names) == 2 else ()
    if positive is not None and not two:
        raise InfoshedError(f"`positive` is for two classes, and {name} has not two")
    if two:
        positive = positive or str(two[1])
        check_choice("positive", positive, two)
        note += f"; '{positive}' is taken as the positive class of {name}"
    if isinstance(target, Classes):
        classes, scores = np.array(target.names), target.probabilities(outputs).double().numpy()
        # `infoshed.audit` reads scores in sorted order of the classes that occur.
        order, known = np.argsort(classes), len(held_out.y.unique()) == len(classes)
        if not known:
            note += "; a class has no rows in it, so calibration is left out"
        y = classes[held_out.y.numpy()]
        about = {
            "predictions": classes[scores.argmax(1)],
            "scores": scores[:, order] if known else None,
            "positive": positive if known else None,
            "reference": (classes[train.y.numpy()], values[1]),
        }
    elif target.outputs == 1 and isinstance(target, Numbers):
        y = target.predictions(held_out.y).numpy()
        about = {"predictions": target.predictions(outputs).numpy()}
    else:
        y, about = _combined(target, held_out.y), {}
        if isinstance(target, Labels):
            about = {"predictions": _combined(target, target.predictions(outputs))}
            about["reference"] = (_combined(target, train.y), values[1])
        note += f"; {', '.join(target.columns)} are audited together, as their common combinations"
    found = audit(z, values[0], y, target_name=name, **about, **settings)
    return replace(found, notes=(note, *found.notes))


def audit_encoder(
    encoder: Callable[[Tensor], Tensor], data: DataSet, split: str | None = None, **settings: Any
) -> Audit:
    """Audit any encoder, ours or not, on a split of a data set that it was not fitted on.

    Args:
        encoder: maps x (n, ...) to z (n, dim); a module is put into evaluation mode meanwhile.
        split, settings: as in `audit_run`.

    Rows whose attribute is missing are left out. Raises `InfoshedError` for an unknown split or
    another shape of z, and as `infoshed.audit` does.
    """
    split, held_out, left_out = _held_out(data, split)
    training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.eval()
    with torch.no_grad():
        parts = [encoder(batch.x) for batch in held_out.batches()]
    if isinstance(encoder, nn.Module):
        encoder.train(training)
    if not all(isinstance(z, Tensor) and z.ndim == 2 for z in parts):
        got = getattr(parts[0], "shape", type(parts[0]).__name__)
        raise InfoshedError(f"`encoder` must map x to z of shape (n, dim), got {got}")
    target, y = data.target, held_out.y
    one = target.outputs == 1 or isinstance(target, Classes)
    values = next(iter(target_values(target, y).values())) if one else _combined(target, y)
    found = audit(
        torch.cat(parts).float(), data.attribute.decode(held_out.c), values,
        target_name=str(data.params.get("target", "label")), **settings,
    )  # fmt: skip
    note = f"{len(held_out):,} rows of the split '{split}'{left_out}"
    return replace(found, notes=(note, *found.notes))


def _check_fits(run: Run, data: DataSet) -> None:
    """Raise `InfoshedError` where `data` is not what `run` reads and predicts."""

    def of(target: Target) -> str:
        names = target.names if isinstance(target, Classes) else target.columns
        return f"{target.kind} {', '.join(map(str, names))}"

    pairs = {
        "inputs of shape": (tuple(run.config.shape), tuple(data.train.x.shape[1:])),
        "the target": (of(run.target), of(data.target)),
    }
    for what, (mine, given) in pairs.items():
        if mine != given:
            raise InfoshedError(
                f"the run was trained on {what} {mine}, and data set '{data.name}' has {given}; "
                "audit it on the data that it was trained for"
            )


def _held_out(data: DataSet, split: str | None) -> tuple[str, Split, str]:
    """The split of that name, or the preferred one, with its name, less the rows whose attribute
    is missing, and what to say of these."""
    splits = {**data.tests, "validation": data.validation}
    split = split or next((name for name in PREFERRED if name in splits), next(iter(splits)))
    check_choice("split", split, splits)
    known = data.attribute.known(splits[split].c)
    if bool(known.all()):
        return split, splits[split], ""
    lacking, name = int((~known).sum()), data.attribute.name
    if not bool(known.any()):
        raise InfoshedError(f"no row of the split '{split}' has '{name}'; nothing can be audited")
    return split, splits[split].rows(known), f"; {lacking:,} more lack {name} and are left out"


def target_values(target: Target, y: Tensor) -> dict[str, np.ndarray]:
    """Codes y as values (n,) by the name of each column."""
    codes = target.predictions(y) if isinstance(target, Numbers) else y
    values = target.values(codes.numpy()).reshape(len(y), -1)
    return dict(zip(target.columns, values.T, strict=True))


def _combined(target: Target, y: Tensor) -> np.ndarray:
    """The names (n,) of the strata of codes."""
    return np.array(target.strata_names)[target.strata(y).numpy()]


def collapsed(run: Run, data: DataSet) -> str | None:
    """That a classifier has learned nothing, in a sentence; None where its validation predictions
    are not all the same."""
    if not isinstance(run.target, Classes):
        return None
    split = data.validation
    guess = outputs_of(run.model, split).argmax(1)
    if not run.target.varies(split.y) or bool((guess != guess[0]).any()):
        return None
    return (
        f"the model says '{run.target.names[int(guess[0])]}' for each of {len(split):,} validation "
        "rows: it has learned nothing of the target. See whether `--method plain` does; if so, try "
        "a smaller strength, or find more rows"
    )
