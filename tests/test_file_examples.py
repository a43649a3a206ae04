"""The examples that go from files to files run as they are, each in a folder of its own."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import infoshed

SOURCE = Path(infoshed.__file__).resolve().parents[1]
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NEEDS = {
    "own_table": ("runs/loans/model.safetensors", "predictions.csv"),
    "regression": (),
    "own_pictures": ("runs/photos/model.safetensors", "p.csv"),
    "ship_a_model": ("digits.onnx", "digits-model/README.md", "runs/digits/tensorboard"),
}
EXTRAS = {"ship_a_model": ("onnxscript", "onnxruntime", "huggingface_hub", "tensorboard")}


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name: str, tmp_path: Path):
    lacking = [extra for extra in EXTRAS.get(name, ()) if find_spec(extra) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "False" not in done.stdout
    for path in NEEDS[name]:
        assert (tmp_path / path).exists()
