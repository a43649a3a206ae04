"""Analysis of covariance: the classes compared at the same c, where the data never have it so.

    z = a_y + B v(c) + e,    e ~ N(0, S)

v(c) are numbers that stand for c. B, the effect of c on z, is found by least squares within the
classes, and carried over to the pairs (y, c) that never occur. The head is the linear discriminant
of what remains,

    z' = z - B (v(c) - E v),    h(z)_y = log p(z | y, E v) + log p(y), up to a constant

fitted on z' once the encoder is trained, and used on z, since at deployment c need not be known.

It is the generative twin of adjusted logits (see `infoshed.label_prior`), whose h(z) is the same
log p(z|y,c) + log p(y). Those need rows of all classes at a c. Where c decides y there are none,
and p(y|c) says nothing; but c may still vary within each class, and the model above needs no
more than that. Its price is an assumption that no data of that kind can test: c moves z by as much
per unit between the classes as within them, and alike in all.

The encoder is trained as by `plain`. Where c decides y that can break the assumption: features that
are flat in c within each class, and leap between them, serve a deep net best. There the method is
for features that were made without such training: embeddings and tables, which by default are
kept but for one epoch (encoder `linear` with as many columns of z as of x, where z = x at first), a
pretrained module whose parameters are frozen, images by their gradients (encoder `hog`, `dim` 1072).

The covariate v(c) is `Attribute.features`; levels in an order have their positions instead, if
`ordered` says so. The covariance S is shrunk by the rule of Ledoit and Wolf (2004).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError
from infoshed.evaluate import features_of
from infoshed.label_prior import linear_scores
from infoshed.methods.base import Setting
from infoshed.methods.supervised import Plain
from infoshed.nn import Model
from infoshed.types import DataSet

TOLERANCE = 1e-3


@dataclass(frozen=True)
class AncovaOptions:
    """Options of `ancova`.

    Args:
        ordered: take the levels of c as equally spaced numbers, in the order of their codes.
    """

    ordered: bool = False


class Ancova(Plain):
    """See the module."""

    summary = (
        "plain training, then a discriminant of z at equal c, by the effect of c within classes"
    )
    reference = "analysis of covariance; Fisher's discriminant"
    Options = AncovaOptions
    targets = ("classes",)

    @classmethod
    def defaults(cls, data: DataSet, encoder: Any) -> dict[str, Any]:
        x = data.train.x
        if encoder is not None or x.ndim != 2:
            return {}
        return {"encoder": "linear", "dim": x.shape[1], "epochs": 1}

    def __init__(self, setting: Setting, options: Any):
        super().__init__(setting, options)
        train = setting.data.train
        effect_within(  # before training, not after it, where there is no such effect
            torch.zeros(len(train), 1).double(),
            covariate(setting.data.attribute, train.c, options.ordered),
            train.y,
            setting.data.attribute.name,
        )

    @torch.no_grad()
    def finish(self, model: Model) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        train, attribute = self.setting.data.train, self.setting.data.attribute
        v = covariate(attribute, train.c, self.options.ordered)
        z = features_of(model, train).double()
        rest = z - (v - v.mean(0)) @ effect_within(z, v, train.y, attribute.name)
        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        discriminant.fit(rest.numpy(), train.y.numpy())
        weight, bias = linear_scores(discriminant, model.outputs)
        model.head.weight.copy_(weight)
        model.head.bias.copy_(bias)


def covariate(attribute: Attribute, codes: Tensor, ordered: bool) -> Tensor:
    """v(c), float64 (n, width), of codes (n, columns)."""
    parts = zip(attribute.parts, attribute.split(codes), strict=True)
    numbers = [c if ordered and part.heads else part.features(c) for part, c in parts]
    return torch.cat([v.double() for v in numbers], 1)


def effect_within(z: Tensor, v: Tensor, y: Tensor, name: str) -> Tensor:
    """The slopes B (width, dim) of z (n, dim) on v (n, width), the same in all classes y (n,), by
    least squares with a mean for each class; float64.

    Raises `InfoshedError`, calling c `name`, when the classes differ in v in a direction in which
    v does not vary within any of them.
    """
    members = F.one_hot(y).double()
    members = members[:, members.any(0)]
    of_class = members / members.sum(0)  # (n, classes): columns average over a class
    inner = v - members @ (of_class.T @ v)
    moments = inner.T @ inner
    negligible = 1e-9 * float((v - v.mean(0)).square().sum())
    inverse = torch.linalg.pinv(moments, hermitian=True, atol=negligible, rtol=0.0)
    between = of_class.T @ v - v.mean(0)
    lost = between - between @ inverse @ moments
    if lost.abs().max() > TOLERANCE * between.abs().max():
        raise InfoshedError(
            f"'{name}' does not vary within the classes in the way in which they differ, so its "
            "effect cannot be told from theirs; if its levels are in order, say so with "
            "ordered=True, or add rows that break the tie"
        )
    return inverse @ inner.T @ z
