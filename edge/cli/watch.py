"""`edge watch`: patients of a running edge in a terminal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.run import positive
from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.watching.heard import Source


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "config", nargs="?", type=Path, metavar="CONFIG.toml", help="whose [mqtt] table to use"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--view",
        metavar="URL",
        help="page of `edge run --view`, with the signal (default: http://127.0.0.1:8765)",
    )
    way.add_argument("--mqtt", metavar="URI", help="broker, such as mqtt://localhost; no signal")
    parser.add_argument("--patient", metavar="ID", default="", help="this one alone")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the page's token")
    parser.add_argument("--ca-file", default="", metavar="FILE", help="authority of the page's TLS")
    parser.add_argument("--for", dest="for_s", type=positive, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="NDJSON on standard output")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Watch until time is up or somebody interrupts."""
    from edge.watching import WatchOptions, watch

    return watch(_source(options), WatchOptions(options.for_s, options.json))


def _source(options: argparse.Namespace) -> Source:
    from edge.messages import checked_id

    try:
        patient = checked_id(options.patient) if options.patient else ""
    except ValueError as error:
        raise UsageError(f"--patient: {error}") from None
    if options.mqtt or (options.config and not options.view):
        return _broker(options, patient)
    from edge.view_settings import DEFAULT_HOST, DEFAULT_PORT, ViewSettings
    from edge.watching.feed import FeedSource

    token = ViewSettings(token_file=str(options.token_file or "")).token()
    url = options.view or f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
    return FeedSource(url, token, options.ca_file, patient)


def _broker(options: argparse.Namespace, patient: str) -> Source:
    from edge.config import load
    from edge.watching.mqtt import MqttSource

    if options.token_file or options.ca_file:
        raise UsageError("--token-file and --ca-file belong to --view; MQTT has its [mqtt] table")
    config = load(options.config, {"mqtt": {"url": options.mqtt}} if options.mqtt else {})
    if config.mqtt is None:
        raise UsageError("nothing to watch: the configuration has no [mqtt] table; give --mqtt URI")
    return MqttSource(config.mqtt, patient)
