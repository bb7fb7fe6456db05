"""The supervisor of one source: opens it, keeps it streaming and says how it fares.

One thread reads the transport and hands everything to one sink, in order: packets, and between
them the states of the link. The decoder is run by whoever takes the events; it is to be reset
at every state `connecting`.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from firmware_bridge.conversation import Conversation
from firmware_bridge.errors import NotInReachError, SourceError, TransientSourceError
from firmware_bridge.lookalike import Sample, looks_like
from firmware_bridge.protocols import Listening
from firmware_bridge.pulse import PATIENCE_S, Pulse
from firmware_bridge.source import Source
from firmware_bridge.stream import Packet
from firmware_bridge.watchdog import Doubts, LinkTiming, Watchdog, Yield

__all__ = ["Link", "LinkEvent", "LinkPhase", "LinkState", "LinkTiming"]

LinkPhase = Literal[
    "connecting", "streaming", "stalled", "unreadable", "disconnected", "ended", "failed"
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the link fares from now on.

    phase: `connecting`; `streaming` from the first packet on; `stalled`, no data though the link
    is up; `unreadable`, bytes come but no frame decodes; `disconnected`, to be opened again;
    `ended`, a finite source is over; `failed`, nothing more will come.
    host_time_ns: host monotonic time of the change. error: of `failed` alone.
    """

    phase: LinkPhase
    host_time_ns: int
    reason: str = ""
    error: SourceError | None = None


STOP_POLL_S = 0.02
OPENING_S = 120.0
"""Longer than any transport takes to open or to give up: Bluetooth scans, connects, subscribes."""

LinkEvent = Packet | LinkState
Sink = Callable[[LinkEvent], None]


