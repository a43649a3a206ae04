"""Fabric, Lightning and Hugging Face in two processes train as in one on the global batch."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import Trainer, TrainingArguments

from infoshed import DataSet, MutualInformationPenalty
from infoshed.lightning import ShedCallback
from infoshed.transformers import ShedCallback as TrainerShed
from processes import in_two

BATCH = 40
pytestmark = pytest.mark.filterwarnings("ignore")  # what these trainers warn of is theirs


class Module(L.LightningModule):
    """For all three: called with the arguments of a Hugging Face model."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
            self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        z = self.encoder(x)
        logits = self.head(z)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits, "z": z}

    def training_step(self, batch: Any, _: int) -> Tensor:
        return self(batch[0], batch[1])["loss"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def options(strength: float) -> dict[str, Any]:
    # Of the penalty. Rows are dealt out in turn; in one critic step their order does not count.
    return {"pressure": strength, "steps": 1}


def values(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def loader(data: DataSet, processes: int) -> DataLoader:
    """In turn to the processes, as samplers do it, but in order."""
    rank = dist.get_rank() if processes > 1 else 0
    x, y, c = data.train.take(torch.arange(rank, len(data.train), processes))
    return DataLoader(TensorDataset(x, y, c), BATCH // processes)


def fabric(data: DataSet, processes: int, folder: str, strength: float) -> dict[str, Tensor]:
    ours = Fabric(accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto")
    ours.launch()
    module: nn.Module = Module()
    model, optimizer = ours.setup(module, torch.optim.SGD(module.parameters(), 0.1))
    train = data.train
    shed = MutualInformationPenalty(4, data.attribute, train.c, train.y, **options(strength))
    for x, y, c in ours.setup_dataloaders(loader(data, processes), use_distributed_sampler=False):
        found = model(x, y)
        shed(found["z"], c, y)
        ours.backward(found["loss"])
        optimizer.step()
        optimizer.zero_grad()
    return {"model": values(module), "estimate": shed.health.estimate}


def lightning(data: DataSet, processes: int, folder: str, strength: float) -> dict[str, Tensor]:
    train = data.train
    shed = ShedCallback("encoder", data.attribute, train.c, train.y, **options(strength))
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", devices=processes,
        strategy="ddp" if processes > 1 else "auto", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder,
        callbacks=[shed], use_distributed_sampler=False,
    )  # fmt: skip
    module = Module()
    trainer.fit(module, loader(data, processes))
    assert shed.shed is not None
    assert shed.shed.penalty is not None
    return {"model": values(module), "estimate": shed.shed.penalty.health.estimate}


def hugging_face(data: DataSet, processes: int, folder: str, strength: float) -> dict[str, Tensor]:
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)  # of tests in the process before
    GradientState._reset_state()
    train = data.train
    rows: Any = [
        {"x": x, "labels": y, "attribute": c}
        for x, y, c in zip(train.x, train.y, train.c, strict=True)
    ]
    shed = TrainerShed("encoder", data.attribute, train.c, train.y, **options(strength))
    arguments = TrainingArguments(
        folder, num_train_epochs=1, per_device_train_batch_size=BATCH // processes, optim="sgd",
        learning_rate=0.1, lr_scheduler_type="constant", report_to=[], save_strategy="no",
        use_cpu=True, disable_tqdm=True, remove_unused_columns=False, max_grad_norm=0.0,
        dataloader_pin_memory=False, logging_steps=4, train_sampling_strategy="sequential",
    )  # fmt: skip
    module: Any = Module()
    trainer = Trainer(module, arguments, train_dataset=rows, callbacks=[shed])
    trainer.train()
    AcceleratorState._reset_state(reset_partial_state=True)
    return {"model": values(module), "estimate": torch.tensor(trainer.state.log_history[1]["mi"])}


DOORS = {"fabric": fabric, "lightning": lightning, "hugging face": hugging_face}


def work(rank: int, data: DataSet, folder: str) -> dict[str, dict[str, Tensor]]:
    return {name: door(data, 2, folder, 1.0) for name, door in DOORS.items()}


@pytest.mark.slow
def test_every_door_leads_to_the_global_batch(table: DataSet, tmp_path: Path):
    both = in_two(tmp_path, work, table, str(tmp_path))
    for name, door in DOORS.items():
        one, plain = (door(table, 1, str(tmp_path), strength) for strength in (1.0, 0.0))
        for found in both:
            torch.testing.assert_close(found[name], one, rtol=1e-3, atol=1e-5)
        assert (one["model"] - plain["model"]).abs().max() > 0.01, name
