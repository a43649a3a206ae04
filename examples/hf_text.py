"""A small transformer from Hugging Face that reads reviews, and sheds who wrote them.

Two authors: in training one writes nearly all the good reviews, the other the bad ones, each with
words of their own. The text is made here, and the model starts from nothing, so nothing is
downloaded.
"""

import tempfile

import numpy as np
import torch
from torch import nn
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from infoshed import Binary
from infoshed.transformers import ShedCallback

WORDS = {
    "good": ["fine", "great", "lovely", "superb"],
    "bad": ["poor", "awful", "dull", "weak"],
    "ann": ["indeed", "rather", "quite", "verily"],
    "bob": ["dude", "totally", "yeah", "like"],
    "any": ["the", "film", "plot", "cast", "was", "and", "scene", "a"],
}
IDS = {word: i + 1 for i, word in enumerate(w for words in WORDS.values() for w in words)}


def reviews(rows: int, tie: float, seed: int) -> list[dict[str, torch.Tensor]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rows):
        label = int(rng.integers(2))
        author = label if rng.random() < tie else 1 - label
        tone = label if rng.random() < 0.9 else 1 - label
        words = [*rng.choice(WORDS["any"], 6), rng.choice(WORDS[("bad", "good")[tone]])]
        words += list(rng.choice(WORDS[("ann", "bob")[author]], 3))
        ids = [IDS[str(w)] for w in rng.permutation(words)]
        found.append({"input_ids": torch.tensor(ids), "labels": torch.tensor(label),
                      "attribute": torch.tensor(author)})  # fmt: skip
    return found


def accuracy(strength: float) -> float:
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(IDS) + 1,
        dim=32,
        hidden_dim=64,
        n_layers=1,
        n_heads=2,
        max_position_embeddings=16,
    )
    model: nn.Module = DistilBertForSequenceClassification(config)
    train = reviews(2000, tie=0.95, seed=1)
    c, y = (torch.stack([row[key] for row in train]) for key in ("attribute", "labels"))
    author = Binary.from_values(c, "author")
    shed = ShedCallback("pre_classifier", author, c[:, None], y, pressure=strength)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=6, per_device_train_batch_size=64, learning_rate=3e-3,
            report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, logging_steps=1000,
            remove_unused_columns=False, dataloader_pin_memory=False,
        )  # fmt: skip
        Trainer(model, arguments, train_dataset=train, callbacks=[shed]).train()
    test = reviews(2000, tie=0.5, seed=2)
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.stack([row["input_ids"] for row in test])).logits
    return float((logits.argmax(1) == torch.stack([row["labels"] for row in test])).float().mean())


def main() -> None:
    for name, strength in (("without", 0.0), ("with", 3.0)):
        print(f"{name:8} accuracy where authors write both {accuracy(strength):.3f}")


if __name__ == "__main__":
    main()
