"""A real headless Chromium, a bridge that serves the page, and the page with a stand-in strap."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firmware_bridge.bridge_protocol import profile
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import NotInReachError
from firmware_bridge.transports.sockets import Endpoint
from firmware_bridge.transports.web_origin import own_names
from tests.bridge_page.straps import STRAP, TOKEN, WAIT_S

if TYPE_CHECKING:
    from firmware_bridge.transports.ws_listener import WsListener

STAND_IN = (Path(__file__).parent / "stand_in.js").read_text()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """Debian's Chromium with Web Bluetooth on; tests skip where there is none."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("websockets")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine (sudo apt install chromium, or set CHROMIUM)")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--disable-gpu",
                "--enable-features=WebBluetooth",
                "--host-resolver-rules=MAP bridge.test 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def bridge() -> Iterator[WsListener]:
    """Listening; nobody has come yet."""
    from firmware_bridge.transports.ws_listener import WsListener

    decoder = PolarH10Decoder()
    made = WsListener(
        Endpoint("127.0.0.1", 0),
        TOKEN,
        profile("polar_h10", decoder.gatt, decoder),
        names=own_names(["bridge.test"]),
        wait_s=0.01,
    )
    with pytest.raises(NotInReachError):
        made.open()
    made._wait_s = WAIT_S
    yield made
    made.close()


@pytest.fixture(scope="package")
def context(chromium: Any) -> Iterator[Any]:
    """A browser of a phone's size; the bridges of the tests differ by their port, so by origin."""
    made = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    made.set_default_timeout(WAIT_S * 1000)
    made.add_init_script(f"window.STRAP = {json.dumps(STRAP)};\n{STAND_IN}")
    yield made
    made.close()


@pytest.fixture
def page(context: Any, bridge: WsListener) -> Iterator[Any]:
    """The page, welcomed by the bridge, with a stand-in strap; no error may come up in it."""
    made = context.new_page()
    errors: list[str] = []
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    made.goto(f"{bridge.page_url}#{TOKEN}")
    made.wait_for_selector("#connect:enabled")
    yield made
    made.close()
    unexpected = [each for each in errors if "WebSocket connection to" not in each]
    assert unexpected == []
