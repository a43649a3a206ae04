"""Attribute specifications: what the bias attribute c can be, and how raw values become codes.

A specification is learned from training values once (`from_values`) and frozen. `encode` maps
raw values to a 2-D tensor of codes, the form in which c travels through the library:

- `Categorical`, `Binary`: (n, 1) int64, positions in `levels`;
- `MultiCategorical`: (n, k) int64, one column per part;
- `Continuous`: (n, d) float32, standardised with the training mean and deviation;
- `Mixed`: (n, columns) float32, the columns of its parts, categorical and continuous ones.

A value that is missing (None or NaN) is refused, or on request (`missing=True`) gets the code -1,
NaN where c is continuous. Training then uses the rows whose codes are all there for everything
that concerns c, and every row for the label.

Entropies are in nats. For several categoricals `entropy` is the **sum** of the parts' entropies,
sum_k H(C_k), because critics with one head per part measure sum_k I(Z;C_k); neither is the joint.
"""

from infoshed.attributes.base import Attribute
from infoshed.attributes.binary import Binary
from infoshed.attributes.categorical import Categorical
from infoshed.attributes.continuous import Continuous
from infoshed.attributes.infer import KINDS, attribute_from_dict, infer_attribute
from infoshed.attributes.mixed import Mixed
from infoshed.attributes.multi_categorical import MultiCategorical

__all__ = [
    "KINDS",
    "Attribute",
    "Binary",
    "Categorical",
    "Continuous",
    "Mixed",
    "MultiCategorical",
    "attribute_from_dict",
    "infer_attribute",
]
