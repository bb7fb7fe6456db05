"""What a figure was measured on: board, processor, clock, temperature, versions.

Read from files that Linux keeps for it; what a machine does not tell is None.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge.bench.report import Condition, Environment

__all__ = ["ROOT", "UNKNOWN", "condition", "environment", "filesystem", "load_1min", "vcgencmd"]

ROOT = Path("/")
UNKNOWN = "unknown"

LIBRARIES = (
    "edge",
    "numpy",
    "numba",
    "onnxruntime",
    "ai-edge-litert",
    "msgspec",
    "paho-mqtt",
)

ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
}
"""`CPU part` of /proc/cpuinfo for processors of Arm Ltd., from their technical reference manuals
(MIDR_EL1); such kernels give no model name."""

THROTTLED = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage since boot",
    17: "clock capped since boot",
    18: "throttled since boot",
    19: "soft temperature limit since boot",
}
"""Bits of `vcgencmd get_throttled`, from the documentation of the Raspberry Pi."""

CPU0 = "sys/devices/system/cpu/cpu0"
PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
PC_THROTTLES = f"{CPU0}/thermal_throttle/package_throttle_count"
PROCESSOR_ZONES = ("cpu", "soc", "x86_pkg", "acpitz")
VCGENCMD_S = 2.0


def environment(before: Condition, load_1min: float | None, root: Path = ROOT) -> Environment:
    """The machine now; `before` and `load_1min` were taken when the measurement began."""
    top_khz = _number(root / CPU0 / "cpufreq/cpuinfo_max_freq")
    return Environment(
        board=_board(root),
        cpu=_cpu(root),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
        cores_usable=_usable(),
        governor=_text(root / CPU0 / "cpufreq/scaling_governor"),
        clock_max_mhz=None if top_khz is None else top_khz / 1000,
        kernel=platform.release(),
        python=platform.python_version(),
        libraries={name: found for name in LIBRARIES if (found := _version(name))},
        load_1min=load_1min,
        before=before,
        after=condition(root),
    )


def condition(root: Path = ROOT) -> Condition:
    """Temperature, clock and throttling at this moment."""
    now_khz = _number(root / CPU0 / "cpufreq/scaling_cur_freq")
    return Condition(
        temperature_c=_temperature_c(root),
        clock_mhz=_proc_mhz(root) if now_khz is None else now_khz / 1000,
        throttled=_throttled(root),
    )


def load_1min() -> float | None:
    """Load average of the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def filesystem(path: Path, root: Path = ROOT) -> str | None:
    """Type of the file system that holds a path: of the longest mount point above it."""
    found: tuple[int, str] | None = None
    for line in (_text(root / "proc/self/mounts") or "").splitlines():
        _, point, kind, *_ = (*line.split(" "), "", "", "")
        above = Path(point)
        if point and (above == path or above in path.resolve().parents):
            depth = len(above.parts)
            found = max(found or (depth, kind), (depth, kind), key=lambda each: each[0])
    return found[1] if found else None


def vcgencmd(*words: str) -> str | None:
    """What the Raspberry Pi's firmware answers; None on other machines."""
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=VCGENCMD_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _board(root: Path) -> str:
    model = _text(root / "proc/device-tree/model")
    if model:
        return model
    names = [_text(root / "sys/class/dmi/id" / each) for each in ("sys_vendor", "product_name")]
    return " ".join(name for name in names if name) or UNKNOWN


def _cpu(root: Path) -> str:
    facts = _cpu_facts(root)
    if "model name" in facts:
        return facts["model name"]
    if facts.get("CPU implementer") == "0x41" and facts.get("CPU part") in ARM_PARTS:
        return ARM_PARTS[facts["CPU part"]]
    return platform.processor() or platform.machine()


def _cpu_facts(root: Path) -> dict[str, str]:
    """Of the first processor that /proc/cpuinfo describes."""
    facts: dict[str, str] = {}
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    return facts


def _proc_mhz(root: Path) -> float | None:
    try:
        return float(_cpu_facts(root)["cpu MHz"])
    except (KeyError, ValueError):
        return None


def _usable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _temperature_c(root: Path) -> float | None:
    """Of the processor's zone, else of the first one."""
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
    named = [zone for zone in zones if (_text(zone / "type") or "").startswith(PROCESSOR_ZONES)]
    for zone in [*named, *zones]:
        milli = _number(zone / "temp")
        if milli is not None:
            return round(milli / 1000, 1)
    return None


def _throttled(root: Path) -> list[str] | None:
    answer = _text(root / PI_THROTTLED) or (vcgencmd("get_throttled") if root == ROOT else None)
    if answer:
        return _reasons(answer)
    count = _number(root / PC_THROTTLES)
    if count is None:
        return None
    return [f"throttled {count:.0f} times since boot"] if count else []


def _reasons(answer: str) -> list[str] | None:
    """Words of `throttled=0x50005`, or of the bare hexadecimal number."""
    try:
        bits = int(answer.strip().rpartition("=")[2], 16)
    except ValueError:
        return None
    return [words for bit, words in THROTTLED.items() if bits >> bit & 1]


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
