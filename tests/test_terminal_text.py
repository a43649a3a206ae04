"""Text for the terminal."""

import math
import os

import pytest

from infoshed import DataSet, fit, progress, tables

SENTENCE = "advice: " + "collect rows of these cells " * 10
ROW = "label" + "  0" * 60


def test_sentences_fold_to_the_terminal_and_rows_of_tables_do_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(tables.shutil, "get_terminal_size", lambda: os.terminal_size((60, 20)))
    folded = tables.folded(f"{SENTENCE}\n\n{ROW}")
    lines = folded.splitlines()
    assert lines[-1] == ROW
    assert max(map(len, lines[:-1])) <= 60
    assert " ".join(folded.split()) == " ".join(f"{SENTENCE} {ROW}".split())
    assert "\n\n" in folded


def test_text_for_files_and_pipes_is_left_alone():
    assert tables.folded(SENTENCE) == SENTENCE


@pytest.mark.parametrize(
    ("last", "text"),
    [
        ({}, None),
        (
            {"budget": 0.1, "strength": 1e-4, "mi_held_out": 0.03},
            "0.1, not binding: 0.03 of I(Z;C)",
        ),
        ({"budget": 0.1, "strength": 0.2, "mi_held_out": 0.11}, "0.1, held: 0.11 of I(Z;C) on"),
        ({"budget": 0.1, "strength": 9.9, "mi_held_out": 0.3}, "0.1, not held: 0.3 of I(Z;C) on"),
        ({"budget": 0.1, "strength": 5e-4, "mi_held_out": 0.3}, "0.1, not held: 0.3 of I(Z;C) on"),
        ({"budget": 0.0, "strength": 9.9, "mi_held_out": 0.001}, "0, held: 0.001 of"),
        ({"budget": 0.1, "strength": 0.2}, "0.1, not measured; alarm in 1 of 2 epochs"),
        ({"budget": 0.1, "strength": 0.2, "mi_held_out": math.nan}, "0.1, not measured"),
    ],
)
def test_how_a_budget_was_kept(table: DataSet, last: dict[str, float], text: str | None):
    run = fit(table, "plain", epochs=1)
    run.metrics = [{"alarm": float("alarm" in str(text))}, last]
    found = tables.budget_text(run)
    assert found is None if text is None else str(found).startswith(text)


def test_the_budget_of_a_part_is_its_own(table: DataSet):
    run = fit(table, "plain", epochs=1)
    parts = {"budget_sex": 0.1, "strength_sex": 0.3, "mi_held_out_sex": 0.09}
    run.metrics = [parts | {"budget_age": 0.2, "strength_age": 1e-4}]
    assert tables.budget_text(run, "sex") == "0.1, held: 0.09 of I(Z;C) on validation rows"
    assert str(tables.budget_text(run, "age")) == "0.2, not measured"
    assert tables.budget_text(run) is None


def test_a_budget_that_the_alarm_raised_is_said_to_be(table: DataSet):
    run = fit(table, "plain", epochs=1)
    run.metrics = [
        {"budget": budget, "strength": 0.1, "mi_held_out": 0.2, "alarm": 1.0}
        for budget in (0.1, 0.225)
    ]
    assert tables.budget_text(run) == (
        "0.225 (raised from 0.1 by the alarm), held: 0.2 of I(Z;C) on validation rows; "
        "alarm in 2 of 2 epochs"
    )


def test_epochs_are_lines_where_there_is_no_terminal(
    table: DataSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress, "LINE_SECONDS", math.inf)
    run = fit(table, "mi", epochs=2, seed=0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    fit(table, "mi", epochs=2, seed=0)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{table.name} mi epoch 1/2  loss {run.metrics[0]['task_loss']:.3f}")
    assert f"MI {run.metrics[1]['mi']:.3f} nats" in second
    fit(table, "mi", epochs=2, seed=0, quiet=True)
    assert capsys.readouterr().err == ""
