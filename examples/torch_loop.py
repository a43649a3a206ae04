"""Your own training loop: SGD, gradient accumulation, bfloat16.

infoshed has three lines in it: the penalty, its call beside z, and, because c nearly decides y
here, the log-ratio p(y|c) / p(y) that is added to the logits while training (see README).
"""

import torch
import torch.nn.functional as F
from torch import nn

import infoshed

data = infoshed.load("two-signals", seed=0)
train, test = data.train, data.tests["unbiased"]
strengths = {"without": 0.0, "with": 1.0}
for name, strength in strengths.items():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 8))
    head = nn.Linear(8, 2)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], 0.05, momentum=0.9)
    shed = infoshed.MutualInformationPenalty(8, data.attribute, train.c, train.y, pressure=strength)
    prior = infoshed.LabelPrior(train.y, train.c, data.attribute, classes=2)
    for _ in range(2):
        for step, rows in enumerate(torch.randperm(len(train)).split(128)):
            x, y, c = train.take(rows)
            with torch.autocast("cpu", torch.bfloat16):
                z = encoder(x)
                shed(z, c, y, scale=0.5)  # the loss is halved, as two batches make a step
                logits = head(z).float()
            loss = F.cross_entropy(logits + prior.log_ratio(c) if strength else logits, y)
            (loss / 2).backward()
            if step % 2:
                optimizer.step()
                optimizer.zero_grad()
    with torch.no_grad():
        guess = head(encoder(test.x)).argmax(1)
    group = test.c[:, 0] == 1
    gap = (guess[group].float().mean() - guess[~group].float().mean()).abs()
    right = (guess == test.y).float().mean()
    print(f"{name:8} unbiased accuracy {right:.3f}  parity gap {gap:.3f}")
