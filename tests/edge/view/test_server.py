"""The port itself: who is let in, what is refused, and that nobody hurts anybody."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import time

import pytest

from edge.actions import Acknowledge
from edge.clock import SystemClock
from edge.config import Signal
from edge.errors import ConfigError
from edge.events import BeatClass
from edge.view import server
from edge.view.hub import DOCUMENTS_MAX, SIGNAL_MAX, VIEWERS_MAX, Hub
from edge.view.live import LiveView
from edge.view.page_files import PATHS
from edge.view.reader import BeatsSeen, GapSeen, SamplesSeen, read_message
from edge.view.server import CONNECTIONS_MAX
from edge.view.wire import document, in_messages
from edge.view_settings import ViewSettings
from tests.edge.view.served import served
from tests.firmware_bridge.own_certificate import own_certificate
from tests.patience import WAIT_S

httpx = pytest.importorskip("httpx")
client = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")

TOKEN = "a token for the tests"


@pytest.fixture(scope="module")
def ward():
    """A page that two patients are shown on, without a token."""
    with served("p1", "p2") as made:
        yield made


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A page behind a token and TLS."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = own_certificate(folder)
    (folder / "token").write_text(TOKEN)
    settings = ViewSettings(
        listen="127.0.0.1:0",
        token_file=str(folder / "token"),
        cert_file=str(cert),
        key_file=str(key),
    )
    with served("p1", settings=settings) as (view, *_):
        yield view, ssl.create_default_context(cafile=str(cert))


def feed(url, **options):
    return client.connect(
        url.replace("http", "ws", 1) + "feed", open_timeout=WAIT_S, max_size=None, **options
    )


def until(connection, found):
    """What was read up to and with the first message for which `found` is true."""
    read = []
    while not read or not found(read[-1]):
        read.append(read_message(connection.recv(WAIT_S)))
    return read


def is_a(kind):
    return lambda message: isinstance(message, dict) and message["type"] == kind


def address(view):
    return "127.0.0.1", int(view.url.rsplit(":", 1)[1].strip("/"))


def test_page_and_its_files_are_served_and_nothing_else(ward):
    url = ward[0].url
    with httpx.Client(base_url=url) as http:
        for path in PATHS:
            answer = http.get(path)
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert not any(name.startswith("access-control") for name in answer.headers)
        for path in ("/../edge.toml", "/%2e%2e/setup.cfg", "/etc/passwd", "/page/index.html"):
            assert http.get(path).status_code == 404
        assert http.post("/").status_code == 405
    html = httpx.get(url).text
    assert "<script>" not in html
    assert "style=" not in html
    assert "//" not in html


def test_foreign_names_and_pages_are_refused(ward):
    url = ward[0].url
    rebound = httpx.get(url, headers={"Host": "evil.example"})
    assert rebound.status_code == 421
    own = url.rstrip("/")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        posted = httpx.post(f"{url}session", json={"token": TOKEN}, headers={"Origin": origin})
        assert posted.status_code == 403
        with pytest.raises(exceptions.InvalidStatus) as refused, feed(url, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with feed(url, origin=own) as connection:
        until(connection, is_a("ready"))


def test_a_viewer_is_shown_everything_each_sample_once(ward):
    view, _, (bed, _) = ward
    bed.samples(500)
    bed.gap(50)
    bed.state()
    with feed(view.url) as connection:
        told = until(connection, is_a("ready"))
        bed.samples(250, lead_off=2)
        bed.beat(1_000_000_000, BeatClass.V)
        bed.alert()
        bed.strip()
        told += until(connection, is_a("strip_ready"))
        while not any(isinstance(r, BeatsSeen) for m in told if isinstance(m, list) for r in m):
            told += until(connection, lambda _: True)
    records = [each for m in told if isinstance(m, list) for each in m]
    covered = []
    for record in records:
        if isinstance(record, SamplesSeen):
            covered += range(record.first, record.first + record.samples.shape[1])
        elif isinstance(record, GapSeen):
            covered += range(record.first, record.first + record.count)
    assert sorted(covered) == list(range(800))
    assert [r.lead_off for r in records if isinstance(r, SamplesSeen)][-1] == 2
    assert {beat for r in records if isinstance(r, BeatsSeen) for beat in r.beats} == {
        (1000.0, "U"),
        (1000.0, "V"),
    }
    documents = [each for each in told if isinstance(each, dict)]
    kinds = {each["type"] for each in documents}
    assert {"hello", "patient", "format", "trend", "alert", "active"} <= kinds
    states = [each.get("state") for each in documents if each["type"] in ("patient", "state")]
    assert "p1" in [state["patient"] for state in states if state]


def test_what_is_asked_reaches_the_monitor_and_the_log(ward, caplog):
    view, asked, (bed, _) = ward
    bed.strip()
    with feed(view.url) as connection:
        told = until(connection, is_a("ready"))
        request = {"do": "acknowledge", "request": 7, "patient": "p1", "alert_id": "a1"}
        connection.send(json.dumps(request))
        outcome = until(connection, is_a("outcome"))[-1]
        assert (outcome["request"], outcome["done"]) == (7, True)
        assert asked.actions[-1] == Acknowledge("p1", "a1", "page")
        assert "acknowledge for p1 by 'page': Acknowledge done" in caplog.text
        number = next(each["number"] for each in told if is_a("strip_ready")(each))
        fetch = {"do": "fetch_strip", "request": 8, "patient": "p1", "number": number}
        connection.send(json.dumps(fetch))
        assert is_a("strip")(until(connection, is_a("outcome"))[-2])
        connection.send(json.dumps(fetch | {"number": 0}))
        assert until(connection, is_a("outcome"))[-1]["done"] is False


@pytest.mark.parametrize("nonsense", ["x", b"\xff\x00", "[" * 500, '{"do":"reboot"}'])
def test_nonsense_ends_the_connection_and_no_other(ward, nonsense):
    url = ward[0].url
    with feed(url) as good, feed(url) as bad:
        with contextlib.suppress(exceptions.ConnectionClosed):
            for _ in range(50):
                bad.send(nonsense)
        with pytest.raises(exceptions.ConnectionClosed):
            until(bad, lambda _: False)
        assert bad.close_code == 1008
        until(good, is_a("ready"))


def test_a_message_too_large_ends_the_connection(ward):
    with feed(ward[0].url) as connection:
        connection.send("x" * 5000)
        with pytest.raises(exceptions.ConnectionClosed):
            until(connection, lambda _: False)
        assert connection.close_code == 1009


def test_a_flood_of_requests_ends_the_connection(ward):
    request = '{"do":"fetch_strip","request":1,"patient":"p1","number":0}'
    with feed(ward[0].url) as connection:
        with contextlib.suppress(exceptions.ConnectionClosed):
            for _ in range(500):
                connection.send(request)
        with pytest.raises(exceptions.ConnectionClosed):
            until(connection, lambda _: False)
        assert connection.close_code == 1008


def test_so_many_viewers_and_no_more(ward):
    url = ward[0].url
    with contextlib.ExitStack() as stack:
        for _ in range(VIEWERS_MAX):
            until(stack.enter_context(feed(url)), is_a("ready"))
        with pytest.raises(exceptions.InvalidStatus) as refused, feed(url):
            pass
        assert refused.value.response.status_code == 503
    _served_again(url)


def test_a_hundred_sockets_that_say_nothing(ward, monkeypatch):
    """They are bounded, do not stop those who look on, and are hung up on in time."""
    view, _, (bed, _) = ward
    monkeypatch.setattr(server, "REQUEST_S", 0.2)
    with contextlib.ExitStack() as stack:
        viewer = stack.enter_context(feed(view.url))
        until(viewer, is_a("ready"))
        idle = [stack.enter_context(socket.create_connection(address(view))) for _ in range(100)]
        bed.samples(25)
        until(viewer, lambda message: isinstance(message, list))
        for each in idle:
            each.settimeout(WAIT_S)
            with contextlib.suppress(ConnectionResetError):
                assert each.recv(1) == b""
    _served_again(view.url)


def test_part_of_a_second_request_holds_no_place(ward, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_S", 0.2)
    at = address(ward[0])
    with socket.create_connection(at, WAIT_S) as slow:
        slow.sendall(f"GET /icon.svg HTTP/1.1\r\nHost: {at[0]}:{at[1]}\r\n\r\nGET /i".encode())
        with contextlib.suppress(ConnectionResetError):
            while slow.recv(65536):
                pass


def test_a_tls_handshake_that_does_not_begin_holds_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)
    cert, key = own_certificate(tmp_path)
    settings = ViewSettings(listen="0", cert_file=str(cert), key_file=str(key))
    with (
        served("p1", settings=settings) as (view, *_),
        socket.create_connection(address(view), WAIT_S) as slow,
        contextlib.suppress(ConnectionResetError),
    ):
        assert slow.recv(1) == b""


def test_one_address_cannot_take_every_place():
    with served("p1") as (view, *_), contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            stack.enter_context(socket.create_connection(address(view)))
        other = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=other, timeout=WAIT_S) as http:
            assert http.get(view.url).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(view.url)


def test_the_cookie_outlives_a_restart_and_no_other_token(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    settings = ViewSettings(listen="0", token_file=str(file))
    with served("p1", settings=settings) as (view, *_):
        answer = httpx.post(f"{view.url}session", json={"token": TOKEN})
        at = view.url.removeprefix("http://").strip("/")
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    again = ViewSettings(listen=at, token_file=str(file))
    with served("p1", settings=again) as (view, *_):
        assert httpx.get(f"{view.url}session", headers=cookie).status_code == 204
    file.write_text(TOKEN[::-1])
    with served("p1", settings=again) as (view, *_):
        assert httpx.get(f"{view.url}session", headers=cookie).status_code == 401


def test_a_sleeping_viewer_is_let_go_and_nobody_waits_for_it(monkeypatch, caplog):
    monkeypatch.setattr(server, "PING_S", 0.3)
    with served("p1") as (view, _, (bed,)), feed(view.url) as awake:
        asleep = socket.create_connection(address(view))
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host = f"{address(view)[0]}:{address(view)[1]}"
        asleep.sendall(
            f"GET /feed HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        until(awake, is_a("ready"))
        started_s = time.monotonic()
        while len(view._hub._viewers) != 1 or bed.position < 2500:
            assert time.monotonic() - started_s < WAIT_S
            bed.samples(250)
            until(awake, lambda message: isinstance(message, list))
        asleep.settimeout(WAIT_S)
        with contextlib.suppress(ConnectionResetError):
            while asleep.recv(65536):
                pass
        asleep.close()
    assert "Traceback" not in caplog.text


def test_token_and_tls(locked, caplog):
    view, tls = locked
    assert view.url.startswith("https://127.0.0.1:")
    with httpx.Client(base_url=view.url, verify=tls) as http:
        assert http.get("/").status_code == 200
        assert http.get("/session").status_code == 401
        for wrong in ("wrong token, really", "x" * 500, ""):
            assert http.post("/session", json={"token": wrong}).status_code == 403
        assert http.post("/session", content=b'{"token":"x"}').status_code == 415
        assert http.post("/session", json={"token": 1}).status_code == 400
        assert http.post("/session", json={"token": "x" * 5000}).status_code == 413
        assert http.get(f"/session?token={TOKEN}").status_code == 401
        given = http.post("/session", json={"token": TOKEN})
        assert given.status_code == 204
        cookie = given.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
        assert http.get("/session").status_code == 204
    with pytest.raises(exceptions.InvalidStatus) as refused, feed(view.url, ssl=tls):
        pass
    assert refused.value.response.status_code == 401
    name = cookie.partition(";")[0]
    for headers in ({"Authorization": f"Bearer {TOKEN}"}, {"Cookie": name}):
        with feed(view.url, ssl=tls, additional_headers=headers) as connection:
            until(connection, is_a("ready"))
    assert TOKEN not in caplog.text
    assert "wrong token, really" not in caplog.text


def test_guessing_is_barred(locked, caplog):
    view, tls = locked
    caplog.set_level(logging.DEBUG)
    with httpx.Client(base_url=view.url, verify=tls) as http:
        statuses = [
            http.post("/session", json={"token": f"guess number {k}"}).status_code for k in range(8)
        ]
        assert statuses[-1] == 429
        assert http.post("/session", json={"token": TOKEN}).status_code == 429
    assert "guess number" not in caplog.text


def test_port_in_use_and_files_that_are_none_are_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match="in use"):
            LiveView(ViewSettings(listen=listen), Signal(), SystemClock(), lambda: None)
    nothing = str(tmp_path / "none.pem")
    settings = ViewSettings(listen="0", cert_file=nothing, key_file=nothing)
    with pytest.raises(ConfigError, match=r"none\.pem"):
        LiveView(settings, Signal(), SystemClock(), lambda: None)


def test_a_busy_default_port_gives_way_to_the_next():
    with contextlib.ExitStack() as stack:
        views = []
        for _ in range(2):
            view = LiveView(ViewSettings(), Signal(), SystemClock(), lambda: None)
            stack.callback(view.close)
            views.append(view.url)
    assert len(set(views)) == 2


def test_slow_viewer_loses_oldest_signal_counted_and_no_document():
    import asyncio

    async def run():
        hub = Hub()
        viewer = hub.join()
        signal = in_messages([b"x" * 12], 0.0)[0]
        hub.tell([signal], [document("early")])  # before the picture, which holds it
        viewer.begin([])
        for _ in range(SIGNAL_MAX + 5):
            hub.tell([signal], [])
        hub.tell([], [document("alert")])
        messages = [await viewer.next() for _ in range(SIGNAL_MAX + 1)]
        assert viewer.dropped == 5
        assert int.from_bytes(messages[0][4:8], "little") == 5
        assert messages[-1] == document("alert")
        for _ in range(DOCUMENTS_MAX + 1):
            hub.tell([], [document("alert")])
        assert await viewer.next() is None

    asyncio.run(run())


def _served_again(url):
    """Whoever comes later finds a place, once those before have been let go."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(exceptions.InvalidStatus, OSError), feed(url) as connection:
            until(connection, is_a("ready"))
            return
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
