"""Predictors for tables that are fair by fairlearn's methods, and two logistic anchors.

They are rivals of the methods in `METHODS` on a table with classes 0 and 1 and one categorical
attribute, but not encoders: most have no representation z to hand on. Each has one number that
trades accuracy for parity, and a grid of it:

- `logistic`: logistic regression; nothing is done about c.
- `logistic-reweighed`: the same with row weights (p(y) / p(y|c))^s.
- `exponentiated-gradient-parity`, `-odds`: a randomised mixture of logistic regressions in which
  the rate (rates by class) of no group is further than a bound from that of all rows. Two groups
  may thus be up to twice the bound apart (Agarwal et al., arXiv 1803.02453).
- `threshold-parity`, `-odds`: a cut of its own for every group on the score of a logistic
  regression (Hardt et al., arXiv 1610.02413). **Reads c at prediction**, which the others but one
  do not, and which is not always lawful or possible.
- `correlation-remover`: logistic regression on inputs from which the share alpha of what is linear
  in c is taken. The transformation **reads c at prediction** too. z is the transformed input.
- `adversarial`: a net against an adversary that reads its score (Zhang et al., arXiv 1801.07593).
  z is the net's last hidden layer; the net is the encoder `mlp` with a sigmoid head. Run as
  fairlearn 0.15 has it: its projection of the task gradient sums `torch.inner` of two matrices,
  which is not their inner product, so that early steps may go in the wrong direction.

Fitted on the training split alone. Randomised predictions are drawn with the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from infoshed.checks import InfoshedError, check_number
from infoshed.label_prior import LabelPrior
from infoshed.nn import build_model
from infoshed.seeds import numpy_generator, seeded, stream
from infoshed.types import DataSet, Split

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class RivalFit:
    """What a fitted rival says of the splits "train", "validation" and the tests, by name.

    Args:
        predictions: classes (n,). z: representations (n, d), or None where there is none.
    """

    predictions: Arrays
    z: Arrays | None = None


@dataclass(frozen=True)
class Rival:
    """A predictor of `FAIRLEARN`.

    Args:
        summary: one line for people.
        parameter: what the strength is; `strengths` is its grid, from weak to strong.
        reads_c: whether it needs c to predict.
        fit: (data, strength, seed) -> `RivalFit`. The same seed gives the same numbers. Raises
            `InfoshedError` for data it is not made for, and where fairlearn is not installed.
    """

    summary: str
    parameter: str
    strengths: tuple[float, ...]
    reads_c: bool
    fit: Callable[[DataSet, float, int], RivalFit]


def _fairlearn(module: str) -> Any:
    try:
        return import_module(f"fairlearn.{module}")
    except ImportError as error:
        raise InfoshedError(
            f"this rival is fairlearn's, which cannot be imported ({error}); "
            "pip install 'infoshed[fairness]'"
        ) from None


def _splits(data: DataSet) -> dict[str, Split]:
    if len(data.classes) != 2 or len(data.attribute.heads) != 1 or data.train.x.ndim != 2:
        raise InfoshedError(
            f"fairlearn's methods need a table, two classes and one categorical attribute; "
            f"data set '{data.name}' has inputs {tuple(data.train.x.shape)}, {len(data.classes)} "
            f"classes and the attribute '{data.attribute.name}' ({data.attribute.kind})"
        )
    return {"train": data.train, "validation": data.validation, **data.tests}


def _arrays(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (n, d) float64, y (n,), c (n,)."""
    return split.x.double().numpy(), split.y.numpy(), split.c[:, 0].numpy()


def _regression() -> LogisticRegression:
    # Many more rows than columns: Newton's method is several times as fast as L-BFGS here.
    return LogisticRegression(solver="newton-cholesky")


def _logistic(data: DataSet, strength: float, seed: int) -> RivalFit:
    """`strength` is the power of the weights; 0 leaves them at 1."""
    splits = _splits(data)
    check_number("strength", strength, 0, 1)
    x, y, _ = _arrays(data.train)
    prior = LabelPrior(data.train.y, data.train.c, data.attribute, len(data.classes))
    weights = prior.weights(data.train.y, data.train.c).double().numpy() ** strength
    model = _regression().fit(x, y, sample_weight=weights)
    return RivalFit({name: model.predict(_arrays(s)[0]) for name, s in splits.items()})


def _exponentiated_gradient(constraint: str) -> Callable[[DataSet, float, int], RivalFit]:
    def fit(data: DataSet, strength: float, seed: int) -> RivalFit:
        splits = _splits(data)
        check_number("strength", strength, 0, 1)
        reductions = _fairlearn("reductions")
        moment = getattr(reductions, constraint)(difference_bound=strength)
        model = reductions.ExponentiatedGradient(_regression(), moment)
        x, y, c = _arrays(data.train)
        with catch_warnings():
            # Of pandas, about what fairlearn does with it.
            filterwarnings("ignore", category=DeprecationWarning, module="fairlearn")
            model.fit(x, y, sensitive_features=c)
        return RivalFit(
            {
                name: np.asarray(model.predict(_arrays(s)[0], random_state=_draw(seed, name)))
                for name, s in splits.items()
            }
        )

    return fit


