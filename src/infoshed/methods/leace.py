"""LEACE: plain training, then the least change of z that hides c from every linear reader
(Belrose et al. 2023, arXiv 2306.03819).

    z' = z - S^(1/2) P S^(-1/2) (z - E z),    S = Cov(z),
    P the orthogonal projection onto the columns of S^(-1/2) Cov(z, c)

Then Cov(z', c) = 0, so that no linear model predicts c from z' better than a constant does, and
among all affine maps with that property this one moves z least in mean square. c enters by its
features, one-hot columns where it is discrete, all parts of several categoricals together; a
reader that is not linear may find c still. The covariances are those of the training split, in
double precision, S as the authors' library shrinks it, which leaves Cov(z', c) = 0 as it is.

The eraser stands behind the encoder, so that z everywhere means z'. The head is fitted anew on
erased training features, by scikit-learn's logistic regression. What c tells linearly about y is
gone too: where c nearly decides y, little is left for the head.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from infoshed.checks import InfoshedError
from infoshed.evaluate import features_of
from infoshed.label_prior import linear_scores
from infoshed.methods.base import Setting
from infoshed.methods.supervised import Plain
from infoshed.nn import Model

TOLERANCE = 1e-6  # the library's own, 0.01, leaves rare values of c in z


class Eraser(nn.Module):
    """A fixed affine map of z (n, dim), z weight^T + bias; the identity until it is set."""

    weight: Tensor
    bias: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("weight", torch.eye(dim))
        self.register_buffer("bias", torch.zeros(dim))

    def forward(self, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):  # rounding would undo the erasure
            return nn.functional.linear(z.to(self.weight.dtype), self.weight, self.bias)


class LEACE(Plain):
    """See the module."""

    summary = "plain training, then an affine map that hides c from every linear reader of z"
    reference = "arXiv 2306.03819"
    targets = ("classes",)  # its head is a logistic regression

    @classmethod
    def extend(cls, model: Model) -> Model:
        model.encoder = nn.Sequential(model.encoder, Eraser(model.dim))
        return model

    def __init__(self, setting: Setting, options: Any):
        super().__init__(setting, options)
        _fitter()  # before training, not after it, where the package is missing

    @torch.no_grad()
    def finish(self, model: Model) -> None:
        train, attribute = self.setting.data.train, self.setting.data.attribute
        z = features_of(model, train).double()
        eraser = (
            _fitter()
            .fit(
                z,
                attribute.features(train.c).double(),
                constrain_cov_trace=False,
                svd_tol=TOLERANCE,
            )
            .eraser
        )
        erased = eraser(z)
        layer = model.encoder[1]  # type: ignore[index]
        layer.weight.copy_(eraser.P)
        layer.bias.copy_(eraser.bias - eraser.P @ eraser.bias)
        from sklearn.linear_model import LogisticRegression

        regression = LogisticRegression(max_iter=2000).fit(erased.numpy(), train.y.numpy())
        weight, bias = linear_scores(regression, model.outputs)
        model.head.weight.copy_(weight)
        model.head.bias.copy_(bias)


def _fitter() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit, inside the package
            from concept_erasure import LeaceFitter
    except ImportError as error:
        raise InfoshedError(
            "method 'leace' needs concept-erasure: pip install 'infoshed[leace]'"
        ) from error
    return LeaceFitter
