"""A LightningModule as it is, and a callback that sheds colour at the layer called "encoder"."""

import logging
import warnings

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import infoshed
from infoshed.lightning import ShedCallback


class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(192, 128), nn.ReLU(), nn.Linear(128, 16)
        )
        self.head = nn.Linear(16, 10)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        x, y, _ = batch
        return F.cross_entropy(self.head(self.encoder(x)), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 2e-3)


def unbiased_accuracy(callbacks: list[L.Callback], data: infoshed.DataSet) -> float:
    L.seed_everything(0, verbose=False)
    train, test = data.train, data.tests["unbiased"]
    rows = TensorDataset(train.x.float() / 255, train.y, train.c)
    module = Classifier()
    trainer = L.Trainer(
        max_epochs=15, accelerator="cpu", callbacks=callbacks, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(rows, 64, shuffle=True))
    with torch.no_grad():
        guess = module.head(module.encoder(test.x.float() / 255)).argmax(1)
    return float((guess == test.y).float().mean())


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    data = infoshed.load("digits", sigma2=0.05)  # digits whose colour goes with their class
    shed = ShedCallback("encoder", data.attribute, data.train.c, data.train.y, pressure=3.0)
    print(f"without {unbiased_accuracy([], data):.3f}")
    print(f"with    {unbiased_accuracy([shed], data):.3f}")


if __name__ == "__main__":
    main()
