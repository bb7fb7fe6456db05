"""`edge demo`: the whole path on one machine, with nothing plugged in."""

from __future__ import annotations

import argparse

from edge.cli.broker import BROKER, broker_settings
from edge.cli.run import positive


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--for", dest="for_s", type=positive, default=60.0, metavar="SECONDS")
    parser.add_argument("--scenario", default="tour", metavar="NAME", help="see docs/virtual-patch")
    parser.add_argument("--mqtt", metavar=BROKER, help="publish there, below BASE-demo")
    parser.add_argument("--json", action="store_true", help="NDJSON on standard output")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the demonstration."""
    from edge.cli.warmup import load_kernels
    from edge.lean_start import lean_start

    with lean_start():
        load_kernels()
        from edge.demo import DemoOptions, demo

    mqtt = None if options.mqtt is None else broker_settings(options.mqtt)
    return demo(DemoOptions(options.scenario, options.for_s, options.json, mqtt))
