"""Where another source of beats takes over: the encoder fails, rests, or is given back."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alert import Phase
from edge.events import Beat, BeatsKnown
from edge.networks import Networks
from edge.pipeline import Pipeline
from edge.segment import Segment, SegmentSettings
from firmware_bridge.native import NativeDecoder
from firmware_bridge.stream import NS_PER_S, Chunk, Frame, Gap, StreamFormat
from tests.edge.fake_networks import FakeBeatStage, FakeEncoder, fake_networks
from tests.edge.synthetic_ecg import ecg, regular

RATE_HZ = 250
FORM = StreamFormat(float(RATE_HZ), ("I",))
RATES_HZ = [100, 125, 128, 130, 250, 360]


def line(networks=fake_networks):
    machine = AlarmMachine(AlarmLimits(), session="test")
    return Pipeline(NativeDecoder(), machine, SegmentSettings(), lambda _: networks())


def shed(stream):
    return stream.shed(True)


def give_back(stream):
    return stream.shed(False)


def reload(stream):
    return stream.renew(stream.format, fake_networks())


def steps(stream, samples, turns=(), step=25, form=FORM, lost_s=(0.0, 0.0)):
    """Steps of a stream at which something is done: turns are (at which sample, what). lost_s: the
    samples that never come."""
    asked = dict(turns)
    edges = sorted({*range(0, len(samples), step), *asked, len(samples)})
    for start, stop in pairwise(edges):
        if start in asked:
            yield asked[start](stream)
        at_s = start / form.rate_hz
        if not lost_s[0] <= at_s < lost_s[1]:
            frame = Frame(form, samples[start:stop], counter=start)
            yield stream.push_frames([frame], round(at_s * NS_PER_S))
    yield stream.finish()


def observed(*args, **kwargs):
    return [each for step in steps(*args, **kwargs) for each in step.observations]


def beats_s(observations):
    return [each.time_ns / NS_PER_S for each in observations if isinstance(each, Beat)]


@cache
def beating(bpm, duration_s, rate_hz=RATE_HZ):
    at_s = regular(bpm, duration_s)
    return at_s, ecg(at_s, duration_s, rate_hz)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("before", ["nothing", "gap", "shed"])
def test_beats_go_on_when_the_encoder_fails(rate_hz, before):
    at_s, samples = beating(75, 16, rate_hz)
    form = StreamFormat(float(rate_hz), ("I",))
    turns = [(2 * rate_hz + 7, shed), (3 * rate_hz + 11, give_back)] if before == "shed" else []
    lost_s = (2.0, 3.0) if before == "gap" else (0.0, 0.0)
    stream = line(lambda: fake_networks(fails_at=5))
    said = observed(stream, samples, turns, rate_hz // 10, form, lost_s)
    assert stream.segment.encoder is None
    found_s = beats_s(said)
    expected_s = [t for t in at_s if 8.0 < t < 14.5]
    assert [t for t in found_s if 7.9 < t < 14.6] == pytest.approx(expected_s, abs=0.02)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_hop_that_fails_may_end_anywhere_in_what_is_analysed(rate_hz):
    """Contact of the second lead that comes and goes cuts what is held into single samples."""
    at_s, one = beating(75, 12, rate_hz)
    samples = np.repeat(one, 2, axis=1)
    form = StreamFormat(float(rate_hz), ("I", "II"))
    told = []
    for lead_off in (0, 0b10):
        segment = Segment(form, 0, 0, SegmentSettings(), fake_networks(fails_at=5))
        said = []
        for k in range(len(samples)):
            said += segment.push(Chunk(form, k, samples[k : k + 1], k % 2 * lead_off))
        found_s = beats_s([*said, *segment.finish()])
        told.append([t for t in found_s if t > 7])
        assert told[-1] == pytest.approx([t for t in at_s if t > 7], abs=0.02)
    assert told[0] == told[1]


@pytest.mark.parametrize("bpm", [36, 130, 150])
@pytest.mark.parametrize("turns", [((20, shed), (34, give_back)), ((20, reload),)])
def test_an_alarm_of_a_rate_lasts_while_another_source_takes_over(bpm, turns):
    _, samples = beating(bpm, 50)
    at = [(round(at_s * RATE_HZ), what) for at_s, what in turns]
    alerts = [alert for step in steps(line(), samples, at) for alert in step.alerts]
    told = [(alert.kind, alert.phase) for alert in alerts if alert.phase is not Phase.UPDATE]
    kind = {36: "extreme_brady", 130: "tachy", 150: "extreme_tachy"}[bpm]
    assert [each for each in told if each[0] != "analysis_limited"] == [(kind, Phase.START)]


@pytest.mark.parametrize("after_s", [-0.3, -0.1, 0.0, 0.02, 0.1, 0.2, 0.4])
def test_no_beat_is_lost_where_the_encoder_is_given_back(after_s):
    """However soon the beat was before."""
    at_s, samples = beating(75, 20)
    back = round((at_s[15] + after_s) * RATE_HZ)
    turns = [(5 * RATE_HZ, shed), (back, give_back)]
    whole = observed(line(), samples, turns)
    found_s = [t for t in beats_s(whole) if t > 7]
    assert found_s == pytest.approx([t for t in at_s if t > 7], abs=0.02)
    for step in (7, 250):
        assert observed(line(), samples, turns, step) == whole


class Dazed(FakeEncoder):
    """Hears nothing of the first fifth of a second."""

    def reset(self):
        super().reset()
        self._is_dazed = True

    def step(self, samples, lead_weights=None):
        heard = samples.copy()
        heard[:, : 26 * self._is_dazed] = 0.0
        self._is_dazed = False
        return super().step(heard, lead_weights)


@pytest.mark.parametrize("after_s", [-0.09, -0.05, 0.0, 0.05])
def test_the_detector_tells_the_beat_into_which_the_encoder_begins(after_s):
    at_s, samples = beating(75, 20)
    back = round((at_s[15] + after_s) * RATE_HZ)
    turns = [(5 * RATE_HZ, shed), (back, give_back)]
    stream = line(lambda: Networks(Dazed(), FakeBeatStage()))
    found_s = [t for t in beats_s(observed(stream, samples, turns)) if t > 7]
    assert found_s == pytest.approx([t for t in at_s if t > 7], abs=0.02)


@pytest.mark.parametrize("after_s", [-0.3, -0.15, -0.12, 0.0, 0.05, 0.2])
@pytest.mark.parametrize("kept_s", [0.1, 0.3, 0.48])
def test_no_beat_is_lost_where_the_encoder_is_taken_again_at_once(after_s, kept_s):
    at_s, samples = beating(75, 20)
    back = round((at_s[15] + after_s) * RATE_HZ)
    turns = [(5 * RATE_HZ, shed), (back, give_back), (back + round(kept_s * RATE_HZ), shed)]
    found_s = [t for t in beats_s(observed(line(), samples, turns)) if 7 < t < 18.5]
    assert found_s == pytest.approx([t for t in at_s if 7 < t < 18.5], abs=0.02)


@pytest.mark.parametrize("lost_s", [(1.0, 2.0), (1.9, 2.9), (2.5, 3.5), (5.0, 6.0)])
def test_nothing_is_known_of_beats_before_the_detector_has_learned(lost_s):
    """A gap lets it begin anew."""
    _, samples = beating(75, 14)
    until_ns = 0
    for each in observed(line(lambda: None), samples, lost_s=lost_s):
        if isinstance(each, BeatsKnown):
            until_ns = max(until_ns, each.until_ns)
        elif isinstance(each, Beat):
            assert each.time_ns >= until_ns
    assert until_ns > 13 * NS_PER_S


def test_a_gap_just_after_the_encoder_was_given_back_is_a_gap():
    at_s, samples = beating(75, 20)
    segment = Segment(FORM, 0, 0, SegmentSettings(), None)
    said = segment.push(Chunk(FORM, 0, samples[:2500], 0))
    said += segment.renew(fake_networks())
    said += segment.push(Chunk(FORM, 2500, samples[2500:2550], 0))
    said += segment.gap(Gap(FORM, 2550, 450, "loss"))
    said += segment.push(Chunk(FORM, 3000, samples[3000:], 0))
    found_s = [t for t in beats_s([*said, *segment.finish()]) if t > 12.1]
    assert found_s == pytest.approx([t for t in at_s if t > 12.1], abs=0.02)
