"""Wrong tokens, floods, malformed messages, foreign pages; and nothing is left behind."""

from __future__ import annotations

import logging
import socket
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from firmware_bridge.bridge_protocol import MESSAGE_BYTES_MAX
from firmware_bridge.errors import NotInReachError, SourceError
from firmware_bridge.transports import ws_clients, ws_server
from firmware_bridge.transports.web_origin import is_own_origin, own_names, reached_by_own_name
from firmware_bridge.transports.ws_listener import WsListener
from tests.firmware_bridge.websocket.clients import (
    TOKEN,
    WAIT_S,
    Page,
    data_of,
    get,
    listening,
)


@pytest.mark.parametrize("token", ["", "wrong-horse-battery", TOKEN + "x", "x" * 128, "\ud800"])
def test_wrong_token_is_refused_counted_said_once_and_not_logged(
    bridge: WsListener, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            page = Page(bridge.port, token)
            with pytest.raises(ConnectionClosed):
                page.connect()
            assert page.close_code()[0] == ws_clients.WRONG_TOKEN
    assert bridge.wrong_tokens == 2
    said = [each.getMessage() for each in caplog.records if each.name != "websockets.client"]
    assert len([line for line in said if "wrong token" in line]) == 1
    assert "horse" not in " ".join(said)


def test_flood_of_wrong_tokens_is_not_heard(bridge: WsListener) -> None:
    for _ in range(5):
        with pytest.raises(ConnectionClosed):
            Page(bridge.port, "guess-guess").connect()
    with pytest.raises(InvalidStatus, match="429"):
        Page(bridge.port).connect()


@pytest.mark.parametrize(
    "first", ["", "{}", "[]", "x", '{"type": "hello"}', b"\x01\x02", '{"type":"bye"}']
)
def test_first_message_that_is_no_hello_is_refused(bridge: WsListener, first: str | bytes) -> None:
    with connect(f"ws://127.0.0.1:{bridge.port}/bridge", proxy=None) as client:
        client.send(first)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(WAIT_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == ws_clients.MALFORMED
    assert bridge.wrong_tokens == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x09", ws_clients.MALFORMED),
        (b"\x01" + bytes(11), ws_clients.MALFORMED),
        ("no", ws_clients.MALFORMED),
        ('{"type": "hello"}', ws_clients.MALFORMED),
        (bytes(MESSAGE_BYTES_MAX + 1), 1009),
    ],
)
def test_malformed_message_ends_the_conversation_in_words(
    page: Page, message: str | bytes, code: int
) -> None:
    assert page.connection is not None
    page.connection.send(message)
    assert page.close_code()[0] == code


def test_client_that_says_nothing_is_cut_in_time(
    bridge: WsListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_clients, "HELLO_S", 0.02)
    with (
        connect(f"ws://127.0.0.1:{bridge.port}/bridge", proxy=None) as client,
        pytest.raises(ConnectionClosed),
    ):
        client.recv(WAIT_S)
    assert client.close_code == ws_clients.AGAIN
    assert bridge.wrong_tokens == 1


def test_client_that_leaves_before_its_hello_is_not_counted(bridge: WsListener) -> None:
    for _ in range(6):
        connect(f"ws://127.0.0.1:{bridge.port}/bridge", proxy=None).close()
    Page(bridge.port).connect()
    assert bridge.wrong_tokens == 0


def test_where_no_token_is_asked_for_nobody_is_barred() -> None:
    bridge = listening(token="")
    for _ in range(6):
        with pytest.raises(ConnectionClosed):
            Page(bridge.port).connect(version=99)
    Page(bridge.port, "").connect()
    assert bridge.wrong_tokens == 0
    bridge.close()


def test_flood_of_websockets_without_a_hello_keeps_nobody_out(bridge: WsListener) -> None:
    address = f"ws://127.0.0.1:{bridge.port}/bridge"
    flood = [connect(address, proxy=None) for _ in range(ws_server.CONNECTIONS_MAX)]
    page = Page(bridge.port)
    page.connect_device(bridge)
    flood += [connect(address, proxy=None) for _ in range(ws_server.CONNECTIONS_MAX)]
    page.notify(page.welcome["channels"][1], b"here")
    page.send()
    assert data_of(bridge, 1)[0].data == b"here"
    for each in flood:
        each.close()


