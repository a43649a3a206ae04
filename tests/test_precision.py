"""Encoders in bfloat16: what stays in float32, what is read back, and how near the numbers are."""

import json
from pathlib import Path

import pytest
import torch

from infoshed import DataSet, InfoshedError, fit, load_run
from infoshed.methods.leace import Eraser
from infoshed.nn import build_model


def test_only_the_encoder_computes_in_bfloat16(images: DataSet):
    shape = tuple(images.train.x.shape[1:])
    model = build_model("conv-small", shape, 8, 2, 0, "bfloat16").eval()
    exact = build_model("conv-small", shape, 8, 2, 0).eval()
    x = images.train.take(torch.arange(64)).x
    with torch.no_grad():
        z, reference = model.encode(x), exact.encode(x)
    assert z.dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    error = (z - reference).norm() / reference.norm()
    assert 0 < error < 2e-2  # bfloat16 has eight bits: 0.4% a rounding


def test_training_in_bfloat16_ends_near_float32(images: DataSet):
    runs = [fit(images, "mi", epochs=2, precision=p) for p in ("float32", "bfloat16")]
    losses = [run.metrics[-1]["task_loss"] for run in runs]
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_precision_is_kept_with_the_run(images: DataSet, tmp_path: Path):
    run = fit(images, "plain", epochs=1, precision="bfloat16", out=tmp_path)
    again = load_run(tmp_path)
    assert again.config.precision == "bfloat16"
    assert torch.equal(again.encode(images.train.x[:8]), run.encode(images.train.x[:8]))


def test_a_run_from_before_precision_reads_as_float32(images: DataSet, tmp_path: Path):
    run = fit(images, "plain", epochs=1, out=tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["precision"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    again = load_run(tmp_path)
    assert again.config.precision == "float32"
    assert torch.equal(again.encode(images.train.x[:8]), run.encode(images.train.x[:8]))


def test_erasure_is_not_rounded_away():
    eraser = Eraser(6)
    directions = torch.linalg.qr(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))[0]
    eraser.weight.copy_(torch.eye(6) - directions @ directions.T)
    z = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    exact = eraser(z)
    assert (exact @ directions).abs().max() < 1e-5
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(eraser(z), exact)


def test_an_unknown_precision_is_refused(images: DataSet):
    with pytest.raises(InfoshedError, match="precision"):
        fit(images, "plain", epochs=1, precision="float16")
