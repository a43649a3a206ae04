"""LNTL, "learning not to learn" (Kim et al. 2019, arXiv 1812.10352).

Two steps on every batch, z = g(x), q the bias head:

    1. encoder, head:   min over g, h   E CE(h(z), y) + a E sum_c q(c|z) log q(c|z)
    2. bias head:       min over q      E -log q(c|z)
       encoder:         max over g      b E -log q(c|z),    by gradient reversal

a = 0.01 strength and b = 0.1 strength: strength 1 has the constants of the authors' program. As
there, the first term is averaged over the parts of c (colour channels), the second summed, both
steps use the encoder's one optimiser, and the second one encodes the batch anew.

Departures from the paper: the bias head reads z instead of an early map of features, so that any
encoder can be trained and what is cleaned is the representation that is handed on; Adam instead
of SGD; no network trained beforehand. A posterior needs a discrete c.
"""

from torch import Tensor

from infoshed.methods.adversary import DISCRETE, Adversarial, Adversary, reverse_gradient
from infoshed.methods.base import Fresh
from infoshed.types import Batch

ENTROPY, REVERSAL = 0.01, 0.1


class LNTL(Adversarial):
    """See the module."""

    summary = "a bias head on z is confused by entropy, then fought by gradient reversal"
    reference = "arXiv 1812.10352"
    kinds = DISCRETE

    def against(self, adversary: Adversary, z: Tensor, batch: Batch, fresh: Fresh) -> Tensor:
        return -ENTROPY * self.strength / len(adversary.heads) * adversary.entropy(z)

    def after_step(self, adversary: Adversary, batch: Batch) -> None:
        z = self.model.encode(batch.x)
        self.optimizer.zero_grad()
        adversary.optimizer.zero_grad()
        loss = adversary.loss(reverse_gradient(z, REVERSAL * self.strength), batch.c)
        loss.backward()
        self.optimizer.step()
        adversary.optimizer.step()
        self.adversary_loss = loss.detach()
