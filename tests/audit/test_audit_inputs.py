"""`infoshed.audit`: what it takes and refuses, what it says, and JSON there and back."""

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from infoshed import Audit, InfoshedError, audit
from infoshed.auditing.inputs import attributes, grouped, intersection
from infoshed.auditing.perform import FewRowsWarning
from infoshed.auditing.text import audit_text, verdict, worst_note
from infoshed.auditing.text import warnings as warnings_of
from infoshed.offline.advice import result_warnings
from infoshed.offline.result import Reading


def test_json_there_and_back(found: Audit):
    state = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Audit.from_dict(state) == found
    with pytest.raises(InfoshedError, match="not the record of Audit"):
        Audit.from_dict({"rows": 3})
    with pytest.raises(InfoshedError, match="`rows` must be"):
        Audit.from_dict(state | {"rows": "many"})


def test_the_text_gives_verdicts_first_and_hides_nothing(found: Audit):
    text = audit_text(found)
    lines = text.splitlines()
    assert lines[:4] == [verdict(part) for part in found.parts]
    assert lines[0].startswith("z leaks sex: it tells 0.")
    assert "of H(sex); " in lines[0]
    assert "beyond y" in lines[0]
    assert lines[1].startswith("no leak of race was found")
    rare = found.attributes[1].left_out["c"]
    assert f"left out of what is said about groups, too few rows: c ({rare})" in lines
    for part in found.parts:
        assert f"== {part.name} ==" in lines
        for warning in part.information.warnings:
            assert f"warning: {warning}" in lines
    for probe in found.attributes[0].probes.probes:
        assert f"\n{probe.probe} " in text


def test_the_seed_decides_and_global_generators_are_left_alone(table: dict[str, np.ndarray]):
    state = np.random.get_state()  # noqa: NPY002
    torch_state = torch.random.get_rng_state()
    z, sex = table["z"][:200], table["sex"][:200]
    one, two = (audit(z, sex, estimator="quick", seed=3) for _ in range(2))
    np.testing.assert_equal(np.random.get_state(), state)  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert one == two
    assert one != audit(z, sex, estimator="quick", seed=4)


def test_tensors_frames_and_matrices_are_read(table: dict[str, np.ndarray]):
    pandas = pytest.importorskip("pandas")
    codes = np.stack([table["sex"] == "m", table["race"] == "a"], 1).astype(int)
    frame = pandas.DataFrame(codes, columns=["a", "b"])
    for c, names in ((torch.from_numpy(codes), ("a", "b")), (frame, None), (codes.tolist(), "ab")):
        parts = attributes(c, names)
        assert list(parts) == ["a", "b"]
        for part, column in zip(parts.values(), codes.T, strict=True):
            np.testing.assert_array_equal(part.values, column)
            assert part.discrete
    assert list(attributes(codes)) == ["c[0]", "c[1]"]
    assert not attributes(torch.from_numpy(table["age"]))["c"].discrete
    z, c = table["z"][:100], codes[:100, 0]
    one = audit(torch.from_numpy(z).float(), torch.from_numpy(c), estimator="quick")
    assert one == audit(z.astype(np.float32), pandas.Series(c), estimator="quick")


def test_copies_of_a_row_stay_in_one_half():
    rng = np.random.default_rng(0)
    z = np.repeat(rng.normal(size=(150, 3)), 2, 0)
    c = np.repeat(rng.integers(0, 2, 150), 2)
    (part,) = audit(z, c, estimator="quick").parts
    neighbors = next(p for p in part.probes.probes if p.probe == "neighbors")
    assert (neighbors.accuracy or 1) < 0.65
    assert not part.leaks


def test_groups_by_hand():
    age = grouped("age", np.array([1.0, 2, 3, 4, 5, 6, 7, 8]))
    assert age.groups == ("Q1: 1 to 2", "Q2: 3 to 4", "Q3: 5 to 6", "Q4: 7 to 8")
    assert age.code.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    tied = grouped("x", np.array([0.0] * 7 + [1.5]))
    assert tied.groups == ("Q1: 0 to 0", "Q2: 1.5 to 1.5")
    both = intersection([grouped("s", np.array(list("ffmmffmm"))), age])
    assert both.groups[0] == "f, Q1: 1 to 2"
    assert both.counts.tolist() == [2, 2, 2, 2]


