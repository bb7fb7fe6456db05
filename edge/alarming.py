"""What a pipeline asks of the alarms of a patient."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edge.actions import Action, Outcome
from edge.alert import Alert
from edge.events import Observation

__all__ = ["Alarms", "Attended"]


class Alarms(Protocol):
    """The alarms of one patient: observations in, alerts out, pure."""

    def observe(self, observation: Observation) -> tuple[Alert, ...]:
        """What this observation changes."""

    @property
    def active(self) -> tuple[Alert, ...]:
        """The latest alert of every alarm that is on, most urgent first."""


@runtime_checkable
class Attended(Alarms, Protocol):
    """Alarms that people attend to, and that a snapshot carries over a restart."""

    @property
    def now_ns(self) -> int:
        """Latest stream time observed; below zero right after a restart."""

    @property
    def audio_paused(self) -> bool:
        """Somebody has asked for silence, and it lasts."""

    @property
    def changed_limits(self) -> dict[str, float]:
        """Limits that people have moved since the start."""

    def act(self, action: Action) -> tuple[Outcome, tuple[Alert, ...]]:
        """Do what a person asks: what came of it, and the alerts that it brings."""

    def resume(self, utc_ns: int) -> tuple[Alert, ...]:
        """What a restart brings, stream time zero being at `utc_ns`; to be called once, before
        anything is observed."""

    def catch_up(self, lag_ns: int) -> None:
        """The stream goes on, but as much earlier than `now_ns`."""

    def snapshot(self, utc_ns: int) -> bytes | None:
        """The state, `utc_ns` being the UTC time of `now_ns`; None before `resume`, where there
        is something to go on from."""
