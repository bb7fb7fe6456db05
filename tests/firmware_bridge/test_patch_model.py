"""The ECG of the virtual patch: deterministic, seamless, and shaped like the real thing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.noise import Noise, NoiseLevels
from firmware_bridge.patch.scenarios import SCENARIOS, Episode, truth

CLEAN = NoiseLevels().scaled(0)
LEADS = ("I", "II", "III")


def render(
    rhythm: str, seconds: float, *, rate_hz: float = 500.0, seed: int = 3
) -> NDArray[np.float64]:
    """Clean lead II of a rhythm."""
    model = EcgModel((Episode(rhythm, 600.0),), rate_hz=rate_hz, seed=seed, noise=CLEAN)
    return model.read(round(seconds * rate_hz))[0][:, 0]


def dominant_hz(samples: NDArray[np.float64], rate_hz: float) -> float:
    """Frequency of the greatest spectral peak."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate_hz / samples.size)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.sampled_from(sorted(SCENARIOS)),
    st.integers(0, 2**40),
)
def test_block_sizes_change_nothing(blocks: list[int], scenario: str, seed: int) -> None:
    whole = EcgModel(SCENARIOS[scenario], leads=LEADS, rate_hz=250.0, seed=seed)
    parts = EcgModel(SCENARIOS[scenario], leads=LEADS, rate_hz=250.0, seed=seed)
    samples, off = whole.read(sum(blocks))
    pieces = [parts.read(block) for block in blocks]
    np.testing.assert_array_equal(samples, np.concatenate([piece for piece, _ in pieces]))
    np.testing.assert_array_equal(off, np.concatenate([piece for _, piece in pieces]))


def test_seeds_differ_and_repeat() -> None:
    def noisy(seed: int) -> NDArray[np.float64]:
        return EcgModel(SCENARIOS["af"], seed=seed).read(1000)[0]

    np.testing.assert_array_equal(noisy(1), noisy(1))
    assert np.abs(noisy(1) - noisy(2)).max() > 100


@pytest.mark.parametrize("scenario", ["sinus", "pvc", "vf", "vfl", "af"])
def test_leads_obey_einthoven(scenario: str) -> None:
    model = EcgModel(SCENARIOS[scenario], leads=LEADS, rate_hz=250.0, seed=5, noise=CLEAN)
    first, second, third = model.read(250 * 20)[0].T
    np.testing.assert_allclose(first + third, second, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [100.0, 256.0, 1000.0])
def test_rate_changes_the_sampling_not_the_heart(rate_hz: float) -> None:
    coarse = render("pvc", 20, rate_hz=rate_hz)
    fine = render("pvc", 20, rate_hz=500.0)
    time_s = np.arange(coarse.size) / rate_hz
    expected = np.interp(time_s, np.arange(fine.size) / 500.0, fine)
    assert np.abs(coarse - expected).max() < 20


@pytest.mark.parametrize("rhythm", ["sinus", "bradycardia", "tachycardia", "extreme_tachy", "pvc"])
def test_r_peaks_stand_where_the_truth_says(rhythm: str) -> None:
    trace = render(rhythm, 30)
    for beat in truth((Episode(rhythm, 600.0),), 3, 29.5).beats:
        if beat.time_s < 0.2:
            continue
        centre = round(beat.time_s * 500)
        near = trace[centre - 50 : centre + 50]
        assert abs(int(np.argmax(near)) - 50) <= 5
        assert near.max() > 900


def qrs_width_ms(trace: NDArray[np.float64], time_s: float, rate_hz: float) -> float:
    """Width of the complex at a tenth of its greatest slope, within 150 ms of its peak."""
    centre, reach = round(time_s * rate_hz), round(0.15 * rate_hz)
    slope = np.abs(np.diff(trace[centre - reach : centre + reach]))
    steep = np.flatnonzero(slope > 0.1 * slope.max())
    return float((steep[-1] - steep[0] + 1) / rate_hz * 1000)


def test_ventricular_beats_are_wide_and_normal_ones_narrow() -> None:
    trace = render("pvc", 60, rate_hz=1000.0)
    beats = truth((Episode("pvc", 600.0),), 3, 59.0).beats[1:]
    widths = {
        label: [qrs_width_ms(trace, beat.time_s, 1000.0) for beat in beats if beat.label == label]
        for label in ("N", "V")
    }
    assert 70 <= np.median(widths["N"]) <= 110
    assert 120 <= np.median(widths["V"]) <= 250


