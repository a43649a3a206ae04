"""Cross-fitting: every row is judged by judges that were fitted without it.

Judges are fitted on all other folds, and once more on half of those rows. The pool's weights for a
fold come from the held-out scores of the other folds. A fitted judge of N rows falls short of the
truth by about a / N (p / 2N for p well-specified parameters), hence

    I  ~  I_N + (I_N - I_N/2)                       (first-order extrapolation to N = infinity)

row by row, so that the spread over rows gives the standard error of the extrapolated value.
"""

from collections.abc import Callable

import numpy as np

from infoshed.seeds import stream

Judge = Callable[[np.ndarray, np.ndarray, int], dict[str, np.ndarray]]


def make_folds(
    strata: np.ndarray, groups: np.ndarray | None, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """A fold 0..folds-1 for every row, each stratum spread evenly.

    Args:
        strata: (n,) whole numbers, (y, c) say. groups: (n,) rows of a group stay together.
    """
    n = len(strata)
    fold = np.empty(n, np.int64)
    if groups is None:
        order = rng.permutation(n)
        order = order[np.argsort(strata[order], kind="stable")]
        fold[order] = np.arange(n) % folds
        return fold
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return make_folds(strata[first], None, folds, rng)[inverse]


def held_out_scores(
    judge: Judge,
    fold: np.ndarray,
    target: np.ndarray,
    width: int,
    seed: int,
    part: int = 1,
    groups: np.ndarray | None = None,
) -> tuple[list[str], np.ndarray]:
    """Names of the judges, and scores (judges, n, width) of `judge(train, test, seed)` for every
    fold, fitted on one in `part` of the rows of the other folds.

    Args:
        fold: of every row (n,). target: (n,); each of its values keeps its share in a part.
        groups: rows of a group (n,) are in a part together, as copies say a thing once; or None.
    """
    names: list[str] = []
    scores = np.zeros((0, len(fold), width), np.float32)
    for k in range(int(fold.max()) + 1):
        test, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if part > 1:
            one = train if groups is None else train[np.unique(groups[train], return_index=True)[1]]
            shuffled = np.random.default_rng(stream(seed, f"part/{k}")).permutation(one)
            chosen = np.sort(shuffled[np.argsort(target[shuffled], kind="stable")][::part])
            train = chosen if groups is None else train[np.isin(groups[train], groups[chosen])]
        found = judge(train, test, stream(seed, f"judges/{part}/{k}") % 2**31)
        if not names:
            names = list(found)
            scores = np.zeros((len(names), len(fold), width), np.float32)
        for i, name in enumerate(names):
            scores[i, test] = found[name]
    return names, scores
