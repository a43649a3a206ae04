"""The estimators by scikit-learn's own checks, and what its users do with them."""

import io
import pickle
import pickletools
from decimal import Decimal
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from infoshed import (
    DataSet,
    DebiasedClassifier,
    DebiasedRegressor,
    DebiasedTransformer,
    InfoshedError,
)

QUICK: dict[str, Any] = {"epochs": 12, "lr": 3e-2, "dim": 4}
KINDS = (DebiasedClassifier, DebiasedRegressor, DebiasedTransformer)


def expected_failures(estimator: Any) -> dict[str, str]:
    # Training is in single precision; see `test_whole_weights_are_repeated_rows`.
    return {"check_sample_weight_equivalence_on_dense_data": "equal to 1e-3, not to 1e-7"}


@parametrize_with_checks(
    [kind(**QUICK) for kind in KINDS], expected_failed_checks=expected_failures
)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, such as of its skipped checks
def test_scikit_learns_checks(estimator: Any, check: Any):
    check(estimator)


@pytest.fixture(scope="module")
def arrays(table: DataSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return table.train.x.numpy(), table.train.y.numpy(), table.train.c[:, 0].numpy()


@pytest.fixture(scope="module")
def people() -> tuple[pd.DataFrame, np.ndarray, pd.Series]:
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 400)
    paid = np.where(rng.random(400) < 0.8, sex == "m", sex != "m")
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, 400) + 10 * paid,
            "job": np.where(rng.random(400) < 0.7, np.where(sex == "m", "smith", "nurse"), "cook"),
            "owner": rng.random(400) < 0.3 + 0.3 * paid,
            "rooms": rng.integers(1, 6, 400),
        }
    )
    return frame, np.where(paid, "yes", "no"), pd.Series(sex, name="sex")


def test_it_sheds_what_it_is_told_to(make_data: Any):
    data = make_data(n=3000)
    test = data.tests["unbiased"]
    fitted = [(data.train.x, data.train.y, c) for c in (None, data.train.c)]
    plain, shed = (
        DebiasedClassifier(epochs=5).fit(x, y, sensitive_features=c).score(test.x, test.y)
        for x, y, c in fitted
    )
    assert shed > plain + 0.03


def test_whole_weights_are_repeated_rows(arrays: Any):
    X, y, c = (a[:60] for a in arrays)
    weights = np.arange(60) % 3
    rows = np.repeat(np.arange(60), weights)
    settings: dict[str, Any] = {"epochs": 10, "batch_size": 200, "method": "reweigh"}
    weighted = DebiasedClassifier(**settings).fit(X, y, sensitive_features=c, sample_weight=weights)
    repeated = DebiasedClassifier(**settings).fit(X[rows], y[rows], sensitive_features=c[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-3)


def test_class_weights_are_row_weights(arrays: Any):
    X, y, _ = arrays
    by_class = DebiasedClassifier(class_weight={0: 1, 1: 3}, epochs=3).fit(X, y)
    by_row = DebiasedClassifier(epochs=3).fit(X, y, sample_weight=np.where(y == 1, 3, 1))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames_with_categories(people: Any, kind: str):
    pandas, y, sex = people
    frame = pandas.astype({"job": "category"}) if kind == "pandas" else pl.from_pandas(pandas)
    model: Any = DebiasedClassifier(epochs=5).fit(frame, y, sensitive_features=sex)
    assert list(model.feature_names_in_) == ["age", "job", "owner", "rooms"]
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.run_.config.shape == (2 + 3 + 2,)
    reference = DebiasedClassifier(epochs=5).fit(pandas, y, sensitive_features=sex.to_numpy())
    ours, theirs = model.predict_proba(frame), reference.predict_proba(pandas)
    np.testing.assert_array_equal(ours, theirs)
    new = pandas.assign(job="pilot")
    encoded = model.encoding_.apply(new if kind == "pandas" else pl.from_pandas(new))
    assert encoded[:, 2:5].abs().sum() == 0
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["job", "age", "owner", "rooms"]])


def test_missing_categories_are_a_category_and_missing_numbers_are_refused(people: Any):
    frame, y, _ = people
    gaps = frame.assign(job=frame["job"].where(frame["job"] != "cook", None))
    model = DebiasedClassifier(epochs=1).fit(gaps, y)
    assert model.run_.config.shape == (7,)
    with pytest.raises(ValueError, match="NaN"):
        DebiasedClassifier(epochs=1).fit(frame.assign(age=np.nan), y)


