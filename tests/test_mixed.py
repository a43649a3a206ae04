"""Attributes of different kinds at once: codes, estimates as sums, own tables, scikit-learn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import infoshed
from infoshed import (
    Binary,
    Categorical,
    Continuous,
    InfoshedError,
    Mixed,
    MultiCategorical,
    MutualInformationPenalty,
    infer_attribute,
)
from infoshed.attributes import attribute_from_dict
from infoshed.critic import Critic
from infoshed.estimators import build_estimator
from infoshed.groups import Groups
from infoshed.label_prior import LabelPrior

VALUES: dict[str, Any] = {"sex": ["f", "m", "m", "f"], "age": [20.0, 30.0, 40.0, 50.0]}


def people(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"sex": rng.choice(["f", "m"], n), "age": rng.normal(40, 10, n)}


def test_codes_are_those_of_the_parts():
    attribute = infer_attribute(VALUES)
    assert isinstance(attribute, Mixed)
    assert [type(part) for part in attribute.parts] == [Categorical, Continuous]
    assert attribute.name == "sex, age"
    codes = attribute.encode(VALUES)
    assert codes.dtype == torch.float32
    sex, age = attribute.split(codes)
    assert torch.equal(sex, attribute.parts[0].encode(VALUES["sex"]))
    assert torch.equal(age, attribute.parts[1].encode(VALUES["age"]))
    found = attribute.decode(codes)
    assert found["sex"].tolist() == VALUES["sex"]
    np.testing.assert_allclose(found["age"], VALUES["age"], rtol=1e-6)
    assert attribute.entropy is None
    assert attribute.heads == ()
    assert (attribute.columns, attribute.width) == (2, 3)


def test_an_object_matrix_and_another_order_of_columns_give_the_same_codes():
    attribute = infer_attribute(VALUES)
    matrix = np.array([VALUES["sex"], VALUES["age"]], dtype=object).T
    swapped = {"other": [1, 2, 3, 4], "age": VALUES["age"], "sex": VALUES["sex"]}
    for values in (matrix, swapped):
        assert torch.equal(attribute.encode(values), attribute.encode(VALUES))
    with pytest.raises(InfoshedError, match="'sex, age' needs a column 'age', got sex"):
        attribute.encode({"sex": VALUES["sex"]})


def test_each_part_has_its_own_missing_values():
    values = {"sex": ["f", None, "m", "f"], "age": [20.0, 30.0, np.nan, 50.0]}
    attribute = infer_attribute(values, missing=True)
    codes = attribute.encode(values, missing=True)
    assert attribute.known(codes).tolist() == [True, False, False, True]
    assert attribute.known(attribute.filled(codes)).all()
    sex, age = attribute.split(codes)
    assert sex[:, 0].tolist() == [0, -1, 1, 0]
    assert age[:, 0].isnan().tolist() == [False, False, True, False]
    with pytest.raises(InfoshedError, match="'sex' has 1 missing"):
        attribute.encode(values)


def test_it_survives_json_and_so_do_those_of_earlier_versions():
    attribute = infer_attribute(VALUES)
    again = attribute_from_dict(json.loads(json.dumps(attribute.to_dict())))
    assert again == attribute
    part = {"name": "a", "levels": [0, 1], "probabilities": [0.5, 0.5]}
    old = {"kind": "multi-categorical", "name": "ab", "parts": [part, part | {"name": "b"}]}
    several = attribute_from_dict(old)
    assert isinstance(several, MultiCategorical)
    assert [p.name for p in several.parts] == ["a", "b"]


def test_what_is_not_mixed_is_refused():
    two = Binary("a", (0, 1), (0.5, 0.5)), Binary("b", (0, 1), (0.5, 0.5))
    with pytest.raises(InfoshedError, match=r"not mixed.*use MultiCategorical"):
        Mixed("ab", two)
    with pytest.raises(InfoshedError, match="must be categorical or continuous, got multi-"):
        Mixed("ab", (MultiCategorical("a", two), Continuous("b", (0.0,), (1.0,))))
    with pytest.raises(InfoshedError, match="share a name"):
        MultiCategorical("aa", (two[0], two[0]))
    with pytest.raises(InfoshedError, match="columns by name"):
        Mixed.from_values([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.tensor([[2.0, 0.0]]), "column 0 of `c` holds the code 2"),
        (torch.tensor([[-1.0, 0.0]]), "column 0 of `c` holds the code -1"),
        (torch.tensor([[0, 0]]), "must be float32 codes, got torch.int64"),
        (torch.tensor([[0, 0]]).half(), "must be float32 codes, got torch.float16"),
    ],
)
def test_codes_of_another_form_are_named(codes: torch.Tensor, message: str):
    attribute = infer_attribute(VALUES)
    estimator = build_estimator("auto", 2, attribute, attribute.encode(VALUES))
    with pytest.raises(InfoshedError, match=message):
        estimator(torch.zeros(2, 2), codes.expand(2, 2))


def test_the_estimate_and_its_fitting_are_those_of_the_parts_apart():
    values = people(512)
    attribute = infer_attribute(values)
    c, z = attribute.encode(values), torch.randn(512, 3, generator=torch.Generator().manual_seed(0))
    z[:, 0] += c[:, 0]

    def made(part: infoshed.Attribute, codes: torch.Tensor) -> Critic:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Critic(build_estimator("auto", 3, part, codes), 1e-2)

    both = made(attribute, c)
    apart = [
        made(part, code) for part, code in zip(attribute.parts, attribute.split(c), strict=True)
    ]
    # Initial weights differ (one stream of random numbers), what is fitted from them must not.
    for part, own in zip(both.estimator.parts, apart, strict=True):  # type: ignore[arg-type]
        state = part.state_dict()
        own.estimator.load_state_dict(state, strict=False)
    generator, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    found = both.fit(z, c, None, None, 4, generator)
    expected = [
        own.fit(z, code, None, None, 4, other)
        for own, code in zip(apart, attribute.split(c), strict=True)
    ]
    torch.testing.assert_close(found.estimates, sum(e.estimates for e in expected))
    value = both.estimator(z, c, generator=generator)
    parts = [
        own.estimator(z, code, generator=other)
        for own, code in zip(apart, attribute.split(c), strict=True)
    ]
    torch.testing.assert_close(value, torch.stack(parts).sum())


def test_groups_are_values_crossed_with_quarters():
    values = people(400)
    attribute = infer_attribute(values)
    groups = Groups(torch.zeros(400, dtype=torch.long), attribute.encode(values), attribute)
    quarter = np.searchsorted(np.quantile(values["age"], [0.25, 0.5, 0.75]), values["age"])
    expected = np.unique(np.stack([values["sex"] == "m", quarter], 1), axis=0, return_counts=True)
    assert len(groups) == 8
    assert groups.counts.tolist() == expected[1].tolist()


def test_the_label_prior_sees_the_parts_together():
    values = people(4000)
    attribute = infer_attribute(values)
    # y is whether one is old and female: neither part tells it alone.
    y = ((values["sex"] == "f") == (values["age"] > 40)).astype(int)
    prior = LabelPrior(torch.from_numpy(y), attribute.encode(values), attribute, 2)
    assert prior.accuracy(torch.from_numpy(y), attribute.encode(values)) > 0.9


def test_a_label_prior_of_very_many_values_is_that_of_one_hot_columns(
    monkeypatch: pytest.MonkeyPatch,
):
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(0, 200, 2000), rng.integers(0, 80, 2000)], 1)
    attribute = infer_attribute(values)
    y, c = torch.from_numpy(values[:, 0] % 2), attribute.encode(values)
    sparse = LabelPrior(y, c, attribute, 2)
    assert sparse.many
    monkeypatch.setattr("infoshed.label_prior.MANY", 1000)
    dense = LabelPrior(y, c, attribute, 2)
    torch.testing.assert_close(sparse.log_ratio(c), dense.log_ratio(c), rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    values = people(600)
    old = values["age"] > 40
    y = np.where(rng.random(600) < 0.8, old, rng.integers(0, 2, 600))
    path = tmp_path_factory.mktemp("mixed") / "people.csv"
    rows = zip(
        *values.values(), rng.normal(size=600) + y, rng.normal(size=600) + old, y, strict=True
    )
    path.write_text("sex,age,a,b,y\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def test_an_own_table_with_both_kinds_trains_saves_and_is_audited(path: Path, tmp_path: Path):
    from infoshed.auditing.run import audit_run

    data = infoshed.load(str(path), target="y", attribute="sex,age")
    assert data.attribute.kind == "mixed"
    assert "attribute, quantity" in data.notes[0]
    run = infoshed.fit(data, epochs=1, out=tmp_path, strength={"sex": 0.3}, budget={"age": 0.05})
    again = infoshed.load_run(tmp_path)
    assert again.attribute == data.attribute
    assert again.config.to_dict() == run.config.to_dict()
    last = again.metrics[-1]
    assert last["mi"] == pytest.approx(last["mi_sex"] + last["mi_age"], abs=1e-5)
    assert last["strength_sex"] == pytest.approx(0.3)
    assert last["budget_age"] == pytest.approx(0.05)
    found = audit_run(again, data, estimator="quick")
    assert [part.name for part in found.attributes] == ["sex", "age"]
    assert [part.discrete for part in found.attributes] == [True, False]


def test_the_kind_of_one_column_can_be_said(path: Path):
    data = infoshed.load(
        str(path), target="y", attribute="sex,age", attribute_kind="age=continuous"
    )
    assert data.attribute.kind == "mixed"
    with pytest.raises(InfoshedError, match="the name in attribute-kind"):
        infoshed.load(str(path), target="y", attribute="sex", attribute_kind="size=continuous")


def test_sensitive_features_of_both_kinds():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(people(300))
    frame.loc[3, "age"] = np.nan
    frame.loc[5, "sex"] = None
    x, y = rng.normal(size=(300, 4)), rng.integers(0, 2, 300)
    model = infoshed.DebiasedClassifier(strength={"sex": 1.0, "age": 0.5}, epochs=1)
    model.fit(x, y, sensitive_features=frame)
    assert model.run_.attribute.kind == "mixed"
    assert {"mi_sex", "mi_age"} <= set(model.run_.metrics[-1])
    assert model.predict(x).shape == (300,)


def test_hsic_takes_it():
    values = people(200)
    attribute = infer_attribute(values)
    c = attribute.encode(values)
    penalty = MutualInformationPenalty(2, attribute, c, critic="hsic")
    z = torch.randn(200, 2, requires_grad=True)
    penalty(z, c)
    (z**2).mean().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_a_batch_whose_half_lacks_the_attribute_is_fitted():
    attribute = infer_attribute(people(40))
    codes = attribute.encode(people(40))
    codes[20:] = torch.tensor([-1.0, float("nan")])
    penalty = MutualInformationPenalty(3, attribute, codes, steps=2)
    penalty.update(torch.randn(40, 3), codes)
    assert torch.isfinite(penalty.running.mean)
    assert penalty.updates == 1
