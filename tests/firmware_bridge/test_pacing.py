"""Timed bytes arrive when they are due, all of them, however late the host is."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import SourceUriError, TransientSourceError
from firmware_bridge.pacing import PacedTransport, Pacer, TimedBytes, parse_speed
from firmware_bridge.protocols import Transport
from tests.patience import WAIT_S

S = 1_000_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A host clock that stands still until a test moves `now_ns`."""
    fake = SimpleNamespace(now_ns=5 * S)
    fake.monotonic_ns = lambda: fake.now_ns
    monkeypatch.setattr("firmware_bridge.pacing.time", fake)
    return fake


def items(*due_s: float) -> list[TimedBytes]:
    return [TimedBytes(bytes([k]), round(s * S)) for k, s in enumerate(due_s)]


def opened(due_s: tuple[float, ...], speed: float | None) -> PacedTransport:
    transport = PacedTransport("test", items(*due_s), speed)
    transport.open()
    return transport


def test_is_a_transport() -> None:
    assert isinstance(PacedTransport("test", []), Transport)


def test_nothing_before_it_is_due(clock: SimpleNamespace) -> None:
    transport = opened((1.0,), speed=2.0)
    clock.now_ns += S // 4
    assert transport.read(0.0) is None
    clock.now_ns += S // 4
    packet = transport.read(0.0)
    assert packet is not None
    assert packet.data == b"\x00"


def test_late_host_catches_up_without_loss(clock: SimpleNamespace) -> None:
    transport = opened((0.0, 1.0, 2.0, 3.0), speed=1.0)
    clock.now_ns += 100 * S
    assert [transport.read(0.0).data[0] for _ in range(4)] == [0, 1, 2, 3]  # type: ignore[union-attr]
    with pytest.raises(EOFError, match="test has ended"):
        transport.read(0.0)


def test_stamps_follow_stream_time_at_every_speed(clock: SimpleNamespace) -> None:
    start_ns = clock.now_ns
    for speed, host_s in ((1.0, 3.0), (10.0, 0.3)):
        clock.now_ns = start_ns
        transport = opened((3.0,), speed)
        clock.now_ns += round(host_s * S)
        assert transport.read(0.0).host_time_ns == start_ns + 3 * S  # type: ignore[union-attr]


@given(st.lists(st.integers(0, 10**12), max_size=20).map(sorted))
def test_max_speed_stamps_due_times_and_never_waits(due_ns: list[int]) -> None:
    transport = PacedTransport("test", [TimedBytes(b"x", due) for due in due_ns], None)
    transport.open()
    stamps = [transport.read(0.0).host_time_ns for _ in due_ns]  # type: ignore[union-attr]
    assert [stamp - stamps[0] for stamp in stamps] == [due - due_ns[0] for due in due_ns]


def test_close_wakes_a_waiting_read() -> None:
    transport = opened((3600.0,), speed=1.0)
    answers: list[object] = []
    reader = threading.Thread(target=lambda: answers.append(transport.read(3600.0)), daemon=True)
    reader.start()
    transport.close()
    reader.join(WAIT_S)
    assert not reader.is_alive()


def test_goes_on_after_reopening(clock: SimpleNamespace) -> None:
    transport = opened((0.0, 0.0), speed=1.0)
    assert transport.read(0.0) is not None
    transport.close()
    with pytest.raises(TransientSourceError, match="open it"):
        transport.read(0.0)
    transport.open()
    packet = transport.read(0.0)
    assert packet is not None
    assert packet.data == b"\x01"


def test_read_times_out_with_none() -> None:
    assert opened((3600.0,), speed=1.0).read(0.001) is None


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1", 1.0), ("2.5", 2.5)])
def test_speed_option(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_bad_speed_is_named(text: str) -> None:
    with pytest.raises(SourceUriError, match=f"speed={text}"):
        parse_speed(text)


def test_pacer_refuses_a_speed_of_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pacer(0.0)
