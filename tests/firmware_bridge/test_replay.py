"""Recordings through the wire: nothing lost, values exact, holes of their true length."""

from __future__ import annotations

import contextlib
import queue
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import SourceError, SourceUriError
from firmware_bridge.link import Link, LinkEvent, LinkState
from firmware_bridge.native import NativeDecoder
from firmware_bridge.pacing import PacedTransport, TimedBytes
from firmware_bridge.protocols import Transport
from firmware_bridge.records import Record, read_record
from firmware_bridge.source import open_source
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.transports.record_frames import record_frames, samples_per_frame
from firmware_bridge.transports.replay import SerialReplayTransport
from tests.patience import WAIT_S


def record_of(
    digital: np.ndarray,
    scale_nv: tuple[float, ...] = (5000.0, 5000.0),
    valid: np.ndarray | None = None,
    rate_hz: float = 250.0,
) -> Record:
    leads = tuple(f"L{k}" for k in range(digital.shape[1]))
    return Record("rec", rate_hz, leads, digital.astype(np.int32), scale_nv, valid)


def decoded(record: Record) -> list[Frame]:
    decoder = NativeDecoder(record.leads)
    return [f for item in record_frames(record) for f in decoder.push(Packet(item.data, 0))]


def played(frames: list[Frame], record: Record) -> np.ndarray:
    """Samples in the places that their counters give them; NaN where none came."""
    placed = np.full(record.digital.shape, np.nan, np.float32)
    for frame in frames:
        assert frame.counter is not None
        placed[frame.counter : frame.counter + len(frame.samples_uv)] = frame.samples_uv
    return placed


def packets_of(transport: Transport) -> list[Packet]:
    packets: list[Packet] = []
    while True:
        try:
            packet = transport.read(WAIT_S)
        except EOFError:
            return packets
        if packet is not None:
            packets.append(packet)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_frames_carry_exactly_the_recording(data: st.DataObject) -> None:
    leads = data.draw(st.integers(1, 3))
    length = data.draw(st.integers(1, 120))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    digital = rng.integers(-40_000, 40_000, (length, leads))
    valid = rng.random((length, leads)) > data.draw(st.sampled_from([0.0, 0.02, 0.5]))
    multiples = data.draw(st.lists(st.integers(1, 8), min_size=leads, max_size=leads))
    steps = tuple(1250.0 * m for m in multiples)
    record = record_of(digital, steps, None if valid.all() else valid)
    got = played(decoded(record), record)
    expected = record.samples_uv()
    expected[~valid.all(axis=1)] = np.nan
    assert np.allclose(got, expected, rtol=1e-6, equal_nan=True)


def test_steps_without_a_common_one_are_rounded_to_a_tenth_microvolt() -> None:
    record = record_of(np.arange(-300, 300).reshape(-1, 2), (5000.0, 3333.3))
    assert np.abs(played(decoded(record), record) - record.samples_uv()).max() <= 0.0501


def test_invalid_samples_leave_a_hole_in_the_counter() -> None:
    valid = np.ones((100, 1), bool)
    valid[30:70] = False
    frames = decoded(record_of(np.arange(100).reshape(-1, 1), (1000.0,), valid))
    spans = [(frame.counter, len(frame.samples_uv)) for frame in frames]
    assert spans == [(0, 25), (25, 5), (70, 5), (75, 25)]
    assert frames[2].device_time_ns == 280_000_000


def test_frames_are_due_when_their_last_sample_is_taken() -> None:
    items = list(record_frames(record_of(np.zeros((60, 1)), (1000.0,))))
    assert [item.due_ns for item in items] == [96_000_000, 196_000_000, 236_000_000]


@pytest.mark.parametrize(
    ("rate_hz", "samples"), [(250, 25), (360, 36), (128, 13), (1, 1), (4000, 255)]
)
def test_frames_last_a_tenth_of_a_second(rate_hz: float, samples: int) -> None:
    assert samples_per_frame(rate_hz) == samples


def test_recordings_that_do_not_fit_the_wire_are_refused() -> None:
    with pytest.raises(SourceError, match="13 leads; at most 12"):
        record_frames(record_of(np.zeros((5, 13)), (1000.0,) * 13))
    with pytest.raises(SourceError, match="do not fit the wire"):
        record_frames(record_of(np.full((5, 1), 1 << 30), (1000.0,)))


