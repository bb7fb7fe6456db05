"""The desk: hears commands, has them judged, has the monitor do them, answers."""

from __future__ import annotations

import contextlib
import logging
import queue
import re
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from edge.action_log import record
from edge.actions import Action, Outcome
from edge.clock import Clock, rfc3339
from edge.commands.policy import Accepted, Delivery, Policy, Refused, Signed
from edge.commands.rate import Rate
from edge.commands.refusals import TEXTS, Refusals
from edge.commands.settings import Verb
from edge.commands.wire import MAX_TEXT, CommandResponse, Reason, proof_text
from edge.messages import Topics, encode
from edge.publish import Incoming, Publisher
from edge.worker import QueueWorker
from firmware_bridge.pulse import SLOW_DISK_S

WAITING = 256
"""Messages that may wait: what the publisher may bring in one go, and some more."""
ANSWER_S = 5.0
"""How long the monitor may take."""
REFUSALS_ANSWERED_A_MINUTE = 30
"""Whoever floods us with refused commands is not to make us flood the broker."""

_log = logging.getLogger(__name__)


class Ledger(Protocol):
    """Where counters are kept; the outbox."""

    def spend(self, name: str, number: int) -> bool:
        """Note a number greater than any before of this name; true once it is on disk."""


@dataclass(frozen=True, slots=True)
class CommandCounts:
    """What became of all commands. failed: accepted, yet the monitor did not do it."""

    done: int
    failed: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Heard:
    patient: str
    button: bool
    message: Incoming


class Desk(QueueWorker[_Heard]):
    """Takes commands from the publisher's thread and works on them in its own.

    ask: has the monitor do an action. right_time: the time in nanoseconds since 1970 where this
    host's clock is known to be right, else None.
    """

    def __init__(
        self,
        policy: Policy,
        ask: Callable[[Action], Future[Outcome]],
        ledger: Ledger,
        publisher: Publisher,
        topics: Topics,
        clock: Clock,
        right_time: Callable[[], int | None],
    ) -> None:
        super().__init__("commands", WAITING, ANSWER_S + SLOW_DISK_S)
        self._policy = policy
        self._ask = ask
        self._ledger = ledger
        self._publisher = publisher
        self._topics = topics
        self._clock = clock
        self._right_time = right_time
        self._refusals = Refusals()
        self._answered = Rate(REFUSALS_ANSWERED_A_MINUTE)
        self._done = self._failed = 0
        self._overflow = self._overflow_noted = 0
        self._overflow_of = ""
        self._asked: Future[Outcome] | None = None

    def listen(self, patient: str, signed: bool, button: bool) -> None:
        """Hear commands for a patient. Before the publisher starts."""
        if signed:
            hear = partial(self._hear, patient, False)
            self._publisher.listen(self._topics.command(patient), hear)
        if button:
            hear = partial(self._hear, patient, True)
            self._publisher.listen(self._topics.button(patient), hear)

    def close(self, timeout_s: float) -> None:
        """Hear no more; the command at work may take so long to end, and the monitor's answer is
        waited for no more.
        """
        self._closing.set()
        if asked := self._asked:
            asked.cancel()
        with contextlib.suppress(queue.Full):  # then it wakes by what waits
            self._queue.put_nowait(None)
        self._join(timeout_s)

    @property
    def counts(self) -> CommandCounts:
        """What became of all commands so far."""
        refused = dict(self._refusals.counts)
        if self._overflow:
            refused["busy"] = self._overflow
        return CommandCounts(self._done, self._failed, refused)

    def _hear(self, patient: str, button: bool, message: Incoming) -> None:
        try:
            self._queue.put_nowait(_Heard(patient, button, message))
        except queue.Full:
            self._overflow += 1
            self._overflow_of = patient

    def _next(self) -> _Heard | None:
        heard = super()._next()
        return None if self._closing.is_set() else heard

    def _handle(self, heard: _Heard) -> None:
        self._note_overflow()
        try:
            self._work(heard)
        except Exception:  # one command's failure is not the next one's
            self._failed += 1
            _log.exception("a command for %s failed", heard.patient)

    def _note_overflow(self) -> None:
        if fresh := self._overflow - self._overflow_noted:
            self._overflow_noted += fresh
            now_ns = self._clock.monotonic_ns()
            self._refusals.note("busy", self._overflow_of, now_ns, fresh)

    def _work(self, heard: _Heard) -> None:
        message = heard.message
        verdict = self._policy.judge(
            Delivery(
                heard.patient,
                message.payload,
                message.retained,
                heard.button,
                self._clock.monotonic_ns(),
                self._right_time(),
            )
        )
        if isinstance(verdict, Accepted) and not self._spent(verdict.signed):
            verdict = Refused("storage", verdict.signed)
        if isinstance(verdict, Refused):
            self._refuse(heard, verdict)
        else:
            self._do(heard, verdict)

    def _spent(self, signed: Signed | None) -> bool:
        """The counter is on disk before anything is done, so that no copy is ever done."""
        return signed is None or self._ledger.spend(signed.key.counter_name, signed.counter)

    def _refuse(self, heard: _Heard, refused: Refused) -> None:
        now_ns = self._clock.monotonic_ns()
        self._refusals.note(refused.reason, heard.patient, now_ns)
        if refused.reason != "retained" and self._answered.passes(now_ns):
            verb = refused.signed.verb if refused.signed else None
            self._answer(heard, verb, refused.signed, refused.reason, TEXTS[refused.reason])

    def _do(self, heard: _Heard, accepted: Accepted) -> None:
        outcome = self._outcome(accepted.action)
        self._done += outcome.done
        self._failed += not outcome.done
        reason: Reason | Literal[""] = "" if outcome.done else "not_possible"
        record(accepted.action, outcome)
        self._answer(heard, accepted.verb, accepted.signed, reason, outcome.text)

    def _outcome(self, action: Action) -> Outcome:
        asked = self._asked = self._ask(action)
        if self._closing.is_set():
            asked.cancel()
        try:
            return asked.result(ANSWER_S)
        except TimeoutError:
            if asked.cancel():
                return Outcome(False, "the monitor is busy; nothing was done")
            return Outcome(False, "the monitor is busy; it may still be done")
        except CancelledError:
            return Outcome(False, "the monitor has ended")

    def _answer(
        self,
        heard: _Heard,
        verb: Verb | None,
        signed: Signed | None,
        reason: Reason | Literal[""],
        text: str,
    ) -> None:
        response = CommandResponse(
            patient=heard.patient,
            time=rfc3339(self._clock.utc_ns()),
            id=signed.id if signed else None,
            verb=verb,
            done=not reason,
            reason=reason,
            text=text[:MAX_TEXT],
            proof=signed.key.sign(proof_text(signed.id, reason)) if signed else "",
        )
        topic = self._response_topic(heard)
        self._publisher.reply(topic, encode(response), heard.message.correlation_data)

    def _response_topic(self, heard: _Heard) -> str:
        """Where the sender wants the answer if that is one of our own topics for answers, else
        the usual one: nobody has us publish on any other topic.
        """
        usual, wanted = self._topics.response(heard.patient), heard.message.response_topic
        own = re.fullmatch(re.escape(usual) + "/[A-Za-z0-9_-]{1,64}", wanted)
        return wanted if own else usual


__all__ = ["CommandCounts", "Desk", "Ledger"]
