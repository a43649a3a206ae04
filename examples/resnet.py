"""A ResNet from Hugging Face in an ordinary loop, on shapes whose background gives them away.

infoshed has three lines in it, marked. The images are made here: upright or lying bars, and in
training 99% of the upright ones stand on blue and of the lying ones on red.
"""

import torch
from transformers import ResNetConfig, ResNetForImageClassification

from infoshed import Binary, LabelPrior, ShedLayer


def bars(rows: int, tie: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (rows, 3, 24, 24), whether the bar is upright (rows,), and the background (rows,)."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (rows,), generator=g)
    c = torch.where(torch.rand(rows, generator=g) < tie, y, 1 - y)
    x = 0.3 * torch.randn(rows, 3, 24, 24, generator=g)
    x[torch.arange(rows), 2 * c] += 0.5
    for image, upright, at in zip(x, y, torch.randint(3, 18, (rows,), generator=g), strict=True):
        bar = image.transpose(1, 2) if upright else image
        bar[:, at : at + 3, 4:20] += 0.35
    return x, y, c


def accuracy(strength: float) -> float:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1],
                          layer_type="basic", num_labels=2)  # fmt: skip
    model = ResNetForImageClassification(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    x, y, c = bars(2000, tie=0.99, seed=1)
    background = Binary.from_values(c, "background")
    prior = LabelPrior(y, c[:, None], background, classes=2)
    shed = ShedLayer(model, "resnet.pooler", background, c[:, None], y, pressure=strength)  # 1
    for _ in range(5):
        for rows in torch.randperm(len(x)).split(64):
            shed.expect(c[rows, None], y[rows])  # 2
            logits = model(x[rows]).logits
            if strength:
                logits = logits + prior.log_ratio(c[rows, None])  # 3
            torch.nn.functional.cross_entropy(logits, y[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()
    x, y, _ = bars(1000, tie=0.5, seed=2)
    with torch.no_grad():
        return float((model.eval()(x).logits.argmax(1) == y).float().mean())


if __name__ == "__main__":
    for name, strength in (("plain", 0.0), ("shed", 1.0)):
        print(f"{name:6} accuracy where backgrounds say nothing {accuracy(strength):.3f}")
