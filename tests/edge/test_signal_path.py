"""One compiled call a packet gives what the stages give one by one, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.condition import Conditioner
from edge.qrs import QrsDetector
from edge.quality import QualityMonitor
from edge.ring import Ring
from edge.signal_path import SignalPath
from tests.edge.synthetic_ecg import ecg, regular

SECONDS = 9.0
CAPACITY_S = 2.5


def recording(rate_hz, leads, seed):
    """Leads of different polarity, size, noise and offset; some samples are not finite."""
    noises_uv = np.random.default_rng(seed).uniform(2.0, 150.0, leads)
    beats = regular(75, SECONDS, first_s=0.3)
    columns = [
        ecg(
            beats,
            SECONDS,
            rate_hz,
            r_uv=(-1) ** k * 900.0,
            noise_uv=noise_uv,
            offset_uv=30_000.0 * k,
            seed=seed + k,
        )
        for k, noise_uv in enumerate(noises_uv)
    ]
    samples = np.concatenate(columns, axis=1)
    samples[len(samples) // 3, 0] = np.nan
    samples[len(samples) // 2, -1] = np.inf
    return samples


class OneByOne:
    """The stages as they are, each called by itself with pieces that no second's end divides."""

    def __init__(self, rate_hz, leads):
        self.ring = Ring(round(CAPACITY_S * rate_hz), leads)
        self.conditioner = Conditioner(rate_hz, leads, mains_hz=50)
        self.quality = QualityMonitor(rate_hz, leads, mains_hz=50)
        self.detector = QrsDetector(rate_hz, leads, delay_s=self.conditioner.delay_s)

    def take(self, start, samples, off_bits, weights):
        samples = samples[: self.quality.second_end(start) - start]
        self.ring.append(samples)
        conditioned = self.conditioner.process(samples)
        beats = self.detector.process(start, conditioned, weights)
        return conditioned, beats, self.quality.process(start, samples, conditioned, off_bits)

    def gap(self, start, length):
        self.ring.append_gap(length)
        self.conditioner.reset()
        self.detector.gap(start, length)
        return self.quality.gap(start, length)


class AtOnce(OneByOne):
    """The same by the signal path."""

    def __init__(self, rate_hz, leads):
        super().__init__(rate_hz, leads)
        self.path = SignalPath(rate_hz, leads, mains_hz=50)

    def take(self, start, samples, off_bits, weights):
        count, beats, verdicts = self.path.process(
            start, samples, off_bits, weights, self.detector, self.ring
        )
        return self.path.conditioned(count).copy(), beats, verdicts

    def gap(self, start, length):
        self.ring.append_gap(length)
        self.path.reset()
        self.detector.gap(start, length)
        return self.path.gap(start, length)


def run(stages, samples, packets, off_bits):
    """Conditioned samples, everything else that was told, and the ring at the end. packets:
    samples in each, in turn; a negative figure is a gap."""
    conditioned, told, weights = [], [], [1.0] * samples.shape[1]
    at = turn = 0
    while at < len(samples):
        size = packets[turn % len(packets)]
        turn += 1
        if size < 0:
            told += stages.gap(at, -size)
            at -= size
            continue
        packet = samples[at : at + size]
        while len(packet):
            piece, beats, verdicts = stages.take(at, packet, off_bits, weights)
            conditioned.append(piece)
            told += [*beats, *verdicts]
            for verdict in verdicts:
                weights = [lead.score for lead in verdict.leads]
            at += len(piece)
            packet = packet[len(piece) :]
    held, valid = stages.ring.window(stages.ring.start, stages.ring.stop)
    return np.concatenate(conditioned), told, held.copy(), valid.copy()


def assert_same(one, other):
    assert one[0].tobytes() == other[0].tobytes()
    assert one[1] == other[1]
    assert one[2].tobytes() == other[2].tobytes()
    assert one[3].tobytes() == other[3].tobytes()


