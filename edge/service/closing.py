"""How long each part of a run may take to end, and so how long an orderly end takes at most."""

from __future__ import annotations

__all__ = [
    "BEACON_S",
    "DESK_S",
    "LEAVE_S",
    "METRICS_S",
    "RECORDER_S",
    "RELOADER_S",
    "SINKS_S",
    "STRIPS_S",
    "SUPERVISOR_S",
]

STRIPS_S = 2.5
SINKS_S = 2.5
RECORDER_S = 2.5
RELOADER_S = 1.0
SUPERVISOR_S = 1.0
BEACON_S = 1.0
METRICS_S = 1.0
DESK_S = 2.0
"""Storing a counter; the answer of the monitor is waited for no more."""

LINKS_S = 3.0
"""What `edge.runtime` gives the links, all at once."""
OUTBOX_S = 3.0
"""What waits in memory, and what is taken over from a damaged store."""
REST_S = 2.0
"""Pages, outlets, the goodbye of the publisher where the sinks were not heard in time."""

LEAVE_S = (
    LINKS_S
    + STRIPS_S
    + 2 * SINKS_S  # for room in their queue, and for what is in it
    + RECORDER_S
    + SUPERVISOR_S
    + BEACON_S
    + METRICS_S
    + DESK_S
    + RELOADER_S
    + OUTBOX_S
    + REST_S
)
"""An end that takes longer hangs."""
