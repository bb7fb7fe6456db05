"""`edge config`: check, show or describe the configuration."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec

from edge import config
from edge.errors import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=("check", "show", "schema"))
    parser.add_argument("file", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Exit code 0 where the configuration holds; ConfigError otherwise."""
    if options.action == "schema":
        print(json.dumps(config.schema(), indent=2))
        return Exit.OK
    loaded = config.load(options.file)
    if options.action == "show":
        print(json.dumps(msgspec.to_builtins(loaded), indent=2))
        return Exit.OK
    _check_parts(loaded)
    summary = {"ok": True, "patients": [patient.id for patient in loaded.patient]}
    print(json.dumps(summary) if options.json else f"ok: {len(loaded.patient)} patient(s)")
    return Exit.OK


def _check_parts(loaded: config.Config) -> None:
    """Sources, bundles and sinks that are named exist; raises what `edge run` would."""
    from edge.assemble import encoder_factory
    from edge.commands.keys import load_keys
    from edge.sink import find_sink
    from firmware_bridge.source import open_source

    for patient in loaded.patient:
        open_source(patient.source)
        encoder_factory(loaded.bundle_of(patient), loaded.encoder.device)
    load_keys(loaded.commands.key_settings())
    for sink in loaded.sink:
        find_sink(sink.name)
