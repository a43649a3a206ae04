"""What the estimators share: X, y and c become a `DataSet`, `infoshed.fit` trains, z, saving.

Nothing here trains: a part of the rows is held out for the critic's health and for budgets. Weights
of 0 leave rows out, a missing c leaves them to the label.
"""

import math
from abc import abstractmethod
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch import Tensor, nn

from infoshed.attributes import Attribute, Binary
from infoshed.checks import InfoshedError, check_number, check_same_length
from infoshed.io import dump_state, load_state, parse_state, save_state
from infoshed.run import Config, Run, new_model
from infoshed.sklearn.inputs import Encoding, checked, is_frame, plain, read_attribute
from infoshed.sklearn.targets import read_target
from infoshed.targets import Target
from infoshed.train import fit
from infoshed.types import DataSet, Recipe, Split, as_input

STRENGTH = 3.0
STEPS = 500  # at least, unless `epochs` is given: a network starts from nothing, however few rows
EPOCHS = (4, 100)
BATCH = (32, 512)
CRITIC_STEPS = 5
FEWEST_HELD_OUT = 20  # rows; below it training rows stand in for held-out ones
NOBODY = Binary("nothing", (0, 1), (0.5, 0.5))  # the attribute of plain training, always missing
FITTED = ("classes_", "n_features_in_", "feature_names_in_")


