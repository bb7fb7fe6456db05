"""Alarm conditions that other packages add, beside those that the runtime knows.

A package names a factory by entry point in the group `edge.rules`; it is called once a patient
with the patient's `AlarmLimits` and returns an `ExtensionRule`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from math import isfinite
from numbers import Integral, Real
from typing import Any, Protocol

import msgspec

from edge.alarm.episode import alarm_id
from edge.alarm.finding import Evidence
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine, SnapshotError
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.errors import ConfigError
from edge.events import Beat, BeatLabel, Observation

__all__ = ["GROUP", "ExtendedAlarms", "ExtensionRule", "installed_rules"]

GROUP = "edge.rules"
KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
TECHNICAL = frozenset({AlarmKind.LEAD_OFF, AlarmKind.SIGNAL_LOST, AlarmKind.POOR_SIGNAL})

log = logging.getLogger(__name__)


class ExtensionRule(Protocol):
    """Judges one condition of its own.

    kind: its word in alerts, `[a-z][a-z0-9_]*`, none of the runtime's own.
    """

    @property
    def kind(self) -> str:
        """The condition's word."""

    @property
    def priority(self) -> Priority:
        """Its priority."""

    def observe(self, observation: Observation) -> Evidence | None:
        """The numbers that show the condition while it is present, None while it is not."""


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """What a restart must keep. active: kind to the latest alert of a rule's alarm."""

    session: str
    machine: dict[str, Any]
    active: dict[str, Alert] = {}


class ExtendedAlarms:
    """The runtime's alarms and the rules of other packages, as one.

    A rule's alarm does not start while a technical alarm is on. A rule that raises is asked no
    more. Raises ConfigError for a rule whose kind is taken or malformed.
    """

    def __init__(self, machine: AlarmMachine, rules: Iterable[ExtensionRule], session: str) -> None:
        self._machine = machine
        self._rules = list(rules)
        self._session = session
        self._active: dict[str, Alert] = {}
        _check([rule.kind for rule in self._rules])

    @classmethod
    def restore(
        cls, snapshot: Mapping[str, Any], limits: AlarmLimits, rules: Iterable[ExtensionRule]
    ) -> ExtendedAlarms:
        """Alarms that go on from a `snapshot`; see `AlarmMachine.restore`.

        A rule begins anew: its alarm ends unless its first answer finds the condition. Raises
        SnapshotError where the snapshot cannot be used.
        """
        try:
            state = msgspec.convert(snapshot, _State)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"alarm snapshot: {error}; start a new session") from error
        machine = AlarmMachine.restore(state.machine, limits)
        alarms = cls(machine, rules, state.session)
        alarms._active = state.active
        return alarms

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-able data."""
        state = _State(self._session, self._machine.snapshot(), self._active)
        plain: dict[str, Any] = msgspec.to_builtins(state)
        return plain

    @property
    def now_ns(self) -> int:
        """Latest stream time observed; never goes back."""
        return self._machine.now_ns

    @property
    def limits(self) -> AlarmLimits:
        """The limits in force."""
        return self._machine.limits

    def set_limits(self, limits: AlarmLimits) -> None:
        """Judge by these from now on; the rules of other packages keep those that they were given.

        Raises msgspec.ValidationError for limits outside their ranges.
        """
        self._machine.set_limits(limits)

    def give_up(self, reason: str) -> tuple[Alert, ...]:
        """End every alarm that is on, with this reason in its evidence."""
        of_rules = [self._ended(kind, self.now_ns, reason) for kind in [*self._active]]
        return (*self._machine.give_up(reason), *of_rules)

    @property
    def active(self) -> tuple[Alert, ...]:
        """The latest alert of every alarm that is on, most urgent first."""
        alerts = [*self._machine.active, *self._active.values()]
        return tuple(sorted(alerts, key=lambda alert: (alert.priority.rank, alert.onset_ns)))

    def observe(self, observation: Observation) -> tuple[Alert, ...]:
        """What this observation changes."""
        of_machine = self._machine.observe(observation)
        if not self._rules and not self._active:
            return of_machine
        alerts = list(of_machine)
        asked = {rule.kind for rule in self._rules}
        for kind in [kind for kind in self._active if kind not in asked]:
            alerts.append(self._ended(kind, self.now_ns, "disabled"))
        held = any(alert.kind in TECHNICAL for alert in self._machine.active)
        for rule in tuple(self._rules):
            alerts += self._judged(rule, self._ask(rule, observation), observation, held)
        return tuple(alerts)

    def _ask(self, rule: ExtensionRule, observation: Observation) -> Evidence | None:
        try:
            return _plain(rule.observe(observation))
        except Exception:  # a rule of another package may raise anything
            log.exception("rule %s failed and is switched off", rule.kind)
            self._rules.remove(rule)
            return None

    def _judged(
        self, rule: ExtensionRule, evidence: Evidence | None, observation: Observation, held: bool
    ) -> list[Alert]:
        before = self._active.get(rule.kind)
        if (evidence is None) == (before is None) or (before is None and held):
            return []
        now_ns = _known_ns(observation)
        if before is not None:
            return [self._ended(rule.kind, now_ns, "resolved")]
        alert = _start(rule, alarm_id(self._session, rule.kind, now_ns), now_ns, evidence or {})
        self._active[rule.kind] = alert
        return [alert]

    def _ended(self, kind: str, now_ns: int, reason: str) -> Alert:
        before = self._active.pop(kind)
        evidence = {**before.evidence, "reason": reason}
        return replace(before, phase=Phase.END, time_ns=now_ns, evidence=evidence)


def installed_rules(limits: AlarmLimits) -> list[ExtensionRule]:
    """The rules of all packages that offer any, for one patient."""
    return [point.load()(limits) for point in entry_points(group=GROUP)]


def _plain(evidence: Evidence | None) -> Evidence | None:
    """The evidence as plain data that can be stored and sent, whatever numbers a rule has; what
    is no finite number and no text is left out."""
    if evidence is None:
        return None
    pairs = ((str(name), _plain_value(value)) for name, value in evidence.items())
    return {name: value for name, value in pairs if value is not None}


def _plain_value(value: object) -> float | int | str | None:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral) and abs(int(value)) < 2**63:
        return int(value)
    if isinstance(value, Real) and isfinite(value):
        return float(value)
    return None


def _start(rule: ExtensionRule, alert_id: str, now_ns: int, why: Evidence) -> Alert:
    return Alert(
        id=alert_id,
        kind=rule.kind,
        type=AlarmType.PHYSIOLOGICAL,
        priority=rule.priority,
        phase=Phase.START,
        onset_ns=now_ns,
        time_ns=now_ns,
        evidence=dict(why),
    )


def _check(kinds: list[str]) -> None:
    own = {kind.value for kind in AlarmKind}
    for kind in kinds:
        if not KIND.fullmatch(kind) or kind in own or kinds.count(kind) > 1:
            raise ConfigError(
                f"rule of kind {kind!r}: expected a word of its own, [a-z][a-z0-9_]*, "
                f"and none of {', '.join(sorted(own))}"
            )


def _known_ns(observation: Observation) -> int:
    match observation:
        case Beat():
            return observation.detected_ns
        case BeatLabel():
            return observation.known_ns
        case _:
            return observation.time_ns