def test_numbers_among_objects_are_numbers(people: Any):
    frame, y, sex = people
    numbers = frame[["age", "rooms"]]
    model = DebiasedClassifier(epochs=2).fit(numbers, y, sensitive_features=sex)
    loose = numbers.astype(object)
    again = DebiasedClassifier(epochs=2).fit(loose, y, sensitive_features=sex)
    assert again.run_.config.shape == (2,)
    np.testing.assert_array_equal(again.predict_proba(loose), model.predict_proba(numbers))
    mixed = frame.astype({"age": object})
    mixed["age"] = [Decimal(str(v)) for v in frame["age"]]
    assert DebiasedClassifier(epochs=1).fit(mixed, y).run_.config.shape == (7,)
    mixed.loc[3, "age"] = None
    with pytest.raises(InfoshedError, match=r"NaN or infinity in 'age' \(1 of 400 rows\)"):
        DebiasedClassifier(epochs=1).fit(mixed, y)


def test_the_critic_follows_on_tables(arrays: Any):
    x, y, c = arrays
    for kind, target in (
        (DebiasedRegressor, y / 7), (DebiasedTransformer, y / 7), (DebiasedClassifier, y)
    ):  # fmt: skip
        model = kind(epochs=1).fit(x, target, sensitive_features=c)
        assert model.run_.config.options["critic_steps"] == 5
        chosen = kind(epochs=1, options={"critic_steps": 2}).fit(x, target, sensitive_features=c)
        assert chosen.run_.config.options["critic_steps"] == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("categories", [True, False])
def test_missing_numbers_are_refused_by_the_name_of_their_column(
    people: Any, kind: Any, library: str, categories: bool
):
    whole, y, _ = people
    whole = whole if categories else whole[["age", "rooms"]]
    gaps = whole.astype({"rooms": "Int64"})
    gaps.loc[[3, 7, 9], "age"] = [np.nan, np.inf, np.nan]
    gaps.loc[5, "rooms"] = pd.NA
    frames = [whole, gaps] if library == "pandas" else [pl.from_pandas(f) for f in (whole, gaps)]
    target = np.arange(len(y)) / 7 if kind is DebiasedRegressor else y
    message = r"NaN or infinity in 'age' \(3 of 400 rows\), 'rooms' \(1 of 400 rows\); drop"
    with pytest.raises(InfoshedError, match=message):
        kind(epochs=1).fit(frames[1], target)
    model = kind(epochs=1).fit(frames[0], target)
    with pytest.raises(InfoshedError, match=message):
        model.transform(frames[1])


def test_torch_tensors_and_images(images: DataSet):
    x, y, c = images.train.x, images.train.y, images.train.c
    model = DebiasedClassifier(epochs=2, dim=8).fit(x, y, sensitive_features=c)
    assert model.run_.config.encoder == "conv-small"
    assert model.transform(x).shape == (96, 8)
    arrays = (a.numpy() for a in (x, y, c))
    same = DebiasedClassifier(epochs=2, dim=8)
    same.fit(next(arrays), next(arrays), sensitive_features=next(arrays))
    np.testing.assert_array_equal(model.predict_proba(x), same.predict_proba(x.numpy()))


