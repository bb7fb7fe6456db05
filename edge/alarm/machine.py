"""The alarm system: observations in, alerts out. Pure: no clock, no I/O, the same in, the same out.

Every decision is made on the stream time that observations carry. The whole state is plain data,
so that a restart goes on where the process stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from edge.alarm.atrial import af
from edge.alarm.episode import Episode, alarm_id
from edge.alarm.equipment import EquipmentState
from edge.alarm.finding import Evidence, Finding, Rule, View, without_growing
from edge.alarm.history import BeatHistory, RhythmHistory
from edge.alarm.limits import AlarmLimits
from edge.alarm.precedence import EXPLAINS, held_now
from edge.alarm.rate import asystole, brady, extreme_brady, extreme_tachy, pause, tachy
from edge.alarm.rota import Rota
from edge.alarm.signal_state import SECOND_NS, SignalState
from edge.alarm.technical import (
    analysis_limited,
    lead_off,
    poor_signal,
    signal_lost,
    storage_fault,
)
from edge.alarm.ventricular import pvc_run, vf, vt
from edge.alert import AlarmKind, Alert, Priority
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
    AlarmKind.ANALYSIS_LIMITED: analysis_limited,
}


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
        self._equipment = EquipmentState()
        self._begin(_State(session), limits.checked())

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
        machine._begin(state, machine.limits)
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
        self._begin(self._state, limits.checked())

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
        held = held_now(self._state.signal, self._limits)
        alerts: list[Alert] = []
        for kind in self._rota.asked(observation):
            alerts += self._judge(kind, held.get(kind))
        return tuple(alerts)

    def _begin(self, state: _State, limits: AlarmLimits) -> None:
        """Judge this state by these limits from now on, every rule afresh."""
        self._state, self._limits = state, limits
        heard = (state.signal, state.beats, state.rhythm, limits)
        self._view = View(*heard, False, self._equipment)
        self._view_when_on = View(*heard, True, self._equipment)
        self._rota = Rota()

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
            case StorageFault() | AnalysisLimited():
                known_ns = observation.time_ns
                self._equipment.hear(observation)
            case ToldRate():
                known_ns = observation.time_ns
        state.now_ns = max(state.now_ns, known_ns)

    def _judge(self, kind: AlarmKind, held: str | None) -> Iterable[Alert]:
        """What becomes of one condition now. held: why there can be no verdict."""
        episode = self._state.episodes.get(kind)
        if barred := self._barred(kind):
            return [self._end(episode, barred)] if episode else ()
        if episode:
            finding = None if held else RULES[kind](self._view_when_on)
            return self._follow(episode, finding, held)
        finding = None if held else RULES[kind](self._view)
        if finding is None and held is None:
            self._rota.settle(kind)
            return ()
        self._rota.unsettle(kind)
        if finding is None or self._refractory(kind, self._limits.priority(kind)):
            return ()
        return [self._start(kind, finding)]

    def _barred(self, kind: AlarmKind) -> Evidence | None:
        """Why the condition is no alarm of its own, whatever its rule says."""
        if explained := self._explained_by(kind):
            self._rota.unsettle(kind)
            return {"reason": "superseded", "by": explained.value}
        if kind in self._limits.disabled:
            self._rota.settle(kind)
            return {"reason": "disabled"}
        return None

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
