"""The virtual device: what it encodes is what the model made, when it was due."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import SourceUriError
from firmware_bridge.native import NativeDecoder
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.faults import Faults
from firmware_bridge.patch.scenarios import SCENARIOS
from firmware_bridge.patch.sim_transport import SimTransport, parse_config
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.source import open_source
from firmware_bridge.stream import Frame, Packet

S = 1_000_000_000


def frames_of(config: PatchConfig) -> list[Frame]:
    decoder = NativeDecoder(config.lead_names)
    items = VirtualPatch(config).frames()
    frames = [frame for item in items for frame in decoder.push(Packet(item.data, item.due_ns))]
    assert decoder.count.bad_frames == 0
    return frames


@settings(max_examples=20, deadline=None)
@given(
    scenario=st.sampled_from(sorted(SCENARIOS)),
    leads=st.integers(1, 3),
    rate_hz=st.sampled_from([100.0, 128.0, 250.0, 512.0, 1000.0]),
    seed=st.integers(0, 2**40),
    frame_samples=st.integers(0, 255),
    scale_nv=st.sampled_from([500.0, 1000.0, 2441.406]),
    int24=st.booleans(),
)
def test_decoded_samples_are_those_of_the_model(
    scenario: str,
    leads: int,
    rate_hz: float,
    seed: int,
    frame_samples: int,
    scale_nv: float,
    int24: bool,
) -> None:
    config = PatchConfig(
        scenario=scenario,
        leads=leads,
        rate_hz=rate_hz,
        seed=seed,
        frame_samples=frame_samples,
        scale_nv=scale_nv,
        int24=int24,
        duration_s=15.0,
    )
    received = np.concatenate([frame.samples_uv for frame in frames_of(config)])
    model = EcgModel(SCENARIOS[scenario], leads=config.lead_names, rate_hz=rate_hz, seed=seed)
    made, _ = model.read(received.shape[0])
    assert received.shape[0] > 15.0 * rate_hz - config.samples_per_frame
    np.testing.assert_allclose(received, made, atol=scale_nv / 1000 / 2 + 1e-3)


def test_frames_are_due_when_their_last_sample_is_taken() -> None:
    items = list(itertools.islice(VirtualPatch(PatchConfig()).frames(), 3))
    assert [item.due_ns for item in items] == [24 * S // 250, 49 * S // 250, 74 * S // 250]


def test_counter_clock_and_format_are_those_of_a_device() -> None:
    frames = frames_of(PatchConfig(leads=3, duration_s=2.0))
    assert [frame.counter for frame in frames] == list(range(0, 500, 25))
    assert [frame.device_time_ns for frame in frames] == [k * 100_000_000 for k in range(20)]
    assert frames[0].format.rate_hz == 250
    assert frames[0].format.leads == ("I", "II", "III")


def test_electrodes_off_set_the_bits_of_all_leads() -> None:
    frames = frames_of(PatchConfig("lead_off", leads=2, duration_s=22.0))
    assert {frame.lead_off for frame in frames[:120]} == {0}
    assert {frame.lead_off for frame in frames[120:]} == {0b11}


def test_battery_drains_to_empty() -> None:
    config = PatchConfig(battery_percent=3, drain_percent_per_h=3600.0, duration_s=5.0)
    levels = [frame.battery_percent for frame in frames_of(config)]
    assert levels[0] == 3
    assert levels[-1] == 0
    assert set(levels) == {0, 1, 2, 3}


def test_a_rail_beyond_the_converter_is_clipped() -> None:
    config = PatchConfig("lead_off", scale_nv=100.0, duration_s=22.0)
    top = max(frame.samples_uv.max() for frame in frames_of(config))
    assert top == pytest.approx(3276.7)


def test_a_stream_without_a_duration_goes_on() -> None:
    items = VirtualPatch(PatchConfig(rate_hz=100.0)).frames()
    assert sum(1 for _ in itertools.islice(items, 1000)) == 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [("leads", 4), ("rate_hz", 99.0), ("rate_hz", float("nan")), ("frame_samples", 256)],
)
def test_impossible_devices_are_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        PatchConfig(**{field: value})


def test_options_reach_patch_and_faults() -> None:
    config = parse_config(
        {"scenario": "af", "leads": "2", "fs": "500", "int24": "yes", "drop": "0.1"}
    )
    assert config == PatchConfig("af", 2, 500.0, int24=True, faults=Faults(drop=0.1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenraio": "af"}, "no option scenraio.*scenario"),
        ({"leads": "two"}, "leads=two"),
        ({"int24": "maybe"}, "int24=maybe"),
        ({"fs": "5000"}, "rate_hz=5000"),
        ({"drop": "2"}, "drop=2"),
        ({"scenario": "x"}, "scenario=x is unknown"),
        ({"speed": "0"}, "speed=0"),
    ],
)
def test_bad_options_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(SourceUriError, match=message):
        SimTransport.from_options(options)


def test_the_uri_gives_a_source_that_streams_to_its_end() -> None:
    source = open_source("sim:?scenario=vt&leads=3&fs=250&seed=4&speed=max&duration_s=20")
    source.transport.open()
    packets = [source.transport.read(0.0) for _ in range(200)]
    with pytest.raises(EOFError, match="vt, seed 4"):
        source.transport.read(0.0)
    frames = [frame for packet in packets if packet for frame in source.decoder.push(packet)]
    assert source.finite
    assert sum(frame.samples_uv.shape[0] for frame in frames) == 20 * 250
