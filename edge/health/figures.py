"""Figures of the process and the board, read from the kernel."""

from __future__ import annotations

import resource
import subprocess
import threading
from pathlib import Path

from edge.health.message import BoardHealth, ProcessHealth

__all__ = ["board", "open_files", "process", "resident_bytes"]

THERMAL = Path("/sys/class/thermal")
THROTTLED_NOW = 0xF
"""Bits of `get_throttled`: under-voltage, capped frequency, throttled, soft temperature limit."""
VCGENCMD_S = 2.0


def process() -> ProcessHealth:
    """The process of this moment."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return ProcessHealth(
        rss_bytes=resident_bytes(),
        cpu_s=round(usage.ru_utime + usage.ru_stime, 2),
        threads=threading.active_count(),
        open_files=open_files(),
    )


def board() -> BoardHealth:
    """The machine of this moment."""
    return BoardHealth(temperature_c=_temperature_c(), throttled=_throttled())


def resident_bytes() -> int | None:
    """Memory that the process holds, in bytes; None where the kernel does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()


def open_files() -> int | None:
    """File descriptors in use; None where the kernel does not tell."""
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return None


def _temperature_c() -> float | None:
    """Of the warmest zone."""
    found = [_milli(each) for each in THERMAL.glob("thermal_zone*/temp")]
    known = [each for each in found if each is not None]
    return round(max(known), 1) if known else None


def _milli(path: Path) -> float | None:
    try:
        return int(path.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def _throttled() -> bool | None:
    """What the firmware of a Raspberry Pi says; None elsewhere."""
    if not Path("/dev/vcio").exists():
        return None
    command = ["vcgencmd", "get_throttled"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=VCGENCMD_S, check=True
        )
        return bool(int(done.stdout.strip().partition("=")[2], 16) & THROTTLED_NOW)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
