"""Fresh probes: what learners that had no part in the training can still read of c in z.

A panel of learners is fitted on one part of the rows and judged on another. A critic that was
trained beside the encoder proves nothing at chance (arXiv 1808.06640); a fresh probe that finds c
proves that it is there. For each probe, on the judged rows, with q(c|z) its probabilities:

    nats               = H(C) - mean of -log q(c|z)      a lower bound of I(Z;C) (Barber-Agakov)
    accuracy           of guessing the largest q(c|z); chance is the share of the commonest value
    balanced accuracy  of guessing the largest q(c|z) / p(c); chance is 1 / (number of values)
    AUC                where c has two values
    R^2                = 1 - mean (c - guess)^2 / variance of c, where c is continuous

Overconfident probabilities would hide what a probe knows: for nats they are cooled towards the
shares of c by one number, fitted on other judged rows (`infoshed.offline.stack`).

**The worst probe.** The largest of several noisy figures is too large. So the judged rows are cut
in two halves; the probe with the most nats (R^2) on one half is judged on the other, and the
reverse. Every row thus counts once, for a probe that was chosen and cooled without it. The interval
resamples rows, within each value of c where that is discrete. It allows for picking the worst of
the panel; it takes the fitted probes as given.

Several categoricals and several real columns are probed part by part.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from warnings import catch_warnings, filterwarnings, simplefilter

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from infoshed.attributes import Attribute, MultiCategorical, infer_attribute
from infoshed.auditing.interval import Interval, percentile_interval, resampled_means
from infoshed.checks import InfoshedError, as_array, check_number, check_same_length
from infoshed.offline.advice import copies
from infoshed.offline.crossfit import make_folds
from infoshed.offline.inputs import representation
from infoshed.offline.stack import pool, pool_weights
from infoshed.seeds import numpy_generator, stream

FIT_ROWS, JUDGED_ROWS = 20_000, 10_000
LEAST_ROWS = 20
EARLY_STOPPING_ROWS = 20  # for each value of c; a tenth of the rows is held out for stopping
DRAWS = 1000
UNSEEN = 1e-4  # of the shares of c, mixed into q(c|z): no loss is infinite


@dataclass(frozen=True)
class Probe:
    """A learner of the panel, made for a task: a classifier with `predict_proba` for discrete c, a
    regressor for continuous c. Each takes (rows it is fitted on, whether they are enough for
    stopping early, seed) and returns a scikit-learn estimator."""

    classifier: Callable[[int, bool, int], Any]
    regressor: Callable[[int, bool, int], Any]


def _net(kind: Callable[..., Any], early: bool, seed: int) -> Any:
    return kind(
        hidden_layer_sizes=(128,),
        alpha=1e-3,
        max_iter=100,
        early_stopping=early,
        n_iter_no_change=10,
        random_state=seed,
    )


def _trees(kind: Callable[..., Any], early: bool, seed: int) -> Any:
    return kind(max_leaf_nodes=15, early_stopping=early, n_iter_no_change=5, random_state=seed)


def _neighbors(n: int) -> int:
    return min(30, round(n**0.5))


PROBES: dict[str, Probe] = {
    "linear": Probe(
        lambda n, early, seed: LogisticRegression(max_iter=1000),
        lambda n, early, seed: Ridge(),
    ),
    "mlp": Probe(
        lambda n, early, seed: _net(MLPClassifier, early, seed),
        lambda n, early, seed: _net(MLPRegressor, early, seed),
    ),
    "boosting": Probe(
        lambda n, early, seed: _trees(HistGradientBoostingClassifier, early, seed),
        lambda n, early, seed: _trees(HistGradientBoostingRegressor, early, seed),
    ),
    "neighbors": Probe(
        lambda n, early, seed: KNeighborsClassifier(_neighbors(n)),
        lambda n, early, seed: KNeighborsRegressor(_neighbors(n)),
    ),
}
"""The panel: logistic (ridge) regression, a net with one hidden layer, boosted trees, nearest
neighbours. All read z standardised by the rows they are fitted on."""


@dataclass(frozen=True)
class ProbeScore:
    """One probe on the judged rows. What does not apply to the kind of c is None.

    Args:
        probe: its name.
        nats: held-out information, at least 0. floored: it was negative and is shown as 0.
        accuracy, balanced_accuracy, auc: in [0, 1].
        r2: share of the variance explained; negative for guesses worse than the mean.
    """

    probe: str
    nats: float | None = None
    floored: bool = False
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    auc: float | None = None
    r2: float | None = None


@dataclass(frozen=True)
class PartLeakage:
    """What the panel found about one part of c.

    Args:
        name: of the part. fit_rows, judged_rows: used.
        levels: number of values; None where continuous.
        chance: accuracy of always guessing the commonest value of the judged rows.
        entropy: H(C) of the judged rows in nats, the most that can be found.
        probes: every probe.
        chosen: the probe chosen on the one half, and on the other.
        worst: the chosen probes' nats, accuracy and balanced_accuracy (or r2), with intervals; see
            the module. Nats may be negative here: an interval around 0 says that nothing was found.
    """

    name: str
    fit_rows: int
    judged_rows: int
    levels: int | None
    chance: float | None
    entropy: float | None
    probes: tuple[ProbeScore, ...]
    chosen: tuple[str, str]
    worst: dict[str, Interval]


@dataclass(frozen=True)
class Leakage:
    """What fresh probes found about c, part by part."""

    parts: tuple[PartLeakage, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form."""
        return asdict(self)


