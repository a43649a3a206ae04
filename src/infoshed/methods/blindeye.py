"""BlindEye: the adversary is to be as unsure as a uniform guess (Alvi et al. 2018,
arXiv 1809.02169).

In turn, z = g(x):

    adversary:       min over q      E -log q(c|z)    on frozen features, `critic_steps` times
    encoder, head:   min over g, h   E CE(h(z), y) + strength * E sum_k CE(uniform, q_k(.|z))

The confusion loss CE(uniform, q) = -(1/m) sum_c log q(c|z) of a part with m values is least,
log m, where q is uniform; it grows without bound where q is sure of anything.

Departures from the paper: adversary and encoder see the same data, where the paper has another
data set for every spurious attribute; the weight of the confusion loss is 0.1 unless given (at 1,
z collapsed on generated data); the adversary has two hidden layers. A uniform posterior needs a
discrete c.
"""

import torch
from torch import Tensor

from infoshed.methods.adversary import Adversary, Alternating


class BlindEye(Alternating):
    """See the module."""

    summary = "an adversary on frozen features; the encoder makes its answer uniform"
    reference = "arXiv 1809.02169"

    def confusion(self, adversary: Adversary, z: Tensor) -> Tensor:
        return torch.stack([-log_q.mean() for log_q in adversary.log_classes(z)]).sum()
