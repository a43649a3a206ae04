"""One setting picked from the rows of a sweep, from biased data, and how it is shown."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from infoshed import InfoshedError
from infoshed.experiments import runner
from infoshed.experiments.base import Row
from infoshed.experiments.choice import choose, oracle, oracle_line, read_sweep, to_dict, verdict
from infoshed.experiments.trade_off import page, write_sweep

NOWHERE = Path("nowhere")


def grid_rows(make_row: Callable[..., Row], **changes: Any) -> list[Row]:
    """Two seeds of three strengths; J is least at 1, the unbiased test best at 3."""
    figures = {0.3: ((0.9, 0.7), 0.6), 1.0: ((0.5, 0.7), 0.7), 3.0: ((0.4, 0.9), 0.82)}
    return [
        make_row(strength=strength, seed=seed, j=j, accuracy=accuracy, **changes)
        for strength, (js, accuracy) in figures.items()
        for seed, j in enumerate(js)
    ]


def test_a_folder_has_a_name_that_every_disk_takes(make_row: Callable[..., Row]):
    (row, *_) = grid_rows(make_row)
    strengths = {"ä" * 60: 0.3, "b/../c" * 60: 1.0}
    name = runner.folder_name(row | {"options": {"strength": strengths}, "seed": 7})
    assert len(name.encode()) < 100
    assert re.fullmatch(r"strength-[\w.-]*-seed7-\w{8}", name, re.ASCII)


def test_the_least_j_is_chosen_and_the_others_are_ranked(
    make_row: Callable[..., Row], tmp_path: Path
):
    rows = grid_rows(make_row)
    (tmp_path / rows[3]["key"]).mkdir()
    choice = choose(rows, tmp_path)[0]
    assert choice.chosen is not None
    assert [entry.strength for entry in choice.entries] == [1.0, 3.0, 0.3]
    assert choice.chosen.figures["j"] == pytest.approx((0.6, 0.5, 0.7))
    assert choice.folders == {1: tmp_path / rows[3]["key"]}
    assert verdict(choice) == [
        "chosen: strength 1",
        "runners-up: strength 3 (J larger by 0.050), strength 0.3 (J larger by 0.200)",
        "within the spread of 2 seeds: strength 3, strength 0.3; more seeds would tell better",
        f"run folder, seed 1: {tmp_path / rows[3]['key']}",
    ]


def test_one_seed_is_said_to_be_one(make_row: Callable[..., Row]):
    rows = [make_row(strength=strength, seed=0, j=strength) for strength in (0.3, 1.0)]
    assert any(line.startswith("one seed each") for line in verdict(choose(rows, NOWHERE)[0]))
    (only,) = choose(rows[:1], NOWHERE)
    assert not any(line.startswith("one seed each") for line in verdict(only))
    apart = [make_row(strength=s, seed=seed, j=s + seed / 9) for s in (0.3, 1.0) for seed in (0, 1)]
    assert not any(line.startswith("within the") for line in verdict(choose(apart, NOWHERE)[0]))


def test_only_seeds_that_all_have_are_compared(make_row: Callable[..., Row]):
    rows = [*grid_rows(make_row), make_row(strength=3.0, seed=2, j=0.0)]
    choice = choose(rows, NOWHERE)[0]
    assert choice.chosen is not None
    assert choice.chosen.strength == 1.0
    assert choice.left_out == 1
    assert "left out: 1 runs of seeds that not every setting has" in verdict(choice)


def test_a_setting_with_a_failed_run_is_never_chosen(make_row: Callable[..., Row]):
    rows = [*grid_rows(make_row), *(
        make_row(strength=10.0, seed=seed, j=0.0, error="NonFiniteError: x" if seed else None)
        for seed in (0, 1)
    )]  # fmt: skip
    choice = choose(rows, NOWHERE)[0]
    assert choice.chosen is not None
    assert choice.chosen.strength == 1.0
    assert choice.entries[-1].strength == 10.0
    assert "failed: strength 10, seed 1: NonFiniteError: x" in verdict(choice)
    assert "strength 10 (" not in verdict(choice)[1]


def test_methods_and_data_sets_are_chosen_for_apart(make_row: Callable[..., Row]):
    rows = [row for name in ("mi", "dann") for row in grid_rows(make_row, contender=name)]
    rows += grid_rows(make_row, params={"sigma2": 0.05})
    titles = [choice.title for choice in choose(rows, NOWHERE)]
    assert titles == [
        "colored-mnist sigma2=0.02 epochs=3, mi",
        "colored-mnist sigma2=0.02 epochs=3, dann",
        "colored-mnist sigma2=0.05 epochs=3, mi",
    ]


def test_the_oracle_sees_the_test_and_the_choice_does_not(make_row: Callable[..., Row]):
    rows = grid_rows(make_row)
    choice = choose(rows, NOWHERE)[0]
    found = oracle(choice, "unbiased")
    assert found is not None
    assert found.best.strength == 3.0
    assert (found.value, found.chosen) == pytest.approx((0.82, 0.7))
    assert found.regret == pytest.approx(12)
    assert "82" not in page([choice], None)
    assert "rewards what reads the bias" not in oracle_line(found, choice.score)
    biased = oracle(choice, "biased")
    assert biased is not None
    assert "rewards what reads the bias" in oracle_line(biased, choice.score)
    assert "oracle, not available in practice" not in to_dict([choice], None)["choices"][0]
    turned = [
        row | {"figures": {"accuracy_unbiased": 1 - row["figures"]["accuracy_unbiased"]}}
        for row in rows
    ]
    assert verdict(choose(turned, NOWHERE)[0]) == verdict(choice)
    for split in ("validation", "other"):
        with pytest.raises(InfoshedError, match="must be a test split, unbiased or biased"):
            oracle(choice, split)


def test_figures_of_a_test_are_given_where_it_is_asked_for(make_row: Callable[..., Row]):
    choices = choose(grid_rows(make_row), NOWHERE)
    (blind,), (seen,) = (to_dict(choices, split)["choices"] for split in (None, "unbiased"))
    assert not any("accuracy_unbiased" in entry for entry in blind["entries"])
    assert [entry["accuracy_unbiased"][0] for entry in seen["entries"]] == pytest.approx(
        [0.7, 0.82, 0.6]
    )


def test_rows_of_experiments_can_be_chosen_from_too(make_row: Callable[..., Row], tmp_path: Path):
    from infoshed.experiments.rows import append_row

    for row in grid_rows(make_row):
        append_row(tmp_path / "digits.jsonl", row)
    choice = choose(*read_sweep(tmp_path / "digits.jsonl"))[0]
    assert choice.chosen is not None
    assert choice.chosen.strength == 1.0
    with pytest.raises(InfoshedError, match=r"no runs in .*rows\.jsonl; make some with"):
        read_sweep(tmp_path)


def test_the_page_has_a_table_and_a_figure(
    make_row: Callable[..., Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("matplotlib")
    rows = grid_rows(make_row)
    for row in rows:
        row["figures"]["accuracy_validation"] = 0.9
    choices = choose(rows, NOWHERE)
    names = [path.name for path in write_sweep(choices, tmp_path)]
    assert names == ["sweep.md", "sweep.csv", "trade-off.svg", "report.html"]
    svg = ElementTree.parse(tmp_path / "trade-off.svg")
    words = [element.text for element in svg.iter() if element.tag.endswith("text")]
    assert {"strength 0.3", "strength 1, chosen", "strength 3"} <= set(words)
    text = (tmp_path / "sweep.md").read_text()
    assert "| strength 1 | 2 | 0.600 (0.500 to 0.700) |" in text
    assert "(trade-off.svg)" in text
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bare = tmp_path / "bare"
    bare.mkdir()
    assert [path.name for path in write_sweep(choices, bare)] == ["sweep.md", "sweep.csv"]
    assert "svg" not in (bare / "sweep.md").read_text()
