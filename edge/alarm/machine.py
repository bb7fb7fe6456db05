"""The alarm system: observations in, alerts out. Pure: no clock, no I/O, the same in, the same out.

Every decision is made on the stream time that observations carry. The whole state is plain data,
so that a restart goes on where the process stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from edge.alarm.atrial import af
from edge.alarm.episode import Episode, alarm_id
from edge.alarm.equipment import EquipmentState
from edge.alarm.finding import Finding, Rule, View, without_growing
from edge.alarm.history import BeatHistory, RhythmHistory
from edge.alarm.limits import AlarmLimits
from edge.alarm.precedence import EXPLAINS, ORDER, TECHNICAL, held_by
from edge.alarm.rate import asystole, brady, extreme_brady, extreme_tachy, pause, tachy
from edge.alarm.signal_state import SECOND_NS, SignalState
from edge.alarm.technical import lead_off, poor_signal, signal_lost, storage_fault
from edge.alarm.ventricular import pvc_run, vf, vt
from edge.alert import AlarmKind, Alert, Priority
from edge.events import (
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

__all__ = ["RULES", "AlarmMachine", "SnapshotError"]

RULES: dict[AlarmKind, Rule] = {
    AlarmKind.SIGNAL_LOST: signal_lost,
    AlarmKind.LEAD_OFF: lead_off,
    AlarmKind.VF: vf,
    AlarmKind.ASYSTOLE: asystole,
    AlarmKind.VT: vt,
    AlarmKind.EXTREME_TACHY: extreme_tachy,
    AlarmKind.EXTREME_BRADY: extreme_brady,
    AlarmKind.PAUSE: pause,
    AlarmKind.TACHY: tachy,
    AlarmKind.BRADY: brady,
    AlarmKind.AF: af,
    AlarmKind.PVC_RUN: pvc_run,
    AlarmKind.POOR_SIGNAL: poor_signal,
    AlarmKind.STORAGE_FAULT: storage_fault,
}


_ONCE_A_SECOND = frozenset({AlarmKind.AF})
"""Judged at quality seconds only: statistics over many beats, and no haste."""


class SnapshotError(ValueError):
    """A snapshot that is not of this version or not whole."""


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that a restart must keep."""

    session: str
    now_ns: int = 0
    signal: SignalState = msgspec.field(default_factory=SignalState)
    beats: BeatHistory = msgspec.field(default_factory=BeatHistory)
    rhythm: RhythmHistory = msgspec.field(default_factory=RhythmHistory)
    episodes: dict[AlarmKind, Episode] = {}
    ended_ns: dict[AlarmKind, int] = {}
    version: int = 1


