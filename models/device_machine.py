"""On what a device was measured: the measurement holds for this machine and these runtimes."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

__all__ = ["Machine", "this_machine"]

RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
    "onnxruntime-directml",
    "ai-edge-litert",
    "tflite-runtime",
)
"""Packages that bring a runtime. A version is asked of each, since importing them takes long."""
_CPU_LINES = ("model name", "CPU implementer", "CPU part", "Hardware", "Model")


class Machine(Struct, frozen=True, forbid_unknown_fields=True):
    """cpu: as the kernel describes it. runtimes: package to version."""

    architecture: str
    cpu: str
    cores: int
    runtimes: dict[str, str]


def this_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """What is known of this machine; it never fails."""
    found = {name: told for name in RUNTIMES if (told := _version(name))}
    return Machine(platform.machine(), _cpu(cpuinfo), os.cpu_count() or 1, found)


def _cpu(cpuinfo: Path) -> str:
    """Each different value of the lines that tell processors and boards apart, in their order."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    parted = (line.partition(":") for line in lines)
    told = [value.strip() for name, _, value in parted if name.strip() in _CPU_LINES]
    return ", ".join(dict.fromkeys(told))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
