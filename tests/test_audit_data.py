"""`infoshed.audit_data`: information against closed forms and counting, verdicts, cells."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from infoshed import DataAudit, InfoshedError, audit_data
from infoshed.auditing.text import data_text


def tied(n: int, agreement: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fair y and c that agree with this probability."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return y, np.where(rng.random(n) < agreement, y, 1 - y)


def only(found: DataAudit):
    (table,) = found.tables
    return table


def test_the_interval_holds_the_information_of_a_channel():
    truth = math.log(2) + 0.8 * math.log(0.8) + 0.2 * math.log(0.2)
    covered = []
    for seed in range(50):
        information = only(audit_data(*tied(400, 0.8, seed), seed=seed)).information
        assert information.low is not None
        assert information.high is not None
        covered.append(information.low <= truth <= information.high)
    assert np.mean(covered) >= 0.88


def test_no_more_is_told_than_there_is():
    y, _ = tied(801, 0.5, 0)
    information = only(audit_data(y, y)).information
    p = y.mean()
    assert information.value == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p))
    assert information.high == information.value


def test_p_values_are_those_of_a_test_of_independence():
    p = [only(audit_data(*tied(300, 0.5, seed), seed=seed)).p for seed in range(40)]
    assert np.mean(np.array(p) < 0.05) <= 0.15
    assert np.mean(np.array(p) < 0.5) == pytest.approx(0.5, abs=0.2)
    y, c = tied(2000, 0.54, 0)
    counts = np.zeros((2, 2))
    np.add.at(counts, (y, c), 1)
    reference: Any = chi2_contingency(counts, correction=False, lambda_="log-likelihood")
    assert only(audit_data(y, c)).p == pytest.approx(reference.pvalue, abs=0.02)


def test_cells_entropies_and_effective_rows_by_hand():
    y = np.repeat(["no", "no", "yes", "yes"], [40, 10, 10, 40])
    c = np.repeat(["f", "m", "f", "m"], [40, 10, 10, 40])
    table = only(audit_data(y, c, names=["sex"], target_name="label", least_cell=20))
    assert (table.classes, table.groups) == (("no", "yes"), ("f", "m"))
    assert table.counts == ((40, 10), (10, 40))
    assert table.y_entropy == pytest.approx(math.log(2))
    assert table.c_entropy == pytest.approx(math.log(2))
    # Weights 0.25 / 0.4 and 0.25 / 0.1.
    w = np.repeat([0.625, 2.5, 2.5, 0.625], [40, 10, 10, 40])
    assert table.effective_rows == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert table.empty == ()
    assert table.tiny == {"label = no, sex = m": 10, "label = yes, sex = f": 10}
    assert table.chance == 0.5
    assert table.guess.value == 0.8


def test_guessing_leaves_the_row_itself_out():
    rng = np.random.default_rng(0)
    y, c = rng.integers(0, 2, 120), rng.integers(0, 50, 120)
    table = only(audit_data(y, c))
    one_hot = np.eye(50)[c]
    guess: Any = cross_val_predict(
        DecisionTreeClassifier(random_state=0), one_hot, y, cv=LeaveOneOut()
    )
    # Ties between classes are broken differently.
    assert table.guess.value == pytest.approx((guess == y).mean(), abs=0.12)
    fitted = DecisionTreeClassifier().fit(one_hot, y).score(one_hot, y)
    assert fitted > table.guess.value + 0.15
    # A row whose value no other row has knows nothing: a code of its own gives nothing away.
    alone = only(audit_data(np.arange(60) % 2, np.arange(60)))
    assert alone.guess.value == 0.5
    # An even y and c that tells nothing: the other rows guess wrong, ignoring c is right half the
    # time.
    even = only(audit_data(np.arange(40) % 2, np.arange(40) // 20))
    assert even.guess.value == even.chance == 0.5
    assert alone.verdict in ("unclear", "independent")


@pytest.mark.parametrize(
    ("agreement", "n", "verdict", "advice"),
    [
        (0.5, 20_000, "independent", "debiasing is pointless here"),
        (0.5, 60, "unclear", "too few rows to tell"),
        (0.53, 20_000, "weak", "tied, but weakly"),
        (0.8, 2000, "tied", "use the conditional form"),
        (1.0, 2000, "determined", "debiasing is impossible with these rows: sex determines label"),
    ],
)
def test_verdicts_and_advice(agreement: float, n: int, verdict: str, advice: str):
    y, c = tied(n, agreement, 1)
    found = audit_data(y, {"sex": c}, target_name="label")
    table = only(found)
    assert table.verdict == verdict
    assert advice in table.advice[0]
    assert data_text(found).startswith(table.advice[0])
    assert any("collect rows of these cells" in line for line in table.advice) == (
        agreement == 1.0 or n == 60
    )


def test_empty_cells_and_few_effective_rows_are_said():
    y, c = tied(3000, 0.99, 0)
    table = only(audit_data(y, c))
    assert table.verdict == "tied"
    assert table.effective_rows < 300
    assert any(f"an effective {table.effective_rows:,.0f} of 3,000" in s for s in table.advice)
    y, c = tied(3000, 0.8, 0)
    c = np.where((y == 0) & (c == 1), 2, c)
    table = only(audit_data(y, c))
    assert table.empty == ("y = 1, c = 2",) or "y = 0, c = 1" in table.empty
    assert any("no weight brings back a cell without rows" in line for line in table.advice)
    assert f"{table.empty[0]} (0 rows)" in " ".join(table.advice)


def test_rare_values_do_not_fake_a_tie():
    verdicts = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = only(audit_data(rng.integers(0, 2, 1000), rng.integers(0, 900, 1000), seed=seed))
        verdicts.append(table.verdict)
        assert table.information.value < 0.08  # 0.35 with the usual correction
        assert table.information.low == pytest.approx(0, abs=0.02)
        assert table.guess.value < 0.6
    assert verdicts.count("unclear") >= 9  # a p-value below 0.05 in one of twenty


def test_a_tie_through_rare_values_is_inside_the_interval():
    # 300 values of c, each of which says y with certainty 0.9: few rows for each.
    truth = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    rng = np.random.default_rng(0)
    c = rng.integers(0, 300, 1000)
    y = np.where(rng.random(1000) < 0.9, c % 2, 1 - c % 2)
    information = only(audit_data(y, c)).information
    assert information.low is not None
    assert information.high is not None
    assert information.low < truth < information.high
    assert information.value == pytest.approx(truth, abs=0.08)


def test_tables_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    y, c = rng.integers(0, 3, 500), rng.integers(0, 4, 500)
    whole = audit_data(y, c)
    monkeypatch.setattr("infoshed.auditing.data.MOST_CELLS_AT_ONCE", 100)
    assert audit_data(y, c) == whole


def test_several_attributes_and_their_intersection():
    y, first = tied(1500, 0.7, 0)
    second = np.random.default_rng(1).integers(0, 2, 1500)
    # y is decided by neither alone.
    y = first ^ second
    found = audit_data(y, {"a": first, "b": second})
    a, b, both = found.tables
    assert both.attribute == "a x b"
    assert a.p > 0.05
    assert b.p > 0.05
    assert both.verdict == "determined"
    assert both.information.value == pytest.approx(math.log(2), abs=0.01)
    assert both.guess.value == 1.0


def test_quantities():
    rng = np.random.default_rng(0)
    c = rng.normal(size=1500)
    y = (c + rng.normal(size=1500) > 0).astype(int)
    table = only(audit_data(y, c, names=["age"], estimator="quick"))
    assert table.verdict == "tied"
    assert len(table.groups) == 4
    assert table.groups[0].startswith("Q1: ")
    assert table.c_entropy is None
    # arcsin's law: the sign of the sum agrees with that of c in 3 of 4 rows.
    assert table.guess.value == pytest.approx(0.75, abs=0.03)
    target = c + rng.normal(size=1500)
    group = (c > 0).astype(int)
    found = audit_data(target, group, target_name="wage", estimator="quick")
    table = only(found)
    assert found.quantity
    assert table.y_entropy is None
    assert table.chance == 0.0
    # Means of +-sqrt(2/pi) against a variance of 2.
    assert table.guess.value == pytest.approx(2 / math.pi / 2, abs=0.05)
    assert table.guess.low is not None
    assert table.guess.high is not None
    assert table.guess.low < 1 / math.pi < table.guess.high
    assert "R^2 of wage from c alone" in data_text(found)


def test_json_there_and_back():
    found = audit_data(*tied(300, 0.8, 0))
    state = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert DataAudit.from_dict(state) == found
    with pytest.raises(InfoshedError, match="not the record of DataAudit"):
        DataAudit.from_dict({})


def test_the_seed_decides():
    y, c = tied(300, 0.7, 0)
    assert audit_data(y, c, seed=1) == audit_data(y, c, seed=1)
    assert audit_data(y, c, seed=1) != audit_data(y, c, seed=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(40, int)}, "'y' has one value only"),
        ({"y": [None, *"ab" * 19, "a"]}, "`y` has 1 missing values"),
        ({"y": np.zeros((40, 2))}, r"`y` must have shape \(n,\)"),
        ({"y": np.arange(39) % 2}, "same number of rows; y has 39, c has 40"),
        ({"c": np.ones(40, int)}, "attribute 'c' has one value only"),
        ({"c": [None, *"ab" * 19, "a"]}, "attribute 'c' has 1 missing"),
        ({"y": [0, 1], "c": [0, 1]}, "at least 20 rows are needed, got 2"),
        ({"least_cell": 0}, "`least_cell` must be an integer at least 1"),
        ({"estimator": "mine"}, "`estimator` must be one of auto, quick"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, Any], message: str):
    good: dict[str, Any] = {"y": np.arange(40) % 2, "c": np.arange(40) // 2 % 2}
    with pytest.raises(InfoshedError, match=message):
        audit_data(**(good | changes))


def test_advice_names_the_cells_that_are_missed_most():
    rng = np.random.default_rng(0)
    y = rng.choice(20, 4000, p=np.arange(20, 0, -1) / 210)
    c = (y + rng.integers(0, 2, 4000)) % 20  # most cells are empty
    (found,) = audit_data(y, c).tables
    (line,) = (line for line in found.advice if line.startswith("collect rows"))
    named = line.partition("each: ")[2].split("; ")
    assert len(named) == 9
    left = len(found.empty) + len(found.tiny) - 8
    assert named[-1] == f"and {left:,} more, less common ones"
    counts = np.array(found.counts)
    lacking = np.outer(counts.sum(1), counts.sum(0)) * (counts == 0)
    i, j = np.unravel_index(lacking.argmax(), counts.shape)
    assert named[0] == f"y = {found.classes[i]}, c = {found.groups[j]} (0 rows)"
