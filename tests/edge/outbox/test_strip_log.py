"""Strips in the outbox: kept once delivered, and the first to go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.outbox import STRIP_PHASE, TELEMETRY_RANK, Outbox, OutboxLimits, open_alert_log
from tests.edge.outbox.messages import message, waiting

KB = 1 << 10


def strip(number: int, size: int = 4 * KB):
    made = message(number, TELEMETRY_RANK, size=size)
    return replace(made, phase=STRIP_PHASE, seq=0, payload=number.to_bytes(4, "big") * (size // 4))


def kept(path: Path, numbers) -> list[int]:
    with open_alert_log(path) as log:
        return [number for number in numbers if log.strip_payloads(f"alarm-{number}")]


def test_a_delivered_strip_is_kept_by_the_id_of_its_alert(path: Path) -> None:
    with_strip = Outbox(path)
    with_strip.put(message(1))
    with_strip.put(strip(1))
    with open_alert_log(path) as log:
        assert log.strip_payloads("alarm-1") == [strip(1).payload]  # also while it waits
    with_strip.delivered([strip(1).key, message(1).key])
    with open_alert_log(path) as log:
        assert log.strip_payloads("alarm-1") == [strip(1).payload]
        assert log.strip_payloads("alarm-2") == []
        assert log.strip_payloads("' OR 1=1 --") == []
        assert [each.message for each in log.newest_first()] == [message(1)]
    assert with_strip.counts.pending == 0
    with_strip.close()


def test_alerts_go_first(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put(strip(1))
    for rank in (2, 0, 1):
        outbox.put(message(10 + rank, rank))
    assert waiting(outbox) == [10, 11, 12, 0]
    outbox.close()


def test_strips_in_the_log_are_bounded_and_cost_no_alert(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(log_rows=100, strip_bytes=64 * KB))
    for number in range(1, 61):
        outbox.put(message(number))
        outbox.put(strip(number))
        outbox.delivered([message(number).key, strip(number).key])
    assert len(outbox.history()) == 60
    left = kept(path, range(1, 61))
    assert left == list(range(61 - len(left), 61))  # the newest
    assert 14 <= len(left) <= 16
    outbox.close()
    again = Outbox(path, OutboxLimits(log_rows=100, strip_bytes=64 * KB))
    again.put(strip(100))
    again.delivered([strip(100).key])
    assert 14 <= len(kept(path, range(1, 101))) <= 16
    again.close()


def test_alerts_in_the_log_are_bounded_and_cost_no_strip(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(log_rows=5))
    outbox.put(strip(1))
    outbox.delivered([strip(1).key])
    for number in range(1, 21):
        outbox.put(message(number))
        outbox.delivered([message(number).key])
    assert [each.message.seq for each in outbox.history()] == [16, 17, 18, 19, 20]
    assert kept(path, [1]) == [1]
    outbox.close()


def test_strips_that_wait_are_evicted_before_any_alert(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_rows=6))
    for number in range(1, 6):
        outbox.put(strip(number))
    for number in range(11, 16):
        outbox.put(message(number, rank=2))
    assert waiting(outbox) == [11, 12, 13, 14, 15, 0]
    assert outbox.health.evicted_by_rank == (0, 0, 0, 4)
    assert kept(path, range(1, 6)) == [5]
    outbox.close()


def test_a_full_file_loses_strips_of_the_log_before_alerts_of_it(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(file_bytes=4 << 20, strip_bytes=1 << 20))
    for number in range(1, 41):
        outbox.put(message(number))
        outbox.put(strip(number, 16 * KB))
        outbox.delivered([message(number).key, strip(number, 16 * KB).key])
    logged = [each.message.seq for each in outbox.history()]
    assert len(kept(path, range(1, 41))) == 40
    for number in range(1000, 1600):  # what waits fills the file
        outbox.put(message(number, rank=0, size=16 * KB))
    assert kept(path, range(1, 41)) == []
    still = {each.message.seq for each in outbox.history(10_000)}
    evicted = outbox.health.evicted_by_rank
    assert evicted[0] > 0  # so full that alarms had to go
    assert logged
    assert still
    outbox.close()


def test_a_strip_that_finds_the_file_full_leaves_the_alerts_of_the_log(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(file_bytes=4 << 20))
    outbox.put(message(1))
    outbox.delivered([message(1).key])
    for number in range(2, 1000):
        outbox.put(strip(number, 16 * KB))
    assert [each.message.seq for each in outbox.history() if each.state == "delivered"] == [1]
    assert outbox.health.evicted_by_rank[:3] == (0, 0, 0)
    assert outbox.health.evicted_by_rank[3] > 0
    outbox.close()