def probe_leakage(
    z_fit: Any,
    c_fit: Any,
    z_judged: Any,
    c_judged: Any,
    *,
    probes: Mapping[str, Probe] = PROBES,
    fit_rows: int = FIT_ROWS,
    judged_rows: int = JUDGED_ROWS,
    seed: int = 0,
    name: str = "c",
) -> Leakage:
    """Fit the panel on one part of the rows and judge it on another.

    Args:
        z_fit, z_judged: representations (n, d) and (m, d), or (n,) for one column. The encoder may
            have seen the rows of z_fit; those of z_judged should be new to it.
        c_fit, c_judged: the attribute, raw values or codes: text or whole numbers (discrete) or
            floats (continuous), (n,) or (n, parts).
        probes: a panel by name.
        fit_rows, judged_rows: at most so many are used, drawn at random.
        seed: of the draws, the probes and the intervals. name: how parts and errors call c.

    A value of c that occurs once among the fit rows is not learned. Raises `InfoshedError` for
    shapes that do not fit, missing or non-finite values, fewer than `LEAST_ROWS` rows, and a c with
    one value only.
    """
    if not probes:
        raise InfoshedError("the panel has no probe; give at least one")
    check_number("fit_rows", fit_rows, LEAST_ROWS, integer=True)
    check_number("judged_rows", judged_rows, LEAST_ROWS, integer=True)
    z_fit, z_judged = representation(z_fit), representation(z_judged)
    if z_fit.shape[1] != z_judged.shape[1]:
        raise InfoshedError(
            "`z_fit` and `z_judged` must have the same number of columns, got "
            f"{z_fit.shape[1]} and {z_judged.shape[1]}"
        )
    attribute, c_fit, c_judged = _codes(c_fit, c_judged, name)
    check_same_length(z_fit=z_fit, c_fit=c_fit)
    check_same_length(z_judged=z_judged, c_judged=c_judged)
    fit = _draw(len(c_fit), fit_rows, "fit", seed)
    judged = _draw(len(c_judged), judged_rows, "judged", seed)
    scaler = StandardScaler().fit(z_fit[fit])
    z = (
        np.asarray(scaler.transform(z_fit[fit])),
        np.asarray(scaler.transform(z_judged[judged])),
    )
    parts = []
    for i, part in enumerate(_part_names(attribute, c_fit.shape[1])):
        target = c_fit[fit, i], c_judged[judged, i]
        for rows, values in zip(("fit", "judged"), target, strict=True):
            if (values == values[0]).all():
                raise InfoshedError(
                    f"'{part}' has one value only in the {len(values)} {rows} rows; there is "
                    "nothing to find: give rows in which it varies"
                )
        if attribute.heads:
            parts.append(_discrete(part, z, target, attribute.heads[i], probes, seed))
        else:
            parts.append(_continuous(part, z, target, probes, seed))
    return Leakage(tuple(parts))


