"""What the bridge page and the transport say to each other, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time

import pytest

pytest.importorskip("websockets")

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from firmware_bridge.bridge_protocol import channels_of
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import NotInReachError, SourceError
from firmware_bridge.link import Link, LinkEvent, LinkState
from firmware_bridge.source import Source
from firmware_bridge.stream import Packet
from firmware_bridge.timeline import Timeline
from firmware_bridge.transports import mailbox, ws_clients
from firmware_bridge.transports.ws_listener import WsListener
from tests.firmware_bridge.bridge_page_model import CONNECTED, LOST
from tests.firmware_bridge.websocket.clients import H10, QUICK, WAIT_S, Page, data_of, listening


def test_notifications_come_with_their_channel_and_commands_go_back(
    bridge: WsListener, page: Page
) -> None:
    for packet in H10.packets:
        page.notify(packet.channel, packet.data)
    page.send()
    got = data_of(bridge, len(H10.packets))
    assert [(p.channel, p.data) for p in got] == [(p.channel, p.data) for p in H10.packets]
    bridge.write(b"\x02\x00")
    page.hear("write")
    assert page.commands == [b"\x02\x00"]
    assert page.welcome["channels"] == list(channels_of(PolarH10Decoder.gatt))


def test_phone_without_device_is_told_from_no_phone(bridge: WsListener) -> None:
    bridge._wait_s = 0.01
    with pytest.raises(NotInReachError, match=r"nobody has connected; open http://127.*#TOKEN on"):
        bridge.open()
    page = Page(bridge.port)
    page.connect()
    while bridge._mailbox._send is None:
        time.sleep(0.001)
    with pytest.raises(NotInReachError, match=r"the phone is here.*press Connect"):
        bridge.open()
    page.cut()


def test_cut_page_comes_back_and_each_notification_is_delivered_once(
    bridge: WsListener, page: Page
) -> None:
    for k in range(30):
        page.notify("fb005c82-02e7-f387-1cad-8acd2d8df0c8", b"%d" % k)
        if k % 3 == 0:
            page.send(2)
        if k % 10 == 5:  # acknowledgements of what arrived are lost with the connection
            page.cut()
            page.connect(device=True)
    page.send()
    assert [p.data for p in data_of(bridge, 30)] == [b"%d" % k for k in range(30)]
    assert bridge.dropped == 0
    page.hear()


def test_half_open_connection_of_the_same_page_gives_way_at_once(
    bridge: WsListener, page: Page
) -> None:
    half_open = page.connection
    page.notify(page.welcome["channels"][1], b"before")
    page.connect(device=True)  # the first one still stands
    page.notify(page.welcome["channels"][1], b"after")
    page.send()
    assert [p.data for p in data_of(bridge, 2)] == [b"before", b"after"]
    page.connection, new = half_open, page.connection
    assert page.close_code()[0] == ws_clients.REPLACED
    page.connection = new


def test_stale_hello_does_not_throw_out_the_newer_connection_of_the_page(
    bridge: WsListener, page: Page
) -> None:
    page.connect(device=True, connection=3)
    newest = page.connection
    with pytest.raises(ConnectionClosed):
        page.connect(device=True, connection=2)
    assert page.close_code()[0] == ws_clients.AGAIN
    page.connection = newest
    page.notify(page.welcome["channels"][1], b"still here")
    page.send()
    assert data_of(bridge, 1)[0].data == b"still here"


def test_second_phone_is_refused_in_words_until_the_first_is_silent(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Page(bridge.port, session="fedcba9876543210")
    with pytest.raises(ConnectionClosed):
        second.connect()
    assert second.close_code() == (ws_clients.BUSY, "another phone or program is connected")
    monkeypatch.setattr(ws_clients, "SILENT_NS", 0)
    second.connect(device=True)
    second.notify(second.welcome["channels"][1], b"second")
    second.send()
    with pytest.raises(NotInReachError, match="silent and another came"):
        data_of(bridge, 1)
    bridge.open()
    assert data_of(bridge, 1)[0].data == b"second"
    assert page.close_code()[0] == ws_clients.REPLACED
    second.cut()


def test_lost_device_ends_the_reading_in_its_place(bridge: WsListener, page: Page) -> None:
    data = page.welcome["channels"][1]
    page.notify(data, b"1")
    page.tell(LOST, "connection lost")
    page.tell(CONNECTED, "Polar H10")
    page.notify(data, b"2")
    page.send()
    assert data_of(bridge, 1)[0].data == b"1"
    with pytest.raises(NotInReachError, match="the device left the phone: connection lost"):
        data_of(bridge, 1)
    bridge.pause()
    bridge.open()
    assert data_of(bridge, 1)[0].data == b"2"


def test_page_that_says_bye_ends_the_reading_at_once(bridge: WsListener, page: Page) -> None:
    assert page.connection is not None
    page.connection.send('{"type": "bye"}')
    with pytest.raises(NotInReachError, match="its page was closed"):
        data_of(bridge, 1)


def test_goodbye_is_heard_of_a_page_that_no_longer_takes_acknowledgements(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def room_once_it_is_gone(_: ws_clients.WsClients, connection: ServerConnection) -> bool:
        while connection.state is State.OPEN:
            await asyncio.sleep(0.001)
        return True

    monkeypatch.setattr(ws_clients.WsClients, "_room", room_once_it_is_gone)
    page.notify(page.welcome["channels"][1], b"last")
    page.send()
    assert page.connection is not None
    page.connection.send('{"type": "bye"}')
    page.cut()
    assert data_of(bridge, 1)[0].data == b"last"
    with pytest.raises(NotInReachError, match="its page was closed"):
        data_of(bridge, 1)


def test_page_that_stays_away_ends_the_reading(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "AWAY_S", 0.05)
    page.cut()
    with pytest.raises(NotInReachError, match="network is away"):
        data_of(bridge, 1)
    with pytest.raises(NotInReachError, match="nobody is connected"):
        bridge.write(b"start")


def test_restarted_edge_takes_up_a_page_that_streams(bridge: WsListener, page: Page) -> None:
    for k in range(3):
        page.notify(page.welcome["channels"][1], b"%d" % k)
    page.send()
    data_of(bridge, 3)
    page.hear()
    while page.outbox.held:
        page.hear()
    bridge.close()
    page.cut()
    page.notify(page.welcome["channels"][1], b"kept")
    again = listening()
    page.port = again.port
    page.connect(device=True)
    assert page.welcome["next"] == page.outbox.first
    again.open()  # the device is there, though nothing new was sent
    page.send()
    assert data_of(again, 1)[0].data == b"kept"
    assert again.dropped == 0
    again.close()


def test_reader_that_is_behind_holds_the_page_back_and_loses_nothing(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PACKETS_MAX", 8)
    for k in range(200):
        page.notify(page.welcome["channels"][1], b"%d" % k)
        page.send()
    assert [p.data for p in data_of(bridge, 200)] == [b"%d" % k for k in range(200)]


def test_closing_ends_while_a_client_is_held_back(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PACKETS_MAX", 2)
    for k in range(5):
        page.notify(page.welcome["channels"][1], b"%d" % k)
        page.send()
    while bridge._mailbox.has_room():
        time.sleep(0.001)
    assert bridge._server is not None
    serving = bridge._server._thread
    assert serving is not None
    bridge.close()
    assert not serving.is_alive()
    assert page.close_code()[0] == CloseCode.GOING_AWAY


def test_held_back_client_is_told_to_come_again_however_late_the_server_stops(
    bridge: WsListener, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PACKETS_MAX", 0)
    page.notify(page.welcome["channels"][1], b"held back")
    page.send()
    bridge._mailbox.shut()
    assert page.close_code() == (CloseCode.GOING_AWAY, "the source was closed")


@pytest.mark.parametrize("waiting", ["open", "read"])
def test_closing_ends_a_wait_in_another_thread(
    bridge: WsListener, page: Page, waiting: str
) -> None:
    if waiting == "open":
        page.tell(LOST, "gone")
        page.send()
        with pytest.raises(NotInReachError):
            data_of(bridge, 1)
    caught: list[Exception] = []

    def wait() -> None:
        try:
            bridge.open() if waiting == "open" else bridge.read(WAIT_S)
        except SourceError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not bridge._mailbox._changed._waiters:  # type: ignore[attr-defined]
        time.sleep(0.001)
    bridge.close()
    waiter.join(WAIT_S)
    assert len(caught) == 1


def test_link_over_a_page_that_is_away_for_long_shows_no_gap() -> None:
    """The Link says disconnected meanwhile; what the page kept closes the hole without a loss."""
    bridge = listening()
    decoder, timeline = PolarH10Decoder(), Timeline()
    source = Source("ws:", bridge, decoder, False, "an H10", data_channels=decoder.gatt.data)
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source, events, timing=QUICK)
    page = Page(bridge.port)
    link.start()
    page.connect()
    page.tell(CONNECTED, "Polar H10")
    page.send()
    page.hear("write")
    assert page.commands == list(decoder.start_commands())
    half = len(H10.packets) // 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mailbox, "AWAY_S", 0.02)
        for k, packet in enumerate(H10.packets):
            if k == half:
                page.send()
                page.hear()
                page.cut()
                phases = until(events, "disconnected", decoder, timeline)
            page.notify(packet.channel, packet.data)
    page.connect(device=True)
    page.send()
    deadline_s = time.monotonic() + WAIT_S
    while timeline.count.span < len(H10.samples_uv) and time.monotonic() < deadline_s:
        with contextlib.suppress(queue.Empty):
            feed(events.get(timeout=0.05), decoder, timeline)
    assert link.stop(WAIT_S)
    assert "streaming" in phases
    assert timeline.count.delivered == len(H10.samples_uv)
    assert (timeline.count.gap, timeline.count.duplicate, timeline.count.reboots) == (0, 0, 0)


def until(
    events: queue.Queue[LinkEvent], last: str, decoder: PolarH10Decoder, timeline: Timeline
) -> list[str]:
    phases = []
    while not phases or phases[-1] != last:
        event = events.get(timeout=WAIT_S)
        feed(event, decoder, timeline)
        phases += [event.phase] if isinstance(event, LinkState) else []
    return phases


def feed(event: LinkEvent, decoder: PolarH10Decoder, timeline: Timeline) -> None:
    if isinstance(event, Packet):
        for frame in decoder.push(event):
            timeline.push(frame, event.host_time_ns)
    elif event.phase == "disconnected":
        timeline.disconnected(event.host_time_ns)
    elif event.phase == "connecting":
        decoder.reset()
