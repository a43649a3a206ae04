"""Run folders: what is saved comes back, and what is broken is named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from infoshed import DataSet, InfoshedError, Run, fit, load_run
from infoshed.run import Config


@pytest.fixture(scope="module")
def run(images: DataSet) -> Run:
    return fit(images, "mi")


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    run.save(tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_run_comes_back(run: Run, folder: Path, images: DataSet):
    again = load_run(folder)
    x = images.tests["unbiased"].x
    assert torch.equal(again.encode(x), run.encode(x))
    assert torch.equal(again.predict_proba(x), run.predict_proba(x))
    assert torch.equal(again.predict(x), run.predict(x))
    assert again.metrics == run.metrics
    assert again.results == run.results
    assert again.attribute == images.attribute
    assert again.summary() == run.summary()
    assert again.config.to_dict() == run.config.to_dict()


READING = {
    "attribute": "group",
    "rows": 80,
    "nats": 0.05,
    "low": 0.02,
    "high": 0.09,
    "share_of_entropy": 0.07,
    "label_nats": 0.4,
}


def test_what_fresh_judges_read_comes_back(run: Run, folder: Path):
    looked = replace(run, leakage=[READING])
    looked.save_results(folder)
    again = load_run(folder)
    assert again.leakage == [READING]
    assert again.summary()["leakage"] == [READING]
    assert again.results == run.results


def test_runs_of_earlier_versions_have_no_leakage(folder: Path):
    record = json.loads((folder / "results.json").read_text())
    del record["leakage"]
    (folder / "results.json").write_text(json.dumps(record))
    assert load_run(folder).leakage == []


@pytest.mark.parametrize("leakage", [3, [3], [{"nats": 0.1}]])
def test_leakage_of_another_form_is_refused(folder: Path, leakage: Any):
    record = json.loads((folder / "results.json").read_text()) | {"leakage": leakage}
    (folder / "results.json").write_text(json.dumps(record))
    with pytest.raises(InfoshedError, match="an entry `leakage` of another form"):
        load_run(folder)


def test_saving_again_gives_the_same_files(run: Run, folder: Path, tmp_path: Path):
    load_run(folder).save(tmp_path / "again")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_summary_names_what_people_ask_for(run: Run):
    summary = run.summary()
    assert summary["method"] == "mi"
    assert summary["seed"] == 0
    assert summary["accuracy_unbiased"] == run.results["unbiased"]["accuracy"]
    assert summary["accuracy_validation"] == run.results["validation"]["accuracy"]
    json.dumps(summary, allow_nan=False)


def test_bytes_and_shares_get_the_same_predictions(run: Run, images: DataSet):
    x = images.train.x
    assert torch.equal(run.encode(x), run.encode(x.float() / 255))
    assert torch.equal(run.encode(x), run.encode(x.numpy()))
    assert torch.equal(run.encode(x), run.encode(x.double().numpy() / 255))
    assert torch.equal(run.encode(x), run.encode(x.numpy().astype(np.float32) / 255))


def test_results_agree_with_predictions(run: Run, images: DataSet):
    split = images.tests["unbiased"]
    accuracy = float((run.predict(split.x) == split.y).float().mean())
    assert run.results["unbiased"]["accuracy"] == pytest.approx(accuracy)


def test_no_rows_are_encoded_to_no_rows(run: Run, images: DataSet):
    assert run.encode(images.train.x[:0]).shape == (0, 8)
    assert run.predict(images.train.x[:0]).shape == (0,)


def test_many_rows_are_encoded_in_parts(run: Run, images: DataSet):
    x = images.train.x[torch.arange(1100) % 96]
    torch.testing.assert_close(run.encode(x), run.encode(x[:96])[torch.arange(1100) % 96])


@pytest.mark.parametrize("shape", [(3, 8, 8), (4, 3, 8, 9), (4, 8, 8, 3), (4, 192), (5,), ()])
def test_inputs_of_another_shape_are_refused(run: Run, shape: tuple[int, ...]):
    with pytest.raises(InfoshedError, match=r"`x` must have shape \(n, 3, 8, 8\), got"):
        run.encode(torch.zeros(shape))


def test_inputs_with_gaps_are_refused(run: Run):
    x = torch.zeros(5, 3, 8, 8)
    x[2, 0, 1, 1], x[4, 1, 0, 0] = float("nan"), float("inf")
    with pytest.raises(InfoshedError, match="NaN or infinity in 2 of 5 rows, first in row 2"):
        run.predict_proba(x)


def test_encoding_does_not_train(run: Run, images: DataSet):
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    z = run.encode(images.train.x)
    assert not z.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in run.model.state_dict().items())


def own_encoder() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))


def test_an_own_encoder_must_be_given_again(images: DataSet, tmp_path: Path):
    run = fit(images, "plain", encoder=own_encoder(), out=tmp_path)
    assert run.config.encoder == "custom"
    with pytest.raises(InfoshedError, match=r"load_run\(folder, encoder=module\)"):
        load_run(tmp_path)
    again = load_run(tmp_path, encoder=own_encoder())
    assert torch.equal(again.predict_proba(images.train.x), run.predict_proba(images.train.x))
    with pytest.raises(InfoshedError, match="do not fit the model"):
        load_run(tmp_path, encoder=nn.Sequential(nn.Flatten(), nn.Linear(192, 8)))


def test_a_folder_without_a_run_is_named(tmp_path: Path):
    with pytest.raises(InfoshedError, match=r"is not a run folder: it has no config\.json"):
        load_run(tmp_path)
    with pytest.raises(InfoshedError, match="is not a run folder"):
        load_run(tmp_path / "none")


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        if value is None:
            del config[key]
        else:
            config[key] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "format 3, this version of infoshed reads 2"),
        ({"format": None}, "format None"),
        ({"dim": None}, "not a run's configuration: .*dim"),
        ({"colour": "red"}, "has the entry `colour`, which this version of infoshed .* does not"),
        ({"encoder": "transformer"}, "`encoder` must be one of"),
        ({"dim": 9}, "do not fit the model"),
    ],
)
def test_a_config_of_another_making_is_named(folder: Path, changes: dict[str, Any], message: str):
    edit(folder, **changes)
    with pytest.raises(InfoshedError, match=message):
        load_run(folder)


def test_a_config_of_an_earlier_version_means_what_it_meant(
    folder: Path, run: Run, images: DataSet
):
    # Format 1 had the names of classes; `precision` and `inputs`, which it first lacked, have
    # defaults.
    edit(folder, format=1, target=None, precision=None, inputs=None, classes=list(images.classes))
    old = load_run(folder)
    assert old.config.to_dict() == run.config.to_dict()
    assert old.target == images.target
    assert torch.equal(old.predict(images.validation.x), run.predict(images.validation.x))
    old.save(folder)  # the present form
    saved = json.loads((folder / "config.json").read_text())
    assert saved["format"] == 2
    assert {"precision", "inputs", "target"} <= set(saved)
    assert "classes" not in saved


def test_a_run_of_an_earlier_version_is_resumed(images: DataSet, tmp_path: Path):
    fit(images, "plain", epochs=1, out=tmp_path)
    edit(tmp_path, format=1, target=None, classes=list(images.classes))
    assert len(fit(images, "plain", epochs=2, out=tmp_path, resume=True).metrics) == 2


@pytest.mark.parametrize(
    "name", ["config.json", "results.json", "model.safetensors", "metrics.jsonl"]
)
def test_broken_files_are_named(folder: Path, name: str):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InfoshedError, match=f"cannot read .*{name}"):
        load_run(folder)


@pytest.mark.parametrize("name", ["results.json", "model.safetensors"])
def test_missing_files_are_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(InfoshedError, match=r"cannot read|has no model yet"):
        load_run(folder)


@pytest.mark.parametrize(
    ("name", "content"), [("config.json", "[1]"), ("config.json", "null"), ("results.json", "{}")]
)
def test_files_of_another_form_are_named(folder: Path, name: str, content: str):
    (folder / name).write_text(content)
    with pytest.raises(InfoshedError):
        load_run(folder)


def test_a_config_survives_json(run: Run):
    again = Config.from_dict(json.loads(json.dumps(run.config.to_dict())))
    assert again.to_dict() == run.config.to_dict()


def test_a_run_prints_short(table: DataSet):
    text = repr(fit(table, "plain", epochs=2))
    assert text.startswith(
        f"<Run: plain on {table.name}, seed 0, 2 of 2 epochs; accuracy validation "
    )
    assert len(text) < 200
