"""A Chords board on a real pseudo-terminal: asked, started, streaming, stopped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from firmware_bridge.link import Link, LinkEvent
from firmware_bridge.pseudo_terminal import PseudoTerminal
from firmware_bridge.source import open_source
from firmware_bridge.stream import Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.chords_wire import packet
from tests.patience import WAIT_S

SAMPLES = 500


class Board:
    """Answers and streams as the firmware does: any byte stops it, a name starts nothing."""

    def __init__(self, terminal: PseudoTerminal, name: str) -> None:
        self._terminal = terminal
        self._name = name
        self._ended = threading.Event()
        self.heard = b""
        self.rested = threading.Event()

    def run(self) -> None:
        counter, streams = 0, False
        while not self._ended.is_set():
            told = self._terminal.commands(0.0 if streams else 0.02)
            self.heard += told
            streams = told == b"START\n" if told else streams and counter < SAMPLES
            if told == b"WHORU\n":
                self._terminal.write(f"{self._name}\r\n".encode())
            elif told == b"STOP\n":
                self.rested.set()
            elif streams:
                wire = b"".join(packet(k, [k % 1024] * 6) for k in range(counter, counter + 10))
                counter += 10
                self._terminal.write(wire)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(WAIT_S)


def test_a_board_is_asked_started_read_and_stopped() -> None:
    with PseudoTerminal() as terminal:
        board = Board(terminal, "UNO-R3")
        source = replace(open_source(f"serial://{terminal.path}?device=chords&leads=1"), settle_s=0)
        events: queue.Queue[LinkEvent] = queue.Queue(1000)
        link = Link(source, events)
        timeline, uv = Timeline(), []
        with board.running():
            link.start()
            deadline_s = time.monotonic() + WAIT_S
            while timeline.count.delivered < SAMPLES and time.monotonic() < deadline_s:
                event = events.get(timeout=WAIT_S)
                if isinstance(event, Packet):
                    for frame in source.decoder.push(event):
                        uv.append(frame.samples_uv)
                        timeline.push(frame, event.host_time_ns)
            link.stop(WAIT_S)
            assert board.rested.wait(WAIT_S)
    assert timeline.count.gap == 0
    digital = np.concatenate(uv)[:, 0] / (5e6 / 1024 / 1000) + 512
    assert np.rint(digital).astype(int).tolist() == list(range(SAMPLES))
    assert board.heard == b"WHORU\nSTART\nSTOP\n"
