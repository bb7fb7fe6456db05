"""Noise mixed in: as `nst` and `sigamp` have it, over the whole record, and from where on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluate.noise import NoiseMix, add_noise, deviation_uv
from edge.evaluate.nst import noise_gains, noise_rms_uv, qrs_amplitude_uv
from firmware_bridge.errors import SourceError
from tests.edge.evaluate.annotated import RATE_HZ, reference
from tests.edge.synthetic_ecg import ecg, regular

wfdb = pytest.importorskip("wfdb")

DURATION_S = 700.0
BEATS_S = regular(60, DURATION_S)


@pytest.fixture(scope="module")
def clean():
    """One second of a beat at 0.6 s, over and over."""
    second = ecg([1.6], 3.0, RATE_HZ, noise_uv=0.0)[round(RATE_HZ) : round(2 * RATE_HZ)]
    return np.tile(second, (round(DURATION_S), 1))


def write_noise(folder, rate_hz=250, signals=1, duration_s=320.0):
    noise = np.random.default_rng(3).normal(0, 0.2, (round(duration_s * rate_hz), signals))
    wfdb.wrsamp(
        "noise",
        fs=rate_hz,
        units=["mV"] * signals,
        sig_name=[f"noise{k}" for k in range(signals)],
        p_signal=noise + 1.0,
        fmt=["16"] * signals,
        write_dir=str(folder),
    )
    return folder / "noise"


def test_the_signal_is_measured_by_its_qrs(clean):
    assert qrs_amplitude_uv(clean, reference(BEATS_S)) == pytest.approx([1000], rel=0.05)


def test_ventricular_beats_and_all_after_the_first_300_do_not_count(clean):
    big = clean.copy()
    big[round(310 * RATE_HZ) :] *= 5
    big[: round(10 * RATE_HZ)] *= 5
    classes = ["V" if at < 10 else "N" for at in BEATS_S]
    assert qrs_amplitude_uv(big, reference(BEATS_S, classes)) == pytest.approx([1000], rel=0.05)


def test_the_greatest_and_least_twentieth_do_not_count(clean):
    odd = clean.copy()
    odd[: round(10 * RATE_HZ)] *= 50
    assert qrs_amplitude_uv(odd, reference(BEATS_S)) == pytest.approx([1000], rel=0.05)


def test_noise_is_measured_about_the_mean_of_each_second():
    seconds = np.repeat(np.arange(20.0), 100)[:, None] * 1000
    wave = np.tile([3.0, -3.0], 1000)[:, None]
    assert noise_rms_uv(seconds + wave, 100.0) == pytest.approx([3.0])


@given(st.floats(-20, 40), st.floats(10, 5000), st.floats(1, 1000))
def test_gains_give_the_ratio_asked_for(snr_db, qrs_uv, rms_uv):
    gain = float(noise_gains(np.array([qrs_uv]), np.array([rms_uv]), snr_db)[0])
    assert 10 * np.log10(qrs_uv**2 / 8 / (gain * rms_uv) ** 2) == pytest.approx(snr_db)


def added(clean, noise, snr_db=6.0, **options):
    known = reference(BEATS_S, duration_s=DURATION_S)
    return add_noise(clean, known, NoiseMix(noise, snr_db, **options)) - clean


def test_noise_comes_after_five_minutes_in_turns_of_two(clean, tmp_path):
    noise = added(clean, write_noise(tmp_path))[:, 0]
    spread = [np.ptp(noise[round(a * RATE_HZ) : round(b * RATE_HZ)]) for a, b in TURNS]
    assert [value > 100 for value in spread] == [False, True, False, True]
    assert spread[0] == 0


TURNS = ((0, 299), (301, 419), (421, 539), (541, 659))


def test_noise_has_the_power_asked_for_and_no_steps(clean, tmp_path):
    noise = added(clean, write_noise(tmp_path), snr_db=6.0)[:, 0]
    on = noise[round(301 * RATE_HZ) : round(419 * RATE_HZ)]
    assert 10 * np.log10(1000**2 / 8 / on.var()) == pytest.approx(6.0, abs=0.3)
    assert np.abs(np.diff(noise)).max() < 8 * on.std()


def test_noise_of_another_rate_is_resampled(clean, tmp_path):
    noise = added(clean, write_noise(tmp_path, rate_hz=360))[:, 0]
    on = noise[round(301 * RATE_HZ) : round(419 * RATE_HZ)]
    assert on.std() > 100


def test_leads_take_the_signals_of_the_noise_in_turn(clean, tmp_path):
    three = np.hstack([clean] * 3)
    first, second, third = added(three, write_noise(tmp_path, signals=2)).T
    assert np.array_equal(first, third)
    assert not np.allclose(first, second)


def test_without_beats_there_is_no_ratio(clean, tmp_path):
    with pytest.raises(SourceError, match="none"):
        add_noise(clean, reference(), NoiseMix(write_noise(tmp_path), 6.0))


def test_whole_noise_has_the_power_asked_for_from_the_first_sample_to_the_last(clean, tmp_path):
    noise = added(clean, write_noise(tmp_path), snr_db=6.0, method="whole")[:, 0].astype(float)
    peak_uv = np.percentile(np.abs(clean - np.median(clean)), 99.5)
    assert 10 * np.log10(peak_uv**2 / 8 / np.mean(noise**2)) == pytest.approx(6.0, abs=0.05)
    for start_s in (0, 100, 299, 450, 699):
        assert noise[round(start_s * RATE_HZ) :][: round(RATE_HZ)].std() > 20


def test_whole_noise_is_the_first_signal_on_every_lead_by_its_own_gain(clean, tmp_path):
    two = np.hstack([clean, 3 * clean])
    first, second = added(two, write_noise(tmp_path, signals=2), method="whole").T
    assert np.allclose(second, 3 * first, atol=0.01)


def test_whole_noise_needs_no_annotated_beats(clean, tmp_path):
    mix = NoiseMix(write_noise(tmp_path), 6.0, method="whole")
    assert not np.array_equal(add_noise(clean, reference(), mix), clean)


def test_a_flat_or_invalid_lead_gets_no_whole_noise(tmp_path):
    flat = np.full((5000, 2), 7.0, np.float32)
    flat[:, 1] = np.nan
    assert deviation_uv(flat).tolist() == [0.0, 0.0]
    mix = NoiseMix(write_noise(tmp_path), 6.0, method="whole")
    assert np.array_equal(add_noise(flat, reference(), mix), flat, equal_nan=True)


def write_two_halves(folder):
    """Noise of 10 uV and less in its first half, of 500 uV and more in its second."""
    wave = np.tile([0.01, -0.01], 40_000)
    wave[40_000:] *= 50
    wfdb.wrsamp(
        "halves",
        fs=250,
        units=["mV"],
        sig_name=["noise"],
        p_signal=wave[:, None],
        fmt=["16"],
        adc_gain=[2000.0],
        baseline=[0],
        write_dir=str(folder),
    )
    return folder / "halves"


@pytest.mark.parametrize("method", ["nst", "whole"])
@pytest.mark.parametrize("start", ["half", 160.0, 200.0])
def test_noise_before_its_start_is_not_heard(method, start, clean, tmp_path):
    assert _even(added(clean, write_two_halves(tmp_path), start=start, method=method))
    assert not _even(added(clean, write_two_halves(tmp_path), start=0.0, method=method))


def _even(noise):
    """Whether it goes up and down by the same all the while that it is on."""
    on = noise[round(301 * RATE_HZ) : round(419 * RATE_HZ), 0]
    steps = np.abs(np.diff(on))
    return np.quantile(steps, 0.01) > 0.9 * steps.max()


@pytest.mark.parametrize("start", [320.0, 5000.0])
def test_a_start_beyond_the_noise_record_is_named(start, clean, tmp_path):
    with pytest.raises(SourceError, match=r"lasts 320 s.*--noise-from"):
        added(clean, write_noise(tmp_path), start=start)


@pytest.mark.parametrize("method", ["nst", "whole"])
def test_flat_noise_is_refused(method, clean, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    wfdb.wrsamp(
        "noise",
        fs=250,
        units=["mV"],
        sig_name=["n"],
        d_signal=np.zeros((5000, 1), np.int64),
        adc_gain=[200.0],
        baseline=[0],
        fmt=["16"],
        write_dir=str(folder),
    )
    with pytest.raises(SourceError, match="flat"):
        added(clean, folder / "noise", method=method)