class Link:
    """Keeps one source open and streaming, in a thread of its own.

    sink: takes every event. A queue that is full, or a call that blocks, holds the reading back,
        so nothing is lost on this side. clock_ns: host monotonic clock, nanoseconds.
    A device that was once open is opened again for ever, at longer and longer intervals where it
    is there and fails, at once where it was out of reach and comes back. Where the very first
    opening fails with a SourceError that is not transient, the link fails with it.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink | queue.Queue[LinkEvent],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        timing: LinkTiming | None = None,
    ) -> None:
        self._source = source
        self._sink: Sink = self._into(sink) if isinstance(sink, queue.Queue) else sink
        self._clock_ns = clock_ns
        self._timing = timing or LinkTiming()
        self._stopping = threading.Event()
        self._opening = False
        self._seen = False
        self._failures = 0
        self._out_of_reach = False
        self.pulse = Pulse()
        """Beats while the thread reads, opens, or waits to open again."""
        self.finished = False
        """Whether the source ended or failed, or the link was stopped: nothing more will come."""
        self._thread = self._new_thread()

    def start(self) -> None:
        """Begin; to be called once."""
        self._thread.start()

    def restart(self) -> None:
        """Begin anew in another thread, after the first one died."""
        self._thread = self._new_thread()
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Tell the device to rest and release it; whether that was done within `timeout_s`."""
        self._stopping.set()
        if self._thread is threading.current_thread():
            return False
        deadline_s = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline_s:
            if self._opening:  # may last long; more than once, as it may only just begin
                self._source.transport.close()
            self._thread.join(STOP_POLL_S)
        return not self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of a source that ends or fails by itself; whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether events may still come."""
        return self._thread.is_alive()

    def _new_thread(self) -> threading.Thread:
        name = f"link {self._source.transport.name}"
        return threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and self._session():
                pause_s = self._pause_s()
                self.pulse.beat(pause_s + PATIENCE_S)
                self._stopping.wait(pause_s)
            self.finished = True
        except _SinkFailedError:
            log.exception("%s: the taker of its events failed", self._source.transport.name)
        finally:
            self._source.transport.close()

    def _pause_s(self) -> float:
        """How long to wait before the link is opened again."""
        if self._out_of_reach:
            self._failures = 0
            return self._timing.watch_s
        self._failures += 1
        return self._timing.backoff_s(self._failures - 1, random.random())

    def _session(self) -> bool:
        """Open once and read to the end of it; whether to open again."""
        if not self._out_of_reach:
            self._say("connecting")
        try:
            self._open()
            self._read_on()
            self._rest()
        except EOFError:
            self._say("ended")
            return False
        except SourceError as error:
            return self._lost(error)
        except _SinkFailedError:
            self._rest()
            raise
        except Exception as error:  # a fault of the transport: told, and survived where it may be
            log.exception("%s: unexpected error", self._source.transport.name)
            return self._lost(SourceError(f"{type(error).__name__}: {error}"))
        finally:
            self._hang_up()
        return True

    def _hang_up(self) -> None:
        """End a session; those who call us find the door open until the next one."""
        transport = self._source.transport
        try:
            transport.pause() if isinstance(transport, Listening) else transport.close()
        except Exception:  # a transport of another package, which must not end the supervision
            log.exception("%s: did not close", transport.name)

    def _lost(self, error: SourceError) -> bool:
        """Tell why the link is no more; whether to open it again."""
        hopeless = not (self._seen or isinstance(error, TransientSourceError))
        if hopeless or self._source.finite:
            self._emit(LinkState("failed", self._clock_ns(), str(error), error))
            return False
        watching, self._out_of_reach = self._out_of_reach, isinstance(error, NotInReachError)
        if not self._stopping.is_set() and not (watching and self._out_of_reach):
            self._say("disconnected", str(error))
        return True

    def _open(self) -> None:
        """Open the transport; a device that was out of reach is announced once it is back."""
        self._opening = True
        self.pulse.beat(OPENING_S)
        try:
            if not self._stopping.is_set():
                self._source.transport.open()
        finally:
            self._opening = False
        if self._out_of_reach and not self._stopping.is_set():
            self._out_of_reach = False
            self._say("connecting")
        self._seen = True

    def _read_on(self) -> None:
        """Hand packets on and talk to the device until stopped; raises as the transport does."""
        source, timing, now_ns = self._source, self._timing, self._clock_ns()
        patience_s = source.settle_s + source.first_data_s
        dog = Watchdog(timing, now_ns, patience_s, not source.finite)
        yielding = Yield(source.decoder)
        doubts = Doubts(source.decoder, timing.unreadable_bytes)
        talk = Conversation(source.decoder, now_ns, source.settle_s)
        sample = Sample()
        while not self._stopping.is_set():
            self.pulse.beat()
            self._command(talk.due(self._clock_ns()))
            packet = source.transport.read(talk.wait_s(self._clock_ns(), timing.poll_s))
            if packet is not None:
                self._hand_on(packet, dog, yielding)
                sample.add(packet)
            complaint = doubts.complaint()
            if complaint:
                known = "; ".join(filter(None, (complaint, looks_like(sample.data))))
                self._say("unreadable", f"{source.description}: {known}")
            self._act(dog, talk)

    def _hand_on(self, packet: Packet, dog: Watchdog, yielding: Yield) -> None:
        channels = self._source.data_channels
        if (not channels or packet.channel in channels) and not yielding.dried_up():
            self._failures = 0
            if dog.fed(self._clock_ns()):
                self._say("streaming")
        self._emit(packet)
        dog.excuse(self._clock_ns())

    def _act(self, dog: Watchdog, talk: Conversation) -> None:
        verdict = dog.verdict(self._clock_ns())
        if verdict == "prod":
            self._say("stalled", f"{self._source.description}: the link is up but no data comes")
            self._command(talk.begin(self._clock_ns()))
        elif verdict == "reopen":
            raise TransientSourceError(f"{self._source.description}: no data, even when asked")

    def _rest(self) -> None:
        try:
            self._command(self._source.decoder.stop_commands())
        except SourceError as error:
            log.info("%s: not stopped: %s", self._source.transport.name, error)

    def _command(self, commands: tuple[bytes, ...]) -> None:
        for command in commands:
            self._source.transport.write(command)

    def _say(self, phase: LinkPhase, reason: str = "") -> None:
        self._emit(LinkState(phase, self._clock_ns(), reason))

    def _emit(self, event: LinkEvent) -> None:
        self.pulse.rest()  # a taker that holds the reading back is not the link's fault
        try:
            self._sink(event)
        except Exception as error:
            raise _SinkFailedError from error
        self.pulse.beat()

    def _into(self, events: queue.Queue[LinkEvent]) -> Sink:
        def put(event: LinkEvent) -> None:
            while not self._stopping.is_set():
                try:
                    return events.put(event, timeout=self._timing.poll_s)
                except queue.Full:
                    continue

        return put


class _SinkFailedError(Exception):
    """The taker of the events raised: nobody is left to tell anything to."""
