"""Running normalisation: its definition, and what it must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import load_bundle
from models.normalise import Normaliser
from tests.models.rebundle import NAME, hops

MANIFEST = load_bundle(NAME).manifest
FACTS = MANIFEST.normalisation


def run(signal: np.ndarray) -> np.ndarray:
    normaliser, trust = Normaliser(MANIFEST, signal.shape[1]), np.ones(signal.shape[1])
    return np.stack([normaliser.step(hop, trust) for hop in signal])


def test_a_constant_level_becomes_one() -> None:
    signal = np.full((60, 1, 128), 400, np.float32)
    np.testing.assert_allclose(run(signal)[-1], 1.0, atol=1e-3)


def test_the_first_hop_follows_the_definition() -> None:
    signal = np.full((1, 1, 128), 300, np.float32)
    keep = math.exp(-1 / FACTS.tau_s)
    weight = FACTS.prior_s / FACTS.tau_s
    after = (keep * weight * FACTS.prior_uv + (1 - keep) * 300) / (keep * weight + 1 - keep)
    assert run(signal)[0, 0, -1] == pytest.approx(300 / after, rel=1e-5)
    first = FACTS.prior_uv + (after - FACTS.prior_uv) / 128
    assert run(signal)[0, 0, 0] == pytest.approx(300 / first, rel=1e-5)


@settings(deadline=None)
@given(st.floats(0.6, 20), st.integers(0, 100))
def test_gain_is_forgotten(gain: float, seed: int) -> None:
    signal = hops(40, 1, seed)
    one, other = run(signal)[-1], run(np.float32(signal * gain))[-1]
    np.testing.assert_allclose(one, other, rtol=0.02, atol=0.02)


def test_the_sign_is_kept() -> None:
    signal = hops(5)
    np.testing.assert_array_equal(run(-signal), -run(signal))


def test_silence_stays_silence() -> None:
    assert not run(np.zeros((5, 1, 128), np.float32)).any()


def test_noise_below_the_floor_is_not_blown_up() -> None:
    quiet = np.float32(hops(60) / 1000)
    assert np.abs(run(quiet)).max() <= np.abs(quiet).max() / FACTS.floor_uv + 1e-6


def test_nothing_exceeds_the_clip() -> None:
    assert np.abs(run(hops(5) * np.float32(1e6))).max() <= FACTS.clip


def test_a_lead_without_weight_is_silent_and_learns_nothing_new() -> None:
    normaliser, signal = Normaliser(MANIFEST, 2), hops(30, 2)
    for hop in signal:
        normaliser.step(hop, np.ones(2))
    for _ in range(20):
        answer = normaliser.step(signal[0] * np.float32(1e4), np.array([1.0, 0.0]))
        assert not answer[1].any()
    back = normaliser.step(signal[1], np.ones(2))
    assert 0.5 < np.abs(back[1]).mean() < 2  # not dwarfed by the swing while it was off


def test_leads_are_normalised_apart() -> None:
    signal = hops(10, 2)
    both = run(signal)
    np.testing.assert_array_equal(both[:, :1], run(signal[:, :1]))
    np.testing.assert_array_equal(both[:, 1:], run(signal[:, 1:]))


def test_training_hears_the_same() -> None:
    torch = pytest.importorskip("torch")
    from models.training.model import normalise

    signal = hops(25)
    expected = run(signal).ravel()
    got = normalise(torch.from_numpy(signal.reshape(1, -1))).numpy().ravel()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
