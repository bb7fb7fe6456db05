"""`edge run`: monitor patches, from source to alerts."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--source", metavar="URI", help="one source, instead of the configured")
    parser.add_argument("--patient", metavar="ID", help="its pseudonym (default: patient-1)")
    parser.add_argument("--bundle", metavar="NAME|DIR", help="encoder bundle, or none")
    parser.add_argument("--mqtt", metavar="URI", help="broker, such as mqtt://localhost")
    parser.add_argument("--record", metavar="DIR", help="record samples and annotations there")
    parser.add_argument("--for", dest="for_s", type=positive, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="NDJSON on standard output")
    parser.set_defaults(command=run)


def positive(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def run(options: argparse.Namespace) -> int:
    """Run what is configured, or the one source named."""
    from edge.config import Tree, load
    from edge.run import RunOptions, with_bundle
    from edge.run import run as run_configured

    flags: Tree = {}
    if options.source:
        flags["patient"] = [{"id": options.patient or "patient-1", "source": options.source}]
    elif options.patient:
        raise UsageError("--patient names the patient of --source: give both")
    if options.mqtt:
        flags["mqtt"] = {"url": options.mqtt}
    if options.record:
        flags["record"] = {"directory": options.record}
    config = with_bundle(load(options.config, flags), options.bundle)
    if not config.patient:
        raise UsageError(
            "nothing to run: give --source URI, or a configuration with a [[patient]]; "
            "`edge demo` needs neither"
        )
    return run_configured(config, RunOptions(options.for_s, options.json))
