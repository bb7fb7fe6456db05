"""Any order of puts, deliveries and restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from edge.outbox import OutboundMessage, Outbox, OutboxLimits
from tests.edge.outbox.messages import memory_folder, message


class OutboxModel(RuleBasedStateMachine):
    """Any order of puts, deliveries and restarts, against a list."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=memory_folder())
        self.limits = OutboxLimits(pending_rows=6, pending_bytes=2000, log_rows=4)
        self.outbox = Outbox(Path(self.folder.name) / "outbox.db", self.limits)
        self.model: list[OutboundMessage] = []
        self.settled: set[int] = set()
        self.raised = self.delivered = self.evicted = 0

    @rule(target=keys, rank=st.integers(0, 3), size=st.integers(0, 900))
    def put(self, rank: int, size: int) -> OutboundMessage:
        made = message(self.outbox.next_seq("p1"), rank, size=size)
        assert self.outbox.put(made)
        self.raised += 1
        self.model.append(made)
        while (
            len(self.model) > self.limits.pending_rows
            or sum(len(each.payload) for each in self.model) > self.limits.pending_bytes
        ):
            least = max(each.rank for each in self.model)
            self.model.remove(next(each for each in self.model if each.rank == least))
            self.evicted += 1
        return made

    @rule(made=keys)
    def deliver(self, made: OutboundMessage) -> None:
        self.outbox.delivered([made.key])
        if made in self.model:
            self.model.remove(made)
            self.delivered += 1

    @rule(made=keys)
    @precondition(lambda self: bool(self.model))
    def put_again(self, made: OutboundMessage) -> None:
        if made in self.model:
            self.outbox.put(made)

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(Path(self.folder.name) / "outbox.db", self.limits)
        assert self.outbox.quarantined is None

    @invariant()
    def conserves_and_orders(self) -> None:
        counts = self.outbox.counts
        assert counts.raised == counts.delivered + counts.evicted + counts.pending
        assert (counts.raised, counts.delivered) == (self.raised, self.delivered)
        assert counts.evicted == self.evicted
        found = [each.message for each in self.outbox.pending(100)]
        assert found == sorted(self.model, key=lambda each: (each.rank, each.seq))

    def teardown(self) -> None:
        self.outbox.close()
        self.folder.cleanup()


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
