"""The published schedule written plainly, as a yardstick for speed: no library code of ours.

Per encoder step: K = 40 critic steps, each encoding a fresh batch through the convolutional net;
then the task gradient and the balanced MI gradient, each applied by an Adam of its own. Before
every epoch a whole pass of critic steps. Settings of arXiv 2003.06430: batch 128, Adam 1e-4.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, K, LR = 128, 40, 1e-4


class Reference:
    """Encoder, head, critic and optimisers of the published method, lambda = 1."""

    def __init__(self, x: Tensor, y: Tensor, c: Tensor, seed: int):
        torch.manual_seed(seed)
        self.x, self.y, self.c = x, y, c
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(1024, 512),
            nn.ReLU(),
            nn.Linear(512, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)
        self.critic = nn.Sequential(
            nn.Linear(24 + 64, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )
        weights = [*self.encoder.parameters(), *self.head.parameters()]
        self.task_optimizer = torch.optim.Adam(weights, LR)
        self.mi_optimizer = torch.optim.Adam(self.encoder.parameters(), LR)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), LR)

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """A random batch: images (128, 3, 28, 28) in [0, 1], classes, one-hot colour bins."""
        rows = torch.randint(len(self.y), (BATCH,))
        one_hot = F.one_hot(self.c[rows], 8).flatten(1).float()
        return self.x[rows].float() / 255, self.y[rows], one_hot

    def information(self, z: Tensor, c: Tensor) -> Tensor:
        """The shuffled Donsker-Varadhan estimate, in nats."""
        joint = self.critic(torch.cat([c, z], 1))
        marginal = self.critic(torch.cat([c[torch.randperm(len(c))], z], 1))
        return joint.mean() - (torch.logsumexp(marginal, 0) - torch.log(torch.tensor(len(c)))).sum()

    def critic_step(self) -> None:
        """One critic step on a fresh batch through the current encoder."""
        x, _, c = self.batch()
        with torch.no_grad():
            z = self.encoder(x)
        loss = -self.information(z, c)
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()

    def step(self) -> None:
        """K critic steps and one encoder step."""
        for _ in range(K):
            self.critic_step()
        x, y, c = self.batch()
        z = self.encoder(x)
        encoder, head = list(self.encoder.parameters()), list(self.head.parameters())
        loss = F.cross_entropy(self.head(z), y)
        task = torch.autograd.grad(loss, encoder + head, retain_graph=True)
        information = torch.autograd.grad(self.information(z, c), encoder)
        for parameter, gradient in zip(encoder + head, task, strict=True):
            parameter.grad = gradient
        self.task_optimizer.step()
        for parameter, gradient, limit in zip(encoder, information, task, strict=False):
            norm = gradient.norm()
            parameter.grad = gradient * torch.minimum(limit.norm(), norm) / norm
        self.mi_optimizer.step()

    @torch.no_grad()
    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """Share of x (n, 3, 28, 28) uint8 whose class y (n,) is predicted."""
        parts = zip(x.split(500), y.split(500), strict=True)
        right = [(self.head(self.encoder(a.float() / 255)).argmax(1) == b).sum() for a, b in parts]
        return float(sum(right)) / len(y)
