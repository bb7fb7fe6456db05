import errno
import fcntl
import os
import threading

import pytest

from edge.alert import AlarmType, Alert, Phase, Priority
from edge.errors import StorageError
from edge.events import Beat, BeatClass, BeatLabel, LeadQuality, Quality, Rhythm
from edge.monitor import LinkReport
from edge.pipeline import Step
from edge.record import Header, RecordingError, open_recording
from edge.record.notes import (
    AlertNote,
    BeatNote,
    LabelNote,
    QualityNote,
    RhythmNote,
    TechnicalNote,
)
from edge.record.piece import Piece
from edge.record.recorder import HAND_OVER_NS, WAITING, Recorder
from edge.record.shelf import pieces_of
from edge.record_settings import RecordSettings
from firmware_bridge.stream import NS_PER_S
from tests.edge.record.recorded import (
    UTC_NS,
    ManualClock,
    Stream,
    blocks,
    by_index,
    hand_over,
    lost,
    monitor,
    notes,
    record,
    recorder_in,
    written,
)
from tests.patience import WAIT_S


def steps_of(stream, count, samples=250):
    return [Step((stream.chunk([[k]] * samples),)) for k in range(count)]


def test_annotations_are_kept_in_the_order_in_which_they_became_known(tmp_path):
    stream = Stream(ManualClock())
    alert = Alert(
        *("a1", "vt", AlarmType.PHYSIOLOGICAL, Priority.HIGH, Phase.START),
        *(NS_PER_S, 2 * NS_PER_S, {"bpm": 180.5}),
    )
    step = Step(
        (stream.chunk([[0.0]] * 500),),
        (
            Beat(100, 400_000_000, 600_000_000, 0, 801.26, 1234.56),
            BeatLabel(400_000_000, 900_000_000, BeatClass.V, 0.98765),
            Quality(NS_PER_S, (LeadQuality(0.876, noisy=True, lead_off=True),), 0.25),
            Rhythm(NS_PER_S, {"normal": 0.9, "af": 0.1}),
            Rhythm(2 * NS_PER_S, {"normal": 0.8, "af": 0.2}),
        ),
        (alert,),
    )
    recorder = recorder_in(tmp_path, stream.clock)
    recorder.link_changed(monitor(stream), LinkReport("streaming", ""))
    recorder.stepped(monitor(stream, step), step)
    recorder.close(WAIT_S)
    assert notes(written(tmp_path)) == [
        TechnicalNote(2 * NS_PER_S, "link_streaming"),
        BeatNote(400_000_000, "U", 0.0, 801.26, 1234.6, 0),
        LabelNote(400_000_000, "V", 0.988),
        QualityNote(NS_PER_S, (0.88,), (0b1001,), 0.25),
        RhythmNote(NS_PER_S, "normal"),
        AlertNote(
            *(2 * NS_PER_S, "a1", "vt", "physiological", "high", "start", NS_PER_S),
            {"bpm": 180.5},
        ),
    ]


def test_times_are_those_of_the_first_sample(tmp_path):
    stream = Stream(ManualClock())
    steps = steps_of(stream, 3)
    record(tmp_path, *steps, clock=stream.clock, stream=stream)
    times = [(each.time_ns, each.utc_ns - UTC_NS) for each in blocks(written(tmp_path))]
    assert times == [(k * NS_PER_S, k * NS_PER_S) for k in range(3)]


def test_a_second_run_begins_another_piece_and_says_so(tmp_path):
    for _ in range(2):
        stream = Stream(ManualClock())
        record(tmp_path, *steps_of(stream, 2), clock=stream.clock, stream=stream)
    entries = written(tmp_path)
    headers = [each for each in entries if isinstance(each, Header)]
    assert [each.sequence for each in headers] == [1, 2]
    assert headers[0].run != headers[1].run
    assert len(by_index(blocks(entries))) == 1000
    assert lost(entries) == []


