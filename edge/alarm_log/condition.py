"""Alarm conditions, put together from the messages of the log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import msgspec

from edge.alert import AlarmState, Inactivation, Phase, Priority
from edge.messages import AlertMessage, StripMessage
from edge.outbox import AlertLog, LoggedMessage
from edge.outbox.messages import DeliveryState

__all__ = [
    "AlarmCondition",
    "LoggedStep",
    "Selection",
    "conditions",
    "recurrence_of",
    "step_of",
    "steps",
    "strips_of",
]

_DELIVERIES: tuple[DeliveryState, ...] = ("delivered", "pending", "evicted")


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """One message, and what became of it."""

    message: AlertMessage
    delivery: DeliveryState


@dataclass(frozen=True, slots=True)
class AlarmCondition:
    """One alarm condition. steps: at least one, oldest first; the first ones may be forgotten."""

    steps: tuple[LoggedStep, ...]

    @property
    def newest(self) -> AlertMessage:
        """The last message of it, which has its identity as well."""
        return self.steps[-1].message

    @property
    def began(self) -> AlertMessage:
        """The first message that the log has."""
        return self.steps[0].message

    @property
    def priority(self) -> Priority:
        """The most urgent that it had."""
        return min((each.message.priority for each in self.steps), key=lambda each: each.rank)

    @property
    def ended(self) -> str | None:
        """When its end was decided, UTC; None while it is on."""
        return self.newest.time if self.newest.phase is Phase.END else None

    @property
    def presence(self) -> str:
        """`on`, `latched` or `off`."""
        if self.ended:
            return "off"
        return "latched" if self.newest.state is AlarmState.LATCHED else "on"

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has taken notice; while it is on, whether that still holds, since what
        becomes graver waits for an answer again."""
        if not self.ended:
            return self.newest.inactivation is Inactivation.ACKNOWLEDGED
        return any(
            each.message.inactivation is Inactivation.ACKNOWLEDGED or each.message.acknowledged_by
            for each in self.steps
        )

    @property
    def acknowledged_by(self) -> str:
        """Who took notice, as that person or program named itself; empty where that is unknown, or
        nobody has."""
        if not self.acknowledged:
            return ""
        named = (each.message.acknowledged_by for each in reversed(self.steps))
        return next((each for each in named if each), "")

    @property
    def delivery(self) -> DeliveryState:
        """`delivered` where the broker has all messages of it, else what became of the worst."""
        return max((each.delivery for each in self.steps), key=_DELIVERIES.index)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which conditions. patient, kind: of that alone; empty for all. id: that begins so.
    since_utc_ns: with a message raised since then. last: the newest so many.
    """

    patient: str = ""
    kind: str = ""
    id: str = ""
    since_utc_ns: int = 0
    last: int = 100

    def holds(self, message: AlertMessage) -> bool:
        """Whether a message is one of these."""
        return (
            self.patient in ("", message.patient)
            and self.kind in ("", message.kind)
            and message.id.startswith(self.id)
        )


def step_of(logged: LoggedMessage) -> LoggedStep | None:
    """The message, None where it is none that this version reads."""
    try:
        message = msgspec.json.decode(logged.message.payload, type=AlertMessage)
    except msgspec.MsgspecError:
        return None
    return LoggedStep(message, logged.state)


def steps(log: AlertLog, selection: Selection) -> list[LoggedStep]:
    """The newest messages that are selected, oldest first."""
    found: list[LoggedStep] = []
    for logged in log.newest_first(selection.since_utc_ns):
        step = step_of(logged)
        if step and selection.holds(step.message):
            found.append(step)
        if len(found) == selection.last:
            break
    return found[::-1]


def conditions(log: AlertLog, selection: Selection) -> list[AlarmCondition]:
    """The newest conditions that are selected, whole, in the order in which they began."""
    found: dict[str, list[LoggedStep]] = {}
    open_ids: set[str] = set()
    for logged in log.newest_first():
        if len(found) == selection.last and not open_ids:
            break
        step = step_of(logged)
        if step is None or not selection.holds(step.message):
            continue
        id_ = step.message.id
        if id_ not in found:
            if len(found) == selection.last or logged.raised_utc_ns < selection.since_utc_ns:
                continue
            found[id_] = []
            open_ids.add(id_)
        found[id_].append(step)
        if step.message.phase is Phase.START:
            open_ids.discard(id_)
    together = [AlarmCondition(tuple(_in_order(each))) for each in found.values()]
    return sorted(together, key=lambda each: (each.began.time, each.began.seq))


def recurrence_of(message: AlertMessage) -> int:
    """How often the condition of a latched alarm had returned by then."""
    told = message.evidence.get("recurrences")
    return told if isinstance(told, int) else 0


def strips_of(log: AlertLog, alert_id: str) -> list[StripMessage]:
    """The strips of an alert, oldest first, or the one that was asked for, as far as they can be
    read."""
    found = []
    for payload in log.strip_payloads(alert_id):
        with suppress(msgspec.MsgspecError):
            found.append(msgspec.json.decode(payload, type=StripMessage))
    return found


def _in_order(found: list[LoggedStep]) -> list[LoggedStep]:
    return sorted(found, key=lambda each: each.message.seq)
