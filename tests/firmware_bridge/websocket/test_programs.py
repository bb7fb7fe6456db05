"""Programs that connect, sources that connect, their addresses, certificates and faults."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import serve

from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import NotInReachError, SourceError, SourceUriError
from firmware_bridge.source import open_source
from firmware_bridge.transports import mailbox, ws_clients
from firmware_bridge.transports.sockets import Endpoint
from firmware_bridge.transports.ws_client import WsTransport
from firmware_bridge.transports.ws_listener import WsListener
from tests.firmware_bridge.own_certificate import own_certificate
from tests.firmware_bridge.websocket.clients import H10, TOKEN, WAIT_S, data_of, get, listening


def test_program_delivers_native_frames_with_its_token() -> None:
    bridge = listening("native")
    where = f"ws://127.0.0.1:{bridge.port}/raw"
    with pytest.raises(InvalidStatus, match="401"):
        connect(where, proxy=None)
    assert get(bridge.port, "/")[0] == 404
    near = WsTransport(Endpoint("127.0.0.1", bridge.port), "/raw", TOKEN)
    near.open()
    bridge.open()
    near.write(b"\xaa\x01\x02")
    assert data_of(bridge, 1)[0].data == b"\xaa\x01\x02"
    bridge.write(b"down")
    packet = near.read(WAIT_S)
    assert packet is not None
    assert packet.data == b"down"
    assert near.read(0.01) is None
    near.close()
    with pytest.raises(NotInReachError, match="its program closed"):
        data_of(bridge, 1)
    bridge.close()


def test_replaced_program_delivers_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PACKETS_MAX", 1)
    monkeypatch.setattr(ws_clients, "SILENT_NS", 0)
    bridge = listening("native")
    with program(bridge) as old:
        for _ in range(5):
            old.send(b"old")
        while bridge._mailbox.has_room():
            time.sleep(0.001)
        with program(bridge) as new:
            new.send(b"new")
            with pytest.raises(ConnectionClosed):
                old.recv(WAIT_S)
            assert data_of(bridge, 1)[0].data == b"old"
            with pytest.raises(NotInReachError, match="connected anew"):
                data_of(bridge, 1)
            assert data_of(bridge, 1)[0].data == b"new"
    bridge.close()


def program(bridge: WsListener) -> ClientConnection:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return connect(f"ws://127.0.0.1:{bridge.port}/raw", proxy=None, additional_headers=headers)


def test_connecting_source_gives_each_binary_message_as_a_packet() -> None:
    def far(connection: Any) -> None:
        connection.send("text is passed over")
        for packet in H10.packets:
            if packet.channel == PolarH10Decoder.gatt.data[0]:
                connection.send(packet.data)

    with serve(far, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        source = open_source(f"ws://127.0.0.1:{port}/ecg?device=polar_h10")
        source.transport.open()
        frames = []
        while sum(len(frame.samples_uv) for frame in frames) < len(H10.samples_uv):
            packet = source.transport.read(WAIT_S)
            frames += source.decoder.push(packet) if packet else []
        with pytest.raises(SourceError, match="connection closed"):
            source.transport.read(WAIT_S)
        source.transport.close()
        server.shutdown()
    got = np.concatenate([frame.samples_uv for frame in frames])
    np.testing.assert_allclose(got, H10.samples_uv, atol=H10.tolerance_uv)


def test_faults_of_connecting_are_said_in_words(bridge: WsListener) -> None:
    faults = {
        f"ws://127.0.0.1:{bridge.port}/raw": "wrong token= or none",
        f"ws://127.0.0.1:{bridge.port}/nowhere": "no WebSocket at this path",
        f"wss://127.0.0.1:{bridge.port}/raw": "no secure connection",
    }
    for uri, words in faults.items():
        with pytest.raises(SourceError, match=words):
            open_source(uri).transport.open()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]

        def answer() -> None:
            far, _ = mute.accept()
            far.sendall(b"220 mail server ready\r\n")
            far.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(SourceError, match="is no WebSocket"):
            open_source(f"ws://127.0.0.1:{port}/").transport.open()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ws://0.0.0.0:8080?listen=1", "needs a token"),
        ("ws://127.0.0.1:1?listen=1&host=pi.lan", "host= is for .* needs a token"),
        ("ws://0.0.0.0?listen=1&token=longenough", "names no host and port"),
        ("wss://127.0.0.1:1?listen=1", "cert=FILE.pem is missing"),
        ("ws://127.0.0.1:1?listen=1&key=x.pem", "cert=FILE.pem is missing"),
        ("ws://host/x?cert=a.pem", "cert= is for listen=1"),
        ("ws://127.0.0.1:1?listen=1&ca=a.pem", "ca= is for connecting"),
        ("ws://127.0.0.1:1?listen=1&tokn=x", "did you mean token"),
        ("ws://127.0.0.1:1?listen=1&device=toaster", "no device is called"),
    ],
)
def test_wrong_uri_is_named(uri: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        open_source(uri)


def test_missing_files_and_wrong_certificates_are_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        open_source(f"wss://127.0.0.1:1?listen=1&cert={tmp_path}/none.pem")
    (tmp_path / "bad.pem").write_text("hello")
    with pytest.raises(SourceError, match="are no certificate and its key"):
        open_source(f"wss://127.0.0.1:1?listen=1&cert={tmp_path}/bad.pem")


def test_token_is_in_no_text_of_the_source() -> None:
    source = open_source(f"ws://0.0.0.0:9000?listen=1&token={TOKEN}&device=polar_h10")
    assert TOKEN not in source.uri + source.description + source.transport.name
    assert source.data_channels == PolarH10Decoder.gatt.data
    assert "http://" in source.description


def test_without_websockets_the_error_tells_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None; import importlib.util as u;"
        "u.find_spec = lambda name, find=u.find_spec: None if name == 'websockets' else find(name);"
        "from firmware_bridge.source import open_source; open_source('ws://127.0.0.1:1')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'edge[bridge]'" in ran.stderr


def test_tls_with_an_own_certificate(tmp_path: Path) -> None:
    cert, key = own_certificate(tmp_path)
    source = open_source(
        f"wss://127.0.0.1:0?listen=1&token={TOKEN}&device=native&cert={cert}&key={key}"
    )
    bridge = source.transport
    assert isinstance(bridge, WsListener)
    bridge._wait_s = 0.01
    with pytest.raises(NotInReachError):
        bridge.open()
    bridge._wait_s = WAIT_S
    near = open_source(f"wss://127.0.0.1:{bridge.port}/raw?token={TOKEN}&ca={cert}").transport
    near.open()
    near.write(b"secret")
    bridge.open()
    assert data_of(bridge, 1)[0].data == b"secret"
    stranger = open_source(f"wss://127.0.0.1:{bridge.port}/raw?token={TOKEN}").transport
    with pytest.raises(SourceError, match="no secure connection: CERTIFICATE_VERIFY_FAILED"):
        stranger.open()
    near.close()
    bridge.close()