@pytest.mark.parametrize("carry", ["pickle", "joblib", "save", "clone"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_being_carried_around(people: Any, kind: Any, carry: str, tmp_path: Path):
    frame, y, sex = people
    settings: dict[str, Any] = {"class_weight": {"no": 1.0, "yes": 2.0}}
    if kind is DebiasedRegressor:
        y, settings = np.where(y == "yes", 7.5, -2.0) + frame["age"].to_numpy(), {}
    again: Any
    model: Any = kind(epochs=2, **settings).fit(frame, y, sensitive_features=sex)
    if carry == "pickle":
        again = pickle.loads(pickle.dumps(model))
    elif carry == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
        again = joblib.load(tmp_path / "model.joblib")
    elif carry == "save":
        model.save(tmp_path / "model.safetensors")
        again = kind.load(tmp_path / "model.safetensors")
    else:
        copy: Any = clone(model)
        again = copy.fit(frame, y, sensitive_features=sex)
    assert again.get_params() == model.get_params()
    assert again.feature_names_in_.tolist() == model.feature_names_in_.tolist()
    assert hasattr(again, "classes_") == (kind is not DebiasedRegressor)
    if kind is DebiasedRegressor:
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    else:
        np.testing.assert_array_equal(again.classes_, model.classes_)
    np.testing.assert_array_equal(again.transform(frame), model.transform(frame))


def test_a_pickle_holds_no_network(arrays: Any):
    X, y, c = arrays
    model = DebiasedClassifier(epochs=1).fit(X, y, sensitive_features=c)
    names = {
        str(argument).split(".")[0].split(" ")[0]
        for _, argument, _ in pickletools.genops(io.BytesIO(pickle.dumps(model, 2)))
        if isinstance(argument, str) and " " in argument
    }
    assert "infoshed" in names
    assert "torch" not in names


def test_an_encoder_of_ones_own(arrays: Any, tmp_path: Path):
    X, y, c = arrays
    encoder = nn.Linear(X.shape[1], 3)
    before = encoder.weight.detach().clone()
    model = DebiasedClassifier(encoder=encoder, dim=3, epochs=2).fit(X, y, sensitive_features=c)
    assert torch.equal(encoder.weight, before)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    with pytest.raises(InfoshedError, match="encoder of your own"):
        model.save(tmp_path / "model.safetensors")


def test_grid_search_and_pipelines_route_the_attribute(arrays: Any):
    X, y, c = arrays
    with config_context(enable_metadata_routing=True):
        model = DebiasedClassifier(epochs=1).set_fit_request(sensitive_features=True)
        search = GridSearchCV(model, {"strength": [0.3, 3.0]}, cv=2)
        search.fit(X, y, sensitive_features=c)
        assert search.best_estimator_.run_.config.attribute["name"] == "sensitive_features"
        encoder = DebiasedTransformer(epochs=1, dim=3).set_fit_request(sensitive_features=True)
        pipe: Any = make_pipeline(StandardScaler(), encoder, LogisticRegression())
        pipe.fit(X, y, sensitive_features=c)
    assert pipe[1].run_.config.method == "mi"
    assert pipe[:2].get_feature_names_out().tolist() == [
        f"debiasedtransformer{i}" for i in range(3)
    ]
    assert pipe.predict(X).shape == y.shape


def test_fairlearns_metric_frame(people: Any):
    frame, y, sex = people
    paid = y == "yes"
    metrics = {"accuracy": accuracy_score, "selected": selection_rate}
    gaps = []
    for c in (sex, None):
        guess = DebiasedClassifier(epochs=20).fit(frame, paid, sensitive_features=c).predict(frame)
        by = MetricFrame(metrics=metrics, y_true=paid, y_pred=guess, sensitive_features=sex)
        overall: Any = by.overall
        assert overall["accuracy"] > 0.6
        assert by.by_group.index.tolist() == ["f", "m"]
        gaps.append(float(np.asarray(by.difference()["selected"])))
    assert gaps[0] < gaps[1]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda c: c, "binary"),
        (lambda c: np.where(np.arange(len(c)) % 2, c.astype(float), np.nan), "binary"),
        (lambda c: np.array(["a", "b", None], dtype=object)[(c + np.arange(len(c))) % 3], "binary"),
        (lambda c: {"one": c, "two": np.arange(len(c)) % 3}, "multi-categorical"),
        (lambda c: pd.DataFrame({"one": c, "two": c[::-1]}), "multi-categorical"),
        (lambda c: c + np.linspace(0, 1, len(c)), "continuous"),
    ],
)
def test_attributes_as_they_come(arrays: Any, make: Any, kind: str):
    X, y, c = arrays
    model = DebiasedClassifier(epochs=1).fit(X, y, sensitive_features=make(c))
    assert model.run_.config.attribute["kind"] == kind
    assert np.isfinite(model.run_.metrics[-1]["mi"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sensitive_features": np.zeros(320)}, "one value only"),
        ({"sensitive_features": np.zeros(3)}, "same number of rows"),
        ({"sensitive_features": np.zeros((320, 2, 2))}, r"shape \(n,\) or \(n, k\)"),
        ({"y": np.zeros(320)}, "one class only"),
        ({"sample_weight": np.full(320, -1.0)}, "[Nn]egative"),
    ],
)
def test_mistakes_get_one_line(arrays: Any, change: dict[str, Any], message: str):
    X, y, c = arrays
    with pytest.raises(ValueError, match=message):
        DebiasedClassifier(epochs=1).fit(**{"X": X, "y": y, "sensitive_features": c} | change)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"validation_fraction": 1.0},
        {"method": "magic"},
        {"strength": -1.0},
        {"attribute_kind": "odd"},
        {"options": {"speed": 1}},
    ],
)
def test_settings_that_make_no_sense_are_refused(arrays: Any, settings: dict[str, Any]):
    X, y, c = arrays
    (name,) = settings
    with pytest.raises(InfoshedError, match="speed" if name == "options" else name):
        DebiasedClassifier(**settings).fit(X, y, sensitive_features=c)


