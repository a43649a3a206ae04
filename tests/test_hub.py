"""Runs as models of the hub, offline: what is saved comes back, and the card has the figures."""

import sys
from pathlib import Path

import pytest
import torch

from infoshed import Audit, DataSet, InfoshedError, Run, fit
from infoshed.auditing.run import audit_run
from infoshed.auditing.text import verdict

hub = pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def run(table: DataSet) -> Run:
    return fit(table, "plain", epochs=2)


@pytest.fixture(scope="module")
def found(run: Run, table: DataSet) -> Audit:
    return audit_run(run, table, "unbiased", estimator="quick")


def test_there_and_back(run: Run, found: Audit, table: DataSet, tmp_path: Path):
    from infoshed.hub import HubRun

    HubRun(run, found).save_pretrained(tmp_path / "model")
    names = {p.name for p in (tmp_path / "model").iterdir()}
    assert names == {
        "README.md", "audit.json", "config.json", "metrics.jsonl", "model.safetensors",
        "results.json",
    }  # fmt: skip
    back = HubRun.from_pretrained(tmp_path / "model")
    assert back.audit == found
    assert back.run.results == run.results
    x = table.validation.x
    assert torch.equal(back.run.predict_proba(x), run.predict_proba(x))


def test_the_card_carries_the_figures(run: Run, found: Audit, tmp_path: Path):
    from infoshed.hub import HubRun

    HubRun(run, found).save_pretrained(tmp_path)
    card = hub.ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "infoshed"
    accuracy = {r.dataset_split: r.metric_value for r in card.data.eval_results}
    assert accuracy == {k: pytest.approx(r["accuracy"], abs=1e-4) for k, r in run.results.items()}
    assert verdict(found.parts[0]) in card.text
    assert "shedding group" in card.text


def test_without_an_audit_the_card_says_so(run: Run, tmp_path: Path):
    from infoshed.hub import HubRun

    HubRun(run).save_pretrained(tmp_path)
    assert "Not audited" in (tmp_path / "README.md").read_text()
    assert HubRun.from_pretrained(tmp_path).audit is None


def test_a_module_of_ones_own_is_refused(table: DataSet):
    from infoshed.hub import HubRun

    own = fit(table, "plain", epochs=1, encoder=torch.nn.Linear(6, 4), dim=4)
    with pytest.raises(InfoshedError, match="an encoder of its own"):
        HubRun(own)


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "infoshed.hub", raising=False)
    with pytest.raises(InfoshedError, match=r"pip install 'infoshed\[hub\]'"):
        import infoshed.hub  # noqa: F401
