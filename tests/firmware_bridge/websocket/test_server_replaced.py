"""A server whose thread dies or hangs gives way to another on the same port."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("websockets")

from firmware_bridge.transports.ws_server import WsServer
from tests.firmware_bridge.websocket.clients import Page, listening
from tests.patience import WAIT_S


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_server_that_fails_is_replaced_and_pages_find_it(how, monkeypatch, caplog):
    monkeypatch.setattr("firmware_bridge.transports.ws_server.STOP_S", 0.1)
    monkeypatch.setattr(WsServer.answers, "__defaults__", (0.1,))
    bridge = listening()
    released = threading.Event()
    try:
        failed, port = bridge._server, bridge.port
        if how == "dies":
            failed._loop.call_soon_threadsafe(failed._stopped.set)
            failed._thread.join(WAIT_S)
        else:
            failed._loop.call_soon_threadsafe(released.wait, WAIT_S)
        page = Page(port)
        opening = threading.Thread(target=bridge.open)
        opening.start()
        deadline = time.monotonic() + WAIT_S
        while bridge._server in (failed, None) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bridge.port == port
        page.connect_device(bridge)
        opening.join(WAIT_S)
        assert not opening.is_alive()
        assert "another takes its place" in caplog.text
        page.cut()
    finally:
        released.set()
        bridge.close()


def test_a_server_that_answers_stays():
    bridge = listening()
    try:
        server = bridge._server
        page = Page(bridge.port)
        page.connect_device(bridge)
        assert bridge._server is server
        page.cut()
    finally:
        bridge.close()
