"""A process that raises, delivers and evicts alerts, for strace to write down what it writes.

    python -m tests.reliability.recorded_load STORE SYNCHRONOUS ALERTS

Says on descriptor 1 what it has been told: `+SEQ` stored, `-SEQ` noted as delivered.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from edge.outbox import Outbox, OutboxLimits, schema
from tests.reliability.workload import alert

LIMITS = OutboxLimits(pending_rows=24, log_rows=1000, file_bytes=512 << 10)
PATIENT = "p1"


def main() -> None:
    """In four runs of the program, so that opening and closing is recorded too."""
    store, schema.SYNCHRONOUS, alerts = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for _ in range(4):
        with closing(Outbox(store, LIMITS)) as outbox:
            for count in range(alerts // 4):
                raise_one(outbox, count)


def raise_one(outbox: Outbox, count: int) -> None:
    """Of five alerts one is of low priority; every sixth time, three are delivered."""
    seq = outbox.next_seq(PATIENT)
    if outbox.put(alert(PATIENT, seq, 2 if seq % 5 == 0 else 0), b"snapshot %d" % seq):
        os.write(1, b"+%d\n" % seq)
    outbox.retry()
    if count % 6 == 5:
        keys = [each.message.key for each in outbox.pending(3)]
        if outbox.delivered(keys):
            os.write(1, b"".join(b"-%d\n" % seq for *_, seq in keys))


if __name__ == "__main__":
    main()
