"""Each serial device simulated on a pseudo-terminal, through the transport and the link."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from firmware_bridge.devices import make_decoder
from firmware_bridge.link import Link, LinkEvent, LinkTiming
from firmware_bridge.protocols import Conversing, GattDevice, SerialDevice
from firmware_bridge.pseudo_terminal import PseudoTerminal
from firmware_bridge.source import Source
from firmware_bridge.stream import Packet
from firmware_bridge.transports.serial_port import SerialTransport
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.specimens import specimens, title
from tests.patience import WAIT_S

QUIET_S = 0.1
"""Without a command for so long, the device has been told all that starts it."""


def is_wired(specimen: Specimen) -> bool:
    made = make_decoder(specimen.device, **specimen.options)
    return isinstance(made, SerialDevice) or not isinstance(made, GattDevice)


WIRED = [each for each in specimens() if each.byte_stream and is_wired(each)]


class Noting(SerialTransport):
    """A serial port that tells how what it wrote was cut into commands."""

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.sizes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.sizes.put(len(data))
        super().write(data)


class Player:
    """The device's end: answers commands, and streams once it has been told to start."""

    def __init__(self, terminal: PseudoTerminal, specimen: Specimen, port: Noting) -> None:
        self.commands: list[bytes] = []
        self._terminal, self._specimen, self._port = terminal, specimen, port
        self._waiting = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    @contextmanager
    def playing(self) -> Iterator[None]:
        """While inside."""
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join(WAIT_S)

    def _play(self) -> None:
        assert self._terminal.wait_for_reader(WAIT_S)
        while self._answer(QUIET_S):
            pass
        for packet in self._specimen.packets:
            self._terminal.write(packet.data)
            self._answer(0.0)
        while not self._over.is_set():
            self._answer(0.02)
        self._answer(0.0)

    def _answer(self, timeout_s: float) -> bool:
        heard = self._terminal.commands(timeout_s)
        self._waiting += heard
        while self._waiting:
            size = self._port.sizes.get(timeout=WAIT_S)
            while len(self._waiting) < size:
                self._waiting += self._terminal.commands(WAIT_S)
            command, self._waiting = self._waiting[:size], self._waiting[size:]
            self.commands.append(command)
            for packet in self._specimen.answer(command):
                self._terminal.write(packet.data)
        return bool(heard)


@pytest.mark.parametrize("specimen", WIRED, ids=title)
def test_serial_device_is_read_from_start_to_stop(specimen: Specimen) -> None:
    decoder = make_decoder(specimen.device, **specimen.options)
    events: queue.Queue[LinkEvent] = queue.Queue()
    samples: list[np.ndarray] = []
    with PseudoTerminal() as terminal:
        port = Noting(terminal.path)
        source = Source("serial:", port, decoder, False, specimen.device, settle_s=0.02)
        player = Player(terminal, specimen, port)
        link = Link(source, events, timing=LinkTiming(poll_s=0.02))
        with player.playing():
            link.start()
            while sum(map(len, samples)) < len(specimen.samples_uv):
                event = events.get(timeout=WAIT_S)
                if isinstance(event, Packet):
                    samples += [frame.samples_uv for frame in decoder.push(event)]
                else:
                    assert event.phase in ("connecting", "streaming"), event.reason
            assert link.stop(WAIT_S)
    np.testing.assert_allclose(
        np.concatenate(samples), specimen.samples_uv, rtol=0, atol=specimen.tolerance_uv
    )
    assert player.commands == port.written
    starts, stops = decoder.start_commands(), decoder.stop_commands()
    assert tuple(port.written[: len(starts)]) == starts
    if isinstance(decoder, Conversing):
        assert set(stops) <= set(port.written)
    else:
        assert tuple(port.written) == (*starts, *stops)
