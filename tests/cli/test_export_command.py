"""`infoshed export`."""

import sys
from pathlib import Path

import pytest
from command import Cli

from infoshed import DataSet, fit


def test_a_model_is_written_and_compared(run: Cli, table: DataSet, tmp_path: Path):
    pytest.importorskip("onnxscript")
    fit(table, "plain", epochs=1, out=tmp_path / "run")
    code, out, err = run("export", "run", "--out", "m.onnx", "--part", "encoder")
    assert (code, err) == (0, "")
    assert out.startswith("m.onnx: x (n, 6) -> z\nonnxruntime and torch differ by at most ")
    assert Path("m.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none --out m.onnx", "none is not a run folder"),
        ("run --out m.pt", "cannot write m.pt; known: .onnx"),
        ("run", "requires"),
        ("run --out m.onnx --part head", "head"),
        ("run --out m.onnx", "pip install 'infoshed[onnx]'"),
    ],
)
def test_mistakes(
    run: Cli, table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: str, message: str,
):  # fmt: skip
    fit(table, "plain", epochs=1, out=tmp_path / "run")
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, out, err = run("export", *arguments.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
