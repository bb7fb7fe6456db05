"""TCP sources over real sockets: tokens, half-open peers, floods, replacement, faults in words."""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.errors import NotInReachError, SourceError, SourceUriError
from firmware_bridge.link import Link, LinkEvent, LinkState
from firmware_bridge.native import NativeDecoder, encode_frame
from firmware_bridge.source import Source, open_source
from firmware_bridge.stream import Packet
from firmware_bridge.transports import tcp_callers, tcp_listener
from firmware_bridge.transports.sockets import Endpoint, listen
from firmware_bridge.transports.tcp import TcpTransport
from firmware_bridge.transports.tcp_listener import TcpListener, greeting
from firmware_bridge.watchdog import LinkTiming
from tests.firmware_bridge.devices.native_wire import SPECIMENS
from tests.patience import WAIT_S

TOKEN = "correct-horse-battery"
HERE = Endpoint("127.0.0.1", 0)
QUICK = LinkTiming(backoff_min_s=0.001, backoff_max_s=0.002, watch_s=0.001, poll_s=0.01)


@pytest.fixture
def listener() -> Iterator[TcpListener]:
    """One that asks for a token and is open already; nobody has come."""
    made = TcpListener(HERE, TOKEN, wait_s=0.01)
    with pytest.raises(NotInReachError):
        made.open()
    made._wait_s = WAIT_S
    yield made
    made.close()


def call(listener: TcpListener, first: bytes = b"", own: str = "127.0.0.1") -> socket.socket:
    caller = socket.create_connection(("127.0.0.1", listener.port), WAIT_S, (own, 0))
    caller.sendall(first)
    return caller


def read_until(listener: TcpListener | TcpTransport, expected: bytes) -> None:
    got = b""
    deadline_s = time.monotonic() + WAIT_S
    while got != expected:
        assert time.monotonic() < deadline_s, f"{got!r} came instead of {expected!r}"
        packet = listener.read(0.05)
        got += packet.data if packet else b""
        assert expected.startswith(got)


def is_hung_up(caller: socket.socket) -> bool:
    """Whether the other side closed; what it said before is passed over."""
    caller.settimeout(WAIT_S)
    with contextlib.suppress(ConnectionResetError):
        while caller.recv(1024):
            pass
    return True


def was_hung_up(caller: socket.socket) -> bool:
    """Whether the other side has closed by now."""
    caller.setblocking(False)
    try:
        return not caller.recv(1024)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_client_with_the_token_delivers_and_takes_commands(listener: TcpListener) -> None:
    caller = call(listener, greeting(TOKEN) + b"\xaa\x01")
    listener.open()
    caller.sendall(b"\x02\x03")
    read_until(listener, b"\xaa\x01\x02\x03")
    listener.write(b"start")
    assert caller.recv(5) == b"start"
    caller.close()


def test_token_may_come_byte_by_byte_and_end_in_crlf(listener: TcpListener) -> None:
    caller = call(listener)
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opening = threading.Thread(target=listener.open)
    opening.start()
    for byte in greeting(TOKEN)[:-1] + b"\r\n" + b"x":
        caller.sendall(bytes([byte]))
    opening.join(WAIT_S)
    read_until(listener, b"x")
    caller.close()