class Debiased(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators; see the module. A class says what y is by `_target_kind`."""

    def __init__(
        self,
        method: str = "mi",
        *,
        strength: float | str | dict[str, float] | None = None,
        budget: float | str | dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        encoder: str | nn.Module | None = None,
        dim: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        class_weight: dict[Any, float] | str | None = None,
        attribute_kind: str = "auto",
        validation_fraction: float = 0.1,
        random_state: Any = 0,
    ):
        self.method = method
        self.strength = strength
        self.budget = budget
        self.options = options
        self.encoder = encoder
        self.dim = dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.class_weight = class_weight
        self.attribute_kind = attribute_kind
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []  # z is float32 whatever X is
        return tags

    def fit(
        self, X: Any, y: Any, sensitive_features: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train.

        Args:
            X: (n, d) numbers, a data frame with numeric and categorical columns (pandas, polars),
                or images (n, channels, height, width), uint8 or float. numpy or torch.
            y: the target, as the class has it.
            sensitive_features: the attribute to shed: (n,) or (n, k), an array, a series, a frame
                or a dict of columns. Missing values (None, NaN) are allowed: such rows train
                the label alone. Unless given, training is plain.
            sample_weight: importance of the rows (n,).

        Raises `ValueError` (`InfoshedError` is one) for input that does not fit.
        """
        self._check_settings()
        if y is None:
            raise InfoshedError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        X = checked(self, X, reset=True)
        given = read_target(y, self._target_kind)
        y = given.y
        check_same_length(X=X, y=y)
        weights = self._weights(X, y, sample_weight)
        used = np.ones(len(y), bool) if weights is None else weights > 0
        if len(y) < 2:
            raise InfoshedError(f"at least two rows are needed, got n_samples = {len(y)}")
        target, codes = given.target(weights, used)
        if given.classes is not None:
            self.classes_ = given.classes
        attribute, c = NOBODY, torch.full((len(y), 1), -1)
        if sensitive_features is not None:
            attribute, c = read_attribute(sensitive_features, self.attribute_kind, used)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.encoding_ = Encoding.fit(X, weights)
        inputs = self.encoding_.apply(X)
        inputs = inputs.float() if inputs.is_floating_point() else inputs
        data = self._data(inputs, target, codes, attribute, c, weights, used, seed)
        method = self.method if sensitive_features is not None else "plain"
        self.run_ = fit(
            data,
            method,
            seed=seed,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            dim=self.dim,
            encoder=self.encoder,
            quiet=True,
            **self._options(method),
        )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The representation z (n, dim) of X, float32."""
        return self._forward(X, lambda model, x: model.encode(x)).astype(np.float32)

    @property
    def n_iter_(self) -> int:
        """Epochs that were trained."""
        check_is_fitted(self, "run_")
        return len(self.run_.metrics)

    @property
    @abstractmethod
    def _target_kind(self) -> str:
        """What y is, as `infoshed.sklearn.targets.read_target` has it."""

    @property
    def _n_features_out(self) -> int:
        return self.run_.config.dim

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one safetensors file, atomically; `load` reads it back.

        Raises `InfoshedError` where the encoder is a module of your own: keep its code and pickle.
        """
        check_is_fitted(self, "run_")
        if isinstance(self.encoder, nn.Module):
            raise InfoshedError("an encoder of your own has no name to save: use pickle or joblib")
        params = {name: plain(value) for name, value in self.get_params().items()}
        state = {"estimator": type(self).__name__, "params": params, "fitted": self._fitted()}
        try:
            save_state(path, state)
        except TypeError as error:
            raise InfoshedError(
                f"a parameter of the estimator is no plain value: {error}"
            ) from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The estimator that `save` wrote. Nothing in the file is executed."""
        state = load_state(path)
        if not isinstance(state, dict) or state.get("estimator") != cls.__name__:
            raise InfoshedError(f"{path} does not hold a {cls.__name__}")
        estimator = cls(**state["params"])
        estimator._restore(state["fitted"])
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        # What was fitted travels as safetensors, so that a pickle holds plain values only.
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        if "run_" in state:
            state = {k: v for k, v in state.items() if k not in ("run_", "encoding_", *FITTED)}
            state["fitted"] = dump_state(self._fitted())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        fitted = state.pop("fitted", None)
        super().__setstate__(state)
        if fitted is not None:
            self._restore(parse_state(fitted))

    def _fitted(self) -> dict[str, Any]:
        """All that was learned, as tensors and plain values."""
        values = {name: getattr(self, name) for name in FITTED if hasattr(self, name)}
        lists = {
            name: {"values": [plain(v) for v in value], "dtype": str(value.dtype)}
            for name, value in values.items()
            if isinstance(value, np.ndarray)
        }
        return {
            "lists": lists,
            "n_features_in_": self.n_features_in_,
            "encoding": self.encoding_.to_dict(),
            "config": self.run_.config.to_dict(),
            "model": self.run_.model.state_dict(),
            "metrics": self.run_.metrics,
            "seconds": self.run_.seconds,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        for name, entry in state["lists"].items():
            setattr(self, name, np.array(entry["values"], dtype=entry["dtype"]))
        self.n_features_in_ = state["n_features_in_"]
        encoding = dict(state["encoding"])
        encoding["categories"] = tuple((i, tuple(v)) for i, v in encoding["categories"])
        self.encoding_ = Encoding(**encoding)
        config = Config.from_dict(state["config"])
        encoder = deepcopy(self.encoder) if isinstance(self.encoder, nn.Module) else None
        model = new_model(config, encoder)
        model.load_state_dict(state["model"])
        self.run_ = Run(model, config, state["metrics"], {}, state["seconds"])

    def _outputs(self, X: Any) -> Tensor:
        """What the head says of X (n, outputs), float64."""
        return torch.from_numpy(self._forward(X, lambda model, x: model(x)))

    @torch.no_grad()
    def _forward(self, X: Any, read: Any) -> np.ndarray:
        """What `read(model, x)` gives for X, (n, ...) float64."""
        check_is_fitted(self, "run_")
        X = checked(self, X, reset=False)
        if is_frame(X) != bool(self.encoding_.categories):
            raise InfoshedError(
                "`X` must be a data frame with the categorical columns that training had, or an "
                "array where training had none"
            )
        inputs, model = self.encoding_.apply(X), self.run_.model.eval()
        if self.run_.config.encoder in ("mlp", "linear") and inputs.ndim == 2:
            # In single precision a row's last digits depend on the rows beside it.
            model = deepcopy(model).double()
            parts = [read(model, x) for x in inputs.split(2000)]
        else:
            parts = [read(model, as_input(x)) for x in inputs.split(500)]
        return torch.cat(parts).double().numpy()

    def _weights(self, X: Any, y: np.ndarray, sample_weight: Any) -> np.ndarray | None:
        """Importance of the rows (n,), None where all are equal."""
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        if self.class_weight is not None:
            weights = compute_sample_weight(self.class_weight, y) * (
                1.0 if weights is None else weights
            )
        return weights

    def _data(
        self,
        x: Tensor,
        target: Target,
        y: Tensor,
        attribute: Attribute,
        c: Tensor,
        weights: np.ndarray | None,
        used: np.ndarray,
        seed: int,
    ) -> DataSet:
        """The training table as a data set: rows without weight left out, a part held out."""
        rows, strata = np.flatnonzero(used), target.strata(y).numpy()
        train = validation = rows
        held_out = round(self.validation_fraction * len(rows))
        if attribute is not NOBODY and held_out >= FEWEST_HELD_OUT:
            cells = strata[rows]
            if attribute.heads:  # the rare pairs of label and attribute belong on both sides
                pairs = np.column_stack([strata[rows], c.numpy()[rows]])
                _, cells, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
                if counts.min() < 2 or len(counts) > held_out:
                    cells = strata[rows]
            _, counts = np.unique(cells, return_counts=True)
            even = counts.min() >= 2 and len(counts) <= held_out
            train, validation = train_test_split(
                rows, test_size=held_out, stratify=cells if even else None, random_state=seed
            )

        def split(index: Any) -> Split:
            at = torch.from_numpy(index)
            w = None if weights is None else torch.from_numpy(weights[index])
            return Split(x[at], y[at], c[at], weights=w)

        n, size = len(train), self.batch_size
        size = size or int(np.clip(n // 50, *BATCH))
        epochs = self.epochs or int(np.clip(math.ceil(STEPS / max(1, n // size)), *EPOCHS))
        encoder = "mlp" if x.ndim == 2 else "conv-small" if min(x.shape[2:]) < 16 else "conv"
        return DataSet(
            "table" if x.ndim == 2 else "images",
            "what the estimator was fitted on",
            split(train),
            split(validation),
            {},
            attribute,
            recipe=Recipe(
                encoder=encoder,
                dim=int(np.clip(target.outputs, 2, 16)),
                epochs=epochs,
                batch_size=size,
                # One step is outrun by a network on a small table, or where y is a quantity.
                options={"mi": {"critic_steps": CRITIC_STEPS}} if x.ndim == 2 else {},
            ),
            target=target,
        )

    def _options(self, method: str) -> dict[str, Any]:
        """The method's own options."""
        if method == "plain":
            return {}
        options = dict(self.options or {})
        if self.budget is not None:
            options["budget"] = self.budget
        strength = self.strength
        if strength is None and options.get("budget") is None and method == "mi":
            strength = options.get("strength", STRENGTH)
        if strength is not None:
            options["strength"] = strength
        return options

    def _check_settings(self) -> None:
        """Raise `InfoshedError` for settings that `infoshed.fit` does not see as they are here."""
        check_number("validation_fraction", self.validation_fraction, 0, 0.9)
        for name, least in (("epochs", 1), ("batch_size", 2)):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), least, integer=True)
