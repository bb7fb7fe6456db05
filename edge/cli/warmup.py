"""`edge warmup`: compile the signal kernels once, so that no start waits for a compiler."""

from __future__ import annotations

import argparse
import importlib

from edge.errors import Exit

KERNEL_MODULES = (
    "edge.ring",
    "edge.condition",
    "edge.resample",
    "edge.quality",
    "edge.qrs",
    "models.kernels",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.set_defaults(command=run)


def run(_: argparse.Namespace) -> int:
    """Importing a kernel module compiles it, or loads what was compiled before."""
    for module in KERNEL_MODULES:
        importlib.import_module(module)
    print("signal kernels are compiled and cached")
    return Exit.OK
