"""Energy counters: RAPL of PC processors, the power management chip of a Raspberry Pi 5.

RAPL counts microjoules a package (Linux, `Documentation/power/powercap/powercap.rst`); most
kernels let only root read it. The chip gives volts and amperes a rail (`vcgencmd
pmic_read_adc`); their products are added up and taken as constant between two readings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from edge.bench.environment import ROOT, vcgencmd
from edge.clock import Clock
from firmware_bridge.stream import NS_PER_S

__all__ = ["Meter", "find_meter"]

PACKAGE = re.compile(r"intel-rapl:\d+")
READING = re.compile(r"^\s*(\w+)_([AV]) \w+\(\d+\)=([0-9.]+)[AV]\s*$", re.MULTILINE)


class Meter(Protocol):
    """Counts energy. To be read about once a second; one thread at a time."""

    @property
    def counter(self) -> Literal["rapl", "pmic"]:
        """What it reads."""

    def joules(self) -> float:
        """Energy since the meter was made."""


def find_meter(clock: Clock, root: Path = ROOT) -> Meter | None:
    """The counter of this machine, None where there is none, or none that may be read."""
    found = sorted(root.glob("sys/class/powercap/intel-rapl:*"))
    packages = [each for each in found if PACKAGE.fullmatch(each.name)]
    if packages:
        try:
            return RaplMeter(packages)
        except (OSError, ValueError):
            return None
    if root == ROOT and power_w(_pmic()) > 0:
        return PmicMeter(clock, _pmic)
    return None


def _pmic() -> str:
    return vcgencmd("pmic_read_adc") or ""


class RaplMeter:
    """Adds up the packages; each counter begins anew at its `max_energy_range_uj`."""

    counter: Literal["rapl"] = "rapl"

    def __init__(self, domains: list[Path]) -> None:
        """Raises OSError or ValueError where a counter cannot be read."""
        self._files = [domain / "energy_uj" for domain in domains]
        self._ranges_uj = [_whole(domain / "max_energy_range_uj") for domain in domains]
        self._last_uj = [_whole(file) for file in self._files]
        self._total_uj = 0

    def joules(self) -> float:
        """Energy of all packages since it was made."""
        now_uj = [_whole(file) for file in self._files]
        for now, last, top in zip(now_uj, self._last_uj, self._ranges_uj, strict=True):
            self._total_uj += now - last if now >= last else now - last + top
        self._last_uj = now_uj
        return self._total_uj / 1e6


class PmicMeter:
    """Integrates the power of all rails."""

    counter: Literal["pmic"] = "pmic"

    def __init__(self, clock: Clock, read: Callable[[], str]) -> None:
        self._clock = clock
        self._read = read
        self._power_w = power_w(read())
        self._read_ns = clock.monotonic_ns()
        self._joules = 0.0

    def joules(self) -> float:
        """Energy of all rails since it was made, by the trapezoidal rule."""
        power, now_ns = power_w(self._read()), self._clock.monotonic_ns()
        span_s = (now_ns - self._read_ns) / NS_PER_S
        self._joules += (power + self._power_w) / 2 * span_s
        self._power_w, self._read_ns = power, now_ns
        return self._joules


def power_w(answer: str) -> float:
    """Watts of all rails that give both current and voltage."""
    rails: dict[str, dict[str, float]] = {}
    for rail, quantity, value in READING.findall(answer):
        rails.setdefault(rail, {})[quantity] = float(value)
    return sum(each["A"] * each["V"] for each in rails.values() if len(each) == 2)


def _whole(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))
