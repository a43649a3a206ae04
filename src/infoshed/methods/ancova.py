"""Analysis of covariance: the classes compared at the same c, where the data never have it so.

    z = a_y + B v(c) + e,    e ~ N(0, S)

v(c) are numbers that stand for c. B, the effect of c on z, is found by least squares within the
classes, and carried over to the pairs (y, c) that never occur. The head is the linear discriminant
of what remains,

    z' = z - B (v(c) - E v),    h(z)_y = log p(z | y, E v) + log p(y), up to a constant

fitted on z' once the encoder is trained, and used on z, since at deployment c need not be known.
(The spread of z in a class is then S + B Var(v) B^T. The discriminant with that spread does not
allow for c as adjusted logits do, and on faces it was much the worse.)

It is the generative twin of adjusted logits (see `infoshed.label_prior`), whose h(z) is the same
log p(z|y,c) + log p(y). Those need rows of all classes at a c. Where c decides y there are none,
and p(y|c) says nothing; but c may still vary within each class, and the model above needs no
more than that. Its price is an assumption that no data of that kind can test: c moves z by as much
per unit between the classes as within them, and alike in all.

The encoder is trained as by `plain`. Where c decides y that can break the assumption: features that
are flat in c within each class, and leap between them, serve a deep net best. There the method is
for features that were made without such training: embeddings and tables, which by default are
kept but for one epoch (encoder `linear` with as many columns of z as of x, where z = x at first); a
pretrained module whose parameters are frozen; images by their gradients (`hog` with `dim` 1072).

The covariate v(c) is `Attribute.features`; or each level of discrete parts is the number that it is
or, of text, names: a range is its middle ("10-14" is 12); or the rank of that number. The
covariance S is shrunk by the rule of Ledoit and Wolf (2004).
"""

import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from infoshed.attributes import Attribute
from infoshed.checks import InfoshedError, check_choice
from infoshed.evaluate import features_of
from infoshed.label_prior import linear_scores
from infoshed.methods.base import Setting
from infoshed.methods.supervised import Plain
from infoshed.nn import Model
from infoshed.types import DataSet

TOLERANCE = 1e-3  # deviations of v
NEGLIGIBLE = 1e-9  # of the variance of v
WIDEST = 256
LEVELS = ("categories", "numbers", "ranks")


@dataclass(frozen=True)
class AncovaOptions:
    """Options of `ancova`.

    Args:
        levels: what levels of c are taken as: "categories", the "numbers" that they name, or the
            "ranks" of these, at equal distances.
    """

    levels: str = "categories"

    def __post_init__(self):
        check_choice("levels", self.levels, LEVELS)


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
        train, attribute = setting.data.train, setting.data.attribute
        v = covariate(attribute, train.c, options.levels)
        # Before training, not after it, where there is no such effect.
        effect_within(torch.zeros(len(v), 1).double(), v, train.y, attribute.name)

    @torch.no_grad()
    def finish(self, model: Model) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        train, attribute = self.setting.data.train, self.setting.data.attribute
        v = covariate(attribute, train.c, self.options.levels)
        z = features_of(model, train).double()
        rest = z - (v - v.mean(0)) @ effect_within(z, v, train.y, attribute.name)
        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a class with one row
            discriminant.fit(rest.numpy(), train.y.numpy())
        weight, bias = linear_scores(discriminant, model.outputs)
        model.head.weight.copy_(weight)
        model.head.bias.copy_(bias)


def covariate(attribute: Attribute, codes: Tensor, levels: str) -> Tensor:
    """v(c), float64 (n, width), of codes (n, columns), with `levels` as in the options. Raises
    `InfoshedError` where there are no levels or no numbers to take, and for more than `WIDEST`
    columns."""
    parts = list(zip(attribute.parts, attribute.split(codes), strict=True))
    categories = levels == "categories"
    if not categories and all(not part.heads for part, _ in parts):
        raise InfoshedError(f"'{attribute.name}' is a quantity and has no levels; leave them out")
    columns = [
        part.features(c).double()
        if categories or not part.heads
        else numbers_of(part, levels)[c[:, 0]][:, None]
        for part, c in parts
    ]
    width = sum(v.shape[1] for v in columns)
    if width > WIDEST:
        raise InfoshedError(
            f"method 'ancova' takes at most {WIDEST} values of '{attribute.name}', got {width}; "
            'if they are numbers, say so with levels "numbers"'
        )
    return torch.cat(columns, 1)


def numbers_of(part: Attribute, levels: str) -> Tensor:
    """The numbers that the levels of a discrete attribute name, or their ranks, float64, by code;
    of two levels 0 and 1. Raises `InfoshedError` for levels that do not name a number each."""
    names: tuple = part.levels  # type: ignore[attr-defined]
    if len(names) == 2:
        return torch.arange(2).double()
    if any(isinstance(name, str) for name in names):
        # 1,000 is one number.
        plain = [re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", str(name)) for name in names]
        found = [re.findall(r"(?:^-)?\d+(?:\.\d+)?", name)[:2] for name in plain]
        numbers = [sum(map(float, texts)) / len(texts) for texts in found if texts]
    else:
        numbers = [float(name) for name in names]
    if len(set(numbers)) < len(names):
        raise InfoshedError(
            f"the levels of '{part.name}' do not name a number each, as '5-9' and '10-14' do: "
            f"{', '.join(map(str, names[:6]))}"
        )
    values = torch.tensor(numbers, dtype=torch.float64)
    return values.argsort().argsort().double() if levels == "ranks" else values


def effect_within(z: Tensor, v: Tensor, y: Tensor, name: str) -> Tensor:
    """The slopes B (width, dim) of z (n, dim) on v (n, width), the same in all classes y (n,), by
    least squares with a mean for each class; float64.

    Raises `InfoshedError`, calling c `name`, when the classes differ in v in a direction in which
    v does not vary within any of them.
    """
    members = F.one_hot(y).double()
    members = members[:, members.any(0)]
    of_class = members / members.sum(0)  # (n, classes): columns average over a class
    scale = v.std(0, correction=0)
    scale = torch.where(scale > 0, scale, 1)
    v = (v - v.mean(0)) / scale  # so that every column has its say in what is negligible
    between = of_class.T @ v
    inner = v - members @ between
    moments = inner.T @ inner / len(v)
    inverse = torch.linalg.pinv(moments, hermitian=True, atol=NEGLIGIBLE, rtol=0.0)
    lost = between - between @ inverse @ moments
    if lost.abs().max() > TOLERANCE:
        raise InfoshedError(
            f"'{name}' does not vary within the classes in the way in which they differ, so its "
            "effect cannot be told from theirs; give it as a quantity or, where its levels name "
            'numbers, with levels "numbers"; or add rows that break the tie'
        )
    return inverse @ inner.T @ z / len(v) / scale[:, None]
