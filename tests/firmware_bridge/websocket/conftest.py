"""A port that waits, and a page that has been welcomed there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from firmware_bridge.transports.ws_listener import WsListener
    from tests.firmware_bridge.websocket.clients import Page


@pytest.fixture
def bridge() -> Iterator[WsListener]:
    """Listening with a token; nobody has come yet."""
    from tests.firmware_bridge.websocket.clients import listening

    made = listening()
    yield made
    made.close()


@pytest.fixture
def page(bridge: WsListener) -> Iterator[Page]:
    """Welcomed, its device connected, and the transport open."""
    from tests.firmware_bridge.websocket.clients import Page

    made = Page(bridge.port)
    made.connect_device(bridge)
    yield made
    with contextlib.suppress(Exception):
        made.cut()
