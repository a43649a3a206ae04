"""ONNX files against torch, at other numbers of rows than the exporter saw."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infoshed import DataSet, InfoshedError, Run, fit
from infoshed.data.own import own
from infoshed.export import export_onnx
from infoshed.inputs import inputs_from_dict
from infoshed.types import as_input
from own_files import people, write_table


@pytest.fixture(scope="module")
def run(images: DataSet) -> Run:
    return fit(images, "plain", epochs=1)


def session(path: Path) -> Any:
    return pytest.importorskip("onnxruntime").InferenceSession(path)


def test_the_whole_model_with_any_number_of_rows(run: Run, images: DataSet, tmp_path: Path):
    pytest.importorskip("onnxscript")
    path = tmp_path / "model.onnx"
    assert export_onnx(run, path) <= 1e-5
    model = session(path)
    (x,) = model.get_inputs()
    assert (x.name, x.type, x.shape[1:]) == ("x", "tensor(float)", [3, 8, 8])
    assert isinstance(x.shape[0], str)  # a name: any number
    for n in (1, 2, 7, 48):
        batch = images.tests["unbiased"].x[:n]
        logits, p = model.run(["logits", "probabilities"], {"x": as_input(batch).numpy()})
        np.testing.assert_allclose(p, run.predict_proba(batch), atol=1e-5)
        np.testing.assert_allclose(p.argmax(1), run.predict(batch))
        np.testing.assert_allclose(logits, run.model.head(run.encode(batch)).detach(), atol=1e-5)
    about = model.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["classes"])) == images.classes
    assert json.loads(about["attribute"])["name"] == "colour"


def test_the_encoder_of_a_table_and_how_its_rows_are_made(tmp_path: Path):
    pytest.importorskip("onnxscript")
    data = own(write_table(tmp_path / "p.csv", people()), target="income", attribute="sex")
    run = fit(data, "plain", epochs=1, precision="bfloat16")
    export_onnx(run, tmp_path / "encoder.onnx", "encoder")
    model = session(tmp_path / "encoder.onnx")
    (z,) = model.run(["z"], {"x": data.validation.x.numpy()})
    exact = run.model.encoder(data.validation.x)  # in float32
    np.testing.assert_allclose(z, exact.detach(), atol=1e-5)
    about = model.get_modelmeta().custom_metadata_map
    assert inputs_from_dict(json.loads(about["inputs"])) == data.inputs


def test_a_model_that_cannot_be_exported_leaves_no_file(table: DataSet, tmp_path: Path):
    pytest.importorskip("onnxscript")

    class Branching(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(6, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) if x.sum() > 1 else self.linear(-x)

    run = fit(table, "plain", epochs=1, encoder=Branching(), dim=4)
    with pytest.raises(InfoshedError, match="cannot be exported to ONNX"):
        export_onnx(run, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_mistakes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InfoshedError, match="`part` must be one of encoder, model"):
        export_onnx(run, tmp_path / "m.onnx", "head")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InfoshedError, match=r"pip install 'infoshed\[onnx\]'"):
        export_onnx(run, tmp_path / "m.onnx")
