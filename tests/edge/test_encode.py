"""The encoder in the stream: its beats are where the heart's are, and known when it says so."""

import logging

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.analysis import LEARNING_NS, Analysis
from edge.api import DEFAULT_BUNDLE, Session
from edge.beat_labels import pooled
from edge.condition import Conditioner
from edge.encode import EncoderStage
from edge.events import Beat, BeatLabel, BeatsKnown, Rhythm
from edge.networks import Networks
from firmware_bridge.stream import NS_PER_S
from models.auto_device import FallbackEncoder
from models.errors import ModelError
from models.shared import SharedRuntime
from tests.edge.fake_networks import (
    HOP_RHYTHM,
    RHYTHMS,
    STAGE_RHYTHM,
    FakeBeatStage,
    FakeEncoder,
    fake_networks,
)
from tests.edge.synthetic_ecg import chunked, ecg, regular

RATES_HZ = (128, 250, 360, 500)


def conditioned(beats_s, duration_s, rate_hz, leads=1):
    conditioner = Conditioner(rate_hz, leads)
    raw = np.tile(ecg(beats_s, duration_s, rate_hz), (1, leads))
    return conditioner.process(raw), conditioner.delay_s


def heard(beats_s, duration_s, rate_hz=250, cuts=(), weights=(1.0,), **options):
    """All that the stage says, the flush included."""
    samples, delay_s = conditioned(beats_s, duration_s, rate_hz, len(weights))
    stage = EncoderStage(fake_networks(**options), rate_hz, len(weights), delay_s)
    said = chunked(lambda _, piece: stage.push(piece, weights), samples, cuts)
    return [each for piece in said for each in piece] + stage.flush()


def of(kind, said):
    return [each for each in said if isinstance(each, kind)]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_beats_are_where_the_r_peaks_are_up_to_the_end(rate_hz):
    at_s = np.arange(0.6, 19.9, 0.83)
    beats = of(Beat, heard(at_s, 20, rate_hz))
    assert np.allclose([b.time_ns / NS_PER_S for b in beats], at_s, atol=0.006)
    assert np.allclose([b.rr_ms for b in beats[1:]], 830.0, atol=8)
    assert beats[0].rr_ms is None
    assert all(b.index == round(b.time_ns / NS_PER_S * rate_hz) for b in beats)
    assert all(800 < b.amplitude_uv < 1100 and b.lead == 0 for b in beats)


def test_a_beat_is_known_within_a_hop_and_the_delays():
    beats = of(Beat, heard(np.arange(0.6, 58, 0.83), 60))
    late_s = [(b.detected_ns - b.time_ns) / NS_PER_S for b in beats]
    assert 0.4 < min(late_s) < 0.6
    assert 1.3 < max(late_s) < 1.5


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(RATES_HZ),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.lists(st.floats(0.25, 2.5), min_size=1, max_size=12),
)
def test_any_chunking_says_the_same(rate_hz, cuts, intervals_s):
    at_s = 0.3 + np.cumsum(intervals_s)
    duration_s = at_s[-1] + 0.2
    whole = heard(at_s, duration_s, rate_hz)
    assert heard(at_s, duration_s, rate_hz, cuts) == whole


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.22, 3.5), min_size=3, max_size=15), st.sampled_from(RATES_HZ))
def test_no_beat_comes_from_before_what_was_said_to_be_known(intervals_s, rate_hz):
    at_s = 0.3 + np.cumsum(intervals_s)
    until_ns = 0
    for each in heard(at_s, at_s[-1] + 2.0, rate_hz):
        if isinstance(each, BeatsKnown):
            assert each.until_ns >= until_ns
            assert each.time_ns - each.until_ns < 0.6 * NS_PER_S
            until_ns = each.until_ns
        elif isinstance(each, Beat):
            assert each.time_ns >= until_ns


def test_each_beat_gets_its_class_one_beat_late_and_the_last_one_at_the_end():
    at_s = [*np.arange(0.6, 10, 0.8), 9.9, *np.arange(11.0, 20, 0.8)]
    said = heard(at_s, 20)
    beats, labels = of(Beat, said), of(BeatLabel, said)
    assert [label.time_ns for label in labels] == [beat.time_ns for beat in beats]
    early = [k for k, label in enumerate(labels) if label.label == "V"]
    assert [at_s[k] for k in early] == [9.9]
    following = beats[early[0] + 1]
    assert labels[early[0]].known_ns > following.time_ns
    assert labels[early[0]].known_ns - following.time_ns < 1.6 * NS_PER_S
    assert labels[-1].known_ns == 20 * NS_PER_S