def test_pieces_end_by_age_and_by_size(tmp_path):
    stream = Stream(ManualClock())
    steps = steps_of(stream, 150)
    recorder = recorder_in(tmp_path, stream.clock, piece_minutes=1)
    for second, step in enumerate(steps):
        stream.clock.now_ns = (2000 + 2 * second) * NS_PER_S
        recorder.stepped(monitor(stream, step), step)
        recorder.ticked(None, None)
        if second % 20 == 19:
            wait_until_written(recorder, (second + 1) * 1000)
    recorder.close(WAIT_S)
    assert len(pieces_of(tmp_path / "p")) == 5
    assert by_index(blocks(written(tmp_path))) == by_index(e for s in steps for e in s.events)

    big = Stream(ManualClock())
    large = steps_of(big, 4, samples=100_000)
    record(tmp_path / "big", *large, clock=big.clock, stream=big, piece_mb=1)
    assert len(pieces_of(tmp_path / "big" / "p")) == 2


def test_a_replay_that_runs_ahead_of_the_clock_keeps_nobody_waiting(tmp_path):
    stream = Stream(ManualClock())
    recorder = recorder_in(tmp_path, stream.clock)
    (ahead, *live) = steps_of(stream, 3)
    ahead = Step(ahead.events, arrived_ns=stream.clock.now_ns + 60 * NS_PER_S)
    recorder.stepped(monitor(stream, ahead, "replay"), ahead)
    for step in live:
        stream.clock.now_ns += HAND_OVER_NS
        arrived = Step(step.events, arrived_ns=stream.clock.now_ns)
        recorder.stepped(monitor(stream, arrived, "live"), arrived)
    wait_until_written(recorder, 3 * 1000)
    recorder.close(WAIT_S)


def wait_until_written(recorder, least_bytes):
    done = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if recorder.counts.bytes >= least_bytes or done.wait(0.01):
            return
    raise AssertionError(f"{recorder.counts} after {WAIT_S:g} s")


def test_the_budget_deletes_the_oldest_closed_pieces_and_never_the_running_one(tmp_path):
    stream = Stream(ManualClock())
    steps = steps_of(stream, 12, samples=31_250)  # 125 kB each, an eighth of the budget
    record(tmp_path, *steps, clock=stream.clock, stream=stream, budget_mb=1)
    paths = pieces_of(tmp_path / "p")
    assert sum(path.stat().st_size for path in paths) <= 1_000_000
    assert int(paths[-1].name[:8]) == 12
    assert int(paths[0].name[:8]) > 1
    indices = [index for index, *_ in by_index(blocks(written(tmp_path)))]
    assert indices == list(range(indices[0], 12 * 31_250))

    running = Piece(tmp_path / "p" / "00000000-20200101T000000Z.edgerec", 0)
    running.append(b"x" * 900_000)
    stream = Stream(ManualClock())
    record(tmp_path, *steps_of(stream, 1), clock=stream.clock, stream=stream, budget_mb=1)
    assert running.path.exists()
    running.close()


def test_closed_pieces_are_deleted_for_their_age(tmp_path):
    stream = Stream(ManualClock())
    record(tmp_path, *steps_of(stream, 1), clock=stream.clock, stream=stream)
    (old,) = pieces_of(tmp_path / "p")
    before = old.read_bytes()
    os.utime(old, ns=(UTC_NS, UTC_NS - 3 * 86_400 * NS_PER_S))
    stream = Stream(ManualClock())
    record(tmp_path, *steps_of(stream, 1), clock=stream.clock, stream=stream, keep_days=2)
    (kept,) = pieces_of(tmp_path / "p")
    assert kept.read_bytes() != before


def test_a_full_disk_costs_its_samples_and_nothing_else(tmp_path, monkeypatch, caplog):
    stream = Stream(ManualClock())
    steps = steps_of(stream, 30)
    recorder = recorder_in(tmp_path, stream.clock)
    full = [False]
    append = Piece.append

    def refusing(piece, data):
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(piece, data)

    monkeypatch.setattr(Piece, "append", refusing)
    for second, step in enumerate(steps):
        full[0] = 5 <= second < 10
        stream.clock.now_ns = (2000 + second) * NS_PER_S
        before = recorder.counts
        recorder.stepped(monitor(stream, step), step)
        hand_over(recorder, stream.clock)
        wait_for_change(recorder, before)
    recorder.close(WAIT_S)
    entries = written(tmp_path)
    ((start, length, cause),) = lost(entries)
    assert (start, cause) == (5 * 250, "unrecorded")
    assert length == recorder.counts.unrecorded == 10 * 250  # tried again ten seconds later
    assert len(by_index(blocks(entries))) == 30 * 250 - length
    assert [n.reason for n in notes(entries)] == [os.strerror(errno.ENOSPC)]
    assert [r.message for r in caplog.records if "rests" in r.message or "goes on" in r.message]
    assert caplog.text.count("rests") == 1


