"""The alarm system: a pure state machine from observations to alerts."""

from edge.alarm.codes import CODES
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine, SnapshotError

__all__ = ["CODES", "AlarmLimits", "AlarmMachine", "SnapshotError"]
