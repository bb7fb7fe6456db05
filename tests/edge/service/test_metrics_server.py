"""The server of the figures: whom it answers, and that nobody holds it up."""

from __future__ import annotations

import socket
import threading

import pytest

from edge.metrics import server
from edge.metrics.settings import MetricsSettings
from tests.patience import WAIT_S


def hello(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"figures"]


@pytest.fixture
def serving(monkeypatch):
    made = []

    def serve(**settings):
        monkeypatch.setattr(server, "_application", lambda *_: hello)
        one = server.MetricsServer(MetricsSettings(listen="127.0.0.1:0", **settings), None)
        one.start()
        made.append(one)
        return one

    yield serve
    for one in made:
        one.close(0.0)


def asked(one, request):
    with socket.create_connection(("127.0.0.1", one.endpoint.port), WAIT_S) as client:
        client.sendall(request)
        return client.makefile("rb").read()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", b"200"),
        ("localhost", b"200"),
        ("[::1]:9464", b"200"),
        ("rebound.example", b"403"),
        ("", b"403"),
    ],
)
def test_a_page_elsewhere_whose_name_leads_here_is_not_answered(serving, host, status):
    answer = asked(serving(), b"GET /metrics HTTP/1.0\r\nHost: %s\r\n\r\n" % host.encode())
    assert answer.split()[1] == status
    assert answer.endswith(b"figures") == (status == b"200")


def test_one_without_a_name_is_no_browser(serving):
    assert asked(serving(), b"GET /metrics HTTP/1.0\r\n\r\n").endswith(b"figures")


def test_a_request_has_an_absolute_deadline(serving, monkeypatch):
    monkeypatch.setattr(server._Handler, "timeout", 0.2)
    one = serving()
    with socket.create_connection(("127.0.0.1", one.endpoint.port), WAIT_S) as drip:
        drip.setblocking(False)
        cut, pause = False, threading.Event()
        while not cut:  # each byte would begin a time-out anew
            try:
                drip.send(b"G")
                cut = drip.recv(1) == b""
            except BlockingIOError:
                pause.wait(0.02)
            except OSError:
                cut = True
    assert asked(one, b"GET / HTTP/1.0\r\n\r\n").endswith(b"figures")


def test_a_request_under_way_does_not_keep_it_from_its_end(serving, monkeypatch):
    entered = threading.Event()
    plain = server._Handler.handle

    def handle(handler):
        entered.set()
        plain(handler)

    monkeypatch.setattr(server._Handler, "handle", handle)
    one = serving()
    with socket.create_connection(("127.0.0.1", one.endpoint.port), WAIT_S) as client:
        client.sendall(b"G")
        assert entered.wait(WAIT_S)
        one.close(0.01)
        assert one.alive  # told to end, whatever its thread does