def wait_for_change(recorder, before):
    done = threading.Event()
    for _ in range(int(WAIT_S / 0.005)):
        if recorder.counts != before:
            return
        done.wait(0.005)
    raise AssertionError(f"nothing was written or refused in {WAIT_S:g} s")


def test_recording_rests_while_the_reserve_is_not_free(tmp_path, caplog):
    stream = Stream(ManualClock())
    settings = RecordSettings(directory=str(tmp_path), reserve_mb=100_000_000)
    recorder = Recorder(settings, stream.clock)
    recorder.start()
    (step,) = steps_of(stream, 1)
    recorder.stepped(monitor(stream, step), step)
    recorder.close(WAIT_S)
    assert recorder.counts.unrecorded == 250
    assert "100000000 MB" in caplog.text
    assert not (tmp_path / "p").exists()


def test_a_slow_disk_never_holds_the_engine_up(tmp_path, monkeypatch):
    stream = Stream(ManualClock())
    steps = steps_of(stream, WAITING + 20)
    recorder = recorder_in(tmp_path, stream.clock)
    entered, released = threading.Event(), threading.Event()
    append = Piece.append

    def slow(piece, data):
        entered.set()
        released.wait(WAIT_S)
        append(piece, data)

    monkeypatch.setattr(Piece, "append", slow)
    recorder.stepped(monitor(stream, steps[0]), steps[0])
    hand_over(recorder, stream.clock)
    assert entered.wait(WAIT_S)
    for step in steps[1:-1]:
        recorder.stepped(monitor(stream, step), step)
        hand_over(recorder, stream.clock)
    released.set()
    wait_until_written(recorder, (WAITING + 1) * 1000)
    recorder.stepped(monitor(stream, steps[-1]), steps[-1])
    recorder.close(WAIT_S)
    entries = written(tmp_path)
    dropped = 18 * 250
    assert lost(entries) == [((WAITING + 1) * 250, dropped, "unrecorded")]
    assert recorder.counts.unrecorded == dropped
    assert "the disk is too slow" in [note.reason for note in notes(entries)]


def test_a_directory_that_cannot_be_written_is_said_before_the_run(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StorageError, match="--record DIR"):
        Recorder(RecordSettings(directory=str(blocked / "x")), ManualClock())


def test_a_piece_is_locked_while_it_is_written(tmp_path):
    piece = Piece(tmp_path / "a", 0)
    with piece.path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    piece.close()


def test_whose_recording_is_meant_must_be_clear(tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        open_recording(tmp_path)
    stream = Stream(ManualClock())
    recorder = recorder_in(tmp_path, stream.clock)
    (step,) = steps_of(stream, 1)
    for patient in ("anna", "bert"):
        recorder.stepped(monitor(stream, step, patient), step)
    recorder.close(WAIT_S)
    with pytest.raises(RecordingError, match="anna, bert; say --patient"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match="no recording of 'carl'"):
        open_recording(tmp_path, "carl")
    assert open_recording(tmp_path, "anna").patient == "anna"
    assert open_recording(tmp_path / "bert").patient == "bert"
    (piece,) = pieces_of(tmp_path / "bert")
    assert open_recording(piece).patient == "bert"
    with pytest.raises(RecordingError, match="No such file"):
        open_recording(tmp_path / "nowhere")


def test_a_time_window_is_kept_to_the_sample(tmp_path):
    stream = Stream(ManualClock())
    record(tmp_path, *steps_of(stream, 10), clock=stream.clock, stream=stream)
    window = (UTC_NS + 2_004_000_000, UTC_NS + 3_000_000_000)
    found = blocks(open_recording(tmp_path).read(*window))
    assert [(each.start, len(each.samples_uv)) for each in found] == [(501, 249)]
    assert found[0].utc_ns == window[0]
