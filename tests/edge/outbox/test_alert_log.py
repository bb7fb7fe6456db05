"""The log of alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import StorageError
from edge.outbox import TELEMETRY_RANK, Outbox, OutboxLimits, open_alert_log
from tests.edge.outbox.messages import message


def test_the_alert_log_is_bounded_and_leaves_telemetry_out(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(log_rows=5))
    for seq in range(1, 21):
        outbox.put(message(seq, rank=TELEMETRY_RANK if seq % 2 else 0))
        outbox.delivered([message(seq).key])
    assert [each.message.seq for each in outbox.history()] == [12, 14, 16, 18, 20]
    assert outbox.counts.delivered == 20
    assert [each.message.seq for each in outbox.history(limit=2)] == [18, 20]
    outbox.close()


def test_history_can_be_read_beside_a_running_process(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put(message(1))
    outbox.delivered([message(1).key])
    outbox.put(message(2))
    with open_alert_log(path) as log:
        found = list(log.newest_first())
        since = [list(log.newest_first(each)) for each in (found[0].raised_utc_ns, 2**62)]
    assert [(each.message, each.state) for each in found] == [
        (message(2), "pending"),
        (message(1), "delivered"),
    ]
    assert since[0]
    assert since[1] == []
    outbox.close()


def test_history_of_nothing_is_one_clear_error(path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"), open_alert_log(path):
        pass
