"""Figures in words: how audits show numbers, on the terminal and on a page."""

from infoshed.auditing.interval import Interval
from infoshed.offline import MIEstimate
from infoshed.tables import nats_texts


def interval_text(found: Interval | None) -> str:
    """A value with its interval, or a dash."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{number_text(found.value)} (no interval)"
    return f"{number_text(found.value)} ({number_text(found.low)} to {number_text(found.high)})"


def number_text(value: float | None) -> str:
    """Three decimals, or a dash."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.4g}"


def nats_text(found: MIEstimate) -> tuple[str, str, str]:
    """The estimate and the ends of its interval."""
    return nats_texts(found.nats, found.low, found.high)


def ends_text(found: MIEstimate) -> str:
    """The estimate with its interval."""
    nats, low, high = nats_text(found)
    return f"{nats} ({low} to {high})"


def percent_text(share: float) -> str:
    """Per cent, with a decimal below ten."""
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def p_text(p: float) -> str:
    """A p-value; none is known to be below 0.001."""
    return "<= 0.001" if p <= 0.001 else f"{p:.2g}"
