"""The serial transport on real pseudo-terminals."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import (
    NotInReachError,
    SourceError,
    SourceUriError,
    TransientSourceError,
)
from firmware_bridge.native import NativeDecoder
from firmware_bridge.protocols import Transport
from firmware_bridge.pseudo_terminal import PseudoTerminal
from firmware_bridge.scan import Reachable, scan_serial
from firmware_bridge.source import open_source
from firmware_bridge.transports import serial_names, serial_port
from firmware_bridge.transports.serial_port import SerialTransport
from tests.patience import WAIT_S


@pytest.fixture
def terminal() -> Iterator[PseudoTerminal]:
    with PseudoTerminal() as terminal:
        yield terminal


@pytest.fixture
def opened(terminal: PseudoTerminal) -> Iterator[SerialTransport]:
    transport = SerialTransport(terminal.path)
    transport.open()
    yield transport
    transport.close()


def read_bytes(transport: Transport, count: int) -> bytes:
    got = b""
    while len(got) < count:
        packet = transport.read(WAIT_S)
        assert packet is not None, f"{len(got)} of {count} bytes came"
        got += packet.data
    return got


@settings(max_examples=25, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=5))
def test_all_bytes_arrive_in_order(pieces: list[bytes]) -> None:
    with PseudoTerminal() as terminal:
        transport = SerialTransport(terminal.path)
        transport.open()
        writer = threading.Thread(target=lambda: [terminal.write(piece) for piece in pieces])
        writer.start()
        sent = b"".join(pieces)
        assert read_bytes(transport, len(sent)) == sent
        writer.join(WAIT_S)
        transport.close()


def test_every_byte_value_passes_unchanged(
    terminal: PseudoTerminal, opened: SerialTransport
) -> None:
    sent = bytes(range(256))
    terminal.write(sent)
    assert read_bytes(opened, len(sent)) == sent


def test_read_gives_what_is_there_without_waiting_for_more(
    terminal: PseudoTerminal, opened: SerialTransport
) -> None:
    terminal.write(b"abc")
    packet = opened.read(3600.0)
    assert packet is not None
    assert packet.data == b"abc"


def test_silence_is_none(opened: SerialTransport) -> None:
    assert opened.read(0.01) is None


def test_written_commands_reach_the_device(opened: SerialTransport) -> None:
    master, slave = os.openpty()
    transport = SerialTransport(os.ttyname(slave))
    transport.open()
    transport.write(b"start")
    assert os.read(master, 100) == b"start"
    transport.close()
    os.close(slave)
    os.close(master)


def test_second_reader_is_refused_in_words(
    terminal: PseudoTerminal, opened: SerialTransport
) -> None:
    with pytest.raises(SourceError, match="in use by another program"):
        SerialTransport(terminal.path).open()


def test_unplugging_is_transient(terminal: PseudoTerminal, opened: SerialTransport) -> None:
    terminal.close()
    with pytest.raises(TransientSourceError, match="went away"):
        opened.read(WAIT_S)
    with pytest.raises(NotInReachError, match="unplugged; waiting"):
        opened.open()


def test_bytes_that_came_before_unplugging_are_not_lost(
    terminal: PseudoTerminal, opened: SerialTransport
) -> None:
    terminal.write(b"last words")
    packet = opened.read(WAIT_S)
    terminal.close()
    assert packet is not None
    assert packet.data == b"last words"


def test_same_path_opens_again_after_replugging(tmp_path: Path) -> None:
    port = tmp_path / "by-id"
    transport = SerialTransport(str(port))
    for turn in (b"one", b"two"):
        with PseudoTerminal(port) as terminal:
            transport.open()
            terminal.write(turn)
            assert read_bytes(transport, 3) == turn
        with pytest.raises(TransientSourceError):
            transport.read(WAIT_S)
    transport.close()


def test_close_wakes_a_reader_in_another_thread(opened: SerialTransport) -> None:
    reading, ended = threading.Event(), threading.Event()

    def read() -> None:
        reading.set()
        with contextlib.suppress(TransientSourceError):
            opened.read(3600.0)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert reading.wait(WAIT_S)
    opened.close()
    assert ended.wait(WAIT_S)


def test_closed_port_neither_reads_nor_writes(terminal: PseudoTerminal) -> None:
    transport = SerialTransport(terminal.path)
    transport.close()
    with pytest.raises(TransientSourceError, match="is closed"):
        transport.read(0)
    with pytest.raises(TransientSourceError, match="is closed"):
        transport.write(b"x")


def test_port_that_was_never_there_is_not_waited_for() -> None:
    with pytest.raises(SourceError, match="no such port") as caught:
        SerialTransport("/dev/no-such-port").open()
    assert not isinstance(caught.value, TransientSourceError)


def test_missing_port_lists_the_ports_in_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def comports() -> list[object]:
        return [type("Info", (), {"device": "/dev/ttyACM7"})()]

    monkeypatch.setattr(serial_names.list_ports, "comports", comports)
    with pytest.raises(SourceError, match=r"no such port; ports in reach: /dev/ttyACM7"):
        SerialTransport("/dev/no-such-port").open()
    monkeypatch.setattr(serial_names.list_ports, "comports", list)
    with pytest.raises(SourceError, match="there is no serial port in reach"):
        SerialTransport("/dev/no-such-port").open()


def test_scan_lists_ports_as_uris(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [
        type("Info", (), {"device": f"/dev/ttyACM{k}", "description": "patch"})() for k in (1, 0)
    ]
    monkeypatch.setattr(serial_names.list_ports, "comports", lambda: ports)
    assert scan_serial() == tuple(Reachable(f"serial:///dev/ttyACM{k}", "patch") for k in (0, 1))


def test_ports_are_called_by_the_name_that_they_keep(
    tmp_path: Path, terminal: PseudoTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "usb-FTDI_A50285BI-if00").symlink_to(terminal.path)
    monkeypatch.setattr(serial_names, "BY_ID", tmp_path)
    info = type(
        "Info", (), {"device": terminal.path, "description": "dongle", "product": "FT231X"}
    )()
    monkeypatch.setattr(serial_names.list_ports, "comports", lambda: [info])
    lasting = f"{tmp_path}/usb-FTDI_A50285BI-if00"
    assert scan_serial() == (Reachable(f"serial://{lasting}", "dongle"),)
    assert lasting in serial_names.ports_in_reach()
    assert SerialTransport(lasting).about() == {"model": "FT231X"}
    assert serial_names.lasting_name("/dev/no-such-port") == "/dev/no-such-port"


def test_ftdi_latency_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timer = tmp_path / "ttyUSB0" / "device" / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("16\n")
    monkeypatch.setattr(serial_names, "TTY_CLASS", tmp_path)
    monkeypatch.setattr(serial_names.list_ports, "comports", list)
    assert serial_names.about_port("/dev/ttyUSB0") == {"latency timer": "16 ms"}


def test_device_says_how_its_port_is_opened() -> None:
    cyton = open_source("serial:///dev/ttyUSB0?device=cyton")
    assert cyton.description == "cyton on /dev/ttyUSB0 at 115200 baud"
    faster = open_source("serial:///dev/ttyUSB0?device=cyton&baud=230400")
    assert faster.description.endswith("230400 baud")
    assert open_source("serial:///dev/ttyACM0?device=ad8232").settle_s > 0
    with pytest.raises(SourceUriError, match=r"has no serial port; write ble://\?device=polar_h10"):
        open_source("serial:///dev/ttyUSB0?device=polar_h10")


@pytest.mark.parametrize("path", ["/dev/null", "/"])
def test_what_is_no_serial_device_says_so(path: str) -> None:
    with pytest.raises(SourceError, match="is not a serial device"):
        SerialTransport(path).open()


def test_file_is_no_serial_device(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    with pytest.raises(SourceError, match="is not a serial device"):
        SerialTransport(str(file)).open()
    assert file.read_bytes() == b"data"


def test_missing_permission_tells_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(13, "could not open port: Permission denied")

    monkeypatch.setattr(serial_port.serial, "Serial", refuse)
    with pytest.raises(SourceError, match="group dialout"):
        SerialTransport("/dev/ttyACM0").open()


@pytest.mark.parametrize("port", ["/dev/ttyACM0", "/dev/serial/by-id/usb-a_b-if00", "COM3"])
def test_uri_names_any_port(port: str) -> None:
    source = open_source(f"serial://{port}?device=native&baud=115200&leads=I,II")
    assert source.transport.name == port
    assert isinstance(source.transport, Transport)
    assert isinstance(source.decoder, NativeDecoder)
    assert source.description == f"native on {port} at 115200 baud"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("serial:", "names no port"),
        ("serial:///dev/x?baud=fast", "whole number from 50"),
        ("serial:///dev/x?bauds=9600", r"did you mean baud\?"),
        ("serial:///dev/x?device=nativ", "native"),
        ("serial:///dev/x?gain=2", "no option gain"),
    ],
)
def test_wrong_uri_is_refused(uri: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        open_source(uri)