def _codes(fit: Any, judged: Any, name: str) -> tuple[Attribute, np.ndarray, np.ndarray]:
    """The attribute and the codes (n, parts) of both parts. Values of either are known."""
    fit, judged = as_array("c_fit", fit), as_array("c_judged", judged)
    if fit.shape[1:] != judged.shape[1:] or (fit.dtype.kind == "f") != (judged.dtype.kind == "f"):
        raise InfoshedError(
            "`c_fit` and `c_judged` must be of the same kind and columns, got "
            f"{fit.dtype} {fit.shape} and {judged.dtype} {judged.shape}"
        )
    attribute = infer_attribute(np.concatenate([fit, judged]), name)
    return attribute, attribute.encode(fit).numpy(), attribute.encode(judged).numpy()


def _part_names(attribute: Attribute, parts: int) -> list[str]:
    if isinstance(attribute, MultiCategorical):
        return [part.name for part in attribute.parts]
    name = attribute.name
    return [name] if parts == 1 else [f"{name}[{i}]" for i in range(parts)]


def _draw(n: int, most: int, name: str, seed: int) -> np.ndarray:
    if n < LEAST_ROWS:
        raise InfoshedError(f"at least {LEAST_ROWS} {name} rows are needed, got {n}")
    if n <= most:
        return np.arange(n)
    return np.sort(numpy_generator(seed, f"probe rows/{name}").permutation(n)[:most])


def _fitted(model: Any, z: np.ndarray, target: np.ndarray) -> Any:
    with catch_warnings():
        # A probe that has not converged is judged as any other: by what it finds.
        simplefilter("ignore", ConvergenceWarning)
        # Values that are rare are said so elsewhere, once.
        filterwarnings("ignore", "The number of unique classes")
        return model.fit(z, target)


