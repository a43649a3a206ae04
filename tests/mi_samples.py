"""Draws to estimate from, and what holds for every estimate."""

import json
from typing import Any

import numpy as np

from infoshed.offline import MIEstimate, estimate_mi
from infoshed.truth import Case, Sample, build_case


def quick(sample: Sample, **options: Any) -> MIEstimate:
    options.setdefault("estimator", "quick")
    return estimate_mi(sample.z, sample.c, **options)


def truth(case: Case) -> float:
    """To about 0.003 nats; a fraction of the draws that `case.nats` takes."""
    return case.known if case.known is not None else case.monte_carlo(0, 2**16)[0]


def numpy_state() -> list[int]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    return [*state["state"]["key"].tolist(), state["state"]["pos"]]


def plain(classes: int = 3, dim: int = 6, n: int = 1000, **params: Any) -> Sample:
    return build_case("gaussian_classes", classes=classes, dim=dim, **params).draw(n, seed=0)


def noise(n: int, d: int = 4, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(0, classes, n)


def check_sound(found: MIEstimate) -> None:
    """What holds for every estimate: finite, ordered, within its limits, and JSON."""
    assert 0 <= found.low <= found.nats <= found.high < np.inf
    assert 0.001 <= found.null_p <= 1
    if found.entropy is not None and found.unit == "nats":
        assert found.high <= found.entropy
    assert np.isfinite(list(found.judges.values())).all()
    state = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert state["nats"] == found.nats
    assert state["warnings"] == list(found.warnings)
    assert set(state) == set(MIEstimate.__dataclass_fields__)