def shops(n: int, tied: bool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y, c: a column of X follows y, another c, which shifts y where they are tied; elsewhere y
    has the same distribution."""
    rng = np.random.default_rng(seed)
    c = rng.integers(0, 2, n)
    y = rng.normal(size=n) + 2 * (c if tied else rng.integers(0, 2, n))
    X = np.column_stack([y + rng.normal(size=n), 2 * c - 1 + rng.normal(scale=0.3, size=n)])
    return X, 100 + 10 * y, c


def test_a_regressor_sheds_what_it_is_told_to():
    (X, y, c), (X_test, y_test, c_test) = shops(1500, True, 0), shops(4000, False, 1)
    settings: dict[str, Any] = {"epochs": 12, "batch_size": 64}
    plain = DebiasedRegressor(**settings).fit(X, y)
    shed = DebiasedRegressor(**settings).fit(X, y, sensitive_features=c)
    assert shed.score(X_test, y_test) > plain.score(X_test, y_test) + 0.05
    probes = [
        LogisticRegression().fit(m.transform(X_test), c_test).score(m.transform(X_test), c_test)
        for m in (plain, shed)
    ]
    assert probes[1] < probes[0] - 0.05


def test_a_regressor_takes_several_outputs_weights_and_routing():
    X, y, c = shops(300, True, 0)
    both = np.column_stack([y, -3 * X[:, 1]])
    model = DebiasedRegressor(epochs=30, lr=1e-2).fit(X, both)
    assert model.predict(X).shape == (300, 2)
    assert model.score(X, both) > 0.6
    twice = np.repeat(np.arange(300), 1 + c)
    settings: dict[str, Any] = {"epochs": 10, "batch_size": 1000, "method": "plain", "lr": 1e-2}
    weighted = DebiasedRegressor(**settings).fit(X, y, sample_weight=1 + c)
    repeated = DebiasedRegressor(**settings).fit(X[twice], y[twice])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=0.05)
    with config_context(enable_metadata_routing=True):
        routed = DebiasedRegressor(epochs=1).set_fit_request(sensitive_features=True)
        pipe: Any = make_pipeline(StandardScaler(), routed)
        search = GridSearchCV(pipe, {"debiasedregressor__strength": [0.3, 3.0]}, cv=2)
        search.fit(X, y, sensitive_features=c)
    assert search.best_estimator_[1].run_.config.method == "mi"
    assert "class_weight" not in DebiasedRegressor().get_params()


def test_a_classifier_takes_an_indicator_matrix():
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, 600)
    y = (rng.random((600, 3)) < np.where(c, 0.8, 0.2)[:, None]).astype(int)
    X = 2 * y + rng.normal(size=(600, 3))
    model = DebiasedClassifier(epochs=8, lr=1e-2).fit(X, y, sensitive_features=c)
    p, guess = model.predict_proba(X), model.predict(X)
    assert model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(guess, p > 0.5)
    assert (guess == y).mean() > 0.75
    assert model.score(X, y) == accuracy_score(y, guess)
    assert pickle.loads(pickle.dumps(model)).predict(X).tolist() == guess.tolist()


def test_a_transformer_takes_quantities_and_is_told_of_whole_ones(arrays: Any):
    X, y, c = arrays
    given: list[tuple[Any, dict[str, Any]]] = [
        (y, {}),
        (y + X[:, 0], {}),
        (np.arange(len(y)), {"target_kind": "numbers"}),
    ]
    kinds = []
    for values, settings in given:
        model = DebiasedTransformer(epochs=1, **settings).fit(X, values, sensitive_features=c)
        kinds.append(model.run_.target.kind)
    assert kinds == ["classes", "numbers", "numbers"]
    with pytest.raises(ValueError, match="target_kind"):
        DebiasedTransformer(target_kind="odd").fit(X, y)
    with pytest.raises(ValueError, match="continuous"):
        DebiasedClassifier(epochs=1).fit(X, y + X[:, 0])
