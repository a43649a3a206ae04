"""Text for the terminal."""

import os

import pytest

from infoshed import tables

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