def test_a_beat_without_successor_is_judged_after_two_seconds():
    said = heard([1.0, 1.8, 2.6, 3.4], 8)
    label = of(BeatLabel, said)[-1]
    assert label.time_ns == pytest.approx(3.4 * NS_PER_S, abs=6e6)
    assert 5.4 * NS_PER_S <= label.known_ns <= 7 * NS_PER_S


def test_rhythm_comes_once_a_hop_and_joins_the_opinion_of_the_beat_stage():
    rhythm = of(Rhythm, heard(regular(75, 12), 20.5))
    assert [each.time_ns for each in rhythm] == [k * NS_PER_S for k in range(1, 21)]
    assert [rhythm[0].probability[name] for name in RHYTHMS] == pytest.approx(HOP_RHYTHM)
    joined = pooled(dict(zip(RHYTHMS, HOP_RHYTHM, strict=True)), _opinion())
    assert [rhythm[8].probability[name] for name in RHYTHMS] == pytest.approx(list(joined.values()))
    assert [rhythm[-1].probability[name] for name in RHYTHMS] == pytest.approx(HOP_RHYTHM)
    assert all(each.probability["vf"] == pytest.approx(0.2) for each in rhythm)


def _opinion():
    return dict(zip(RHYTHMS, STAGE_RHYTHM, strict=True))


probabilities = st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda p: sum(p) > 0.01)


@given(probabilities, probabilities)
def test_pooled_rhythm_is_one_distribution(hop, opinion):
    hop = {name: p / sum(hop) for name, p in zip(RHYTHMS, hop, strict=True)}
    opinion = {name: p / sum(opinion) for name, p in zip(RHYTHMS, opinion, strict=True)}
    joined = pooled(hop, opinion)
    assert sum(joined.values()) == pytest.approx(1.0)
    assert pooled(hop, hop) == pytest.approx(hop)
    assert pooled(hop, {}) == hop
    assert pooled({}, opinion) == opinion


def test_labels_that_only_the_hop_knows_keep_their_probability():
    joined = pooled({"normal": 0.4, "af": 0.4, "noise": 0.2}, {"normal": 0.1, "af": 0.9})
    assert joined["noise"] == 0.2
    assert joined["af"] / joined["normal"] == pytest.approx(3.0)


def test_a_deaf_hop_gives_no_beat():
    samples, delay_s = conditioned(np.arange(0.5, 20, 1.0), 20, 250)
    stage = EncoderStage(fake_networks(), 250, 1, delay_s)
    said = []
    for second, piece in enumerate(np.split(samples, 20)):
        said += stage.push(piece, [0.0 if 8 <= second < 11 else 1.0])
    times_s = [beat.time_ns / NS_PER_S for beat in of(Beat, said)]
    assert not [t for t in times_s if 8.0 <= t < 10.7]
    assert len([t for t in times_s if t < 7.8]) == 8
    assert [round(t, 1) for t in times_s if 11 < t < 18] == [
        11.5,
        12.5,
        13.5,
        14.5,
        15.5,
        16.5,
        17.5,
    ]


def test_after_a_gap_nothing_of_the_past_is_left():
    samples, delay_s = conditioned(regular(80, 9), 9, 250)
    stage = EncoderStage(fake_networks(), 250, 1, delay_s)
    fresh = [*stage.push(samples, [1.0]), *stage.flush()]
    start = 100_007
    stage.begin(start)
    again = [*stage.push(samples, [1.0]), *stage.flush()]
    assert [b.index - start for b in of(Beat, again)] == [b.index for b in of(Beat, fresh)]
    assert [b.rr_ms for b in of(Beat, again)] == [b.rr_ms for b in of(Beat, fresh)]
    labels = [(label.label, label.confidence) for label in of(BeatLabel, again)]
    assert labels == [(label.label, label.confidence) for label in of(BeatLabel, fresh)]


def analysed(samples, delay_s, cuts, **faults):
    analysis = Analysis(250, 1, delay_s, fake_networks(**faults))
    said = chunked(lambda start, piece: analysis.process(start, piece, [1.0]), samples, cuts)
    beats = sorted(of(Beat, [each for piece in said for each in piece]), key=lambda b: b.index)
    return beats, analysis


