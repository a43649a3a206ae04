"""Audits: what a representation still tells about c, and how predictions treat groups.

Pure functions over frozen arrays (z, y, c); results are frozen and JSON-able.
"""

from infoshed.audit.group_metrics import METRICS, GroupMetrics, group_metrics, metric_interval
from infoshed.audit.interval import Interval
from infoshed.audit.probes import PROBES, Leakage, probe_leakage

__all__ = [
    "METRICS",
    "PROBES",
    "GroupMetrics",
    "Interval",
    "Leakage",
    "group_metrics",
    "metric_interval",
    "probe_leakage",
]
