"""Faults do what they are asked to, and their counts account for every frame."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.native import NativeDecoder
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.patch.faults import Faults, FaultyLink, damage
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.stream import Frame, Packet

S = 1_000_000_000
CONFIG = PatchConfig(rate_hz=100.0, duration_s=60.0, noise=0.0)
THREE_FRAMES = tuple(islice(VirtualPatch(CONFIG).frames(), 3))


def decoded(arrived: list[TimedBytes]) -> tuple[list[Frame], NativeDecoder]:
    decoder = NativeDecoder()
    frames = [frame for item in arrived for frame in decoder.push(Packet(item.data, item.due_ns))]
    return frames, decoder


def run(**faults: Any) -> tuple[VirtualPatch, list[TimedBytes], list[Frame]]:
    patch = VirtualPatch(replace(CONFIG, faults=Faults(**faults)))
    arrived = list(patch.frames())
    return patch, arrived, decoded(arrived)[0]


@settings(max_examples=30, deadline=None)
@given(
    *[st.sampled_from([0.0, 0.05, 0.5, 1.0])] * 4,
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([0.0, 7.0]),
    st.integers(0, 2**32),
)
def test_every_intact_frame_is_decoded_and_every_frame_accounted_for(
    drop: float,
    duplicate: float,
    reorder: float,
    corrupt: float,
    stall_every_s: float,
    reboot_every_s: float,
    seed: int,
) -> None:
    faults = Faults(drop, duplicate, reorder, corrupt, stall_every_s, 1.0, reboot_every_s)
    patch = VirtualPatch(replace(CONFIG, duration_s=20.0, seed=seed, faults=faults))
    arrived = list(patch.frames())
    frames, _ = decoded(arrived)
    count = patch.fault_count
    assert len(frames) == count.intact
    assert len(arrived) == count.intact + count.corrupted
    assert count.sent == count.dropped + count.corrupted + count.intact - count.duplicated
    assert count.held == 0
    assert all(a.due_ns <= b.due_ns for a, b in pairwise(arrived))


def test_the_same_seed_does_the_same_harm() -> None:
    faults = {"drop": 0.1, "corrupt": 0.2, "reorder": 0.1, "duplicate": 0.1}
    assert run(**faults)[1] == run(**faults)[1]


def test_drop_leaves_out_frames_and_no_more() -> None:
    patch, _, frames = run(drop=0.2)
    whole = run()[2]
    kept = {frame.counter for frame in frames}
    assert 0.1 * len(whole) < patch.fault_count.dropped < 0.3 * len(whole)
    assert len(frames) == len(whole) - patch.fault_count.dropped
    assert kept < {frame.counter for frame in whole}


def test_duplicate_repeats_frames() -> None:
    patch, _, frames = run(duplicate=1.0)
    assert [frame.counter for frame in frames[::2]] == [frame.counter for frame in frames[1::2]]
    assert patch.fault_count.duplicated == patch.fault_count.sent == 600


def test_reorder_swaps_neighbours() -> None:
    counters = [frame.counter or 0 for frame in run(reorder=0.3)[2]]
    places = np.argsort(counters)
    assert sorted(counters) == list(range(0, 6000, 10))
    assert np.abs(places - np.arange(600)).max() == 1


def test_stall_holds_frames_back_and_loses_none() -> None:
    _, arrived, frames = run(stall_every_s=10.0, stall_s=3.0)
    silences = np.diff([item.due_ns for item in arrived]) / S
    assert [frame.counter for frame in frames] == list(range(0, 6000, 10))
    assert (silences > 2.9).sum() == 4
    assert silences.max() <= 3.11


def test_reboot_restarts_counter_and_clock_under_a_new_boot_id() -> None:
    _, arrived, frames = run(reboot_every_s=20.0, reboot_s=1.5)
    starts = [frame for frame in frames if frame.counter == 0]
    assert [frame.boot_id for frame in starts] == [0, 1, 2]
    assert all(frame.device_time_ns == 0 for frame in starts)
    silences = np.diff([item.due_ns for item in arrived]) / S
    assert silences[199] == pytest.approx(1.6)


def test_the_heart_beats_on_while_the_device_restarts() -> None:
    whole = np.concatenate([frame.samples_uv for frame in run()[2]])
    frames = run(reboot_every_s=20.0, reboot_s=1.5)[2]
    second = np.concatenate([frame.samples_uv for frame in frames if frame.boot_id == 1])
    np.testing.assert_array_equal(second, whole[2150 : 2150 + second.shape[0]])


@pytest.mark.parametrize("drift_ppm", [-200.0, 0.0, 80.0])
def test_drift_is_between_the_device_clock_and_true_time(drift_ppm: float) -> None:
    _, arrived, frames = run(drift_ppm=drift_ppm)
    device_ns = frames[-1].device_time_ns - frames[0].device_time_ns  # type: ignore[operator]
    true_ns = arrived[-1].due_ns - arrived[0].due_ns
    assert (device_ns / true_ns - 1) * 1e6 == pytest.approx(drift_ppm, abs=0.1)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_damage_makes_a_frame_unreadable_and_spares_its_neighbours(seed: int) -> None:
    before, middle, after = THREE_FRAMES
    harmed = replace(middle, data=damage(middle.data, np.random.default_rng(seed)))
    frames, decoder = decoded([before, harmed, after])
    assert [frame.counter for frame in frames] == [0, 20]
    assert decoder.count.bad_frames >= 1


def test_a_held_frame_is_counted_until_it_is_overtaken() -> None:
    link = FaultyLink(Faults(reorder=1.0), seed=1)
    arrived = link.carry(TimedBytes(bytes(10), k) for k in range(3))
    assert next(arrived).due_ns == 1
    assert link.count.sent == 2
    assert next(arrived).due_ns == 1
    assert (link.count.held, link.count.intact, link.count.reordered) == (0, 2, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("drop", 1.1), ("corrupt", -0.1), ("drift_ppm", 1001.0), ("stall_s", -1.0)],
)
def test_impossible_faults_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}={value}"):
        Faults(**{name: value})
