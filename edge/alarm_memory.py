"""The state of the alarms in the outbox: a restart goes on where the process stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from edge.alarm.machine import SnapshotError
from edge.alarm.patient import PatientAlarms
from edge.alert import Phase
from edge.assemble import alarm_setup, fresh_alarms
from edge.config import Patient
from edge.errors import MonitorError
from edge.messages import AlertMessage
from edge.monitor import Monitor
from edge.outbox import Outbox
from firmware_bridge.source import Source

__all__ = ["AlarmMemory"]

LOOKED_BACK = 5000
"""Alerts of the log, the newest, in which alarms are looked for that nobody has ended."""

log = logging.getLogger(__name__)


class AlarmMemory:
    """Alarms as the outbox remembers them. outbox: None where nothing is stored.

    A source that ends by itself, such as a recording, is no patient's present: its alarms begin
    afresh, and are not remembered.
    """

    def __init__(self, outbox: Outbox | None) -> None:
        self._outbox = outbox
        self._remembered: set[str] = set()
        self._restored: set[str] = set()
        self._kept: set[str] = set()

    def alarms(self, patient: Patient, source: Source) -> PatientAlarms:
        """The alarms of a patient, as they were when the process last stopped."""
        restored = self._restore(patient)
        if source.finite:
            self._kept |= {alert.id for alert in restored.active} if restored else set()
            return fresh_alarms(patient, source)
        self._remembered.add(patient.id)
        return restored or fresh_alarms(patient, source)

    def _restore(self, patient: Patient) -> PatientAlarms | None:
        """The alarms of the stored state, None where there is none that is sound."""
        snapshot = self._outbox.load_snapshot(patient.id) if self._outbox else None
        if not snapshot:
            return None
        try:
            alarms = PatientAlarms.restore(snapshot, alarm_setup(patient))
        except SnapshotError as error:
            log.error("patient %s: the alarms start afresh: %s", patient.id, error)
            return None
        self._restored.add(patient.id)
        return alarms

    def abandoned(self, monitors: Iterable[Monitor]) -> list[AlertMessage]:
        """Last messages of alarms that were told as on, and that no monitor knows of any more: of
        a patient who is no longer watched, a state that is lost, a recording that broke off.

        They stay ended: a stored state that nobody goes on from is forgotten. One that waits,
        while a recording runs in the patient's name, keeps its alarms.
        """
        known = {alert.id for monitor in monitors for alert in monitor.active} | self._kept
        told = self._outbox.history(LOOKED_BACK) if self._outbox else []
        last = {each.message.id: each.message for each in told}
        left = [m for m in last.values() if m.phase != Phase.END and m.id not in known]
        messages = [message for each in left if (message := _decoded(each.payload))]
        for patient in {message.patient for message in messages} - self._restored:
            self._forget(patient)
        return messages

    def _forget(self, patient: str) -> None:
        if self._outbox and self._outbox.load_snapshot(patient):
            self._outbox.save_snapshot(patient, b"")

    def snapshot(self, monitor: Monitor) -> bytes | None:
        """The state to be kept; None where it is not to be.

        Empty after a defect: what has ended the watch once must not do so at every start.
        """
        if monitor.patient.id not in self._remembered:
            return None
        return b"" if isinstance(monitor.error, MonitorError) else monitor.snapshot()


def _decoded(payload: bytes) -> AlertMessage | None:
    """The message; None where it is of a version that is not understood."""
    try:
        return msgspec.json.decode(payload, type=AlertMessage)
    except msgspec.MsgspecError:
        return None
