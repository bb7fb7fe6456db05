"""Rules on the equipment: electrodes, link, signal, storage, analysis."""

from __future__ import annotations

from edge.alarm.finding import Finding, View
from edge.alarm.signal_state import SECOND_NS
from edge.alert import Priority

__all__ = ["analysis_limited", "lead_off", "poor_signal", "signal_lost", "storage_fault"]

LIMITED_NS = 10 * SECOND_NS
"""An encoder that is away for less than this, as while others take its place, is not missed."""


def signal_lost(view: View) -> Finding | None:
    """The link is silent, or delivers gaps only, for `signal_lost_s`."""
    signal = view.signal
    limit_ns = view.limits.signal_lost_s * SECOND_NS
    if signal.silent_since_ns is not None and signal.is_silent(view.limits):
        return Finding(signal.silent_since_ns, {"silent_s": round(signal.silent_ns / SECOND_NS, 1)})
    missing_ns = _lasting(signal.missing_since_ns, signal.second_ns)
    if signal.missing_since_ns is None or missing_ns < limit_ns:
        return None
    return Finding(signal.missing_since_ns, {"missing_s": round(missing_ns / SECOND_NS, 1)})


def lead_off(view: View) -> Finding | None:
    """Some lead has no skin contact for `lead_off_s`; low priority while another lead works."""
    signal = view.signal
    since_ns = signal.off_since_ns
    if since_ns is None or _lasting(since_ns, signal.second_ns) < view.limits.lead_off_s * 1e9:
        return None
    return Finding(
        since_ns,
        {"leads_off": signal.leads_off, "leads": signal.leads},
        None if signal.all_off else Priority.LOW,
    )


def poor_signal(view: View) -> Finding | None:
    """No lead good enough for beats, though some has contact, for `poor_signal_s`."""
    signal = view.signal
    since_ns = signal.poor_since_ns
    poor_ns = _lasting(since_ns, signal.second_ns)
    if since_ns is None or poor_ns < view.limits.poor_signal_s * SECOND_NS:
        return None
    return Finding(since_ns, {"poor_s": round(poor_ns / SECOND_NS, 1)})


def storage_fault(view: View) -> Finding | None:
    """Alerts may not be stored: the disk refuses them, or a store was found damaged."""
    equipment = view.equipment
    if equipment.storage_since_ns is None:
        return None
    return Finding(equipment.storage_since_ns, {"reason": equipment.storage_reason})


def analysis_limited(view: View) -> Finding | None:
    """No encoder judges the rhythm, though one is asked for, for `LIMITED_NS`."""
    equipment = view.equipment
    since_ns = equipment.limited_since_ns
    is_short = _lasting(since_ns, view.signal.second_ns) < LIMITED_NS
    if since_ns is None or (is_short and not view.active):
        return None
    return Finding(since_ns, {"reason": equipment.limited_reason})


def _lasting(since_ns: int | None, now_ns: int | None) -> int:
    return 0 if since_ns is None or now_ns is None else now_ns - since_ns