@pytest.mark.parametrize("fault", [{"fails_at": 11}, {"blind_at": 11}])
def test_an_encoder_that_fails_gives_way_to_the_detector_and_says_so_once(fault, caplog):
    at_s = regular(75, 40)
    samples, delay_s = conditioned(at_s, 40, 250)
    beats, analysis = analysed(samples, delay_s, range(0, 10_000, 250), **fault)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "fake failed" in caplog.text
    assert analysis.encoder is None
    times_s = np.array([beat.time_ns / NS_PER_S for beat in beats])
    for span in ((0, 8.5), (11.3, 38)):
        expected = [t for t in at_s if span[0] <= t < span[1]]
        found = times_s[(times_s >= span[0] - 0.05) & (times_s < span[1] - 0.05)]
        assert np.allclose(found, expected, atol=0.015)
    assert analysis.second_ended(11 * NS_PER_S + LEARNING_NS - 1) == []
    (known,) = analysis.second_ended(20 * NS_PER_S)
    assert known.until_ns == 19.5 * NS_PER_S


@pytest.mark.parametrize("fails_at", [1, 2, 8, 11])
def test_where_another_encoder_takes_over_no_beat_is_missing(fails_at):
    """Beats of the last hop that are known late are told all the same, and no RR is longer."""
    samples, delay_s = conditioned(np.arange(0.6, 19.9, 0.83), 20, 250)

    def said_by(encoder):
        stage = EncoderStage(Networks(encoder, FakeBeatStage()), 250, 1, delay_s)
        return [*stage.push(samples, [1.0]), *stage.flush()], stage.failure

    failing = FakeEncoder(fails_at=fails_at, fails_with=ModelError("the device is gone"))
    assert said_by(FallbackEncoder(failing, lambda _: FakeEncoder())) == said_by(FakeEncoder())


@pytest.mark.parametrize("fault", [{"fails_at": 3}, {"blind_at": 3}])
def test_the_session_of_an_encoder_that_fails_has_to_be_tested_again(fault):
    samples, delay_s = conditioned(regular(75, 6), 6, 250)
    networks, session = fake_networks(**fault), SharedRuntime("fake")
    networks.encoder.shared = session
    session.note_passed("test")
    stage = EncoderStage(networks, 250, 1, delay_s)
    stage.push(samples[:500], [1.0])
    assert session.has_passed("test")
    stage.push(samples[500:], [1.0])
    assert not session.has_passed("test")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=8))
def test_the_failure_does_not_depend_on_the_chunking(cuts):
    samples, delay_s = conditioned(regular(75, 20), 20, 250)
    whole, _ = analysed(samples, delay_s, (), fails_at=6)
    parts, _ = analysed(samples, delay_s, cuts, fails_at=6)
    assert parts == whole


def test_an_encoder_that_hears_no_beats_leaves_them_to_the_detector():
    networks = fake_networks(stage=False)
    without = [o for o in networks.encoder.manifest.outputs if o.kind != "qrs"]
    networks.encoder.manifest = msgspec.structs.replace(
        networks.encoder.manifest, outputs=tuple(without)
    )
    at_s = regular(75, 20)
    samples, delay_s = conditioned(at_s, 20, 250)
    analysis = Analysis(250, 1, delay_s, networks)
    said = analysis.process(0, samples, [1.0])
    assert len(of(Beat, said)) >= len(at_s) - 1
    assert len(of(Rhythm, said)) == 20


@pytest.mark.records
@pytest.mark.parametrize("record", ["101", "106", "112"])
@pytest.mark.parametrize("bundle", ["none", DEFAULT_BUNDLE])
def test_r_peaks_are_those_of_the_reference(records_dir, record, bundle):
    """Filters and resampling taken off."""
    wfdb = pytest.importorskip("wfdb")
    path = str(records_dir / "mitdb" / record)
    signal = wfdb.rdrecord(path, sampto=36_000, channels=[0]).p_signal * 1000.0
    session = Session(360.0, bundle=bundle)
    said = [each for part in np.split(signal, 100) for each in session.push(part)]
    found = np.array([beat.index for beat in of(Beat, said + session.finish())])
    reference = wfdb.rdann(path, "atr", sampto=36_000).sample[2:]
    nearest = found[np.abs(found[None] - reference[:, None]).argmin(axis=1)]
    offset_ms = (nearest - reference) / 0.36
    assert abs(np.median(offset_ms)) < 5
    assert np.mean(np.abs(offset_ms) < 150) > 0.95
