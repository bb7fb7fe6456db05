"""The encoder of one stream: taken off, given back, and not opened more often than it may."""

from __future__ import annotations

import numpy as np

from edge.alarm.limits import AlarmLimits
from edge.assemble import alarms
from edge.encoder_lease import OPENING_S, OPENINGS, EncoderLease
from edge.events import Rhythm
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.stream import NS_PER_S, Chunk, Frame, StreamFormat
from tests.edge.fake_networks import fake_networks

FORMAT = StreamFormat(250.0, ("lead1",))


class Opener:
    """Counts what is opened."""

    def __init__(self):
        self.opened = []

    def __call__(self, form):
        self.opened.append(form)
        return fake_networks()


def chunk(samples, form=FORMAT):
    return Chunk(form, 0, np.zeros((samples, len(form.leads)), np.float32), 0)


def test_late_hops_are_those_of_the_samples_that_passed_while_it_was_shed():
    lease = EncoderLease(Opener())
    lease.begin(FORMAT)
    lease.passed(chunk(1000))
    assert lease.late_hops == 0
    lease.shed(True, FORMAT)
    for _ in range(99):
        lease.passed(chunk(25))
    assert lease.late_hops == 9
    lease.passed(chunk(25))
    assert lease.late_hops == 10
    lease.passed(chunk(249))
    lease.shed(False, FORMAT)
    lease.passed(chunk(1000))
    lease.shed(True, FORMAT)
    lease.passed(chunk(249))
    assert lease.late_hops == 10


def test_the_same_networks_are_given_back_and_none_is_opened_meanwhile():
    opener = Opener()
    lease = EncoderLease(opener)
    networks = lease.begin(FORMAT)
    assert lease.shed(True, FORMAT) is None
    assert lease.shed(False, FORMAT) is networks
    assert opener.opened == [FORMAT]


def test_a_format_that_is_new_while_it_is_shed_is_opened_when_it_is_given_back():
    opener, other = Opener(), StreamFormat(500.0, ("I", "II"))
    lease = EncoderLease(opener)
    lease.begin(FORMAT)
    lease.shed(True, FORMAT)
    assert lease.begin(other) is None
    lease.passed(chunk(1000, other))
    assert lease.late_hops == 2
    assert lease.shed(False, other) is not None
    assert opener.opened == [FORMAT, other]


def test_networks_that_replace_others_while_they_are_shed_are_the_ones_given_back():
    opener, fresh = Opener(), fake_networks()
    lease = EncoderLease(opener)
    lease.begin(FORMAT)
    lease.shed(True, FORMAT)
    assert lease.replace(FORMAT, fresh, FORMAT) is None
    assert lease.shed(False, FORMAT) is fresh
    assert lease.replace(FORMAT, None, FORMAT) is None
    assert opener.opened == [FORMAT]


def frame(rate_hz, seconds=0.1):
    return Frame(StreamFormat(rate_hz, ("I",)), np.zeros((round(seconds * rate_hz), 1), np.float32))


def test_a_stream_that_changes_its_format_again_and_again_does_not_open_an_encoder_each_time():
    opener = Opener()
    settings = SegmentSettings()
    line = Pipeline(make_decoder("native"), alarms(AlarmLimits()), settings, opener)
    for number in range(50):
        line.push_frames([frame(250.0 + number)], number)
    assert len(opener.opened) == OPENINGS
    assert line.segment.encoder is None
    steps = [line.push_frames([frame(299.0)], number) for number in range(round(OPENING_S / 0.1))]
    assert [form.rate_hz for form in opener.opened[OPENINGS:]] == [299.0]
    assert line.segment.encoder is not None
    heard = [each for step in steps for each in step.observations if isinstance(each, Rhythm)]
    assert heard
    assert heard[0].time_ns > 5 * NS_PER_S


def test_a_device_that_changes_its_format_now_and_then_has_its_encoder_at_once():
    opener = Opener()
    lease = EncoderLease(opener)
    for number in range(20):
        assert lease.begin(StreamFormat(250.0 + number, ("I",))) is not None
        lease.passed(chunk(round(OPENING_S * 251)))
    assert len(opener.opened) == 20
