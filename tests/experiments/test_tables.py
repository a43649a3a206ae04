"""Tables and figures, of rows made by hand."""

import csv
import importlib.util
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

from infoshed.experiments import EXPERIMENTS
from infoshed.experiments.base import Row
from infoshed.experiments.published import PUBLISHED
from infoshed.experiments.selection import RULE
from infoshed.experiments.summary import summarize
from infoshed.experiments.tables import ORACLE, markdown, markdown_table, table_csv, write_documents

MNIST = EXPERIMENTS["colored-mnist"]


@pytest.fixture
def rows(make_row: Callable[..., Row]) -> list[Row]:
    """`mi`, for which the rule takes strength 1 and the oracle 3; `plain`, of which a seed failed;
    a method that failed at all."""
    return [
        make_row(strength=1.0, seed=0, accuracy=0.90, j=0.5),
        make_row(strength=3.0, seed=0, accuracy=0.95, j=0.6),
        make_row(strength=1.0, seed=1, accuracy=0.80),
        make_row("plain", None, seed=0, accuracy=0.4),
        make_row("plain", None, seed=1, error="NonFiniteError: task_loss became non-finite"),
        make_row("plain", None, seed=0, accuracy=0.6, params={"sigma2": 0.05}),
        make_row("lntl", 1.0, seed=0, error="RuntimeError: oops | no"),
    ]


def test_entries_are_over_seeds_by_strength(rows: list[Row]):
    first, second, plain, *_ = summarize(rows, "accuracy_unbiased")
    assert first.figures["accuracy_unbiased"] == pytest.approx((0.85, 0.8, 0.9))
    assert (first.strength, first.seeds, first.failed) == (1.0, 2, 0)
    assert first.score == pytest.approx(0.75)
    assert (first.chosen, first.oracle) == (True, False)
    assert (second.chosen, second.oracle) == (False, True)
    assert (plain.seeds, plain.failed, plain.chosen) == (1, 1, True)
    assert plain.errors == ("seed 1: NonFiniteError: task_loss became non-finite",)


def test_the_oracle_compares_the_same_seeds(make_row: Callable[..., Row]):
    rows = [make_row(strength=1.0, accuracy=0.9), make_row(strength=3.0, accuracy=0.8)]
    rows.append(make_row(strength=1.0, seed=1, accuracy=0.1))
    assert [entry.oracle for entry in summarize(rows, "accuracy_unbiased")] == [True, False]
    assert not any(entry.oracle for entry in summarize(rows, None))


def test_the_page_shows_chosen_oracle_published_and_failed(rows: list[Row]):
    text = markdown(MNIST, rows)
    assert RULE in text
    assert "| mi | 85.0 (80.0 to 90.0) [n 2, λ 1] |  |" in text
    assert "| plain | 40.0 [n 1, 1 failed] | 60.0 [n 1] |" in text
    assert text.index(ORACLE) < text.index("| mi | 95.0 [n 1, λ 3] |")
    assert "81.9 | 88.5" in text
    assert "5 runs and 2 failed ones" in text
    assert "- plain, sigma2=0.02 epochs=3, seed 1: NonFiniteError" in text
    assert "RuntimeError: oops" in text
    assert "No runs yet" in markdown(MNIST, [])


def test_rows_of_other_settings_are_not_pooled(make_row: Callable[..., Row]):
    rows = [make_row(accuracy=0.5), make_row(accuracy=0.9, settings={"epochs": 10})]
    assert [e.figures["accuracy_unbiased"].mean for e in summarize(rows, None)] == [0.5, 0.9]


def test_the_csv_holds_every_strength_in_full(rows: list[Row]):
    lines = list(csv.DictReader(StringIO(table_csv(summarize(rows, "accuracy_unbiased")))))
    assert len(lines) == 5
    assert float(lines[0]["accuracy_unbiased_mean"]) == pytest.approx(0.85)
    assert (lines[0]["strength"], lines[0]["seeds"], lines[0]["chosen"]) == ("1.0", "2", "1")
    assert [line["oracle"] for line in lines[:2]] == ["0", "1"]
    assert lines[2]["failed"] == "1"


def test_fronts_are_read_between_strengths(make_row: Callable[..., Row]):
    fairness = EXPERIMENTS["fairness"]
    points = {1.0: (0.1, 0.8), 3.0: (0.0, 0.7)}
    rows = [
        make_row("exact", s, j=None, experiment="fairness", table="adult", params={})
        | {"figures": {"gap_parity": g, "accuracy_test": a, "accuracy_constant": 0.6}}
        for s, (g, a) in points.items()
    ]
    text = markdown(fairness, rows)
    assert "| exact | 2 | 72.0 | 75.0 | 80.0 | 80.0 | 76.7 |" in text
    # Without figures for the rule every strength is shown.
    assert text.index("| exact | 1 | 1 | 80.0 | 0.100 |") < text.index("| exact | 3 | 1 | 70.0 |")
    assert text.index("| exact | 3 | 1 | 70.0 |") < text.index("Every strength")


def test_bars_inside_cells_are_escaped():
    assert markdown_table(["I(Z;C|Y)"], [["1"]]).splitlines() == [
        "| I(Z;C\\|Y) |",
        "|---|",
        "| 1 |",
    ]


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="no matplotlib")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_figures_are_drawn_and_a_table_stands_beside(
    name: str, make_row: Callable[..., Row], tmp_path: Path
):
    experiment = EXPERIMENTS[name]
    table = next(iter(experiment.titles))
    figures = dict.fromkeys([*experiment.columns, "accuracy_unbiased", "accuracy_constant"], 0.25)
    rows = [
        make_row(contender, s, experiment=name, table=table, params={"sigma2": sigma2})
        | {"figures": figures}
        for contender in ("mi", "club")
        for s in (0.3, 1.0)
        for sigma2 in (0.02, 0.05)
    ]
    written = write_documents(experiment, rows, tmp_path)
    assert [path.suffix for path in written] == [".md", ".csv", ".svg"]
    svg = ElementTree.parse(written[2]).getroot()
    assert svg.get("role") == "img"
    assert svg.get("aria-label")
    shown = " ".join(element.text or "" for element in svg.iter())
    assert "mi" in shown
    assert ("other methods" if experiment.trade_off else "club") in shown
    assert f"]({written[2].name})" in written[0].read_text()
    before = [path.read_bytes() for path in written]
    write_documents(experiment, rows, tmp_path)
    assert [path.read_bytes() for path in written] == before


def test_without_matplotlib_there_are_tables(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    written = write_documents(MNIST, rows, tmp_path)
    assert [path.name for path in written] == ["colored-mnist.md", "colored-mnist.csv"]
    assert write_documents(MNIST, [], tmp_path / "none") == []


def test_published_figures_fit_the_tables():
    for row in PUBLISHED:
        experiment = EXPERIMENTS[row.experiment]
        assert row.table in experiment.titles
        if experiment.axis is None:
            assert set(row.values) <= set(experiment.columns)
        for name, value in row.values.items():
            low, high = (0, 1) if name.startswith("gap") else (20, 100)
            assert low <= value <= high
    ours = next(r for r in PUBLISHED if "2003.06430" in r.method and r.table == "rerun")
    assert list(ours.values.values()) == [83.0, 85.2, 90.3, 94.3, 95.0, 96.0, 97.1]
