"""What the gateway benchmark asks: how many streams, for how long, and how configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_gateway_feeder import TOKEN
from benchmarks.bench_gateway_signal import FRAME_NS, TOGGLES_HZ, patient
from edge.config import Config
from firmware_bridge.stream import NS_PER_S

__all__ = ["CONFIG", "SETTLE_S", "Load", "configured"]

CONFIG = "config.toml"
ALERTS_HZ = 18.0
"""Alert messages a second, of all streams, at most: a broker and a disk should not be measured at
more than wards could raise; enough for a 99th percentile (662 of them) in 40 s."""

OPEN_S, STREAM_S, SETTLE_S = 1.0, 0.04, 4.0
"""The ramp: so long at least, and so much longer for each stream that is to get its network."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the gateway. speed: so many times faster than life."""

    streams: int
    for_s: float
    speed: float

    @property
    def alarmed(self) -> int:
        """Streams that raise alarms."""
        return max(1, min(self.streams, round(ALERTS_HZ / (TOGGLES_HZ * self.speed))))

    @property
    def ramp_s(self) -> float:
        """Within which all patches are put on."""
        return OPEN_S + STREAM_S * self.streams

    @property
    def frames(self) -> int:
        """Of each patch; the first to begin sends as long as the last is measured."""
        return round((self.ramp_s + SETTLE_S + self.for_s) * self.speed * NS_PER_S / FRAME_NS)


def configured(folder: Path, load: Load, port: int, url: str) -> Config:
    """The configuration, which is written for the gateway as well."""
    lines = [f'[mqtt]\nurl = "{url}"', f'[storage]\ndirectory = "{folder}/state"']
    patients = []
    for k in range(load.streams):
        each = patient(f"p{k}", f"tcp://127.0.0.1:{port}?device=native&token={TOKEN}{k}")
        limits = each.limits
        lines += [
            f'[[patient]]\nid = "{each.id}"\nsource = "{each.source}"',
            f"[patient.limits]\nlead_off_s = {limits.lead_off_s}\nend_s = {limits.end_s}\n"
            f"refractory_s = {limits.refractory_s}",
        ]
        patients.append(each)
    (folder / CONFIG).write_text("\n".join(lines), encoding="utf-8")
    return Config(patient=tuple(patients))
