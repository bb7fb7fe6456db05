"""`edge demo`: the whole path on one machine, with nothing plugged in."""

from __future__ import annotations

import argparse

from edge.cli.run import positive


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--for", dest="for_s", type=positive, default=60.0, metavar="SECONDS")
    parser.add_argument("--scenario", default="tour", metavar="NAME", help="see docs/virtual-patch")
    parser.add_argument("--mqtt", metavar="URI", help="publish to this broker")
    parser.add_argument("--json", action="store_true", help="NDJSON on standard output")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the demonstration."""
    from edge.demo import DemoOptions, demo

    return demo(DemoOptions(options.scenario, options.for_s, options.json, options.mqtt))
