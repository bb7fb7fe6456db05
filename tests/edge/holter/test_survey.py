"""Recordings read into figures: runs, gaps, clocks, alarms, damage."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.holter.disclosure import COLUMNS, Disclosure
from edge.holter.excerpts import Excerpt
from edge.holter.findings import findings
from edge.holter.placing import Window
from edge.holter.samples import Strip, read_samples
from edge.holter.seconds import RHYTHMS, Signal
from edge.holter.survey import survey
from edge.record import Block, RecordingError, open_recording
from firmware_bridge.stream import StreamFormat
from tests.edge.holter.made import UTC_NS, Run, ecg, record, regular

S = 10**9


def surveyed(root, *runs, from_s=None, to_s=None):
    record(root, *runs)
    times = (None if each is None else UTC_NS + each * S for each in (from_s, to_s))
    return survey(Window(open_recording(root), *times))


def test_beats_classes_rhythm_and_quality(tmp_path):
    run = Run(60, [*regular(30), (30.2, "V"), (31.5, "N")])
    run.rhythm, run.bad = [(0, "normal"), (40, "af"), (50, "normal")], {5: 8, 6: 1}
    found = surveyed(tmp_path, run)
    assert (found.patient, found.device, found.runs) == ("p", "patch-1", 1)
    assert found.duration_s == found.recorded_s == 60
    assert [found.beats.of(each).sum() for each in "NV"] == [len(regular(30)) + 1, 1]
    assert found.seconds.signal[[4, 5, 6]].tolist() == [Signal.CLEAN, Signal.NOISY, Signal.LEAD_OFF]
    assert np.flatnonzero(found.seconds.is_rhythm("af")).tolist() == list(range(40, 50))


def test_a_gap_is_missing_and_no_interval_crosses_it(tmp_path):
    found = surveyed(tmp_path, Run(60, regular(60), gaps=[(20, 10)]))
    coverage = findings(found).coverage
    assert (coverage.recorded_s, coverage.missing_s, coverage.breaks) == (50, 10, 1)
    assert found.lost_s == {"disconnect": 10}
    assert (found.seconds.signal == Signal.NONE).sum() == 10
    assert (found.seconds.rhythm[20:30] == 0).all()
    assert not found.beats.joined[np.searchsorted(found.beats.time_ns, UTC_NS + 30 * S)]


def test_runs_lie_where_the_clock_has_them(tmp_path):
    second = Run(30, regular(30), name="run-2", late_s=100.0, rhythm=[(0, "af")])
    found = surveyed(tmp_path, Run(60, regular(60)), second)
    assert (found.runs, found.duration_s, found.recorded_s) == (2, 130, 90)
    assert found.beats.time_ns[-1] > UTC_NS + 128 * S
    assert found.seconds.rhythm[59] == RHYTHMS.index("normal")
    assert (found.seconds.rhythm[60:100] == 0).all()


def test_a_clock_set_back_makes_no_overlap(tmp_path):
    second = Run(30, regular(30), name="run-2", late_s=-5000.0)
    found = surveyed(tmp_path, Run(60, regular(60)), second)
    assert found.duration_s == found.recorded_s == 90
    assert (np.diff(found.beats.time_ns) > 0).all()


def test_a_device_that_tells_beats_only(tmp_path):
    found = surveyed(tmp_path, Run(60, regular(60, label="U"), sends_ecg=False, rhythm=[]))
    told = findings(found)
    assert not told.has_ecg
    assert told.rates.mean_bpm == pytest.approx(75)
    assert told.time_domain.mean_nn_ms == pytest.approx(800)


def test_alarms_from_onset_to_end(tmp_path):
    run = Run(60, regular(60), alarms=[(10, 18, "vt", "high"), (50, None, "af", "low")])
    vt, af = surveyed(tmp_path, run).alarms
    assert (vt.kind, vt.priority, vt.duration_s, vt.ended) == ("vt", "high", 8, True)
    assert vt.evidence == {"bpm": 150.5}
    assert (af.duration_s, af.ended) == (10, False)


def test_an_alarm_of_a_run_that_was_killed_ends_with_it(tmp_path):
    first = Run(60, regular(60), alarms=[(50, None, "vt", "high")])
    second = Run(30, regular(30), name="run-2", late_s=500, alarms=[(5, 9, "af", "low")])
    vt, af = surveyed(tmp_path, first, second).alarms
    assert vt.end_ns <= UTC_NS + 60 * S
    assert (af.id, af.kind, af.duration_s) == (vt.id, "af", 4)


def test_events_from_before_the_first_sample_are_kept(tmp_path):
    found = surveyed(tmp_path, Run(10, regular(10), words=["link_connecting", "link_streaming"]))
    assert found.words == {"link_connecting": 1, "link_streaming": 1}


def test_a_window_cuts_samples_and_annotations(tmp_path):
    run = Run(60, regular(60), alarms=[(5, 8, "vt", "high"), (30, 33, "af", "low")])
    found = surveyed(tmp_path, run, from_s=20, to_s=40)
    assert (found.start_ns, found.stop_ns) == (UTC_NS + 20 * S, UTC_NS + 40 * S)
    assert found.beats.time_ns.min() >= found.start_ns
    assert found.beats.time_ns.max() < found.stop_ns
    assert [each.kind for each in found.alarms] == ["af"]


@settings(max_examples=30)
@given(st.data())
def test_damage_never_ends_a_report(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("damaged")
    record(root, Run(20, regular(20), alarms=[(5, 9, "vt", "high")]))
    (path,) = (root / "p").iterdir()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 3000))] = data.draw(st.binary(max_size=50))
        content = content or bytearray(b"x")
    path.write_bytes(content)
    with contextlib.suppress(RecordingError):  # nothing of it could be read
        told = findings(survey(Window(open_recording(root))))
        assert told.coverage.recorded_s <= 20 + 1e-6


def test_a_clock_that_began_in_1970_is_refused_in_one_line(tmp_path):
    record(tmp_path, Run(5, regular(5), late_s=-1_700_000_000), Run(5, regular(5), name="run-2"))
    with pytest.raises(RecordingError, match=r"spans \d+ days .* --from and --until"):
        survey(Window(open_recording(tmp_path)))


def test_nothing_in_the_window_is_an_error(tmp_path):
    with pytest.raises(RecordingError, match="nothing to report"):
        surveyed(tmp_path, Run(10, regular(10)), from_s=1000)


def test_strips_and_disclosure_hold_the_samples(tmp_path):
    run = Run(100, regular(100), gaps=[(30, 5)])
    found = surveyed(tmp_path, run)
    wanted = [Excerpt("alarm", "x", UTC_NS + 27 * S, 7.0), Excerpt("alarm", "y", UTC_NS - 90 * S)]
    disclosure = Disclosure(found)
    strip, nothing = read_samples(Window(open_recording(tmp_path)), wanted, disclosure)
    truth = ecg(run)[27 * 250 : 34 * 250]
    assert np.array_equal(strip.samples_uv[:750], truth[:750])
    assert np.isnan(strip.samples_uv[750:]).all()
    assert nothing.samples_uv is None
    low, high = disclosure.line(0)
    assert np.isnan(low[round(30.2 / 60 * COLUMNS) : round(34.8 / 60 * COLUMNS)]).all()
    peaks = np.flatnonzero(high - low > 500)
    assert len(peaks) >= sum(time_s < 60 and not 29.9 < time_s < 35.1 for time_s, _ in run.beats)


@settings(max_examples=20)
@given(st.sampled_from([7, 33, 61, 250, 999]), st.integers(0, 59))
def test_disclosure_and_strips_are_the_same_in_any_chunking(size, offset_s):
    form = StreamFormat(250.0, ("I",))
    samples = np.random.default_rng(4).normal(0, 500, (5000, 1)).astype(np.float32)
    start_ns = UTC_NS + offset_s * S
    drawn = []
    for step in (size, 5000):
        disclosure, strip = _blank(start_ns, form), Strip(Excerpt("alarm", "x", start_ns + 3 * S))
        for at in range(0, 5000, step):
            part = samples[at : at + step]
            block_ns = start_ns + round(at / 250 * S)
            disclosure.take(block_ns, 250.0, part)
            strip.take(Block(form, at, 0, block_ns, part), block_ns, part)
        drawn.append((disclosure, strip))
    (some, strip), (whole, other) = drawn
    assert np.array_equal(strip.samples_uv, other.samples_uv)
    for number in range(whole.lines):
        ours, theirs = some.line(number), whole.line(number)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert np.allclose(ours[1] - ours[0], theirs[1] - theirs[0], atol=2, equal_nan=True)


def _blank(start_ns, form):
    from types import SimpleNamespace

    return Disclosure(
        SimpleNamespace(
            duration_s=20.0,
            start_ns=start_ns,
            stop_ns=start_ns + 20 * S,
            lead_beats=np.array([1]),
            stretches=(SimpleNamespace(format=form),),
        )
    )