def test_closing_does_not_wait_for_those_who_say_nothing(bridge: WsListener) -> None:
    assert bridge._server is not None
    idle = socket.create_connection(("127.0.0.1", bridge.port), WAIT_S)
    while not bridge._server._connected:
        time.sleep(0.001)
    serving = bridge._server._thread
    assert serving is not None
    bridge.close()
    assert not serving.is_alive()  # within the 3 s of `stop`, where a handshake has 5 s
    idle.close()


def test_server_that_cannot_serve_says_so_and_is_tried_anew(
    bridge: WsListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.close()
    bridge._wait_s = 0.01

    def fail(*_: object, **__: object) -> None:
        raise OSError("no more memory")

    with monkeypatch.context() as patched:
        patched.setattr(ws_server, "serve", fail)
        with pytest.raises(SourceError, match="cannot serve: no more memory"):
            bridge.open()
    with pytest.raises(NotInReachError):
        bridge.open()


def test_flood_of_connections_is_bounded_and_leaves_the_phone_alone(
    bridge: WsListener, page: Page
) -> None:
    flood = [socket.create_connection(("127.0.0.1", bridge.port), WAIT_S) for _ in range(100)]
    page.notify(page.welcome["channels"][1], b"still here")
    page.send()
    assert data_of(bridge, 1)[0].data == b"still here"
    assert bridge._server is not None
    while len(bridge._server._connected) > ws_server.CONNECTIONS_MAX:
        time.sleep(0.001)
    page.connect(device=True)  # the silent ones give way to whoever comes and speaks
    page.notify(page.welcome["channels"][1], b"and back")
    page.send()
    assert data_of(bridge, 1)[0].data == b"and back"
    for each in flood:
        each.close()


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/", "text/html"), ("/bridge.css", "text/css"), ("/main.js", "text/javascript"),
     ("/device.js", "text/javascript"), ("/icon.svg", "image/svg+xml"), ("/?x=1", "text/html")],
)  # fmt: skip
def test_page_is_served_with_strict_headers(bridge: WsListener, path: str, media_type: str) -> None:
    status, headers, body = get(bridge.port, path)
    assert status == 200
    assert headers["Content-Type"].startswith(media_type)
    assert int(headers["Content-Length"]) == len(body) > 100
    assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in headers
    assert TOKEN.encode() not in body


@pytest.mark.parametrize(
    "path", ["/../ws.py", "/bridge_page/main.js", "/%2e%2e/errors.py", "//etc/passwd", "/.git"]
)
def test_no_other_file_is_served(bridge: WsListener, path: str) -> None:
    assert get(bridge.port, path)[0] == 404


def test_request_by_a_foreign_name_is_refused(bridge: WsListener) -> None:
    status, _, words = get(bridge.port, "/", Host=f"evil.example:{bridge.port}")
    assert status == 421
    assert b"IP address" in words


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "file://"])
def test_pages_of_other_origins_may_not_connect(bridge: WsListener, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{bridge.port}/bridge", additional_headers={"Origin": origin})


def test_own_names_and_origins() -> None:
    names = own_names(["Pi.lan"])
    for good in ("127.0.0.1:80", "[::1]:9", "192.168.1.5", "localhost:8", "pi.lan:1", "PI.LAN"):
        assert reached_by_own_name(good, names)
    for bad in ("", "evil.example", "pi.lan.evil.example", "127.0.0.1.nip.io", "a b", "[::1", "@x"):
        assert not reached_by_own_name(bad, names)
    assert is_own_origin("https://pi.lan:8443", "pi.lan:8443")
    for bad in ("https://pi.lan", "null", "ftp://pi.lan:8443", "https://pi.lan:8443/x"):
        assert not is_own_origin(bad, "pi.lan:8443")


def test_two_hundred_reconnects_leave_no_handle_behind(bridge: WsListener, page: Page) -> None:
    handles = len(list(Path("/proc/self/fd").iterdir()))
    for k in range(200):
        page.notify(page.welcome["channels"][1], b"%d" % k)
        page.send()
        page.cut()
        page.connect(device=True)
    page.send()
    assert [p.data for p in data_of(bridge, 200)] == [b"%d" % k for k in range(200)]
    assert bridge._server is not None
    while len(bridge._server._connected) > 1:
        time.sleep(0.001)
    assert len(list(Path("/proc/self/fd").iterdir())) <= handles


def test_nothing_is_left_behind_after_many_sessions() -> None:
    before = threading.active_count()
    for _ in range(5):
        bridge = listening()
        page = Page(bridge.port)
        page.connect(device=True)
        bridge.open()
        bridge.close()
        page.cut()
        bridge.close()
    while threading.active_count() > before:
        time.sleep(0.001)
