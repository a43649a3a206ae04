"""Callbacks of other trainers, and the examples, which run as they stand in examples/."""

import runpy
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from infoshed import DataSet, InfoshedError
from infoshed.lightning import ShedCallback
from infoshed.transformers import ShedCallback as TrainerShed

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.filterwarnings("ignore")  # what these trainers warn of is theirs


class Module(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.head = nn.Linear(4, 2)
        self.seen: list[Tensor] = []

    def training_step(self, batch: Any, _: int) -> Tensor:
        return F.cross_entropy(self.head(self.encoder(batch[0])), batch[1])

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        grad = self.encoder.weight.grad
        assert grad is not None
        self.seen.append(grad.clone())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.0)


def trained(data: DataSet, callback: L.Callback, folder: Path, **options: Any) -> L.Trainer:
    torch.manual_seed(0)
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, callbacks=[callback], **options,
    )  # fmt: skip
    module = Module()
    rows = TensorDataset(data.train.x, data.train.y, data.train.c)
    trainer.fit(module, DataLoader(rows, 40))
    return trainer


def callback(data: DataSet, **options: Any) -> ShedCallback:
    return ShedCallback("encoder", data.attribute, data.train.c, data.train.y, **options)


def test_lightning_sheds_alike_whole_and_in_accumulated_halves(table: DataSet, tmp_path: Path):
    def first_step(**options: Any) -> tuple[Tensor, ShedCallback]:
        shed = callback(table, pressure=1.0, steps=1, lr=0.0)
        trainer = trained(table, shed, tmp_path, enable_checkpointing=False, **options)
        module: Any = trainer.lightning_module
        return module.seen[0], shed

    whole, shed = first_step(limit_train_batches=1)
    halves, _ = first_step(limit_train_batches=2, accumulate_grad_batches=2)
    quarter, _ = first_step(limit_train_batches=1, accumulate_grad_batches=4)
    torch.testing.assert_close(4 * quarter, whole, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(halves, whole)
    assert shed.shed is not None
    assert shed.shed.penalty is not None
    assert shed.shed.penalty.updates == 1


def test_lightning_keeps_the_critic_in_its_checkpoint(table: DataSet, tmp_path: Path):
    shed = callback(table)
    trainer = trained(table, shed, tmp_path)
    path = trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    again = callback(table)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, callbacks=[again],
    )  # fmt: skip
    rows = TensorDataset(table.train.x, table.train.y, table.train.c)
    trainer.fit(Module(), DataLoader(rows, 40), ckpt_path=path)
    assert shed.saved["updates"] == 8
    assert again.saved["updates"] == 16


def test_lightning_names_a_layer_that_is_not_there(table: DataSet, tmp_path: Path):
    with pytest.raises(InfoshedError, match="no layer 'neck'"):
        trained(table, ShedCallback("neck", table.attribute), tmp_path)


def test_hugging_face_needs_its_column(table: DataSet, tmp_path: Path):
    from transformers import TrainingArguments

    shed = TrainerShed("encoder", table.attribute)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to=[])
    with pytest.raises(InfoshedError, match="remove_unused_columns=False"):
        shed.on_train_begin(arguments, None, None, model=Module())


@pytest.mark.parametrize("module", ["lightning", "transformers"])
def test_a_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, f"{module}.pytorch", None)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"infoshed.{module}", raising=False)
    with pytest.raises(InfoshedError, match=rf"pip install 'infoshed\[{module}\]'"):
        __import__(f"infoshed.{module}")


def figures(text: str) -> dict[str, list[float]]:
    """The numbers of every line that starts with a word, by the word."""
    lines = [line.split() for line in text.splitlines() if line and line[0].isalpha()]
    return {words[0]: [float(w) for w in words if w.replace(".", "").isdigit()] for words in lines}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "baseline", "shed", "gain"),
    [
        ("scikit_learn", "plain", "mi", 0.08),
        ("torch_loop", "without", "with", 0.03),
        ("lightning_callback", "without", "with", 0.05),
        ("hf_text", "without", "with", 0.1),
        ("resnet", "plain", "shed", 0.1),
    ],
)
def test_an_example_runs_and_gains(
    name: str, baseline: str, shed: str, gain: float, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    found = figures(capsys.readouterr().out)
    assert found[shed][0] > found[baseline][0] + gain