def test_the_interval_of_a_share_is_that_of_its_rows(found: Audit, table: dict[str, np.ndarray]):
    part = found.attributes[0]
    assert part.outcomes is not None
    group = part.outcomes.groups["f"]
    rate = group.figures["accuracy"]
    error = norm.ppf(0.975) * math.sqrt(rate.value * (1 - rate.value) / group.rows)
    assert rate.low == pytest.approx(rate.value - error, abs=0.01)
    assert rate.high == pytest.approx(rate.value + error, abs=0.01)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"z": np.zeros((60, 2, 2))}, r"`z` must have shape \(n, d\), got \(60, 2, 2\)"),
    ({"z": np.full((60, 2), np.nan)}, "`z` has NaN or infinity in 60 rows"),
    ({"z": np.zeros((59, 2))}, "same number of rows; z has 59, c has 60"),
    ({"c": np.zeros(60, int)}, "attribute 'c' has one value only"),
    ({"c": np.full(60, np.nan)}, "attribute 'c' has 60 missing or non-finite values"),
    ({"c": {"sex": [None, *"mf" * 29, "m"]}}, "attribute 'sex' has 1 missing"),
    ({"c": {"sex": np.zeros((60, 2), int)}}, r"attribute 'sex' must have shape \(n,\)"),
    ({"c": {}}, "`c` has no column"),
    ({"c": np.zeros((60, 2, 2))}, r"`c` must have shape \(n,\) or \(n, k\)"),
    ({"names": ["a", "b"]}, "`names` must be 1 different names"),
    ({"c": {"a": np.arange(60) % 2}, "names": ["a"]}, "`names` are for an array"),
    ({"y": np.arange(59) % 2}, "same number of rows; z has 60, y has 59"),
    ({"y": np.ones(60, int)}, "`y` has one value only"),
    ({"y": np.full(60, np.nan)}, "`y` has 60 missing"),
    ({"y": None, "predictions": np.zeros(60)}, "predictions, scores, positive and reference need"),
    ({"predictions": np.zeros(59, int)}, "same number of rows; y has 60, predictions has 59"),
    ({"predictions": np.linspace(0.1, 0.9, 60)}, "`predictions` must be classes, as y is"),
    ({"predictions": ["no"] * 60}, "no prediction is a class of y: predictions hold no, y holds 0"),
    ({"scores": np.full(60, 1.5)}, r"`scores` must be probabilities in \[0, 1\], found 1.5"),
    ({"scores": np.full(60, np.nan)}, "`scores` must be finite numbers"),
    ({"scores": np.full((60, 3), 1 / 3)}, r"`scores` must have shape \(n,\) or \(n, 2\)"),
    ({"scores": np.full((60, 2), 0.3)}, "rows of `scores` must sum to 1"),
    ({"positive": "maybe"}, "`positive` must be one of two classes of y; got 'maybe'"),
    ({"y": np.linspace(0, 1, 60), "scores": np.zeros(60)}, "`scores` and `positive` are for"),
    ({"y": np.linspace(0, 1, 60), "predictions": ["a"] * 60}, "`predictions` must be finite num"),
    ({"reference": 3, "predictions": np.arange(60) % 2}, r"`reference` must be \(y, c\)"),
    ({"reference": ([0, 1], {"d": [0, 1]})}, "`reference` must have the attributes c; got d"),
    ({"reference": ([0, 1, 1], [0, 1])}, "same number of rows; y of the reference has 3"),
    ({"reference": ([0.1, 0.2], [0, 1])}, "`reference` is for classes"),
    ({"estimator": "mine"}, "`estimator` must be one of auto, quick"),
    ({"least_group": 0}, "`least_group` must be an integer at least 1"),
    ({"most_rows": 3}, "`most_rows` must be an integer at least 40"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_bad_input_is_refused(changes: dict[str, Any], message: str):
    good: dict[str, Any] = {
        "z": np.random.default_rng(0).normal(size=(60, 2)),
        "c": np.arange(60) % 2,
        "y": np.arange(60) // 2 % 2,
    }
    with pytest.raises(InfoshedError, match=message):
        audit(**(good | changes))


def test_too_few_rows_are_refused():
    with pytest.raises(InfoshedError, match="an audit needs at least 40 rows, got 30"):
        audit(np.zeros((30, 2)), np.arange(30) % 2)


def test_a_rare_combination_does_not_stop_an_audit():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    b[:3] = [2, 2, 3]
    z = rng.normal(size=(200, 2))
    found = audit(z, {"a": a, "b": b}, estimator="quick")
    assert found.intersection is not None
    assert set(found.intersection.left_out) <= {"0, 2", "1, 2", "0, 3", "1, 3"}
    rows = sum(found.intersection.left_out.values())
    assert f"{rows} rows in all" in found.intersection.notes[0]
    few = np.repeat(np.arange(5), 8)
    alone = audit(z[:40], {"a": few, "b": np.tile(np.arange(8), 5)}, least_group=1,
                  estimator="quick")  # fmt: skip
    assert alone.intersection is None
    assert alone.notes[-1].startswith("a x b was left out: ")


def test_decisions_given_as_scores_are_noticed():
    rng = np.random.default_rng(0)
    y, c = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
    z = rng.normal(size=(100, 1))
    said = "the scores are 0 and 1 only"
    hard = audit(z, c, y, scores=(rng.random(100) > 0.5).astype(float), estimator="quick")
    assert any(note.startswith(said) for note in hard.notes)
    soft = audit(z, c, y, scores=rng.random(100), estimator="quick")
    assert not any(note.startswith(said) for note in soft.notes)


def test_what_linear_judges_cannot_do_given_y_is_not_said_of_linear_probes(found: Audit):
    def line(linear: float) -> str:
        judges = {"linear": linear, "linear-scores": linear - 0.1, "variance": 0.6}
        (said,) = result_warnings(Reading(0.6, 0.5, 0.7, 0.001, 500, judges), 0.6, 2.0, "c")
        return said

    assert "the dependence is mostly nonlinear" in line(-0.01)
    assert "linear ones do worse than guessing" in line(-2.6)
    assert "does not tell whether the dependence is linear" in line(-2.6)
    part = found.attributes[0]
    assert part.given_y is not None
    given = replace(part.given_y, warnings=("few rows", line(-2.6)))
    part = replace(
        part, given_y=given, information=replace(part.information, warnings=("few rows",))
    )
    assert warnings_of(part) == ["few rows", f"given y: {line(-2.6)}"]


def test_a_worst_probe_below_its_rows_is_explained(found: Audit):
    (part, *_) = found.attributes
    best = max(p.nats or 0.0 for p in part.probes.probes)
    low = replace(part.worst_probe, value=best - 0.01)
    below = replace(part, probes=replace(part.probes, worst=part.probes.worst | {"nats": low}))
    assert "picked on one half of the judged rows" in (worst_note(below) or "")
    level = replace(low, value=best)
    level = replace(part, probes=replace(part.probes, worst=part.probes.worst | {"nats": level}))
    assert worst_note(level) is None


class Stop(Exception):
    """The work begins."""


def stopping(heard: list[str]) -> Callable[[str], None]:
    def say(text: str) -> None:
        heard.append(text)
        raise Stop

    return say


def many_values(n: int, values: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """z, and an attribute of so many equally common values beside one of two."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)), {"sex": np.arange(n) % 2, "town": np.arange(n) % values}


@pytest.mark.parametrize(("n", "values", "read"), [(600, 30, 600), (2000, 21, 400)])
def test_too_few_rows_for_many_values_are_told_before_the_work(n: int, values: int, read: int):
    z, c = many_values(n, values)
    heard: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(Stop):
            audit(z, c, estimator="quick", most_rows=read, say=stopping(heard))
    assert heard == ["sex, information"]
    (warning,) = caught
    assert warning.category is FewRowsWarning
    assert Path(warning.filename) == Path(__file__)
    assert str(warning.message).startswith(
        f"too few rows for the values of town: {values} of its {values} values have fewer than 50 "
        f"of the {read} rows that are read, and"
    )


@pytest.mark.filterwarnings("ignore::infoshed.auditing.perform.FewRowsWarning")
def test_values_that_are_too_rare_get_no_all_clear():
    z, c = many_values(300, 30)
    found = audit(z, c, estimator="quick")
    sex, town = found.attributes
    assert (sex.sparse, town.sparse) == (False, True)
    assert verdict(sex).startswith("no leak of sex was found: z tells at most")
    assert not town.leaks
    assert verdict(town).startswith(
        "whether z leaks town cannot be told: most rows have one of its 30 values that fewer than "
        "50 rows share"
    )
    assert town.upper_share == 1.0
    assert sex.upper_share is not None
    assert sex.upper_share < 0.2
    # What is found in spite of that is a leak.
    leak = audit(np.column_stack([z, c["town"] % 3]), {"town": c["town"]}, estimator="quick")
    assert verdict(leak.attributes[0]).startswith("z leaks town")


def test_enough_rows_for_many_values_are_no_warning():
    z, c = many_values(1500, 30)  # 50 of each; warnings are errors here
    with pytest.raises(Stop):
        audit(z, c, estimator="quick", say=stopping([]))
    z, c = many_values(100, 20)
    with pytest.raises(Stop):
        audit(z, c, estimator="quick", say=stopping([]))


def test_an_attribute_of_ids_is_refused_before_the_work():
    z, c = many_values(100, 90)
    heard: list[str] = []
    with pytest.raises(InfoshedError, match="80 of 100 rows have a value of town that no other"):
        audit(z, c, estimator="quick", say=stopping(heard))
    assert heard == []


@pytest.mark.parametrize("by", ["test", "probe", "both"])
def test_a_leak_whose_interval_starts_at_nothing_says_what_found_it(by: str):
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, 400)
    (part,) = audit(sex[:, None] + rng.normal(size=(400, 2)), {"sex": sex}, estimator="quick").parts
    p, low = 0.011 if by != "probe" else 0.4, 0.001 if by != "test" else -0.1
    information = replace(part.information, low=0.0, high=0.3, null_p=p)
    worst = part.probes.worst | {"nats": replace(part.worst_probe, value=0.1, low=low, high=0.2)}
    made = replace(part, information=information, probes=replace(part.probes, worst=worst))
    assert made.leaks
    said = verdict(made)
    assert ("is the permutation test's, p = 0.011" in said) == (by != "probe")
    assert ("a fresh probe finds 0.1" in said) == (by == "probe")
