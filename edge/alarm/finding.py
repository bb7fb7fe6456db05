"""What a rule sees and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.alarm.equipment import EquipmentState
from edge.alarm.history import BeatHistory, RhythmHistory, Second
from edge.alarm.limits import AlarmLimits
from edge.alarm.signal_state import SignalState
from edge.alert import Priority

__all__ = ["GROWING", "Evidence", "Finding", "Rule", "View", "without_growing"]

NOISE_PROBABILITY = 0.5
"""An encoder that calls the second noise is not believed when it also says VT or VF."""

Evidence = dict[str, float | int | str]

GROWING = frozenset({"silent_s", "missing_s", "poor_s", "no_qrs_s"})
"""Evidence that merely grows while a condition lasts: no change that is worth a message."""


def without_growing(evidence: Evidence) -> Evidence:
    """The evidence whose change is told."""
    return {name: value for name, value in evidence.items() if name not in GROWING}


@dataclass(frozen=True, slots=True)
class View:
    """Everything a rule may look at. active: its own alarm is on, so hysteresis applies."""

    signal: SignalState
    beats: BeatHistory
    rhythm: RhythmHistory
    limits: AlarmLimits
    active: bool = False
    equipment: EquipmentState = field(default_factory=EquipmentState)

    @property
    def usable_since_ns(self) -> int:
        """Beats from here on count; beyond all beats where none does."""
        since_ns = self.signal.usable_since_ns
        return self.signal.heard_ns + 1 if since_ns is None else since_ns

    def seconds(self, count: int) -> list[Second]:
        """The last `count` encoder outputs since the electrodes have contact."""
        since_ns = self.signal.contact_since_ns
        if since_ns is None:
            return []
        return self.rhythm.recent(count, since_ns, self.signal.heard_ns)

    def says_ventricular(self, second: Second) -> bool:
        """Whether the encoder calls the second VT or VF, and not noise."""
        probability = (second.vt or 0.0) + (second.vf or 0.0)
        believed = (second.noise or 0.0) < NOISE_PROBABILITY
        return believed and probability >= self.limits.ventricular_probability

    @property
    def beats_stale(self) -> bool:
        """The last QRS is too long ago for a rate, as far as beats are known."""
        last_ns = self.beats.last_ns
        return last_ns is None or self.beats.until_ns - last_ns > self.limits.asystole_s * 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition is present now.

    onset_ns: stream time at which it began. priority: where the finding itself asks for
    another than its kind's.
    """

    onset_ns: int
    evidence: Evidence = field(default_factory=dict)
    priority: Priority | None = None


Rule = Callable[[View], Finding | None]
"""Says whether a condition is present now. Pure: the same view gives the same answer."""
