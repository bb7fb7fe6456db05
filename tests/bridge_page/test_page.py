"""The bridge page in a real Chromium, with a stand-in for the browser's Bluetooth."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from firmware_bridge.bridge_protocol import decode_batch
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import NotInReachError
from firmware_bridge.source import open_source
from firmware_bridge.transports import ws_clients
from tests.bridge_page.straps import (
    BATTERY_LEVEL,
    CONTROL,
    DATA,
    HEART_RATE,
    TOKEN,
    WAIT_S,
    packets_of,
    start,
)
from tests.firmware_bridge.devices.polar_h10_wire import SPECIMENS
from tests.firmware_bridge.own_certificate import own_certificate

if TYPE_CHECKING:
    from firmware_bridge.transports.ws_listener import WsListener

H10 = SPECIMENS[0]
START = [command.hex() for command in PolarH10Decoder().start_commands()]
STOP = [command.hex() for command in PolarH10Decoder().stop_commands()]


def until(page: Any, expression: str) -> None:
    """Wait until it is true; asked from outside, as the page forbids eval."""
    deadline_s = time.monotonic() + WAIT_S
    while not page.evaluate(expression):
        assert time.monotonic() < deadline_s, f"never true: {expression}"
        page.wait_for_timeout(10)


def notify(page: Any, *contents: str) -> None:
    assert page.evaluate(
        "([uuid, all]) => all.map((each) => strap.notify(uuid, each)).every(Boolean)",
        [DATA, list(contents)],
    )


def numbered(first: int, count: int) -> list[str]:
    return [f"{k:08x}" for k in range(first, first + count)]


def numbers(bridge: WsListener, count: int) -> list[int]:
    return [int.from_bytes(packet.data) for packet in packets_of(bridge, count)]


def test_strap_in_the_page_to_frames_through_the_decoder(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    for packet in H10.packets:
        page.evaluate("([u, h]) => strap.notify(u, h)", [packet.channel, packet.data.hex()])
    decoder, frames = PolarH10Decoder(), []
    deadline_s = time.monotonic() + WAIT_S
    while sum(len(frame.samples_uv) for frame in frames) < len(H10.samples_uv):
        assert time.monotonic() < deadline_s
        got = bridge.read(0.05)
        frames += decoder.push(got) if got else []
    samples_uv = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_allclose(samples_uv, H10.samples_uv, atol=H10.tolerance_uv)
    assert decoder.count.bad_frames == 0
    assert frames[-1].battery_percent == 87
    until(page, "document.getElementById('battery').textContent === '87 %'")


def test_chooser_subscriptions_and_start_are_as_the_profile_says(
    page: Any, bridge: WsListener
) -> None:
    start(page, bridge)
    options = page.evaluate("strap.chooserOptions")
    assert options["filters"] == [{"namePrefix": "Polar H10"}]
    assert set(options["optionalServices"]) == set(PolarH10Decoder.gatt.services)
    log = page.evaluate("strap.log")
    assert log[0] == ["connect", True]
    assert log[1:3] == [["subscribe", CONTROL], ["subscribe", DATA]]
    assert {HEART_RATE, BATTERY_LEVEL} <= {what for _, what in log}
    assert page.evaluate("strap.writes") == START
    assert page.inner_text("#bluetooth") == "connected to Polar H10 12345678"


def test_start_is_not_repeated_for_a_device_that_streams(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    for command in (*START, "0102"):
        bridge.write(bytes.fromhex(command))
    until(page, "strap.writes.includes('0102')")
    assert page.evaluate("strap.writes") == [*START, "0102"]


def test_start_is_repeated_for_a_device_that_was_started_in_vain(
    page: Any, bridge: WsListener
) -> None:
    start(page, bridge)
    for _ in range(2):
        bridge.write(bytes.fromhex(START[0]))
    until(page, "strap.writes.length === 2")
    notify(page, *numbered(0, 1))
    bridge.write(bytes.fromhex(START[0]))
    bridge.write(b"\x01\x02")
    until(page, "strap.writes.length === 3")
    assert page.evaluate("strap.writes") == [START[0], START[0], "0102"]


def test_device_is_kept_alive_by_the_page_itself(page: Any) -> None:
    page.evaluate(
        """async () => {
          const { Device } = await import("./device.js");
          const gatt = { control: "c", data: ["d"], services: ["s"], name: "*", advertised: "" };
          window.STRAP.services = { s: { c: ["write"], d: ["notify"] } };
          const nothing = () => undefined;
          const on = { connected: nothing, notification: nothing, lost: nothing, state: nothing };
          const keepAlive = { every_s: 0.5, commands: ["aa"] };
          const commands = { start: ["01"], stop: ["00"], keep_alive: keepAlive };
          window.kept = new Device({ gatt, channels: ["c", "d"], ...commands }, on);
          await window.kept.choose();
          await window.kept.begin();
        }"""
    )
    assert page.evaluate("strap.chooserOptions") == {
        "acceptAllDevices": True,
        "optionalServices": ["s"],
    }
    until(page, "strap.writes.length >= 3")
    assert page.evaluate("strap.writes")[:3] == ["01", "aa", "aa"]
    page.evaluate("window.kept.write(new Uint8Array([0xaa])).then(() => window.kept.stop())")
    assert page.evaluate("strap.writes").count("00") == 1


def test_commands_are_written_one_after_another(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    for k in range(20):
        bridge.write(bytes([k]))
    until(page, f"strap.writes.length === {20 + len(START)}")
    assert page.evaluate("strap.writes")[len(START) :] == [f"{k:02x}" for k in range(20)]


def test_network_away_loses_nothing_and_delivers_nothing_twice(
    page: Any, bridge: WsListener
) -> None:
    start(page, bridge)
    notify(page, *numbered(0, 5))
    assert numbers(bridge, 5) == list(range(5))
    for round_ in range(3):
        notify(page, *numbered(5 + 20 * round_, 10))  # some of these are on their way
        bridge.close()
        page.wait_for_selector("#network[data-ok=false]")
        notify(page, *numbered(15 + 20 * round_, 10))
        bridge.open()
    assert numbers(bridge, 60) == list(range(5, 65))
    assert bridge.dropped == 0
    until(page, "document.getElementById('waiting').textContent === '0'")


def test_what_waited_at_the_page_keeps_its_time(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    notify(page, *numbered(0, 1))
    packets_of(bridge, 1)
    bridge.close()
    page.wait_for_selector("#network[data-ok=false]")
    before_ns = time.monotonic_ns()
    notify(page, *numbered(1, 1))
    page.wait_for_timeout(1000)
    opened_ns = time.monotonic_ns()
    bridge.open()
    (late,) = packets_of(bridge, 1)
    assert before_ns - 50e6 <= late.host_time_ns < opened_ns


def test_full_outbox_drops_the_oldest_and_says_how_many(page: Any, bridge: WsListener) -> None:
    page.evaluate(
        """async () => {
          const { Outbox } = await import("./outbox.js");
          const add = Outbox.prototype.add;
          Outbox.prototype.add = function (...record) {
            this.recordsMax = 10;
            add.apply(this, record);
          };
        }"""
    )
    start(page, bridge)
    notify(page, *numbered(0, 1))
    packets_of(bridge, 1)
    until(page, "document.getElementById('waiting').textContent === '0'")
    bridge.close()
    page.wait_for_selector("#network[data-ok=false]")
    notify(page, *numbered(1, 30))
    bridge.open()
    assert numbers(bridge, 10) == list(range(21, 31))
    assert bridge.dropped == 20
    until(page, "document.getElementById('dropped').textContent === '20'")


def test_batches_of_the_page_are_what_the_decoder_reads(page: Any) -> None:
    sent = page.evaluate(
        """async () => {
          const { KIND, Outbox } = await import("./outbox.js");
          const outbox = new Outbox(6);
          for (let k = 0; k < 8; k += 1) {
            outbox.add(KIND.notification, k % 3, 10.5 * k, new Uint8Array(k));
          }
          outbox.add(KIND.lost, 0, 99, new TextEncoder().encode("weg"));
          const big = new Outbox();
          for (let k = 0; k < 100; k += 1) big.add(KIND.notification, 1, k, new Uint8Array(1000));
          const huge = new Outbox();
          huge.add(KIND.notification, 1, 0, new Uint8Array(9999));
          const alone = huge.batch(0, 0);
          const sizes = [];
          for (let from = 0; from < 100;) {
            const { next, message } = big.batch(from, 0);
            sizes.push(message.length);
            from = next;
          }
          const all = outbox.batch(0, 123.25).message;
          outbox.acknowledge(7);
          const rest = outbox.batch(0, 124).message;
          const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
          return { all: base64(all), rest: base64(rest), dropped: outbox.dropped, sizes,
            alone: [alone.next, alone.message.length] };
        }"""
    )
    batch = decode_batch(base64.b64decode(sent["all"]), ("a", "b", "c"))
    assert batch.sent_ns == 123_250_000
    assert [record.number for record in batch.records] == [3, 4, 5, 6, 7, 8]
    assert [record.channel for record in batch.records] == ["a", "b", "c", "a", "b", ""]
    assert [record.page_ns for record in batch.records[:2]] == [31_500_000, 42_000_000]
    assert [len(record.data) for record in batch.records] == [3, 4, 5, 6, 7, 3]
    assert batch.records[-1].data == b"weg"
    rest = decode_batch(base64.b64decode(sent["rest"]), ("a", "b", "c"))
    assert [record.number for record in rest.records] == [7, 8]
    assert sent["dropped"] == 3
    assert max(sent["sizes"]) <= 4096
    assert sent["alone"] == [1, 9 + 16 + 4096]
    assert sum(size - 9 for size in sent["sizes"]) == 100 * 1016


def test_dropped_strap_comes_back_by_itself(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    notify(page, *numbered(0, 1))
    page.evaluate("strap.inReach = false; strap.drop()")
    assert numbers(bridge, 1) == [0]
    with pytest.raises(NotInReachError, match="the device left the phone: connection lost"):
        packets_of(bridge, 1)
    until(page, "strap.log.filter(([what, ok]) => what === 'connect' && !ok).length >= 2")
    assert "trying again: Bluetooth Device is no longer in range" in page.inner_text("#bluetooth")
    page.evaluate("strap.inReach = true")
    page.wait_for_selector("#bluetooth[data-ok=true]")
    bridge.open()
    notify(page, *numbered(1, 2))
    assert numbers(bridge, 2) == [1, 2]
    assert page.evaluate("strap.writes") == START + START


def test_refused_subscription_is_tried_again(page: Any, bridge: WsListener) -> None:
    page.evaluate("strap.refusals = 1")
    start(page, bridge)
    assert page.evaluate("strap.log.filter(([what]) => what === 'connect').length") == 2
    notify(page, *numbered(0, 1))
    assert numbers(bridge, 1) == [0]


@pytest.mark.parametrize("stage", ["services", "subscription", "write"])
def test_attempt_that_hangs_is_given_up_for_another(
    page: Any, bridge: WsListener, stage: str
) -> None:
    page.evaluate(
        """(stage) => {
          const real = window.setTimeout;
          window.limits = [];
          window.setTimeout = (over, ms) => (ms < 10000 ? real(over, ms) : limits.push(over));
          strap.hangs = stage;
        }""",
        stage,
    )
    page.click("#connect")
    until(page, "strap.isHanging")
    page.evaluate("limits.forEach((over) => over())")
    page.wait_for_selector("#bluetooth[data-ok=true]")
    bridge.open()
    assert page.evaluate("strap.log.filter(([what]) => what === 'connect').length") == 2
    assert page.evaluate("strap.writes") == START
    notify(page, *numbered(0, 1))
    got = None
    while got is None or got.channel != DATA:
        with contextlib.suppress(NotInReachError):  # the device that was given up
            got = bridge.read(WAIT_S)
    assert got.data == bytes(4)


def test_late_hello_is_tried_again_by_the_page(
    context: Any, bridge: WsListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_clients, "HELLO_S", 0.05)
    page = context.new_page()
    page.add_init_script(
        "const send = WebSocket.prototype.send; let count = 0;"
        "WebSocket.prototype.send = function (data) { if (count++) send.call(this, data); }"
    )
    page.goto(f"{bridge.page_url}#{TOKEN}")
    while not bridge.wrong_tokens:
        page.wait_for_timeout(10)
    monkeypatch.undo()
    page.wait_for_selector("#network[data-ok=true]")
    page.close()


def test_another_device_is_named_as_such(page: Any) -> None:
    page.evaluate("window.STRAP.services = {}")
    page.click("#connect")
    until(page, "document.getElementById('bluetooth').textContent.includes('another device')")


def test_cancelled_chooser_leaves_the_button(page: Any, bridge: WsListener) -> None:
    page.evaluate("strap.isCancelled = true")
    page.click("#connect")
    page.wait_for_selector("#connect:enabled")
    assert page.is_hidden("#notice")
    page.evaluate("strap.isCancelled = false")
    start(page, bridge)


def test_stop_lets_the_strap_rest_and_connect_begins_again(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    page.click("#stop")
    page.wait_for_selector("#connect:enabled")
    assert page.evaluate("strap.writes") == START + STOP
    assert not page.evaluate("strap.isConnected")
    with pytest.raises(NotInReachError, match="stopped"):
        packets_of(bridge, 1)
    start(page, bridge)
    assert page.evaluate("strap.writes") == START + STOP + START


def test_closed_page_says_goodbye(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    page.goto("about:blank")
    with pytest.raises(NotInReachError, match=r"left the phone: (stopped|its page was closed)"):
        packets_of(bridge, 1)


def test_token_leaves_the_address_and_survives_a_reload(page: Any, bridge: WsListener) -> None:
    assert page.url == bridge.page_url
    page.reload()
    page.wait_for_selector("#network[data-ok=true]")
    assert bridge.wrong_tokens == 0


def test_wrong_token_is_asked_for(context: Any, bridge: WsListener) -> None:
    page = context.new_page()
    page.goto(f"{bridge.page_url}#wrong-wrong-wrong")
    page.wait_for_selector("#token-form:visible")
    assert "token is wrong" in page.inner_text("#network")
    assert bridge.wrong_tokens == 1
    page.fill("#token", TOKEN)
    page.click("#token-form button")
    page.wait_for_selector("#network[data-ok=true]")
    assert page.is_hidden("#token-form")


def test_second_page_waits_while_the_first_is_there(
    page: Any, context: Any, bridge: WsListener
) -> None:
    start(page, bridge)
    second = context.new_page()
    second.goto(f"{bridge.page_url}#{TOKEN}")
    until(second, "document.getElementById('network').textContent.startsWith('busy')")
    notify(page, *numbered(0, 1))
    assert numbers(bridge, 1) == [0]


def test_screen_is_kept_on_and_again_after_hiding(page: Any, bridge: WsListener) -> None:
    start(page, bridge)
    assert page.inner_text("#screen") == "stays on"
    assert page.evaluate("wakeLocks") == 1
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, "wakeLocks === 2")


def test_browser_without_bluetooth_is_told_what_to_do(context: Any, bridge: WsListener) -> None:
    page = context.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'bluetooth', {value: undefined})")
    page.goto(f"{bridge.page_url}#{TOKEN}")
    page.wait_for_selector("#notice:visible")
    assert "chrome://flags" in page.inner_text("#notice")
    assert page.is_disabled("#connect")
    for agent, words in (
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1", "Bluefy"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36", "chrome://flags"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:130.0) Firefox/130.0", "Chrome or Edge"),
    ):
        said = page.evaluate(
            """async (agent) => {
              Object.defineProperty(navigator, "userAgent", { value: agent, configurable: true });
              return (await import("./words.js")).whyNoBluetooth();
            }""",
            agent,
        )
        assert words in said
    page.close()


def test_page_over_plain_http_says_what_is_missing(context: Any, bridge: WsListener) -> None:
    page = context.new_page()
    page.goto(f"http://bridge.test:{bridge.port}/#{TOKEN}")
    page.wait_for_selector("#notice:visible")
    assert "https" in page.inner_text("#notice")
    assert "cert=" in page.inner_text("#notice")


def test_page_and_its_socket_over_https(chromium: Any, tmp_path: Path) -> None:
    cert, key = own_certificate(tmp_path)
    bridge = open_source(
        f"ws://127.0.0.1:0?listen=1&device=polar_h10&token={TOKEN}&cert={cert}&key={key}"
    ).transport
    bridge._wait_s = 0.01
    with pytest.raises(NotInReachError, match="open https://"):
        bridge.open()
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{bridge.page_url}#{TOKEN}")
    page.wait_for_selector("#network[data-ok=true]")
    assert page.evaluate("isSecureContext")
    context.close()
    bridge.close()


def test_page_works_in_the_dark_and_fits_a_phone(page: Any) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#connect").bounding_box()
    assert box["height"] >= 48
    assert box["width"] >= 300


def test_network_that_answers_no_more_is_left_for_a_new_connection(
    context: Any, bridge: WsListener
) -> None:
    page = context.new_page()
    page.clock.install()
    page.add_init_script(
        "const send = WebSocket.prototype.send;"
        "WebSocket.prototype.send = function (data) { if (!window.mute) send.call(this, data); }"
    )
    page.goto(f"{bridge.page_url}#{TOKEN}")
    page.wait_for_selector("#network[data-ok=true]")
    page.evaluate("window.mute = true")
    page.clock.run_for(12_500)
    assert page.get_attribute("#network", "data-ok") == "false"
    page.evaluate("window.mute = false")
    page.clock.run_for(10_000)
    page.wait_for_selector("#network[data-ok=true]")


def test_no_script_or_style_stands_in_the_page_itself(page: Any) -> None:
    html = page.evaluate("fetch('/').then((answer) => answer.text())")
    assert re.findall(r"<script(?![^>]*src=)|<style| style=| on\w+=", html) == []
