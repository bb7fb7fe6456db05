"""What is cut, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.actions import AskStrip
from edge.alert import AlarmKind, Phase
from edge.strips.codec import decode, strip_message
from edge.strips.cutter import QUIET_TICKS, WAITING_MAX, StripCutter
from tests.edge.strips.cutting import Bedside, alert_at, ecg_uv

RATE_HZ = 250


def expected(truth, cut):
    """What the signal is where the cut says that it lies."""
    first = round(cut.signal.start_ns / 1e9 * RATE_HZ)
    return truth[first : first + len(cut.signal.samples_uv)]


@settings(max_examples=20)
@given(
    onset_s=st.floats(11.0, 14.0),
    delay_s=st.floats(0.0, 8.0),
    chunk=st.sampled_from([25, 97, 250]),
)
def test_ten_seconds_before_the_onset_to_five_after_the_decision(onset_s, delay_s, chunk):
    truth = ecg_uv(32 * RATE_HZ, 2)
    bed = Bedside(alert_at(onset_s, onset_s + delay_s), leads=("I", "II"))
    bed.send(truth, chunk)
    (cut,) = bed.cuts
    assert np.allclose(cut.signal.samples_uv, expected(truth, cut))
    assert cut.signal.start_ns / 1e9 == pytest.approx(onset_s - 10, abs=1 / RATE_HZ)
    assert len(cut.signal.samples_uv) / RATE_HZ == pytest.approx(15 + delay_s, abs=2 / RATE_HZ)
    assert cut.onset_ms == pytest.approx(10_000, abs=4)
    assert cut.decided_ms == pytest.approx(10_000 + delay_s * 1000, abs=4)


def test_an_onset_long_before_the_decision_leaves_the_seconds_that_decided():
    truth = ecg_uv(60 * RATE_HZ, 1)
    bed = Bedside(alert_at(5, 45, AlarmKind.AF))
    bed.send(truth)
    (cut,) = bed.cuts
    assert cut.signal.start_ns == 25 * 10**9
    assert len(cut.signal.samples_uv) == 25 * RATE_HZ
    assert cut.onset_ms == -20_000
    assert np.allclose(cut.signal.samples_uv, expected(truth, cut))


def test_shortly_after_the_start_there_is_less_before():
    truth = ecg_uv(15 * RATE_HZ, 1)
    bed = Bedside(alert_at(1, 3))
    bed.send(truth)
    (cut,) = bed.cuts
    assert (cut.signal.start_ns, len(cut.signal.samples_uv)) == (0, 8 * RATE_HZ)


def test_nothing_is_cut_before_all_of_it_is_there():
    bed = Bedside(alert_at(10, 12))
    bed.send(ecg_uv(18 * RATE_HZ, 1))
    assert bed.cuts == []
    bed.send(ecg_uv(2 * RATE_HZ, 1))
    assert len(bed.cuts) == 1


def test_a_gap_is_in_it_as_samples_that_are_missing():
    truth = ecg_uv(30 * RATE_HZ, 1)
    bed = Bedside(alert_at(10, 12))
    bed.send(truth[: 8 * RATE_HZ])
    bed.lose(RATE_HZ)
    bed.send(truth[9 * RATE_HZ :])
    (cut,) = bed.cuts
    shown = decode(strip_message(cut))[:, 0]
    missing = np.flatnonzero(np.isnan(shown)) + round(cut.signal.start_ns / 1e9 * RATE_HZ)
    assert (missing[0], missing[-1], len(missing)) == (8 * RATE_HZ, 9 * RATE_HZ - 1, RATE_HZ)
    present = ~np.isnan(shown)
    assert np.abs(shown - expected(truth, cut)[:, 0])[present].max() <= 0.06


@pytest.mark.parametrize("how", ["ended", "silent", "closed"])
def test_a_source_that_brings_no_more_is_not_waited_for(how):
    bed = Bedside(alert_at(10, 12))
    bed.send(ecg_uv(13 * RATE_HZ, 1))
    if how == "ended":
        bed.end()
    elif how == "silent":
        for _ in range(QUIET_TICKS - 1):
            bed.cutter.ticked(bed.monitor, None)
        assert bed.cuts == []
        bed.cutter.ticked(bed.monitor, None)
    else:
        bed.cutter.finish()
    (cut,) = bed.cuts
    assert len(cut.signal.samples_uv) == 13 * RATE_HZ
    bed.cutter.finish()
    assert len(bed.cuts) == 1


def test_samples_that_come_again_are_waited_for_anew():
    bed = Bedside(alert_at(10, 12))
    for _ in range(3):
        bed.send(ecg_uv(5 * RATE_HZ, 1))
        for _ in range(QUIET_TICKS - 1):
            bed.cutter.ticked(bed.monitor, None)
    assert bed.cuts == []


def test_another_format_ends_the_strip_of_the_old_one():
    bed = Bedside(alert_at(10, 12))
    bed.send(ecg_uv(14 * RATE_HZ, 1))
    bed.change_format(("I", "II"), 500.0)
    bed.alarms.due = [alert_at(20, 21, id_="alert-2")]
    bed.send(ecg_uv(20 * 500, 2, 500.0))
    first, second = bed.cuts
    assert (first.id, first.signal.format.rate_hz, first.signal.samples_uv.shape[1]) == (
        *("alert-1", 250.0),
        1,
    )
    assert (second.id, second.signal.format.leads) == ("alert-2", ("I", "II"))
    assert second.signal.start_ns == 14 * 10**9
    assert second.onset_ms == pytest.approx(6000, abs=4)


def test_several_alerts_at_once_have_a_strip_each_and_only_their_start_has():
    alerts = [alert_at(10, 12, id_=f"alert-{n}") for n in range(3)]
    later = [alert_at(10, 13, phase=phase) for phase in (Phase.UPDATE, Phase.END)]
    bed = Bedside(*alerts, *later)
    bed.send(ecg_uv(25 * RATE_HZ, 1))
    assert sorted(cut.id for cut in bed.cuts) == ["alert-0", "alert-1", "alert-2"]


def test_a_condition_that_returns_has_a_strip_of_its_own_each_time():
    started = alert_at(10, 12)
    marked = {"recurrences": 1, **started.evidence}
    updates = [
        replace(alert_at(10, at, phase=Phase.UPDATE), evidence=marked) for at in (30, 31, 50)
    ]
    updates[2] = replace(updates[2], evidence={**marked, "recurrences": 2})
    bed = Bedside(started, *updates, replace(alert_at(10, 60, phase=Phase.END), evidence=marked))
    bed.send(ecg_uv(80 * RATE_HZ, 1))
    assert [(cut.recurrence, cut.id) for cut in bed.cuts] == [(n, "alert-1") for n in range(3)]
    assert [round(cut.signal.start_ns / 1e9) for cut in bed.cuts] == [0, 10, 30]
    assert [cut.onset_ms for cut in bed.cuts] == [10_000, None, None]


def test_an_alarm_of_before_a_restart_has_no_strip_unless_its_condition_returns():
    marked = {"recurrences": 3}
    before = replace(alert_at(10, 12), evidence=marked)
    reminded, returned = (
        replace(alert_at(0, at, phase=Phase.UPDATE), evidence={"recurrences": count})
        for at, count in ((12, 3), (30, 4))
    )
    bed = Bedside(reminded, returned, active=(before,))
    bed.send(ecg_uv(40 * RATE_HZ, 1))
    assert [cut.recurrence for cut in bed.cuts] == [4]


def test_what_no_ecg_shows_has_no_strip():
    bed = Bedside(alert_at(10, 12, AlarmKind.STORAGE_FAULT))
    bed.send(ecg_uv(30 * RATE_HZ, 1))
    assert bed.cuts == []


def test_a_flood_of_alerts_is_bounded_and_counted():
    bed = Bedside(*(alert_at(10, 12, id_=f"alert-{n}") for n in range(WAITING_MAX + 7)))
    bed.send(ecg_uv(25 * RATE_HZ, 1))
    assert len(bed.cuts) == WAITING_MAX
    assert bed.cutter.left_out == 7


def test_beats_are_in_it_with_their_place():
    bed = Bedside(alert_at(14, 16))
    bed.send(ecg_uv(30 * RATE_HZ, 1))
    (cut,) = bed.cuts
    offsets = np.array([beat.offset_ms for beat in cut.beats])
    assert len(offsets) >= 14
    peaks = (offsets + cut.signal.start_ns / 1e6) % 1000
    assert np.abs(peaks - 400).max() < 25
    assert {beat.label for beat in cut.beats} == {"U"}
    assert cut.heart_rate_bpm == pytest.approx(60, abs=1)


@pytest.mark.parametrize("kind", [AlarmKind.ASYSTOLE, AlarmKind.VF])
def test_where_nothing_beats_no_heart_rate_is_told(kind):
    bed = Bedside(alert_at(14, 16, kind))
    bed.send(ecg_uv(30 * RATE_HZ, 1))
    assert bed.cuts[0].heart_rate_bpm is None


def test_who_asks_gets_the_last_fifteen_seconds():
    truth = ecg_uv(40 * RATE_HZ, 1)
    bed = Bedside()
    refused = bed.monitor.act(AskStrip("p1"))
    assert (refused.done, bed.cuts) == (False, [])
    bed.send(truth[: 30 * RATE_HZ])
    assert bed.monitor.act(AskStrip("p1")).done
    again = bed.monitor.act(AskStrip("p1"))
    assert (again.done, len(bed.cuts)) == (False, 1)
    (cut,) = bed.cuts
    assert (cut.kind, cut.priority, cut.onset_ms, cut.decided_ms) == ("", None, None, None)
    assert cut.signal.start_ns == 15 * 10**9
    assert np.allclose(cut.signal.samples_uv, expected(truth, cut))
    bed.send(truth[30 * RATE_HZ :])
    assert bed.monitor.act(AskStrip("p1")).done
    assert bed.cuts[0].id != bed.cuts[1].id


def test_where_nothing_takes_strips_that_is_said(monkeypatch):
    monkeypatch.setattr(StripCutter, "watch", lambda *_: None)
    outcome = Bedside().monitor.act(AskStrip("p1"))
    assert (outcome.done, outcome.text) == (False, "nothing here takes strips of p1")