@settings(max_examples=30, deadline=None)
@given(
    rate_hz=st.sampled_from([100.0, 130.0, 250.0, 333.3]),
    leads=st.integers(1, 3),
    seed=st.integers(0, 1000),
    packets=st.lists(st.integers(1, 900), min_size=1, max_size=12),
    gaps=st.lists(st.integers(-900, -1), max_size=2),
    off_bits=st.integers(0, 7),
)
def test_it_is_the_stages_one_by_one(rate_hz, leads, seed, packets, gaps, off_bits):
    samples = recording(rate_hz, leads, seed)
    turns = [*packets, *gaps]
    plain = run(OneByOne(rate_hz, leads), samples, turns, off_bits)
    assert_same(run(AtOnce(rate_hz, leads), samples, turns, off_bits), plain)


@settings(max_examples=15, deadline=None)
@given(packets=st.lists(st.integers(1, 700), min_size=1, max_size=12), leads=st.integers(1, 3))
def test_any_chunking_gives_the_same(packets, leads):
    samples = recording(250.0, leads, 5)
    whole = run(AtOnce(250.0, leads), samples, [len(samples)], 0)
    assert any(hasattr(each, "rr_ms") for each in whole[1])
    assert_same(run(AtOnce(250.0, leads), samples, packets, 0), whole)


def test_without_detector_and_ring_the_rest_is_the_same():
    samples = recording(250.0, 2, 3)
    plain, path = OneByOne(250.0, 2), SignalPath(250.0, 2, mains_hz=50)
    at = 0
    while at < len(samples):
        conditioned, _, verdicts = plain.take(at, samples[at:], 0, None)
        count, beats, judged = path.process(at, samples[at:])
        assert path.conditioned(count).tobytes() == conditioned.tobytes()
        assert not beats
        assert judged == verdicts
        at += count


def test_a_detector_may_come_and_go():
    samples = recording(250.0, 1, 4)
    plain, path = OneByOne(250.0, 1), SignalPath(250.0, 1, mains_hz=50)
    expected, beats = [], []
    late = QrsDetector(250.0, 1, delay_s=path.delay_s)
    for at in range(0, len(samples), 50):  # no second's end divides a packet
        conditioned = plain.conditioner.process(samples[at : at + 50])
        if at >= 500:
            expected += plain.detector.process(at, conditioned, [1.0])
        detector = late if at >= 500 else None
        beats += path.process(at, samples[at : at + 50], 0, [1.0], detector)[1]
    assert expected
    assert beats == expected


def test_samples_must_follow():
    path = SignalPath(250.0, 1)
    path.process(0, np.zeros((20, 1), np.float32))
    with pytest.raises(ValueError, match="samples from 30, expected 20"):
        path.process(30, np.zeros((20, 1), np.float32))


@pytest.mark.parametrize("other", [{"ring": Ring(100, 2)}, {"detector": QrsDetector(250.0, 2)}])
def test_all_must_have_the_same_leads(other):
    with pytest.raises(ValueError, match="has 2 leads, the path 1"):
        SignalPath(250.0, 1).process(0, np.zeros((5, 1), np.float32), 0, [1.0, 1.0], **other)


@pytest.mark.parametrize("shape", [(5,), (5, 2)])
def test_the_number_of_leads_is_checked(shape):
    with pytest.raises(ValueError, match="expected"):
        SignalPath(250.0, 1).process(0, np.zeros(shape, np.float32))


def fixed(samples):
    samples = samples.copy()
    samples.flags.writeable = False
    return samples


def unaligned(samples):
    memory = np.frombuffer(b"x" + samples.tobytes(), np.uint8)
    return memory[1:].view(np.float32).reshape(samples.shape)


@pytest.mark.parametrize(
    "other",
    [
        lambda samples: samples.astype(np.float64),
        lambda samples: samples.astype(">f4"),
        np.asfortranarray,
        lambda samples: np.repeat(samples, 2, axis=0)[::2],
        fixed,
        unaligned,
    ],
)
def test_samples_of_any_type_and_layout_are_taken(other):
    samples = recording(250.0, 2, 6)[:200]
    plain, path = SignalPath(250.0, 2), SignalPath(250.0, 2)
    plain.process(0, samples)
    path.process(0, other(samples))
    assert path.conditioned(200).tobytes() == plain.conditioned(200).tobytes()
