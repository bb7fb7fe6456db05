"""Which condition speaks for which others, and what a bad signal holds back."""

from __future__ import annotations

from collections.abc import Mapping

from edge.alarm.limits import AlarmLimits
from edge.alarm.signal_state import SECOND_NS, SignalState
from edge.alert import AlarmKind

__all__ = ["EXPLAINS", "ORDER", "TECHNICAL", "held_now"]

_K = AlarmKind

TECHNICAL = frozenset(
    {_K.SIGNAL_LOST, _K.LEAD_OFF, _K.POOR_SIGNAL, _K.STORAGE_FAULT, _K.ANALYSIS_LIMITED}
)

ORDER = (
    _K.SIGNAL_LOST,
    _K.LEAD_OFF,
    _K.VF,
    _K.ASYSTOLE,
    _K.VT,
    _K.EXTREME_TACHY,
    _K.EXTREME_BRADY,
    _K.PAUSE,
    _K.TACHY,
    _K.BRADY,
    _K.AF,
    _K.PVC_RUN,
    _K.POOR_SIGNAL,
    _K.STORAGE_FAULT,
    _K.ANALYSIS_LIMITED,
)
"""Order in which rules are asked: whoever explains another comes before it."""

_SLOW = frozenset({_K.EXTREME_BRADY, _K.BRADY, _K.PAUSE})
_FAST = frozenset({_K.EXTREME_TACHY, _K.TACHY})

EXPLAINS: dict[AlarmKind, frozenset[AlarmKind]] = {
    _K.SIGNAL_LOST: frozenset({_K.LEAD_OFF, _K.POOR_SIGNAL}),
    _K.LEAD_OFF: frozenset({_K.POOR_SIGNAL}),
    # In fibrillation a detector finds no QRS, or too many: VF is the cause, and it alone asks
    # for a shock, so it also takes the place of an asystole.
    _K.VF: _SLOW | _FAST | {_K.ASYSTOLE, _K.VT, _K.AF, _K.PVC_RUN, _K.POOR_SIGNAL},
    _K.ASYSTOLE: _SLOW | _FAST | {_K.AF, _K.PVC_RUN, _K.POOR_SIGNAL},
    _K.VT: _FAST | {_K.AF, _K.PVC_RUN},
    _K.EXTREME_TACHY: frozenset({_K.TACHY}),
    _K.EXTREME_BRADY: frozenset({_K.BRADY, _K.PAUSE}),
}
"""While the key is on, none of its values starts, and one that is on ends."""

_PHYSIOLOGICAL = frozenset(ORDER) - TECHNICAL
_ON_SIGNAL = _PHYSIOLOGICAL | {_K.ANALYSIS_LIMITED}
_ON_CONTACT = frozenset({_K.VF})
_ON_SILENCE = frozenset({_K.ASYSTOLE, _K.PAUSE})
_ON_BEATS = _PHYSIOLOGICAL - _ON_CONTACT - _ON_SILENCE


def held_now(signal: SignalState, limits: AlarmLimits) -> Mapping[AlarmKind, str]:
    """The conditions on which the signal allows no verdict now, and why.

    VF needs contact only: fibrillation looks like noise to any quality index, so noise is left
    to the encoder's own noise output. Asystole and pause need seconds without any noise; the
    others tolerate one bad second in their past, not now. Where there is no signal at all, nobody
    knows whether it would be analysed.
    """
    if unheard := _unheard(signal, limits):
        return dict.fromkeys(_ON_SIGNAL, unheard)
    held: dict[AlarmKind, str] = {}
    for kinds, since_ns in (
        (_ON_CONTACT, signal.contact_since_ns),
        (_ON_SILENCE, signal.clean_since_ns),
        (_ON_BEATS, signal.usable_since_ns if signal.good_now else None),
    ):
        if since_ns is None:
            held |= dict.fromkeys(kinds, AlarmKind.POOR_SIGNAL.value)
        elif signal.heard_ns - since_ns < limits.blind_s * SECOND_NS:
            held |= dict.fromkeys(kinds, "blind")
    return held


def _unheard(signal: SignalState, limits: AlarmLimits) -> str | None:
    """Why there is nothing at all to judge, None where there is."""
    if signal.second_ns is None:
        return "blind"
    if signal.is_silent(limits) or signal.missing_since_ns is not None:
        return AlarmKind.SIGNAL_LOST.value
    return AlarmKind.LEAD_OFF.value if signal.all_off else None