def test_ventricular_t_wave_is_discordant() -> None:
    trace = render("pvc", 60)
    beats = truth((Episode("pvc", 600.0),), 3, 58.0).beats
    for beat in (beat for beat in beats if beat.label == "V"):
        after = trace[round((beat.time_s + 0.18) * 500) : round((beat.time_s + 0.35) * 500)]
        assert after.min() < -300


def test_qt_shortens_with_the_heart_rate() -> None:
    def peak_to_t_ms(rhythm: str) -> float:
        trace = render(rhythm, 20)
        beat = truth((Episode(rhythm, 600.0),), 3, 18.0).beats[8]
        start, stop = (
            round((beat.time_s + after_s) * 500) for after_s in (0.1, 0.75 * min(beat.rr_s, 0.7))
        )
        return float(np.argmax(trace[start:stop]) / 500 * 1000 + 100)

    assert peak_to_t_ms("bradycardia") - peak_to_t_ms("extreme_tachy") > 60


def test_fibrillation_waves_run_at_4_to_7_hz_and_wax_and_wane() -> None:
    for seed in range(6):
        trace = render("vf", 31, seed=seed)[500:]
        assert 4 <= dominant_hz(trace, 500.0) <= 7
        local = trace.reshape(-1, 500).std(axis=1)
        assert local.max() > 2 * local.min()
        assert 150 < trace.std() < 700


def test_flutter_is_a_large_regular_wave() -> None:
    trace = render("vfl", 21)[500:]
    assert 3.5 <= dominant_hz(trace, 500.0) <= 5
    spectrum = np.abs(np.fft.rfft(trace)) ** 2
    hz = np.fft.rfftfreq(trace.size, 1 / 500.0)
    assert spectrum[(hz > 3) & (hz < 5)].sum() > 0.8 * spectrum[1:].sum()
    assert np.ptp(trace) > 1500


def test_atrial_fibrillation_has_f_waves_and_no_p() -> None:
    trace = render("af", 60)
    beats = truth((Episode("af", 600.0),), 3, 59.0).beats
    quiet = [  # between the end of T and the next complex, where sinus rhythm shows its P wave
        trace[round((after.time_s - 0.25) * 500) : round((after.time_s - 0.08) * 500)]
        for before, after in pairwise(beats)
        if after.time_s - before.time_s > 0.8
    ]
    assert np.median([np.ptp(piece) for piece in quiet]) > 40
    assert np.abs(np.mean(quiet, axis=0)).max() < 60


def test_asystole_is_flat_once_the_last_beat_is_over() -> None:
    model = EcgModel(SCENARIOS["asystole"], rate_hz=250.0, noise=CLEAN)
    trace = model.read(250 * 22)[0]
    assert np.ptp(trace[250 * 13 : 250 * 21]) < 10


def test_electrodes_off_go_to_the_rail_and_say_so() -> None:
    model = EcgModel(SCENARIOS["lead_off"], leads=LEADS, rate_hz=250.0)
    trace, off = model.read(250 * 22)
    np.testing.assert_array_equal(np.flatnonzero(off), np.arange(250 * 12, 250 * 22))
    assert np.ptp(trace[250 * 13 :]) < 1
    assert trace[250 * 13 :].min() > 9_000


def test_motion_hides_the_beats() -> None:
    rest, moving = render("sinus", 30), render("motion", 30)
    assert (moving - rest).std() > rest.std()


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_hum_is_where_it_belongs(mains_hz: float) -> None:
    levels = NoiseLevels(0, 0, 0, 5.0, mains_hz)
    hum = Noise(levels, leads=1, seed=1).page(0, np.arange(2500) / 250)[:, 0]
    assert dominant_hz(hum, 250.0) == pytest.approx(mains_hz, abs=0.1)
    assert 2.5 < hum.std() < 8


def test_noise_has_the_levels_asked_for() -> None:
    def total(levels: NoiseLevels) -> NDArray[np.float64]:
        noise = Noise(levels, leads=3, seed=2)
        return np.concatenate([noise.page(k, (k * 250 + np.arange(250)) / 250) for k in range(120)])

    assert total(NoiseLevels(60, 0, 0, 0)).std() == pytest.approx(60, rel=0.5)
    assert total(NoiseLevels(0, 10, 0, 0)).std() == pytest.approx(10, rel=0.05)
    bursts = total(NoiseLevels(0, 0, 500, 0))
    assert np.abs(bursts).max() > 300
    assert np.median(np.abs(bursts)) < 5
    assert not total(CLEAN).any()
