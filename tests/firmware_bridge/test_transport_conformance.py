"""What every transport must do, whatever it moves its bytes by."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_bridge.capture import CaptureHeader, CaptureWriter
from firmware_bridge.errors import SourceError, TransientSourceError
from firmware_bridge.protocols import Transport
from firmware_bridge.pseudo_terminal import PseudoTerminal
from firmware_bridge.source import open_source
from firmware_bridge.stream import Packet
from firmware_bridge.transports.serial_port import SerialTransport
from tests.patience import WAIT_S

DATA = bytes(range(100))


@dataclass(frozen=True)
class Rig:
    """A transport and the device at its other end.

    send: the device sends bytes, once the transport is open. heard: what the device was told, as
    far as so many bytes. break_off: the link breaks. None where the transport has no such thing.
    """

    transport: Transport
    send: Callable[[bytes], None] | None = None
    heard: Callable[[int], bytes] | None = None
    break_off: Callable[[], None] | None = None


@contextlib.contextmanager
def serial_rig(_: Path) -> Iterator[Rig]:
    with PseudoTerminal() as terminal:

        def heard(count: int) -> bytes:
            got = b""
            while len(got) < count:
                got += terminal.commands(WAIT_S)
            return got

        transport = SerialTransport(terminal.path)
        yield Rig(transport, lambda data: (terminal.write(data), None)[1], heard, terminal.close)


@contextlib.contextmanager
def ble_rig(_: Path) -> Iterator[Rig]:
    pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is missing")
    from firmware_bridge.devices.polar_h10 import PolarH10Decoder
    from firmware_bridge.transports.ble_loop import BleLoop
    from firmware_bridge.transports.ble_scan import BleTarget
    from tests.firmware_bridge.ble_world import World
    from tests.firmware_bridge.virtual_straps import VirtualH10

    loop = BleLoop()
    world = World(loop, (VirtualH10, []))
    transport = world.transport(PolarH10Decoder(), BleTarget(name="Polar*"))
    yield Rig(
        transport,
        lambda data: world.run(world.strap.tell(data)),
        lambda _: b"".join(world.strap.commands),
        lambda: world.run(world.strap.walk_away()),
    )
    transport.close()
    loop.stop()


@contextlib.contextmanager
def tcp_rig(_: Path) -> Iterator[Rig]:
    tcp = pytest.importorskip("firmware_bridge.transports.tcp")
    sockets = pytest.importorskip("firmware_bridge.transports.sockets")
    with socket.create_server(("127.0.0.1", 0)) as server:
        callers: list[socket.socket] = []

        def caller() -> socket.socket:
            if not callers:
                callers.append(server.accept()[0])
            return callers[0]

        def heard(count: int) -> bytes:
            got = b""
            while len(got) < count:
                got += caller().recv(count)
            return got

        to = sockets.Endpoint.parse(f"127.0.0.1:{server.getsockname()[1]}", "tcp")
        transport = tcp.TcpTransport(to)
        yield Rig(transport, lambda data: caller().sendall(data), heard, lambda: caller().close())
        for each in callers:
            each.close()


@contextlib.contextmanager
def ws_rig(_: Path) -> Iterator[Rig]:
    pytest.importorskip("websockets", reason="websockets is not installed")
    from websockets.sync.server import ServerConnection, serve

    from firmware_bridge.transports.sockets import Endpoint
    from firmware_bridge.transports.ws_client import WsTransport

    callers: queue.SimpleQueue[ServerConnection] = queue.SimpleQueue()
    known: list[ServerConnection] = []

    def attend(connection: ServerConnection) -> None:
        callers.put(connection)
        over.wait(WAIT_S)

    def caller() -> ServerConnection:
        if not known:
            known.append(callers.get(timeout=WAIT_S))
        return known[0]

    over = threading.Event()
    with serve(attend, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        transport = WsTransport(Endpoint("127.0.0.1", server.socket.getsockname()[1]), "/")
        yield Rig(
            transport,
            lambda data: caller().send(data),
            lambda _: bytes(caller().recv(WAIT_S)),  # type: ignore[arg-type]
            lambda: caller().close(),
        )
        over.set()
        transport.close()
        server.shutdown()
        thread.join(WAIT_S)


@contextlib.contextmanager
def replay_rig(folder: Path) -> Iterator[Rig]:
    path = folder / "x.cap"
    writer = CaptureWriter(path, CaptureHeader("native"))
    writer.write(Packet(DATA, 0))
    writer.close()
    yield Rig(open_source(f"replay:{path}?speed=max").transport)


@contextlib.contextmanager
def sim_rig(_: Path) -> Iterator[Rig]:
    yield Rig(open_source("sim:?speed=max&duration_s=1").transport)


LIVE = (serial_rig, ble_rig, tcp_rig, ws_rig)
FINITE = (replay_rig, sim_rig)


def rigs(*kinds: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rig", kinds, indirect=True, ids=lambda kind: kind.__name__)


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with request.param(tmp_path) as made:
        yield made
        made.transport.close()


def read_for_ever(transport: Transport) -> None:
    while True:
        transport.read(WAIT_S)


def settled(rig: Rig) -> None:
    """Read what a device tells of itself when it is opened."""
    while rig.transport.read(0.05) is not None:
        pass


@rigs(*LIVE, *FINITE)
def test_it_is_a_transport_with_a_name(rig: Rig) -> None:
    assert isinstance(rig.transport, Transport)
    assert rig.transport.name


@rigs(*LIVE, *FINITE)
def test_reading_before_opening_is_refused_in_words(rig: Rig) -> None:
    with pytest.raises(TransientSourceError):
        rig.transport.read(0.0)


@rigs(*LIVE)
def test_bytes_arrive_stamped_in_order(rig: Rig) -> None:
    assert rig.send is not None
    rig.transport.open()
    settled(rig)
    stamps = []
    for k in range(3):
        rig.send(DATA[k:])
        packet = rig.transport.read(WAIT_S)
        assert packet is not None
        assert packet.data == DATA[k:]
        stamps.append(packet.host_time_ns)
    assert stamps == sorted(stamps)
    assert rig.transport.read(0.01) is None


@rigs(*LIVE)
def test_commands_reach_the_device(rig: Rig) -> None:
    assert rig.heard is not None
    rig.transport.open()
    rig.transport.write(b"\x03\x00")
    assert rig.heard(2) == b"\x03\x00"


@rigs(*LIVE)
def test_broken_link_is_transient_and_opens_again(rig: Rig) -> None:
    assert rig.break_off is not None
    rig.transport.open()
    settled(rig)
    rig.break_off()
    with pytest.raises(TransientSourceError):
        read_for_ever(rig.transport)


@rigs(*FINITE)
def test_finite_source_gives_everything_and_then_ends(rig: Rig) -> None:
    rig.transport.open()
    assert rig.transport.read(WAIT_S) is not None
    with pytest.raises(EOFError):
        read_for_ever(rig.transport)
    rig.transport.write(b"ignored")


@rigs(*LIVE)
def test_close_is_heard_by_a_reader_in_another_thread(rig: Rig) -> None:
    rig.transport.open()
    settled(rig)
    ended, reading = threading.Event(), threading.Event()

    def read() -> None:
        reading.set()
        with contextlib.suppress(SourceError):
            rig.transport.read(3600.0)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert reading.wait(WAIT_S)
    rig.transport.close()
    assert ended.wait(WAIT_S)


@rigs(*LIVE, *FINITE)
def test_close_never_raises_however_often(rig: Rig) -> None:
    rig.transport.close()
    rig.transport.open()
    rig.transport.close()
    rig.transport.close()
    with pytest.raises(TransientSourceError):
        rig.transport.read(0.0)


@rigs(*LIVE)
def test_writing_to_a_closed_link_is_refused_in_words(rig: Rig) -> None:
    with pytest.raises(SourceError):
        rig.transport.write(b"x")