def _discrete(
    name: str,
    z: tuple[np.ndarray, np.ndarray],
    target: tuple[np.ndarray, np.ndarray],
    m: int,
    probes: Mapping[str, Probe],
    seed: int,
) -> PartLeakage:
    """The panel on a part with values 0..m-1."""
    n = len(target[1])
    counts = np.bincount(target[0], minlength=m)
    shares = (counts + 0.5) / (counts + 0.5).sum()
    log_prior = np.broadcast_to(np.log(shares), (n, m))
    learned = counts[target[0]] > 1
    values = np.unique(target[0][learned])
    if len(values) < 2:
        raise InfoshedError(
            f"fewer than two values of '{name}' occur twice in the {len(learned)} fit rows; give "
            "more rows, or merge values"
        )
    early = learned.sum() >= EARLY_STOPPING_ROWS * len(values)
    probability = np.zeros((len(probes), n, m))
    for j, (kind, probe) in enumerate(probes.items()):
        model = probe.classifier(learned.sum(), early, stream(seed, f"{name}/{kind}") % 2**32)
        _fitted(model, z[0][learned], target[0][learned])
        probability[j][:, model.classes_] = model.predict_proba(z[1])
    scores = np.log((probability + UNSEEN * shares) / (1 + UNSEEN)) - log_prior

    c, rows, ones = target[1], np.arange(n), np.ones(n)
    present = np.bincount(c, minlength=m)
    share = present[present > 0] / n
    entropy = float(-(share * np.log(share)).sum())
    _, groups = copies(z[1], target[1])
    half = make_folds(c, groups, 2, numpy_generator(seed, f"halves/{name}"))
    nats, chosen = np.zeros((len(probes), n)), []
    for side in (0, 1):
        a, b = half == side, half != side
        own = np.zeros(len(probes))
        for j in range(len(probes)):
            w = pool_weights(scores[j : j + 1, a], log_prior[a], c[a], ones[a])
            log_ratio = pool(scores[j : j + 1], log_prior, w)[rows, c]
            nats[j, b] = (entropy + log_ratio + log_prior[rows, c])[b]
            own[j] = log_ratio[a].mean()
        chosen.append(int(own.argmax()))
    hit = probability.argmax(2) == c
    balanced_hit = scores.argmax(2) == c
    by_value = [np.flatnonzero(c == k) for k in np.flatnonzero(present)]
    names = list(probes)
    found = []
    for j, kind in enumerate(names):
        auc = float(roc_auc_score(c, scores[j, :, 1] - scores[j, :, 0])) if m == 2 else None
        found.append(
            ProbeScore(
                kind,
                nats=max(0.0, float(nats[j].mean())),
                floored=bool(nats[j].mean() < 0),
                accuracy=float(hit[j].mean()),
                balanced_accuracy=float(np.mean([balanced_hit[j][k].mean() for k in by_value])),
                auc=auc,
            )
        )
    picked = np.where(half == 0, chosen[1], chosen[0])
    figures = np.stack([a[picked, rows] for a in (nats, hit, balanced_hit)], 1)
    rng = numpy_generator(seed, f"bootstrap/{name}")
    value = np.stack([figures[k].mean(0) for k in by_value])
    draws = np.stack(
        [
            resampled_means(figures[k], rng, DRAWS, None if groups is None else groups[k])
            for k in by_value
        ],
        1,
    )
    weights = {"nats": (0, share), "accuracy": (1, share)}
    weights |= {"balanced_accuracy": (2, np.full(len(share), 1 / len(share)))}
    worst = {
        key: percentile_interval(float(w @ value[:, i]), draws[:, :, i] @ w)
        for key, (i, w) in weights.items()
    }
    return PartLeakage(
        name=name,
        fit_rows=len(target[0]),
        judged_rows=n,
        levels=m,
        chance=float(share.max()),
        entropy=entropy,
        probes=tuple(found),
        chosen=(names[chosen[0]], names[chosen[1]]),
        worst=worst,
    )


def _continuous(
    name: str,
    z: tuple[np.ndarray, np.ndarray],
    target: tuple[np.ndarray, np.ndarray],
    probes: Mapping[str, Probe],
    seed: int,
) -> PartLeakage:
    """The panel on a real column."""
    c, n = target[1].astype(np.float64), len(target[1])
    early = len(target[0]) >= 10 * EARLY_STOPPING_ROWS
    error = np.zeros((len(probes), n))
    for j, (kind, probe) in enumerate(probes.items()):
        model = probe.regressor(len(target[0]), early, stream(seed, f"{name}/{kind}") % 2**32)
        error[j] = (c - _fitted(model, z[0], target[0]).predict(z[1])) ** 2
    _, groups = copies(z[1], target[1])
    half = make_folds(np.zeros(n, int), groups, 2, numpy_generator(seed, f"halves/{name}"))
    chosen = [int(error[:, half == side].mean(1).argmin()) for side in (0, 1)]
    picked = np.where(half == 0, chosen[1], chosen[0])
    moments = np.stack([error[picked, np.arange(n)], c, c**2], 1)
    draws = resampled_means(moments, numpy_generator(seed, f"bootstrap/{name}"), DRAWS, groups)

    def r2(moments: np.ndarray) -> np.ndarray:
        return 1 - moments[..., 0] / (moments[..., 2] - moments[..., 1] ** 2)

    names = list(probes)
    return PartLeakage(
        name=name,
        fit_rows=len(target[0]),
        judged_rows=n,
        levels=None,
        chance=None,
        entropy=None,
        probes=tuple(
            ProbeScore(kind, r2=float(1 - error[j].mean() / c.var()))
            for j, kind in enumerate(names)
        ),
        chosen=(names[chosen[0]], names[chosen[1]]),
        worst={"r2": percentile_interval(float(r2(moments.mean(0))), r2(draws))},
    )
