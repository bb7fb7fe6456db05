"""The device itself: a scenario in, timed native frames out. It knows no clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.native import encode_frame
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.faults import FaultCount, Faults, FaultyLink
from firmware_bridge.patch.noise import NoiseLevels
from firmware_bridge.patch.scenarios import Truth, scenario_named, truth
from firmware_bridge.stream import NS_PER_S

__all__ = ["LEADS", "PatchConfig", "VirtualPatch"]

LEADS = {1: ("II",), 2: ("I", "II"), 3: ("I", "II", "III")}
"""Names of the leads by their number; a single lead is II, as monitors have it."""

_S_PER_H = 3600.0
_US_PER_S = 1_000_000
_BOOT_IDS = 256


@dataclass(frozen=True, slots=True)
class PatchConfig:
    """A virtual patch.

    scenario: a key of `SCENARIOS`. leads: 1 to 3. rate_hz: 100 to 1000. noise: factor on the
    usual noise of a worn device, 0 to 100. frame_samples: 1 to 255 a lead, 0 for a tenth of a
    second. scale_nv: nanovolts of one digital step. int24: 24-bit samples instead of 16-bit.
    battery_percent: charge at the start, drained by drain_percent_per_h. duration_s: length
    of the stream, None for no end. Raises ValueError, or SourceUriError for the scenario.
    """

    scenario: str = "sinus"
    leads: int = 1
    rate_hz: float = 250.0
    seed: int = 1
    noise: float = 1.0
    mains_hz: float = 50.0
    frame_samples: int = 0
    scale_nv: float = 1000.0
    int24: bool = False
    battery_percent: float = 100.0
    drain_percent_per_h: float = 1.0
    duration_s: float | None = None
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        scenario_named(self.scenario)
        _check("leads", self.leads, 1, 3)
        _check("rate_hz", self.rate_hz, 100, 1000)
        _check("seed", self.seed, 0, 2**63 - 1)
        _check("noise", self.noise, 0, 100)
        _check("mains_hz", self.mains_hz, 16, 400)
        _check("frame_samples", self.frame_samples, 0, 255)
        _check("scale_nv", self.scale_nv, 1, 1e6)
        _check("battery_percent", self.battery_percent, 0, 100)
        _check("drain_percent_per_h", self.drain_percent_per_h, 0, 1e6)
        _check("duration_s", 0.0 if self.duration_s is None else self.duration_s, 0, 1e9)

    @property
    def lead_names(self) -> tuple[str, ...]:
        """Names of the leads, in wire order."""
        return LEADS[self.leads]

    @property
    def samples_per_frame(self) -> int:
        """Samples a lead of every frame."""
        return self.frame_samples or round(self.rate_hz / 10)

    @property
    def rate_on_wire_hz(self) -> float:
        """True rate of the samples: nominal rate times the error of the crystal."""
        return self.rate_hz * (1 + self.faults.drift_ppm * 1e-6)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}={value:g} is not {low:g} to {high:g}")


class VirtualPatch:
    """One run of a virtual patch; the same configuration gives the same bytes."""

    def __init__(self, config: PatchConfig) -> None:
        self._config = config
        self._link = FaultyLink(config.faults, config.seed)
        self._model = EcgModel(
            scenario_named(config.scenario),
            leads=config.lead_names,
            rate_hz=config.rate_hz,
            seed=config.seed,
            noise=NoiseLevels(mains_hz=config.mains_hz).scaled(config.noise),
        )

    @property
    def config(self) -> PatchConfig:
        """What it was made from."""
        return self._config

    @property
    def fault_count(self) -> FaultCount:
        """What the faults did to the frames handed out so far."""
        return self._link.count

    def truth(self, duration_s: float) -> Truth:
        """Beats and episodes of the first `duration_s` seconds, by the device's own clock."""
        return truth(scenario_named(self._config.scenario), self._config.seed, duration_s)

    def frames(self) -> Iterator[TimedBytes]:
        """Frames as they arrive, each due when its last sample is taken. To be called once."""
        return self._link.carry(self._sent_frames())

    def _sent_frames(self) -> Iterator[TimedBytes]:
        first = 0
        for boot in itertools.count():
            booted = first
            for _ in self._frames_a_boot():
                if self._is_over(first):
                    return
                yield self._frame(first, first - booted, boot)
                first += self._config.samples_per_frame
            dark = round(self._config.faults.reboot_s * self._config.rate_hz)
            self._model.read(dark)
            first += dark

    def _frames_a_boot(self) -> Iterable[int]:
        every_s = self._config.faults.reboot_every_s
        if not every_s:
            return itertools.count()
        samples = every_s * self._config.rate_hz
        return range(max(1, int(samples) // self._config.samples_per_frame))

    def _is_over(self, first: int) -> bool:
        if self._config.duration_s is None:
            return False
        stop = first + self._config.samples_per_frame
        return stop > self._config.duration_s * self._config.rate_hz

    def _frame(self, first: int, sequence: int, boot: int) -> TimedBytes:
        config = self._config
        samples_uv, off = self._model.read(config.samples_per_frame)
        data = encode_frame(
            self._digital(samples_uv),
            rate_hz=config.rate_hz,
            scale_nv=config.scale_nv,
            sequence=sequence,
            device_time_us=round(sequence / config.rate_hz * _US_PER_S),
            lead_off=(1 << config.leads) - 1 if off.any() else 0,
            battery_percent=self._battery_percent(first),
            boot_id=boot % _BOOT_IDS,
            int24=config.int24,
        )
        last = first + config.samples_per_frame - 1
        return TimedBytes(data, round(last / config.rate_on_wire_hz * NS_PER_S))

    def _digital(self, samples_uv: NDArray[np.float64]) -> NDArray[np.int32]:
        top = (1 << (23 if self._config.int24 else 15)) - 1
        steps = np.rint(samples_uv * (1000.0 / self._config.scale_nv))
        return np.clip(steps, -top - 1, top).astype(np.int32)

    def _battery_percent(self, first: int) -> int:
        hours = first / self._config.rate_hz / _S_PER_H
        left = self._config.battery_percent - hours * self._config.drain_percent_per_h
        return max(0, math.floor(left))
