"""Alarm limits of one patient: what the configuration file may set, and within which bounds."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.alert import AlarmKind, Priority

__all__ = ["LOCKED", "AlarmLimits"]

LOCKED = frozenset(
    {
        AlarmKind.ASYSTOLE,
        AlarmKind.VF,
        AlarmKind.VT,
        AlarmKind.SIGNAL_LOST,
        AlarmKind.STORAGE_FAULT,
        AlarmKind.ANALYSIS_LIMITED,
    }
)
"""Kinds that no configuration can switch off: a monitor that looks on but cannot call out for
these is worse than none. Their limits may move within the bounds below."""

_LETHAL = frozenset({AlarmKind.ASYSTOLE, AlarmKind.VF, AlarmKind.VT})

_PRIORITY = {
    AlarmKind.ASYSTOLE: Priority.HIGH,
    AlarmKind.VF: Priority.HIGH,
    AlarmKind.VT: Priority.HIGH,
    AlarmKind.EXTREME_BRADY: Priority.HIGH,
    AlarmKind.EXTREME_TACHY: Priority.HIGH,
    AlarmKind.PAUSE: Priority.MEDIUM,
    AlarmKind.BRADY: Priority.MEDIUM,
    AlarmKind.TACHY: Priority.MEDIUM,
    AlarmKind.AF: Priority.LOW,
    AlarmKind.PVC_RUN: Priority.LOW,
    AlarmKind.LEAD_OFF: Priority.MEDIUM,
    AlarmKind.SIGNAL_LOST: Priority.MEDIUM,
    AlarmKind.POOR_SIGNAL: Priority.LOW,
    AlarmKind.STORAGE_FAULT: Priority.MEDIUM,
    AlarmKind.ANALYSIS_LIMITED: Priority.LOW,
}


def _between(low: float, high: float) -> msgspec.Meta:
    return msgspec.Meta(ge=low, le=high)


Probability = Annotated[float, _between(0.05, 0.99)]


class AlarmLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits, confirmation and timing of every alarm condition. Times in seconds, rates per minute.

    Defaults of asystole, extreme rates, VT and VF are the alarm definitions of the PhysioNet/CinC
    Challenge 2015. Ranges are checked where a configuration is decoded (`msgspec.convert`) and by
    `AlarmMachine`; limits that contradict each other raise ValueError at once.

    asystole_s: no QRS for so long. pause_s: an RR interval of at least this.
    *_beats: consecutive beats that decide (n beats are n - 1 intervals); `rate_tolerance` of the
        16 intervals of a tachycardia may fall outside (an ectopic or a missed beat).
    vf_s, vt_s, af_s: seconds of encoder output that must agree; one more second may disagree for
        vf and vt, a fifth of them for af.
    ventricular_probability: of VT and VF together, above which a second counts.
    af_rr_ratio: RMSSD / mean RR above which RR intervals count as irregular.
    hysteresis_bpm: how far a rate must come back inside its limit before its alarm may end.
    end_s: a condition must be absent so long before its alarm ends.
    refractory_s: after its end a medium or low condition keeps quiet so long; high ones never do.
    update_s: least time between two updates of one alarm, unless its priority rises.
    blind_s: after the signal returns nothing physiological starts for so long.
    usable_score: lead quality below which beats are not trusted.
    flat_is_asystole: a flat line without a lead-off report counts as signal without QRS; when
        false it counts as lead off (for straps that cannot tell contact).
    disabled: kinds switched off; those in `LOCKED` are refused.
    priorities: kind to priority where it differs from the default; asystole, vf and vt stay high.
    """

    asystole_s: Annotated[float, _between(2.5, 10.0)] = 4.0
    pause_s: Annotated[float, _between(1.5, 6.0)] = 3.0
    extreme_brady_bpm: Annotated[float, _between(15, 60)] = 40.0
    extreme_brady_beats: Annotated[int, _between(3, 20)] = 5
    extreme_tachy_bpm: Annotated[float, _between(90, 280)] = 140.0
    extreme_tachy_beats: Annotated[int, _between(5, 60)] = 17
    brady_bpm: Annotated[float, _between(20, 100)] = 50.0
    brady_beats: Annotated[int, _between(3, 30)] = 5
    tachy_bpm: Annotated[float, _between(70, 250)] = 120.0
    tachy_beats: Annotated[int, _between(5, 60)] = 17
    rate_tolerance: Annotated[int, _between(0, 3)] = 1
    vt_beats: Annotated[int, _between(4, 30)] = 5
    vt_bpm: Annotated[float, _between(80, 200)] = 100.0
    vt_s: Annotated[int, _between(2, 15)] = 4
    vf_s: Annotated[int, _between(3, 10)] = 4
    ventricular_probability: Probability = 0.7
    af_s: Annotated[int, _between(10, 120)] = 30
    af_probability: Probability = 0.5
    af_rr_ratio: Annotated[float, _between(0.03, 0.5)] = 0.1
    pvc_run_beats: Annotated[int, _between(2, 10)] = 3
    lead_off_s: Annotated[float, _between(1, 60)] = 3.0
    signal_lost_s: Annotated[float, _between(2, 10)] = 4.0
    poor_signal_s: Annotated[float, _between(3, 300)] = 10.0
    hysteresis_bpm: Annotated[float, _between(0, 20)] = 5.0
    end_s: Annotated[float, _between(1, 60)] = 6.0
    refractory_s: Annotated[float, _between(0, 3600)] = 30.0
    update_s: Annotated[float, _between(1, 600)] = 30.0
    blind_s: Annotated[float, _between(0, 10)] = 2.0
    usable_score: Annotated[float, _between(0.0, 1.0)] = 0.3
    flat_is_asystole: bool = True
    disabled: tuple[AlarmKind, ...] = ()
    priorities: dict[AlarmKind, Priority] = {}

    def __post_init__(self) -> None:
        """Refuse limits that contradict each other, naming both."""
        for low, high in (
            ("pause_s", "asystole_s"),
            ("extreme_brady_bpm", "brady_bpm"),
            ("brady_bpm", "tachy_bpm"),
            ("tachy_bpm", "extreme_tachy_bpm"),
            ("pvc_run_beats", "vt_beats"),
        ):
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(
                    f"{low} ({getattr(self, low)}) must be below {high} ({getattr(self, high)})"
                )
        if locked := sorted(LOCKED.intersection(self.disabled)):
            raise ValueError(f"{', '.join(locked)} cannot be disabled; move the limit instead")
        for kind, priority in self.priorities.items():
            if kind in _LETHAL and priority is not Priority.HIGH:
                raise ValueError(f"priority of {kind} must stay high, not {priority}")

    def checked(self) -> AlarmLimits:
        """These limits after a check of every range. Raises msgspec.ValidationError naming the
        limit that lies outside."""
        return msgspec.convert(msgspec.to_builtins(self), AlarmLimits)

    def priority(self, kind: AlarmKind) -> Priority:
        """Priority of a kind, the patient's own where set."""
        return self.priorities.get(kind, _PRIORITY[kind])
