"""A day of ECG through one monitor: a short day."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from benchmarks import bench_day
from benchmarks.bench_day import LONG_PACKET, PACKET, RATE_HZ, Stream, half_hours, measure
from edge.bundles import Bundles
from firmware_bridge.stream import NS_PER_S


@pytest.fixture(autouse=True)
def short_half_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_day, "HALF_HOUR", 120 * RATE_HZ)


def test_the_virtual_patch_never_ends() -> None:
    pieces = list(islice(half_hours(None), 5))
    assert {len(piece) for piece in pieces} == {120 * RATE_HZ}
    assert np.array_equal(pieces[0], pieces[4])
    assert not np.array_equal(pieces[0], pieces[1])


def test_a_stream_goes_on_over_pieces_and_lengths_of_frames() -> None:
    samples = next(half_hours(None))[: 20 * RATE_HZ]
    stream = Stream(Bundles("auto"))
    assert stream.push(samples, PACKET) > 0
    assert stream.push(samples, LONG_PACKET) > 0
    state = stream.monitor.state()
    assert stream.monitor.now_ns == 40 * NS_PER_S
    assert state.samples.delivered == state.samples.span == 40 * RATE_HZ
    assert state.samples.gap == state.samples.bad == 0
    assert state.bundle == "tcn-s"


def test_the_end_of_the_day_is_set_beside_its_beginning() -> None:
    early, late = measure(None, hours=1.5, minutes=2)
    assert (early["name"], late["name"]) == ("hour 1", "hour 1.5")
    assert late["ratio"] == pytest.approx(late["beside_fresh"] / early["beside_fresh"], rel=1e-3)
    assert min(early["us_a_second"], late["fresh_us_a_second"]) > 0
