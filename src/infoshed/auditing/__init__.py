"""Audits: what a representation still tells about c, and how predictions treat groups.

Pure functions over frozen arrays (z, y, c); results are frozen and JSON-able. `audit` puts them
together; `audit_data` asks the same of a table of labels and attributes, before any training.
"""

from infoshed.auditing.data import DataAudit, TableAudit, audit_data
from infoshed.auditing.group_metrics import METRICS, GroupMetrics, group_metrics, metric_interval
from infoshed.auditing.interval import Interval
from infoshed.auditing.perform import audit
from infoshed.auditing.probes import PROBES, Leakage, probe_leakage
from infoshed.auditing.record import AttributeAudit, Audit, GroupOutcome, Outcomes
from infoshed.auditing.run import audit_encoder, audit_run

__all__ = [
    "METRICS",
    "PROBES",
    "AttributeAudit",
    "Audit",
    "DataAudit",
    "GroupMetrics",
    "GroupOutcome",
    "Interval",
    "Leakage",
    "Outcomes",
    "TableAudit",
    "audit",
    "audit_data",
    "audit_encoder",
    "audit_run",
    "group_metrics",
    "metric_interval",
    "probe_leakage",
]
