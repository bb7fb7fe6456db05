"""A strip as a message and back."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.messages import StripMessage, encode
from edge.strips.codec import decode
from tests.edge.strips.cutting import a_strip

MICROVOLTS = st.floats(-16_000, 16_000, width=32) | st.just(float("nan"))


@given(
    samples_uv=arrays(
        np.float32, st.tuples(st.integers(1, 60), st.integers(1, 3)), elements=MICROVOLTS
    ),
    offset_uv=st.sampled_from([0.0, -300_000.0, 320_000.0]),
    seed=st.integers(0, 99),
)
def test_no_ecg_clips_and_none_is_further_off_than_half_a_step(samples_uv, offset_uv, seed):
    samples_uv[:, 0] += np.float32(offset_uv)
    valid = np.random.default_rng(seed).random(len(samples_uv)) > 0.1
    leads = tuple("abc"[: samples_uv.shape[1]])
    strip = a_strip(samples_uv, leads=leads, valid=valid.astype(np.uint8))
    again = decode(msgspec.json.decode(encode(strip), type=StripMessage))
    missing = np.isnan(samples_uv) | ~valid[:, None]
    assert np.array_equal(np.isnan(again), missing)
    off = np.abs(again - samples_uv)[~missing]
    assert off.size == 0 or off.max() <= strip.scale_uv / 2 + 0.04  # of 350 mV as float32


def test_a_clean_ecg_is_told_in_steps_far_below_its_smallest_wave():
    strip = a_strip([[-400.0], [1600.0]])
    assert (strip.scale_uv, strip.offset_uv) == (0.05, {})
    assert base64.b64decode(strip.samples["II"]) == np.array([-8000, 32000], "<i2").tobytes()


def test_the_offset_of_an_electrode_costs_no_resolution():
    samples = np.stack([np.linspace(298_000, 301_000, 50), np.linspace(-900, 900, 50)], axis=1)
    strip = a_strip(samples, leads=("I", "II"))
    assert strip.offset_uv == {"I": 300_000.0}
    assert strip.scale_uv <= 1.0
    assert np.abs(decode(strip) - samples).max() <= strip.scale_uv / 2 + 0.04


@pytest.mark.parametrize("rail_uv", [187_500.0, -3_000_000.0])
@pytest.mark.parametrize("since", [0, 200, 900])
def test_a_railed_lead_coarsens_neither_the_others_nor_its_own_ecg(rail_uv, since):
    samples = np.repeat((900 * np.sin(np.arange(1000) / 9))[:, None], 2, axis=1)
    samples[since:, 0] = rail_uv
    strip = a_strip(samples, leads=("I", "II"))
    assert strip.scale_uv <= 1.0
    again = decode(strip)
    assert np.abs(again[:, 1] - samples[:, 1]).max() <= 0.54
    assert np.abs(again[:since, 0] - samples[:since, 0]).max(initial=0) <= 0.54
    assert np.ptp(again[since:, 0]) == 0
    assert since == 0 or abs(again[-1, 0]) > 10_000


@pytest.mark.parametrize(("leads", "rate_hz"), [(12, 1000.0), (3, 1000.0), (8, 250.0), (1, 8000.0)])
def test_no_strip_is_larger_than_brokers_take(leads, rate_hz):
    t = np.arange(round(25 * rate_hz)) / rate_hz
    samples = np.repeat((900 * np.sin(2 * np.pi * 5 * t))[:, None], leads, axis=1)
    strip = a_strip(samples, rate_hz, tuple(f"L{k}" for k in range(leads)))
    assert len(encode(strip)) < 128_000
    again = decode(strip)
    assert len(again) / strip.rate_hz == pytest.approx(25, abs=0.02)
    assert np.abs(again).max() > 880


def test_what_is_a_gap_before_neighbours_are_averaged_is_one_after():
    valid = np.ones(25_000, np.uint8)
    valid[10_000:12_000] = 0
    samples = np.ones((25_000, 3), np.float32)
    again = decode(a_strip(samples, 1000.0, ("a", "b", "c"), valid))
    assert np.flatnonzero(np.isnan(again[:, 0])).tolist() == list(range(5_000, 6_000))


@pytest.mark.parametrize(
    "samples", [{}, {"II": ""}, {"II": "AAAA", "I": "AAAAAAAA"}, {"II": "no base64!"}]
)
def test_a_strip_that_holds_none_is_one_clear_error(samples):
    strip = msgspec.structs.replace(a_strip([[1.0]]), samples=samples)
    with pytest.raises(ValueError, match=r"strip 5c7b3b0e.*(base64|leads of one length)"):
        decode(strip)


def test_the_example_of_the_documentation_decodes():
    page = (Path(__file__).parents[3] / "docs" / "strips.md").read_text()
    source = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    names: dict = {}
    exec(source, names)
    valid = np.array([1, 0, 1], np.uint8)
    strip = a_strip([[-400.0], [0.0], [300_100.0]], valid=valid)
    decoded = names["microvolts"](encode(strip), "II")
    assert np.allclose(decoded, decode(strip)[:, 0], equal_nan=True)
    assert np.isnan(decoded).tolist() == [False, True, False]
