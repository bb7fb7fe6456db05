"""Which rules are asked at an observation: those whose answer it can change."""

from __future__ import annotations

from collections.abc import Iterable

from edge.alarm.precedence import ORDER
from edge.alert import AlarmKind
from edge.events import (
    AnalysisLimited,
    Beat,
    BeatLabel,
    BeatsKnown,
    Observation,
    Quality,
    Rhythm,
    Silence,
    StorageFault,
    ToldRate,
)

__all__ = ["ROUSED", "Rota"]

_K = AlarmKind
_RATES = frozenset({_K.EXTREME_TACHY, _K.EXTREME_BRADY, _K.TACHY, _K.BRADY})

ROUSED: dict[type[Observation], frozenset[AlarmKind]] = {
    Beat: _RATES | {_K.ASYSTOLE, _K.PAUSE, _K.VT, _K.PVC_RUN},
    BeatLabel: frozenset({_K.VT, _K.PVC_RUN}),
    BeatsKnown: frozenset({_K.ASYSTOLE}),
    Quality: frozenset(_K) - {_K.STORAGE_FAULT},
    Rhythm: frozenset({_K.VF, _K.VT, _K.ASYSTOLE}),
    Silence: frozenset({_K.SIGNAL_LOST}),
    StorageFault: frozenset({_K.STORAGE_FAULT}),
    AnalysisLimited: frozenset({_K.ANALYSIS_LIMITED}),
    ToldRate: frozenset(),
}
"""Rules that may find their condition after such an observation though they did not before it.

A beat rouses asystole, as it tells of the present: a word of VF, for which asystole waits, may be
too old by then. Each second rouses all that hangs on the signal.
"""

_ONCE_A_SECOND = frozenset({_K.AF})
"""Judged at quality seconds only: statistics over many beats, and no haste."""

_ASKED = {heard: tuple(k for k in ORDER if k in kinds) for heard, kinds in ROUSED.items()}


class Rota:
    """Remembers which conditions are settled: their alarm is off, and their rule, asked about all
    that is known, has not found them. The others are asked at every observation, for time alone
    may start or end their alarms.
    """

    def __init__(self) -> None:
        self._unsettled = set(ORDER) - _ONCE_A_SECOND

    def asked(self, observation: Observation) -> Iterable[AlarmKind]:
        """The kinds to be judged, in their order."""
        roused = _ASKED[type(observation)]
        if not self._unsettled:
            return roused
        return [kind for kind in ORDER if kind in roused or kind in self._unsettled]

    def settle(self, kind: AlarmKind) -> None:
        """The condition is not there, as far as anything is known."""
        self._unsettled.discard(kind)

    def unsettle(self, kind: AlarmKind) -> None:
        """The alarm is on, or the rule could not be asked, or its finding starts no alarm yet."""
        if kind not in _ONCE_A_SECOND:
            self._unsettled.add(kind)
