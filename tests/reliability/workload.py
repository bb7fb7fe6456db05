"""What a process does with its outbox until it is ended, and what must then be true."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox, OutboxLimits
from edge.publish import Publisher
from tests.patience import WAIT_S

STORED = 8
"""Alerts in a store before a process begins, all of high priority."""
SENT = 3 * STORED
"""Of those in a store that a process is to send: more than may be in flight."""
LIMITS = OutboxLimits(pending_rows=12, log_rows=40, file_bytes=256 << 10)
SENDING = OutboxLimits(pending_rows=SENT, log_rows=SENT, file_bytes=256 << 10)


def alert(patient: str, seq: int, rank: int = 0) -> OutboundMessage:
    """An alert that says in its payload what it is."""
    content = {"patient": patient, "id": f"alarm-{seq}", "seq": seq, "filler": "x" * 600}
    payload = json.dumps(content).encode()
    return OutboundMessage(
        *(patient, f"alarm-{seq}", "start", seq, rank, f"edge/{patient}/alert", payload)
    )


def prepare(store: Path, patient: str, limits: OutboxLimits = LIMITS) -> None:
    """Alerts that wait in a store."""
    with closing(Outbox(store, limits)) as outbox:
        for _ in range(STORED):
            outbox.put(alert(patient, outbox.next_seq(patient)), b"snapshot")


def prepare_sending(store: Path, patient: str) -> None:
    """A third of the alerts that are to be sent."""
    prepare(store, patient, SENDING)


def raise_alerts(store: Path, patient: str, told: int, count: int = 4) -> None:
    """Raise alerts; the number of each is told once `put` says that it is stored."""
    with closing(Outbox(store, LIMITS)) as outbox:
        for _ in range(count):
            seq = outbox.next_seq(patient)
            if outbox.put(alert(patient, seq), b"snapshot %d" % seq):
                os.write(told, b"%d\n" % seq)


def evict(store: Path, patient: str, told: int) -> None:
    """Raise alerts of all priorities where there is room for four more; the urgent are told."""
    with closing(Outbox(store, LIMITS)) as outbox:
        for rank in (3, 2, 1, 0, 3, 2, 1, 0, 2):
            seq = outbox.next_seq(patient)
            if outbox.put(alert(patient, seq, rank)) and rank == 0:
                os.write(told, b"%d\n" % seq)


def acknowledge(store: Path, patient: str, told: int) -> None:
    """Note alerts as delivered, first one, then five at once."""
    with closing(Outbox(store, LIMITS)) as outbox:
        keys = [each.message.key for each in outbox.pending(100)]
        for batch in (keys[:1], keys[1:6]):
            if outbox.delivered(batch):
                os.write(told, b"".join(b"%d\n" % seq for *_, seq in batch))


def send(outbox: Outbox, url: str) -> None:
    """Publish what waits, in the publisher's thread."""
    publisher = Publisher(MqttSettings(url=url), outbox)
    publisher.start()
    publisher.first_connect(WAIT_S)
    publisher.stop(WAIT_S)


def read_told(path: Path) -> set[int]:
    """Numbers that a process told before its end."""
    return {int(line) for line in path.read_text().splitlines()} if path.exists() else set()


def check_raised(store: Path, patient: str, told: set[int], stored: int = STORED) -> None:
    """Whatever was told, and whatever was stored before, waits."""
    with closing(Outbox(store, LIMITS)) as outbox:
        conserved(outbox)
        kept = {*range(1, stored + 1), *told}
        waiting = [each.message for each in outbox.pending(100)]
        assert kept <= {each.seq for each in waiting}, f"lost {kept - {e.seq for e in waiting}}"
        assert len(waiting) <= LIMITS.pending_rows
        assert all(each == alert(patient, each.seq, each.rank) for each in waiting), "forged"
        assert len({each.key for each in waiting}) == len(waiting), "doubled"
        assert not kept or outbox.load_snapshot(patient) is not None, "snapshot lost"
        following = outbox.next_seq(patient)
        assert following > max(kept, default=0), "a number twice"
        assert outbox.put(alert(patient, following)), "stores no more"


def check_acknowledged(store: Path, patient: str, told: set[int]) -> None:
    """What was told waits no more; the rest waits or is delivered."""
    with closing(Outbox(store, LIMITS)) as outbox:
        conserved(outbox)
        states = {each.message.seq: each.state for each in outbox.history()}
        assert states.keys() == set(range(1, STORED + 1)), f"lost, of {states}"
        assert all(states[seq] == "delivered" for seq in told), "delivered again"
        waiting = {each.message.seq for each in outbox.pending(100)}
        assert waiting == {seq for seq, state in states.items() if state == "pending"}


def check_sent(store: Path, url: str) -> None:
    """What was not delivered can be."""
    with closing(Outbox(store, SENDING)) as outbox:
        conserved(outbox)
        send(outbox, url)
        conserved(outbox)
        assert outbox.counts.delivered == SENT, f"not delivered: {outbox.counts}"


def conserved(outbox: Outbox) -> None:
    """The store is sound, and its counts say what became of every message."""
    assert outbox.quarantined is None, "damaged"
    counts = outbox.counts
    assert counts.raised == counts.delivered + counts.evicted + counts.pending, f"{counts}"
    assert counts.pending == len(outbox.pending(1000)), f"{counts}"
