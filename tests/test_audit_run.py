"""Audits of runs, and of any encoder, on a split of a data set."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import infoshed
from infoshed import (
    Classes,
    DataSet,
    InfoshedError,
    audit,
    audit_encoder,
    audit_run,
    estimate_mi,
    fit,
)
from infoshed.auditing.leakage import leakage_of
from infoshed.auditing.run import collapsed
from infoshed.information import label_information


@pytest.fixture(scope="module")
def table_data(make_data: Any) -> DataSet:
    return make_data()


def test_a_run_is_audited_on_a_split_that_it_was_not_fitted_on(table_data: DataSet):
    run = infoshed.fit(table_data, "plain", seed=0, epochs=2)
    found = audit_run(run, table_data, estimator="quick")
    held_out = table_data.tests["unbiased"]
    assert found.notes[0].startswith(f"{len(held_out)} rows of the split 'unbiased'")
    (part,) = found.parts
    assert part.outcomes is not None
    guess = run.predict(held_out.x)
    assert part.outcomes.figures["accuracy"].value == pytest.approx(
        float((guess == held_out.y).double().mean())
    )
    # Aligned by the training table, in which c follows y.
    agree = held_out.c[:, 0] == held_out.y
    right = (guess == held_out.y).double()
    assert part.outcomes.figures["accuracy_aligned"].value == pytest.approx(
        float(right[agree].mean())
    )
    share = run.predict_proba(held_out.x)[:, 1]
    rows = held_out.c[:, 0] == 1
    bias = float(share[rows].mean() - held_out.y[rows].double().mean())
    group = part.outcomes.groups["1"].figures["calibration_bias"]
    assert group.value == pytest.approx(bias, abs=1e-5)
    other = audit_run(run, table_data, "validation", estimator="quick")
    assert "'validation'" in other.notes[0]
    with pytest.raises(InfoshedError, match="`split` must be one of biased, unbiased, validation"):
        audit_run(run, table_data, "train")


def test_the_positive_class_of_a_run_is_told_and_chosen(table: DataSet):
    run = fit(table, "plain", epochs=2)
    last, first = (
        infoshed.audit_run(run, table, estimator="quick", positive=name) for name in (None, "no")
    )
    assert "'yes' is taken as the positive class of label" in last.notes[0]
    assert "'no' is taken as the positive class of label" in first.notes[0]
    groups = [found.parts[0].outcomes.groups for found in (last, first)]  # type: ignore[union-attr]
    for name, outcome in groups[0].items():
        rate = outcome.figures["selection_rate"].value
        assert groups[1][name].figures["selection_rate"].value == pytest.approx(1 - rate)
    with pytest.raises(InfoshedError, match="`positive` must be one of no, yes; got 'maybe'"):
        infoshed.audit_run(run, table, positive="maybe")


def test_rows_without_the_attribute_are_left_out(table: DataSet):
    run = fit(table, "plain", epochs=1, seed=0)
    gaps = torch.arange(len(table.validation)) % 3 == 0
    split = table.validation
    holes = replace(split, c=torch.where(gaps[:, None], -1, split.c))
    data = replace(table, tests={"holes": holes, "rest": split.rows(~gaps)})
    found, rest = (audit_run(run, data, name, estimator="quick") for name in ("holes", "rest"))
    assert found.attributes == rest.attributes
    left_out = f"; {int(gaps.sum())} more lack {table.attribute.name} and are left out"
    assert left_out in found.notes[0]
    encoder = audit_encoder(run.model.encode, data, "holes", estimator="quick")
    assert encoder.rows == rest.rows
    nobody = replace(table, tests={"none": replace(split, c=torch.full_like(split.c, -1))})
    with pytest.raises(InfoshedError, match="no row of the split 'none' has"):
        audit_run(run, nobody, "none")


def test_data_that_the_run_does_not_read_are_refused(table: DataSet):
    run = fit(table, "plain", epochs=1, seed=0)
    split = table.validation
    wide = {
        name: replace(part, x=torch.cat([part.x, part.x], 1))
        for name, part in (("train", table.train), ("validation", split))
    }
    with pytest.raises(InfoshedError, match="the run was trained on inputs of shape"):
        audit_run(run, replace(table, tests={}, **wide))
    named = replace(table, target=Classes(tuple("abcdefghij"[: run.target.outputs])), classes=())
    with pytest.raises(InfoshedError, match="the run was trained on the target classes"):
        audit_run(run, named)


def test_any_encoder_is_audited_as_its_features_are(table_data: DataSet):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(table_data.train.x.shape[1], 4), torch.nn.Dropout()
    )
    found = audit_encoder(encoder, table_data, estimator="quick")
    assert encoder.training  # as it was
    held_out = table_data.tests["unbiased"]
    with torch.no_grad():
        z = encoder.eval()(held_out.x)
    values = table_data.attribute.decode(held_out.c)
    assert isinstance(table_data.target, Classes)
    y = np.array(table_data.target.names)[held_out.y.numpy()]
    same = audit(z, values, y, estimator="quick")
    assert found.parts[0].information.nats == same.parts[0].information.nats
    assert found.parts[0].worst_probe == same.parts[0].worst_probe
    assert found.notes[0] == f"{len(held_out)} rows of the split 'unbiased'"
    with pytest.raises(InfoshedError, match=r"z of shape \(n, dim\), got"):
        audit_encoder(lambda x: x[:, 0], table_data, "validation")
    with pytest.raises(InfoshedError, match="`split` must be one of"):
        audit_encoder(encoder, table_data, "train")


def test_a_model_that_says_one_class_is_told(table: DataSet):
    run = fit(table, "plain", epochs=3)
    assert collapsed(run, table) is None
    with torch.no_grad():
        run.model.head.weight.zero_()
        run.model.head.bias.copy_(torch.tensor([0.0, 1.0]))
    assert (collapsed(run, table) or "").startswith("the model says 'yes' for each of 160")


def test_what_is_left_stands_beside_what_the_target_tells(table: DataSet):
    run = fit(table, "plain", epochs=3)
    (found,) = leakage_of(run, table)
    told = label_information(table.train.y, table.train.c, table.attribute)
    assert found["label_nats"] == pytest.approx(float(told))
    assert (found["attribute"], found["rows"]) == ("group", len(table.validation))
    z = run.encode(table.validation.x)
    expected = estimate_mi(z, table.validation.c[:, 0], estimator="quick")
    assert (found["nats"], found["low"]) == pytest.approx((expected.nats, expected.low))
    assert found["share_of_entropy"] == pytest.approx(expected.share_of_entropy)