def items_of(count: int) -> list[TimedBytes]:
    record = record_of(np.arange(25 * count).reshape(-1, 1) % 1000, (1000.0,))
    return list(record_frames(record))


@pytest.mark.parametrize("speed", [None, 1000.0, 20.0])
def test_nothing_is_lost_through_the_port_at_any_speed(speed: float | None) -> None:
    items = items_of(60)
    transport = SerialReplayTransport("rec", items, speed)
    transport.open()
    got = b"".join(packet.data for packet in packets_of(transport))
    transport.close()
    assert got == b"".join(item.data for item in items)


def test_slow_reader_loses_nothing_through_the_port() -> None:
    items = items_of(600)
    events: queue.Queue[LinkEvent] = queue.Queue(maxsize=1)
    source = open_source("sim:?speed=max")
    transport = SerialReplayTransport("rec", items, None)
    link = Link(
        type(source)("replay:", transport, NativeDecoder(), True, "slowly read replay"), events
    )
    link.start()
    got = b""
    while True:
        event = events.get(timeout=WAIT_S)
        if isinstance(event, LinkState) and event.phase == "ended":
            break
        got += event.data if isinstance(event, Packet) else b""
    assert got == b"".join(item.data for item in items)


@pytest.mark.parametrize("speed", [None, 1000.0])
def test_arrival_times_are_the_streams_own(speed: float | None) -> None:
    items = items_of(500)
    transport = SerialReplayTransport("rec", items, speed)
    transport.open()
    times_ns = [packet.host_time_ns for packet in packets_of(transport)]
    transport.close()
    assert times_ns == sorted(times_ns)
    last_to_first_ns = items[-1].due_ns - items[0].due_ns
    assert 0.8 * last_to_first_ns <= times_ns[-1] - times_ns[0] <= 1.01 * last_to_first_ns


def test_port_replay_opens_once_and_closes_at_any_time() -> None:
    transport = SerialReplayTransport("rec", items_of(5), 1.0)
    transport.close()
    with pytest.raises(SourceError, match="is closed"):
        transport.read(0)
    transport.open()
    assert transport.name.startswith("rec via /dev/")
    with pytest.raises(SourceError, match="cannot be opened again"):
        transport.open()
    transport.close()
    transport.close()


def test_uri_replays_a_table(tmp_path: Path) -> None:
    path = tmp_path / "my table.csv"
    path.write_text("# rate_hz=250\nI_uv,II_uv\n" + "".join(f"{k},{-k}\n" for k in range(100)))
    source = open_source(f"replay:{path}?speed=max&lead=II")
    assert isinstance(source.transport, PacedTransport)
    assert source.finite
    assert source.description == "replay of my table: 0.4 s, 250 Hz, II"
    source.transport.open()
    frames = [f for packet in packets_of(source.transport) for f in source.decoder.push(packet)]
    assert frames[0].format.leads == ("II",)
    assert np.concatenate([f.samples_uv[:, 0] for f in frames]).tolist() == [
        -float(k) for k in range(100)
    ]
    by_port = open_source(f"replay:{path}?via=serial")
    assert isinstance(by_port.transport, SerialReplayTransport)


@pytest.mark.parametrize(
    ("uri", "error", "words"),
    [
        ("replay:", SourceUriError, "names no recording"),
        ("replay:no/such/100", SourceError, "no such recording"),
        ("replay:table.csv?lead=7", SourceError, "no lead '7'"),
    ],
)
def test_wrong_replay_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "table.csv").write_text("# rate_hz=250\nI_uv\n1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        open_source(uri)


@pytest.mark.records
def test_half_an_hour_through_the_port_is_exact(records_dir: Path) -> None:
    source = open_source(f"replay:{records_dir}/mitdb/100?speed=max&via=serial")
    source.transport.open()
    with contextlib.closing(source.transport):
        frames = [f for packet in packets_of(source.transport) for f in source.decoder.push(packet)]
    got = np.concatenate([frame.samples_uv for frame in frames])
    assert np.array_equal(got, read_record(records_dir / "mitdb" / "100").samples_uv())
    assert source.decoder.count.skipped_bytes == 0
