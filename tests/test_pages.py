"""The pages of audits, tables and sweeps: one frame, harmless names, a table behind every chart."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from infoshed import Audit, audit, audit_data
from infoshed.auditing.text import verdict
from infoshed.experiments.choice import choose
from infoshed.report import RunContent
from infoshed.report.audit import AuditContent, Training, headline, render_audit
from infoshed.report.data import DataContent, render_data_audit
from infoshed.report.sweep import SweepContent, render_sweep

HOSTILE = "<script>alert('x')</script> & \"q\" \x00"
N = 300


def text_of(html: str) -> str:
    parser = HTMLParser()
    parts: list[str] = []
    parser.handle_data = parts.append  # type: ignore[method-assign]
    parser.feed(html)
    return " ".join("".join(parts).split())


def check_page(html: str) -> None:
    """Self-contained, every chart named and with a table behind it, ids unique, links whole."""
    assert html.startswith("<!DOCTYPE html>")
    assert "<script" not in html
    assert "\x00" not in html
    html.encode("utf-8")
    ids = re.findall(r'\sid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'(?:href|aria-labelledby)="#?([^"]*)"', html):
        assert target in ids or target.startswith("data:image/png;base64,")
    assert not re.search(r'\s(?:src|srcset|action)="(?!data:)', html)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    charts = re.findall(r"<svg[^>]*aria-label=\"[^\"]+\"", html)
    assert charts
    assert len(charts) == html.count("<svg")
    figures = re.findall(r"</figure>\s*<details>.*?<table>", html, re.DOTALL)
    assert len(figures) == len(charts)
    assert "None" not in text_of(html)
    assert "nan" not in text_of(html).split()


@pytest.fixture(scope="module")
def people() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    sex = np.where(rng.random(N) < 0.85, y, 1 - y)
    z = rng.normal(size=(N, 3))
    z[:, 0] += 2 * sex
    score = 1 / (1 + np.exp(-z[:, 0]))
    return {
        "z": z, "y": np.array(["no", HOSTILE])[y], "score": score,
        "c": {HOSTILE: np.array([HOSTILE, "m"])[sex], "race": rng.integers(0, 2, N)},
        "age": 30.5 + z[:, 0] + rng.normal(size=N),
    }  # fmt: skip


@pytest.fixture(scope="module")
def found(people: dict[str, Any]) -> Audit:
    return audit(
        people["z"], people["c"], people["y"], scores=people["score"], target_name=HOSTILE,
        positive="no", estimator="quick",
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone() -> Audit:
    """Of one attribute that z tells nothing about, without y."""
    z = np.random.default_rng(1).normal(size=(100, 2))
    return audit(z, np.arange(100) % 2, estimator="quick")


def test_an_audit_says_what_was_found_in_words_and_tables(found: Audit):
    epochs = [{"epoch": e, "mi": 0.5 / e, "mi_gap": 0.01, "strength": 1.0} for e in (1, 2, 3)]
    runs = [RunContent("mi", 0, {}, epochs, {}, information="I(Z;C|Y)")]
    html = render_audit(
        AuditContent(
            found, HOSTILE, before=(HOSTILE, found), settings={HOSTILE: HOSTILE},
            training=Training(runs, HOSTILE, 0.69, 0.1), command=f"infoshed audit '{HOSTILE}'",
            versions={"numpy": np.__version__},
        )
    )  # fmt: skip
    check_page(html)
    text = text_of(html)
    for word in ("What was done", "Before and after", "Leakage by probe", "Permutation test",
                 "Accuracy by race", "Gaps between groups", "Gap of the critic", "no leak of race",
                 "fresh probes", "To run it again", np.__version__):  # fmt: skip
        assert word in text
    assert "Strength" not in text  # it did not change
    accuracy = found.attributes[1].outcomes
    assert accuracy is not None
    value = accuracy.groups["0"].figures["accuracy"]
    assert f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})" in text

    assert len(html.encode()) < 500_000


def test_one_attribute_alone_has_a_short_page(alone: Audit):
    html = render_audit(AuditContent(alone, "z.npy"))
    check_page(html)
    sentence = headline(AuditContent(alone, "z.npy"))[0]
    assert sentence == verdict(alone.attributes[0]).replace("no leak", "No leak", 1) + "."
    for absent in ("Before and after", "Predictions by group", "To run it again", "Training"):
        assert absent not in text_of(html)


def test_the_same_audit_gives_the_same_page(alone: Audit):
    again = Audit.from_dict(json.loads(json.dumps(alone.to_dict())))
    assert render_audit(AuditContent(again, "z")) == render_audit(AuditContent(alone, "z"))


def test_quantities_have_a_page_too(people: dict[str, Any]):
    target = people["z"][:, 0] + people["z"][:, 1]
    html = render_audit(
        AuditContent(
            audit(people["z"], {"age": people["age"]}, target, predictions=target + 0.1,
                  estimator="quick"), "z",
        )
    )  # fmt: skip
    check_page(html)
    assert "R^2" in text_of(html)
    assert "MAE gap" in html
    assert "in units of y" in html


def test_a_table_has_a_page(people: dict[str, Any]):
    found = audit_data(people["y"], people["c"], target_name=HOSTILE)
    html = render_data_audit(DataContent(found, HOSTILE, {"seed": "0"}, "infoshed audit-data x"))
    check_page(html)
    text = text_of(html)
    assert "Use the conditional form" in text
    assert "To run it again" in text
    for row in found.tables[0].counts:
        for count in row:
            assert f"<td>{count:,}</td>" in html
    check_page(
        render_data_audit(
            DataContent(audit_data(people["age"], people["c"], estimator="quick"), "ages")
        )
    )


def sweep_rows(make: Callable[[float, int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [make(strength, seed) for strength in (0.0, 0.3, 1.0) for seed in (0, 1)]


def test_a_sweep_has_a_page_with_the_chosen_point(tmp_path: Path):
    def row(strength: float, seed: int) -> dict[str, Any]:
        selection = {
            "val_accuracy": 0.9, "val_nll_adjusted": 0.2 + strength / 10,
            "val_leakage": 0.3 - 0.25 * strength + 0.01 * seed,
        }  # fmt: skip
        return {
            "key": f"{strength}-{seed}", "contender": HOSTILE, "table": "sweep",
            "dataset": "digits", "params": {}, "settings": {}, "limit": None, "method": "mi",
            "options": {"strength": strength}, "seed": seed, "seconds": 1.0,
            "figures": {"accuracy_validation": 0.95 - strength / 20 - 0.01 * seed},
            "selection": selection,
        }  # fmt: skip

    choices = choose(sweep_rows(row), tmp_path / "runs")
    html = render_sweep(SweepContent(choices, HOSTILE, "infoshed sweep digits", {"torch": "2"}))
    check_page(html)
    text = text_of(html)
    assert "the rule takes strength 1, with 89.5% (89.0 to 90.0%) accuracy and 0.055" in text
    assert "strength 1, chosen" in text
    assert "incomplete" not in text
    none = choose([row(1.0, 0) | {"error": "NonFiniteError: x", "selection": None}], tmp_path)
    assert "nothing to choose" in text_of(render_sweep(SweepContent(none, "x")))
