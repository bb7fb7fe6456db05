"""The frequency domain: signals of known power, SciPy's periodogram, neurokit2 on real records."""

import numpy as np
import pytest

from edge.holter import hrv_frequency
from edge.holter.hrv_frequency import BANDS_HZ, frequency_domain, lomb_psd
from edge.holter.hrv_time import segments
from edge.holter.intervals import NN
from tests.edge.holter.reference import reference_nn


def modulated(*sines, count=2500, mean_ms=800.0, drop=0.0):
    """Intervals that swing about their mean; sines: (Hz, ms). A part of them missing."""
    nn_ms, time_s, at_s = np.empty(count), np.empty(count), 0.0
    for k in range(count):
        nn_ms[k] = mean_ms + sum(ms * np.sin(2 * np.pi * hz * at_s) for hz, ms in sines)
        at_s += nn_ms[k] / 1000
        time_s[k] = at_s
    kept = np.random.default_rng(1).random(count) >= drop
    follows = np.concatenate([[False], kept[1:] & kept[:-1]])[kept]
    return NN(time_s[kept], nn_ms[kept], follows, count, {})


@pytest.mark.parametrize("drop", [0.0, 0.1])
@pytest.mark.parametrize(("band", "freq_hz"), [("vlf", 0.02), ("lf", 0.1), ("hf", 0.25)])
def test_a_sine_has_its_power_in_its_band(band, freq_hz, drop):
    told = frequency_domain(modulated((freq_hz, 40.0), drop=drop))
    assert told.segments == 6
    power = {name: getattr(told, f"{name}_ms2") for name in ("vlf", "lf", "hf")}
    assert power.pop(band) == pytest.approx(40.0**2 / 2, rel=0.08)
    assert max(power.values()) < 0.1 * 40.0**2 / 2


def test_normalised_units_and_ratio():
    told = frequency_domain(modulated((0.1, 30.0), (0.3, 15.0)))
    assert told.lf_hf == pytest.approx(4.0, rel=0.1)
    assert told.lf_nu + told.hf_nu == pytest.approx(100)
    assert told.lf_nu == pytest.approx(
        100 * told.lf_ms2 / (told.total_ms2 - told.vlf_ms2), rel=0.02
    )


def test_is_the_periodogram_of_scipy():
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(2)
    time_s = np.cumsum(rng.uniform(0.5, 1.2, 400))
    values, freqs_hz = rng.normal(800, 50, 400), np.arange(1, 300) / 900
    theirs = signal.lombscargle(time_s, values - values.mean(), 2 * np.pi * freqs_hz)
    spacing_s = (time_s[-1] - time_s[0]) / 399
    assert lomb_psd(time_s, values, freqs_hz) == pytest.approx(theirs * 2 * spacing_s, rel=1e-9)


def test_the_whole_spectrum_is_the_variance():
    values = np.random.default_rng(3).normal(0, 50, 512)
    freqs_hz = np.arange(1, 256) / 512
    whole = lomb_psd(np.arange(512.0), values, freqs_hz).sum() / 512
    assert whole == pytest.approx(values.var(), rel=0.02)


def test_ulf_is_told_of_long_recordings_only(monkeypatch):
    assert hrv_frequency.LONG_S == 18 * 3600
    series = modulated((0.001, 60.0), count=5600, mean_ms=1900.0)
    assert frequency_domain(series).ulf_ms2 is None
    monkeypatch.setattr(hrv_frequency, "LONG_S", 10_000.0)
    assert frequency_domain(series).ulf_ms2 == pytest.approx(60.0**2 / 2, rel=0.05)


def test_ulf_is_the_mean_of_days(monkeypatch):
    monkeypatch.setattr(hrv_frequency, "DAY_S", 10_000.0)
    monkeypatch.setattr(hrv_frequency, "LONG_S", 9_000.0)
    calm, lively = (modulated((0.001, ms), count=5300, mean_ms=1900.0) for ms in (20.0, 60.0))
    first, rest = calm.time_s < 10_000, lively.time_s < 16_000
    time_s = np.concatenate([calm.time_s[first], lively.time_s[rest] + 10_000])
    nn_ms = np.concatenate([calm.nn_ms[first], lively.nn_ms[rest]])
    follows = np.ones(len(nn_ms), bool)
    told = frequency_domain(NN(time_s, nn_ms, follows, len(nn_ms), {}))
    assert told.ulf_ms2 == pytest.approx((20.0**2 + 60.0**2) / 4, rel=0.05)


def test_a_rhythm_that_does_not_vary_has_no_ratio():
    told = frequency_domain(modulated())
    assert told.segments == 6
    assert told.hf_ms2 == pytest.approx(0.0, abs=1e-9)
    assert (told.lf_hf, told.lf_nu, told.hf_nu) == (None, None, None)


def test_without_enough_intervals_nothing_is_told():
    told = frequency_domain(modulated((0.1, 40.0), count=100))
    assert (told.segments, told.lf_ms2, told.lf_hf, told.hf_nu) == (0, None, None, None)


@pytest.mark.records
@pytest.mark.parametrize("record", ["100", "103", "122"])
def test_agrees_with_neurokit2_on_reference_annotations(records_dir, record):
    """Theirs is Welch's method on a resampled series: a method of less resolution."""
    neurokit2 = pytest.importorskip("neurokit2")
    nn = reference_nn(records_dir, record)
    powers = []
    for each in segments(nn):
        series = {"RRI": nn.nn_ms[each], "RRI_Time": nn.time_s[each]}
        theirs = neurokit2.hrv_frequency(series, sampling_rate=1000, normalize=False)
        powers.append([theirs["HRV_LF"][0], theirs["HRV_HF"][0]])
    lf_ms2, hf_ms2 = np.mean(powers, axis=0)
    told = frequency_domain(nn)
    assert told.segments == len(powers)
    assert told.lf_ms2 == pytest.approx(lf_ms2, rel=0.2)
    assert told.hf_ms2 == pytest.approx(hf_ms2, rel=0.1)
    assert told.hf_nu == pytest.approx(100 * hf_ms2 / (lf_ms2 + hf_ms2), abs=6)
    assert BANDS_HZ["hf"] == (0.15, 0.4)
