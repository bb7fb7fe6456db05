"""The serial port in software, used as a user would: with pyserial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from firmware_bridge.errors import SourceError
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder
from tests.patience import WAIT_S

ALL_BYTES = bytes(range(256))


@pytest.fixture
def terminal() -> Iterator[PseudoTerminal]:
    with PseudoTerminal() as made:
        yield made


def test_every_byte_value_arrives_unchanged(terminal: PseudoTerminal) -> None:
    with serial.Serial(terminal.path, timeout=WAIT_S) as port:
        assert terminal.write(ALL_BYTES) == 256
        assert port.read(256) == ALL_BYTES


def test_raw_without_a_program_that_asks_for_it(terminal: PseudoTerminal) -> None:
    reader = os.open(terminal.path, os.O_RDONLY | os.O_NOCTTY)
    try:
        terminal.write(b"\x03\n\r\x04")
        assert os.read(reader, 100) == b"\x03\n\r\x04"
    finally:
        os.close(reader)


def test_hears_what_programs_write(terminal: PseudoTerminal) -> None:
    assert terminal.commands(0.01) == b""
    with serial.Serial(terminal.path, timeout=WAIT_S) as port:
        port.write(b"start")
        assert terminal.commands(WAIT_S) == b"start"
        port.write(b"stop")
        terminal.write(bytes(100))
    heard = terminal.commands(WAIT_S)
    assert heard == b"stop"
    terminal.close()
    assert terminal.commands(WAIT_S) == b""


def test_without_a_reader_bytes_are_gone_at_once(terminal: PseudoTerminal) -> None:
    assert not terminal.has_reader()
    assert terminal.write(bytes(100_000)) == 0


def test_outlives_its_readers_and_keeps_nothing_of_the_last(terminal: PseudoTerminal) -> None:
    for turn in range(3):
        reader = os.open(terminal.path, os.O_RDONLY | os.O_NOCTTY)
        assert terminal.has_reader()
        terminal.write(bytes([turn, turn]))
        assert os.read(reader, 1) == bytes([turn])
        os.close(reader)
        assert not terminal.has_reader()
        assert terminal.write(b"unheard") == 0


def test_commands_of_the_reader_never_block_it(terminal: PseudoTerminal) -> None:
    with serial.Serial(terminal.path, timeout=WAIT_S, write_timeout=WAIT_S) as port:
        for _ in range(100):
            port.write(bytes(1000))
            terminal.write(b"!")
        assert port.read(100) == b"!" * 100


def test_link_leads_to_the_port_and_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "tty"
    link.symlink_to(tmp_path / "stale")
    with PseudoTerminal(link) as terminal:
        assert link.readlink() == Path(terminal.path)
    assert not link.is_symlink()


def test_a_file_in_the_way_of_the_link_is_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "tty"
    taken.touch()
    with pytest.raises(SourceError, match=str(taken)):
        PseudoTerminal(taken)
    assert taken.is_file()


def test_closing_twice_is_no_error_and_a_write_after_it_gives_nothing() -> None:
    terminal = PseudoTerminal()
    terminal.close()
    terminal.close()
    assert terminal.write(b"x") == 0
    assert not terminal.has_reader()
    assert not terminal.wait_for_reader(1.0)


def items(count: int, size: int) -> list[TimedBytes]:
    return [TimedBytes(k.to_bytes(4, "little") * (size // 4), k * 1_000_000) for k in range(count)]


@pytest.mark.parametrize("speed", [None, 50.0])
def test_feeder_loses_nothing_however_slow_the_reader(
    terminal: PseudoTerminal, speed: float | None
) -> None:
    fed = items(400, 400)
    whole = b"".join(item.data for item in fed)
    feeder = PseudoTerminalFeeder(terminal)
    with serial.Serial(terminal.path, timeout=WAIT_S) as port:
        feeder.feed(fed, speed)
        received = b"".join(port.read(1000) for _ in range(len(whole) // 1000))
        assert feeder.wait(WAIT_S)
    assert received == whole
    assert feeder.given_bytes == len(whole)


def test_feeder_at_max_speed_waits_for_a_reader(terminal: PseudoTerminal) -> None:
    feeder = PseudoTerminalFeeder(terminal)
    feeder.feed(items(10, 40), None)
    assert not feeder.wait(0.0)
    reader = os.open(terminal.path, os.O_RDONLY | os.O_NOCTTY)
    try:
        assert feeder.wait(WAIT_S)
    finally:
        os.close(reader)
    assert feeder.given_bytes == 400


def test_feeder_in_real_time_drops_what_nobody_hears(terminal: PseudoTerminal) -> None:
    feeder = PseudoTerminalFeeder(terminal)
    feeder.feed(items(10, 40), 1.0)
    assert feeder.wait(WAIT_S)
    assert feeder.given_bytes == 0


def test_stop_ends_a_feeder_that_a_reader_holds_up(terminal: PseudoTerminal) -> None:
    feeder = PseudoTerminalFeeder(terminal)
    with serial.Serial(terminal.path):
        feeder.feed(iter(lambda: TimedBytes(bytes(4096), 0), None), None)
        feeder.stop()
    assert feeder.finished


@pytest.mark.parametrize("speed", [None, 1.0])
def test_closing_the_terminal_ends_the_feeding(
    terminal: PseudoTerminal, speed: float | None
) -> None:
    feeder = PseudoTerminalFeeder(terminal)
    feeder.feed(iter(lambda: TimedBytes(bytes(10), 0), None), speed)
    terminal.close()
    assert feeder.wait(WAIT_S)


def test_unplugging_is_seen_by_the_reader(terminal: PseudoTerminal) -> None:
    with serial.Serial(terminal.path, timeout=WAIT_S) as port:
        terminal.close()
        with pytest.raises(serial.SerialException):
            port.read(1)


def test_an_error_of_the_source_reaches_who_waits(terminal: PseudoTerminal) -> None:
    def broken() -> Iterator[TimedBytes]:
        yield TimedBytes(b"x", 0)
        raise SourceError("the record is cut short")

    feeder = PseudoTerminalFeeder(terminal)
    feeder.feed(broken(), 1.0)
    with pytest.raises(SourceError, match="cut short"):
        feeder.wait(WAIT_S)
    assert isinstance(feeder.error, SourceError)
