"""Running normalisation: its definition, and what it must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.manifest import RunningMeanAbs
from models.normalise import Normaliser
from tests.models.rebundle import hops

FACTS = RunningMeanAbs(tau_s=4.0, prior_uv=150.0, prior_s=0.5, floor_uv=20.0, clip=15.0)


def started(leads: int) -> Normaliser:
    return Normaliser(FACTS, 128.0, 128, leads)


def step(normaliser: Normaliser, hop: np.ndarray, weights: np.ndarray) -> np.ndarray:
    out = np.full_like(hop, np.nan)
    assert normaliser.step(hop, weights, out)
    return out


def run(signal: np.ndarray) -> np.ndarray:
    normaliser, trust = started(signal.shape[1]), np.ones(signal.shape[1])
    return np.stack([step(normaliser, hop, trust) for hop in signal])


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
    normaliser, signal = started(2), hops(30, 2)
    for hop in signal:
        step(normaliser, hop, np.ones(2))
    for _ in range(20):
        answer = step(normaliser, signal[0] * np.float32(1e4), np.array([1.0, 0.0]))
        assert not answer[1].any()
    back = step(normaliser, signal[1], np.ones(2))
    assert 0.5 < np.abs(back[1]).mean() < 2  # not dwarfed by the swing while it was off


def test_leads_are_normalised_apart() -> None:
    signal = hops(10, 2)
    both = run(signal)
    np.testing.assert_array_equal(both[:, :1], run(signal[:, :1]))
    np.testing.assert_array_equal(both[:, 1:], run(signal[:, 1:]))


def test_reset_forgets_everything() -> None:
    normaliser, signal = started(1), hops(6)
    first = step(normaliser, signal[0], np.ones(1))
    step(normaliser, signal[1] * np.float32(50), np.ones(1))
    normaliser.reset()
    np.testing.assert_array_equal(step(normaliser, signal[0], np.ones(1)), first)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_told_and_not_learnt(bad: float) -> None:
    normaliser, signal = started(2), hops(3, 2)
    expected = run(signal[:2])
    np.testing.assert_array_equal(step(normaliser, signal[0], np.ones(2)), expected[0])
    damaged, out = signal[1].copy(), np.zeros((2, 128), np.float32)
    damaged[1, 127] = bad
    assert not normaliser.step(damaged, np.ones(2), out)
    assert not out.any()
    np.testing.assert_array_equal(step(normaliser, signal[1], np.ones(2)), expected[1])


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_it_is_the_formula_of_the_manifest(seed: int, weights: list[float]) -> None:
    """Against array arithmetic, hop by hop."""
    normaliser, trust = started(2), np.array(weights)
    keep, ramp = math.exp(-1 / FACTS.tau_s), np.arange(1, 129) / 128
    weight = np.full(2, FACTS.prior_s / FACTS.tau_s)
    total, scale = weight * FACTS.prior_uv, np.full(2, FACTS.prior_uv)
    for hop in hops(5, 2, seed):
        total = keep * total + (1 - keep) * trust * np.abs(hop).mean(axis=1, dtype=float)
        weight = keep * weight + (1 - keep) * trust
        after = np.maximum(total / weight, FACTS.floor_uv)
        wanted = hop / (scale[:, None] + (after - scale)[:, None] * ramp)
        wanted = np.clip(wanted, -FACTS.clip, FACTS.clip) * (trust > 0)[:, None]
        np.testing.assert_allclose(step(normaliser, hop, trust), wanted, rtol=1e-5, atol=1e-6)
        scale = after


def test_training_hears_the_same() -> None:
    torch = pytest.importorskip("torch")
    from models.training.model import normalise

    signal = hops(25)
    expected = run(signal).ravel()
    got = normalise(torch.from_numpy(signal.reshape(1, -1))).numpy().ravel()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
