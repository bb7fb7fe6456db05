"""`edge warmup`: compile kernels and measure devices once, so that no start waits for either."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import Exit

if TYPE_CHECKING:
    from edge.config import Config

KERNEL_MODULES = (
    "edge.ring",
    "edge.condition",
    "edge.resample",
    "edge.quality",
    "edge.qrs",
    "edge.signal_path",
    "models.kernels",
    "models.beat_stage",
    "models.beat_window",
    "models.peaks",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--bundle", metavar="NAME|DIR", help="encoder bundle, or none")
    parser.add_argument("--again", action="store_true", help="measure though that is done already")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Compile and measure what is not yet. Raises ConfigError, ModelError for a bundle that cannot
    be trusted.
    """
    load_kernels()
    print("signal kernels are compiled and cached", flush=True)
    from edge.config import load

    config = load(options.config)
    if config.encoder.device == "auto" or options.bundle:
        for name in [options.bundle] if options.bundle else _bundles(config):
            _measure(name, options.again)
    return Exit.OK


def load_kernels() -> None:
    """Importing a kernel module compiles it, or loads what was compiled before."""
    for module in KERNEL_MODULES:
        importlib.import_module(module)


def _bundles(config: Config) -> list[str]:
    """Those of the patients, else the default one."""
    named = [config.bundle_of(patient) for patient in config.patient]
    return list(dict.fromkeys(named or [config.encoder.bundle]))


def _measure(name: str, again: bool) -> None:
    from edge.bundles import NO_BUNDLE
    from edge.cli.models.devices import measure_and_keep, told
    from models.auto_device import auto_order
    from models.bundle import load_bundle
    from models.device_name import ONNX_RUNTIME
    from models.device_record import measured

    if name == NO_BUNDLE:
        return
    bundle = load_bundle(name)
    if bundle.manifest.runtime.name != ONNX_RUNTIME:
        return
    known = None if again else measured(bundle.sha256)
    for trial in known.trials if known else measure_and_keep(bundle):
        print(f"{bundle.manifest.name}: {told(trial)}")
    print(f"{bundle.manifest.name}: auto takes {auto_order(bundle)[0]}", flush=True)
