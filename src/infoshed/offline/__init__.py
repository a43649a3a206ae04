"""Mutual information after training: cross-fitted, with an interval (`estimate_mi`)."""

from infoshed.offline.estimate import MIEstimate, estimate_mi

__all__ = ["MIEstimate", "estimate_mi"]