def _threshold(constraint: str) -> Callable[[DataSet, float, int], RivalFit]:
    def fit(data: DataSet, strength: float, seed: int) -> RivalFit:
        splits = _splits(data)
        check_number("strength", strength, 0, 1)
        model = _fairlearn("postprocessing").ThresholdOptimizer(
            estimator=_regression(),
            constraints=constraint,
            predict_method="predict_proba",
            tol=strength or None,
        )
        x, y, c = _arrays(data.train)
        model.fit(x, y, sensitive_features=c)
        predictions = {}
        for name, split in splits.items():
            x, _, c = _arrays(split)
            guess = model.predict(x, sensitive_features=c, random_state=_draw(seed, name))
            predictions[name] = np.asarray(guess)
        return RivalFit(predictions)

    return fit


def _correlation_remover(data: DataSet, strength: float, seed: int) -> RivalFit:
    splits = _splits(data)
    check_number("strength", strength, 0, 1)
    width = data.train.x.shape[1]

    def beside(split: Split) -> np.ndarray:
        # One-hot without its first level, which the others give: no column is redundant.
        c = data.attribute.features(split.c)[:, 1:].double().numpy()
        return np.concatenate([_arrays(split)[0], c], 1)

    remover = _fairlearn("preprocessing").CorrelationRemover(
        sensitive_feature_ids=list(range(width, width + data.attribute.width - 1)), alpha=strength
    )
    remover.fit(beside(data.train))
    z = {name: np.asarray(remover.transform(beside(split))) for name, split in splits.items()}
    model = _regression().fit(z["train"], data.train.y.numpy())
    return RivalFit({name: model.predict(value) for name, value in z.items()}, z)


def _adversarial(data: DataSet, strength: float, seed: int) -> RivalFit:
    splits = _splits(data)
    check_number("strength", strength, 0)
    recipe = data.recipe
    x, y, c = _arrays(data.train)
    # fairlearn seeds torch with int(a number below 1), so with 0 whatever its random_state: the
    # seed has to come in by the weights and by the order of the rows.
    order = numpy_generator(seed, "fairlearn order").permutation(len(y))
    adversarial = _fairlearn("adversarial")
    with seeded(seed, "fairlearn"):
        model = build_model("mlp", data.train.x.shape[1:], recipe.dim, 1, seed)
        adversary = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
        classifier = adversarial.AdversarialFairnessClassifier(
            backend="torch",
            predictor_model=nn.Sequential(model, nn.Sigmoid()),
            adversary_model=adversary,
            constraints="demographic_parity",
            learning_rate=recipe.lr,
            alpha=strength,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            shuffle=True,
            random_state=stream(seed, "fairlearn") % 2**32,
        )
        classifier.fit(x[order], y[order], sensitive_features=c[order])
        predictions, z = {}, {}
        for name, split in splits.items():
            predictions[name] = np.asarray(classifier.predict(_arrays(split)[0])).ravel()
            with torch.no_grad():
                z[name] = model.eval().encoder(split.x.float()).numpy()
    return RivalFit(predictions, z)


def _draw(seed: int, split: str) -> int:
    return stream(seed, f"randomised prediction/{split}") % 2**32


BOUNDS = (0.1, 0.05, 0.02, 0.01)

FAIRLEARN: dict[str, Rival] = {
    "logistic": Rival("logistic regression", "none", (0.0,), False, _logistic),
    "logistic-reweighed": Rival(
        "logistic regression, rows weighted by (p(y) / p(y|c))^s",
        "power of the weights",
        (0.25, 0.5, 0.75, 1.0),
        False,
        _logistic,
    ),
    "exponentiated-gradient-parity": Rival(
        "randomised logistic regressions under demographic parity up to a bound",
        "bound on the distance of a group from all",
        BOUNDS,
        False,
        _exponentiated_gradient("DemographicParity"),
    ),
    "exponentiated-gradient-odds": Rival(
        "randomised logistic regressions under equalised odds up to a bound",
        "bound on the distance of a group from all",
        BOUNDS,
        False,
        _exponentiated_gradient("EqualizedOdds"),
    ),
    "threshold-parity": Rival(
        "a cut for every group, for equal selection rates; reads c at prediction",
        "tolerated difference",
        (0.15, 0.1, 0.05, 0.02, 0.0),
        True,
        _threshold("demographic_parity"),
    ),
    "threshold-odds": Rival(
        "a cut for every group, for equalised odds; reads c at prediction",
        "tolerated difference (0 alone is possible)",
        (0.0,),
        True,
        _threshold("equalized_odds"),
    ),
    "correlation-remover": Rival(
        "logistic regression on inputs without what is linear in c; reads c at prediction",
        "alpha, the share removed",
        (0.25, 0.5, 0.75, 1.0),
        True,
        _correlation_remover,
    ),
    "adversarial": Rival(
        "a net against an adversary that reads its score",
        "alpha, the weight of the adversary",
        (0.1, 0.3, 1.0, 3.0, 10.0),
        False,
        _adversarial,
    ),
}
