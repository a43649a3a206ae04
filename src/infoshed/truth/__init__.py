"""Cases with known mutual information: what estimators and penalties are measured against.

    case = build_case("gaussian_classes", classes=10, share=0.5)
    sample = case.draw(10_000, seed=0)  # z (n, d), c
    case.nats, case.standard_error  # the true I(Z;C)

One module per family; a case is a function with parameters, and a line in `CASES`.
"""

import inspect
from collections.abc import Callable
from typing import Any

from infoshed.checks import InfoshedError, check_choice
from infoshed.truth.case import Case, Sample
from infoshed.truth.conditional import (
    conditional_gaussian,
    conditional_null,
    weighted_gaussian,
    weighted_null,
)
from infoshed.truth.continuous import half_cube, linear_gaussian, spiral, student_t, swiss_roll
from infoshed.truth.discrete import discrete_codes, noisy_labels, several_categoricals
from infoshed.truth.gaussian import gaussian_classes, warped
from infoshed.truth.hidden import parity, variance_only

CASES: dict[str, Callable[..., Case]] = {
    "gaussian_classes": gaussian_classes,
    "warped": warped,
    "noisy_labels": noisy_labels,
    "discrete_codes": discrete_codes,
    "several_categoricals": several_categoricals,
    "parity": parity,
    "variance_only": variance_only,
    "linear_gaussian": linear_gaussian,
    "swiss_roll": swiss_roll,
    "half_cube": half_cube,
    "spiral": spiral,
    "student_t": student_t,
    "conditional_gaussian": conditional_gaussian,
    "conditional_null": conditional_null,
    "weighted_null": weighted_null,
    "weighted_gaussian": weighted_gaussian,
}


def build_case(name: str, **params: Any) -> Case:
    """The case called `name`, made with `params`; the same object for the same parameters.

    Raises `InfoshedError` for an unknown name or parameter, or a value out of range.
    """
    check_choice("case", name, CASES)
    known = inspect.signature(CASES[name]).parameters
    strange = sorted(set(params) - set(known))
    if strange:
        raise InfoshedError(
            f"case '{name}' takes no parameter `{strange[0]}`; it takes {', '.join(known)}"
        )
    return CASES[name](**params)


__all__ = ["CASES", "Case", "Sample", "build_case"]