@pytest.mark.parametrize(
    "first",
    [greeting("wrong-horse"), b"GET / HTTP/1.1\r\n\r\n", b"\n", b"EDGE\n", greeting(TOKEN + "x"),
     greeting(TOKEN[:-1]), b"\xff" * 300, b"x" * 100_000],
)  # fmt: skip
def test_wrong_token_is_hung_up_on_counted_said_once_and_not_logged(
    listener: TcpListener, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    listener._wait_s = 0.05
    with caplog.at_level(logging.DEBUG):
        for attempt in (1, 2):
            caller = call(listener)
            with contextlib.suppress(ConnectionError):
                caller.sendall(first)
            while listener.wrong_tokens < attempt:
                with pytest.raises(NotInReachError):
                    listener.open()
            assert is_hung_up(caller)
    assert listener.wrong_tokens == 2
    assert len([line for line in caplog.messages if "wrong token" in line]) == 1
    assert "horse" not in caplog.text


def test_address_with_many_wrong_tokens_is_not_heard_for_a_while(listener: TcpListener) -> None:
    now_ns = [0]
    listener._gate._clock_ns = lambda: now_ns[0]
    listener._wait_s = 0.01
    for attempt in range(1, 6):
        caller = call(listener, b"EDGE guess\n")
        while listener.wrong_tokens < attempt:
            with pytest.raises(NotInReachError):
                listener.open()
        assert is_hung_up(caller)
    right = call(listener, greeting(TOKEN))
    while not was_hung_up(right):
        with pytest.raises(NotInReachError, match="5 tried with a wrong token"):
            listener.open()
    now_ns[0] = 61 * 10**9
    listener._wait_s = WAIT_S
    again = call(listener, greeting(TOKEN))
    listener.open()
    again.close()


def test_silent_callers_do_not_keep_the_right_one_out(
    listener: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = [call(listener, b"EDGE ", "127.0.0.2") for _ in range(3 * tcp_callers.CALLERS_MAX)]
    right = call(listener, greeting(TOKEN) + b"data")
    listener.open()
    read_until(listener, b"data")
    assert len(listener._door._callers.sockets) <= tcp_callers.CALLERS_MAX  # type: ignore[union-attr]
    for caller in [*flood, right]:
        caller.close()


def test_caller_whose_token_is_there_is_let_in_before_it_would_give_way(
    listener: TcpListener,
) -> None:
    right = call(listener, greeting(TOKEN) + b"data")
    flood = [call(listener, b"", "127.0.0.2") for _ in range(2 * tcp_callers.CALLERS_MAX)]
    listener.open()
    read_until(listener, b"data")
    assert listener.wrong_tokens >= 5  # those that gave way without a word
    for caller in [*flood, right]:
        caller.close()


def test_fault_of_accept_does_not_end_the_session(
    listener: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = call(listener, greeting(TOKEN) + b"1")
    listener.open()
    read_until(listener, b"1")
    assert listener._door is not None
    door, listening = listener._door, listener._door._listening
    refused = []

    class OutOfFiles:
        def __getattr__(self, name: str) -> object:
            return getattr(listening, name)

        def accept(self) -> None:
            refused.append(1)
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(door, "_listening", OutOfFiles())
    second = call(listener)
    while not refused:
        assert listener.read(0.05) is None
    client.sendall(b"more")
    read_until(listener, b"more")
    assert len(refused) == 1  # it rests before it tries again
    monkeypatch.setattr(door, "_listening", listening)
    client.close()
    second.close()


def test_link_local_address_keeps_its_interface() -> None:
    found = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    names = [(line[0], line[5]) for line in found if line[0].startswith("fe80")]
    if not names:
        pytest.skip("this machine has no link-local address")
    address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(names[0][0]))
    with listen(Endpoint(f"{address}%{names[0][1]}", 0)) as listening:
        assert listening.getsockname()[3] == socket.if_nametoindex(names[0][1])


def test_caller_that_says_nothing_is_hung_up_on_in_time(
    listener: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_callers, "TOKEN_S", 0.02)
    slow = call(listener)
    listener._wait_s = 0.2
    while not was_hung_up(slow):
        with pytest.raises(NotInReachError):
            listener.open()
    assert listener.wrong_tokens == 1


def test_second_client_is_refused_in_words_while_the_first_sends(listener: TcpListener) -> None:
    first = call(listener, greeting(TOKEN) + b"1")
    listener.open()
    read_until(listener, b"1")
    second = call(listener, greeting(TOKEN) + b"2")
    while not listener.refused:
        assert listener.read(0.05) is None
    assert second.recv(200).startswith(b"EDGE busy: another client")
    assert is_hung_up(second)
    first.sendall(b"more")
    read_until(listener, b"more")
    first.close()


def test_half_open_client_gives_way_to_the_one_that_comes_back(
    listener: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_listener, "SILENT_NS", 0)
    half_open = call(listener, greeting(TOKEN) + b"1")
    listener.open()
    read_until(listener, b"1")
    back = call(listener, greeting(TOKEN) + b"2")
    with pytest.raises(NotInReachError, match="another came"):
        read_until(listener, b"nothing more")
    listener.pause()
    listener.open()
    read_until(listener, b"2")
    assert is_hung_up(half_open)
    back.close()


def test_dead_peers_are_probed_by_the_kernel(listener: TcpListener) -> None:
    caller = call(listener, greeting(TOKEN))
    listener.open()
    assert listener._client is not None
    assert listener._client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert listener._client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 5
    caller.close()


def test_client_that_leaves_is_said_and_the_next_is_served(listener: TcpListener) -> None:
    for word in (b"one", b"two"):
        caller = call(listener, greeting(TOKEN) + word)
        listener.open()
        read_until(listener, word)
        caller.close()
        with pytest.raises(NotInReachError, match="closed the connection"):
            listener.read(WAIT_S)
        listener.pause()


@pytest.mark.parametrize("waiting", ["open", "read"])
def test_closing_ends_a_wait_in_another_thread(listener: TcpListener, waiting: str) -> None:
    caller = call(listener, greeting(TOKEN) if waiting == "read" else b"EDGE ")
    if waiting == "read":
        listener.open()
    caught: list[Exception] = []

    def wait() -> None:
        try:
            listener.open() if waiting == "open" else listener.read(WAIT_S)
        except SourceError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not listener._in_use.locked():
        time.sleep(0.001)
    listener.close()
    waiter.join(WAIT_S)
    assert len(caught) == 1
    caller.close()


def test_port_is_free_again_after_closing(listener: TcpListener) -> None:
    at = Endpoint("127.0.0.1", listener.port)
    listener.close()
    again = TcpListener(at, TOKEN, wait_s=0.01)
    with pytest.raises(NotInReachError, match="nobody has connected"):
        again.open()
    again.close()
    again.close()


def test_connecting_end_sends_the_token_and_both_directions_work() -> None:
    with TcpListenerInThread() as far:
        near = TcpTransport(Endpoint("127.0.0.1", far.listener.port), TOKEN)
        near.open()
        far.opened.join(WAIT_S)
        near.write(b"up")
        read_until(far.listener, b"up")
        far.listener.write(b"down")
        read_until(near, b"down")
        far.listener.close()
        with pytest.raises(SourceError, match=r"closed|lost"):
            near.read(WAIT_S)
        near.close()
        with pytest.raises(SourceError, match="open it before"):
            near.read(0)


class TcpListenerInThread:
    def __init__(self) -> None:
        self.listener = TcpListener(HERE, TOKEN, wait_s=0.01)
        with pytest.raises(NotInReachError):
            self.listener.open()
        self.listener._wait_s = WAIT_S
        self.opened = threading.Thread(target=self.listener.open, daemon=True)

    def __enter__(self) -> TcpListenerInThread:
        self.opened.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_and_both_families_on_one_port() -> None:
    try:
        made = TcpListener(Endpoint("::", 0), TOKEN, wait_s=0.01)
        with pytest.raises(NotInReachError):
            made.open()
    except SourceError:
        pytest.skip("no IPv6 address here")
    made._wait_s = WAIT_S
    for host in ("::1", "127.0.0.1"):
        caller = socket.create_connection((host, made.port), WAIT_S)
        caller.sendall(greeting(TOKEN) + host.encode())
        made.open()
        read_until(made, host.encode())
        caller.close()
        made.pause()
    made.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_faults_are_said_in_words() -> None:
    with pytest.raises(SourceError, match="refuses: the machine is there, but no program listens"):
        open_source(f"tcp://127.0.0.1:{free_port()}").transport.open()
    with pytest.raises(SourceError, match=r"no host is called|cannot be looked up"):
        open_source("tcp://no-such-host.invalid:9").transport.open()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=f"port {port} is in use by another program"):
            open_source(f"tcp://127.0.0.1:{port}?listen=1").transport.open()
    with pytest.raises(SourceError, match="no address of this machine"):
        open_source(f"tcp://192.0.2.7:9000?listen=1&token={TOKEN}").transport.open()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("tcp://", "names no host and port"),
        ("tcp://host", "names no host and port; write tcp://192.168.1.5:9000"),
        ("tcp://host:port", "names no host and port"),
        ("tcp://host:99999", "no port 99999; the highest is 65535"),
        ("tcp://a:b@host:1", "names no host and port"),
        ("tcp://0.0.0.0:9000?listen=1", "needs a token.*token=[A-Za-z0-9_-]{16}"),
        ("tcp://0.0.0.0:9000?listen=1&token=short", r"token=\*\*\*: it takes 8 to 128"),
        ("tcp://127.0.0.1:9?listen=2", "allowed are 1"),
        ("tcp://127.0.0.1:9?device=toaster", "no device is called 'toaster'"),
    ],
)
def test_wrong_uri_is_named(uri: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        open_source(uri)


def test_token_is_in_no_text_of_the_source() -> None:
    source = open_source(f"tcp://0.0.0.0:9000?listen=1&token={TOKEN}")
    assert TOKEN not in source.uri + source.description + source.transport.name
    assert isinstance(source.decoder, NativeDecoder)


def test_link_serves_one_client_after_another_and_loses_no_frame() -> None:
    listener = TcpListener(HERE, TOKEN, wait_s=0.01)
    events: queue.Queue[LinkEvent] = queue.Queue()
    decoder = NativeDecoder()
    link = Link(Source("tcp:", listener, decoder, False, "a test"), events, timing=QUICK)
    link.start()
    frames = []
    while listener._door is None:
        time.sleep(0.001)
    door = listener._door
    for packet in SPECIMENS[0].packets:
        caller = call(listener, greeting(TOKEN) + packet.data)
        frames += _frames_until(events, decoder, 1)
        caller.close()
        assert listener._door is door  # open between sessions too
    assert link.stop(WAIT_S)
    got = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_allclose(got, SPECIMENS[0].samples_uv, atol=1e-3)
    assert listener._door is None
    assert door._listening.fileno() == -1


def _frames_until(events: queue.Queue[LinkEvent], decoder: NativeDecoder, count: int) -> list:
    frames = []
    while len(frames) < count:
        event = events.get(timeout=WAIT_S)
        if isinstance(event, Packet):
            frames += decoder.push(event)
        elif isinstance(event, LinkState) and event.phase == "connecting":
            decoder.reset()
    return frames


def test_native_frames_flow_through_a_connecting_source() -> None:
    wire = encode_frame(
        np.zeros((5, 1), np.int32), rate_hz=250.0, scale_nv=1000.0, sequence=0, device_time_us=0
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = open_source(f"tcp://127.0.0.1:{server.getsockname()[1]}?device=native")
        source.transport.open()
        far, _ = server.accept()
        far.sendall(wire)
        packet = source.transport.read(WAIT_S)
        assert packet is not None
        assert len(source.decoder.push(packet)) == 1
        far.close()
        source.transport.close()
