"""A ResNet from Hugging Face in an ordinary loop, on digits whose colour gives them away.

infoshed has three lines in it, marked: the penalty at a layer by its name, what it is to expect,
and the log-ratio p(y|c) / p(y) that is added to the logits while training (see README). Needs
transformers.
"""

import torch
import torch.nn.functional as F
from transformers import ResNetConfig, ResNetForImageClassification

import infoshed

data = infoshed.load("digits", sigma2=0.05)
train, test = data.train, data.tests["unbiased"]


def images(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x.float() / 255, scale_factor=3)  # (n, 3, 24, 24)


config = ResNetConfig(embedding_size=32, hidden_sizes=[32, 64], depths=[1, 1], layer_type="basic")
config.num_labels = 10
for name, strength in (("plain", 0.0), ("shed", 0.3)):
    torch.manual_seed(0)
    model = ResNetForImageClassification(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    c, y = train.c, train.y
    shed = infoshed.ShedLayer(model, "resnet.pooler", data.attribute, c, y, pressure=strength)  # 1
    prior = infoshed.LabelPrior(y, c, data.attribute, classes=10)
    for _ in range(12):
        for rows in torch.randperm(len(y)).split(64):
            shed.expect(c[rows], y[rows])  # 2
            logits = model(images(train.x[rows])).logits
            adjusted = logits + prior.log_ratio(c[rows]) if strength else logits  # 3
            F.cross_entropy(adjusted, y[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        guess = model.eval()(images(test.x)).logits.argmax(1)
    print(f"{name:5} accuracy on digits in any colour {(guess == test.y).float().mean():.3f}")