class AlarmMachine:
    """Alarms of one stream.

    session: names the stream; part of every alarm id. Raises msgspec.ValidationError for limits
    outside their ranges.
    """

    def __init__(self, limits: AlarmLimits, session: str) -> None:
        self._limits = limits.checked()
        self._state = _State(session)
        self._equipment = EquipmentState()

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], limits: AlarmLimits) -> AlarmMachine:
        """A machine that goes on from a `snapshot`, under limits that may have changed.

        Stream time must go on too: add `now_ns` to the times of a stream that starts at zero,
        and observe a Silence for the time in between, so that a blind time follows.
        Raises SnapshotError where the snapshot cannot be used.
        """
        try:
            state = msgspec.convert(snapshot, _State)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"alarm snapshot: {error}; start a new session") from error
        if state.version != 1:
            raise SnapshotError(f"alarm snapshot: version {state.version}, expected 1")
        machine = cls(limits, state.session)
        machine._state = state
        return machine

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-able data."""
        plain: dict[str, Any] = msgspec.to_builtins(self._state, str_keys=True)
        return plain

    @property
    def limits(self) -> AlarmLimits:
        """The limits in force."""
        return self._limits

    def set_limits(self, limits: AlarmLimits) -> None:
        """Judge by these from the next observation on; what was heard so far still counts.

        Raises msgspec.ValidationError for limits outside their ranges.
        """
        self._limits = limits.checked()

    def give_up(self, reason: str) -> tuple[Alert, ...]:
        """End every alarm that is on, with this reason in its evidence."""
        return tuple(
            self._end(each, {"reason": reason}) for each in [*self._state.episodes.values()]
        )

    @property
    def now_ns(self) -> int:
        """Latest stream time observed; never goes back."""
        return self._state.now_ns

    @property
    def active(self) -> tuple[Alert, ...]:
        """The latest alert of every alarm that is on, most urgent first, then oldest first."""
        alerts = (episode.alert for episode in self._state.episodes.values())
        return tuple(sorted(alerts, key=lambda a: (a.priority.rank, a.onset_ns, a.kind)))

    def observe(self, observation: Observation) -> tuple[Alert, ...]:
        """What this observation changes. Late and repeated observations are tolerated."""
        self._hear(observation)
        tick = isinstance(observation, Quality)
        kinds = (kind for kind in ORDER if tick or kind not in _ONCE_A_SECOND)
        views = self._views()
        return tuple(alert for kind in kinds for alert in self._judge(kind, views))

    def _hear(self, observation: Observation) -> None:
        state = self._state
        match observation:
            case Beat():
                known_ns = max(observation.detected_ns, observation.time_ns)
                state.beats.hear(observation)
                state.signal.hear_time(known_ns)
            case BeatLabel():
                known_ns = observation.known_ns
                state.beats.name(observation)
            case BeatsKnown():
                known_ns = observation.time_ns
                state.beats.know(observation.until_ns)
            case Quality():
                known_ns = observation.time_ns
                state.signal.hear_quality(observation, self._limits)
            case Rhythm():
                known_ns = observation.time_ns
                state.rhythm.hear(observation)
                state.signal.hear_time(known_ns)
            case Silence():
                known_ns = observation.time_ns
                state.signal.hear_silence(observation, self._limits)
            case StorageFault():
                known_ns = observation.time_ns
                self._equipment.hear(observation)
            case ToldRate():
                known_ns = observation.time_ns
        state.now_ns = max(state.now_ns, known_ns)

    def _views(self) -> tuple[View, View]:
        """What rules see whose alarm is off, and whose alarm is on."""
        state = self._state
        heard = (state.signal, state.beats, state.rhythm, self._limits)
        return View(*heard, False, self._equipment), View(*heard, True, self._equipment)

    def _judge(self, kind: AlarmKind, views: tuple[View, View]) -> Iterator[Alert]:
        state, limits = self._state, self._limits
        episode = state.episodes.get(kind)
        if explained := self._explained_by(kind):
            if episode:
                yield self._end(episode, {"reason": "superseded", "by": explained.value})
            return
        if kind in limits.disabled:
            if episode:
                yield self._end(episode, {"reason": "disabled"})
            return
        held = None if kind in TECHNICAL else held_by(kind, state.signal, limits)
        finding = None if held else RULES[kind](views[episode is not None])
        if episode:
            yield from self._follow(episode, finding, held)
        elif finding and not self._refractory(kind, limits.priority(kind)):
            yield self._start(kind, finding)

    def _explained_by(self, kind: AlarmKind) -> AlarmKind | None:
        on = self._state.episodes
        if not on:
            return None
        return next((key for key in on if kind in EXPLAINS.get(key, ())), None)

    def _refractory(self, kind: AlarmKind, priority: Priority) -> bool:
        ended_ns = self._state.ended_ns.get(kind)
        if ended_ns is None or priority is Priority.HIGH:
            return False
        return self._state.now_ns - ended_ns < self._limits.refractory_s * SECOND_NS

    def _start(self, kind: AlarmKind, finding: Finding) -> Alert:
        state = self._state
        # Two alarms of a kind never share an onset, for it makes their id.
        onset_ns = max(finding.onset_ns, state.ended_ns.get(kind, finding.onset_ns - 1) + 1)
        episode = Episode(
            id=alarm_id(state.session, kind, onset_ns),
            kind=kind,
            priority=finding.priority or self._limits.priority(kind),
            onset_ns=onset_ns,
            told_ns=state.now_ns,
            evidence=dict(finding.evidence),
        )
        state.episodes[kind] = episode
        return episode.alert

    def _follow(
        self, episode: Episode, finding: Finding | None, held: str | None
    ) -> Iterator[Alert]:
        now_ns = self._state.now_ns
        if finding is None and held is None:
            if episode.absent_since_ns is None:
                episode.absent_since_ns = now_ns
            if now_ns - episode.absent_since_ns >= self._limits.end_s * SECOND_NS:
                yield self._end(episode, {"reason": "resolved"})
                return
        else:
            episode.absent_since_ns = None
        yield from self._tell_change(episode, finding, held)

    def _tell_change(
        self, episode: Episode, finding: Finding | None, held: str | None
    ) -> Iterator[Alert]:
        """An update at once for a higher priority. For a lower one, new evidence or a verdict
        (un)held at most every `update_s`, so that a flickering contact makes no flood."""
        now_ns, limits = self._state.now_ns, self._limits
        priority = episode.priority
        evidence = {key: value for key, value in episode.evidence.items() if key != "held"}
        if finding:
            priority = finding.priority or limits.priority(episode.kind)
            evidence = dict(finding.evidence)
        if held:
            evidence["held"] = held
        due = now_ns - episode.told_ns >= limits.update_s * SECOND_NS
        same = without_growing(evidence) == without_growing(episode.evidence)
        changed = priority is not episode.priority or not same
        if not changed:
            episode.evidence = evidence  # what has merely grown is told with what comes next
        if priority.rank < episode.priority.rank or (due and changed):
            yield episode.update(now_ns, priority, evidence)

    def _end(self, episode: Episode, reason: dict[str, float | int | str]) -> Alert:
        state = self._state
        del state.episodes[episode.kind]
        state.ended_ns[episode.kind] = max(state.now_ns, episode.onset_ns)
        return episode.end(state.now_ns, reason)
