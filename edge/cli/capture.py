"""`edge capture`: a source's raw bytes to a file that `replay:` plays back exactly."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge.cli.run import positive
from edge.errors import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("uri", metavar="URI", help="the source, as for `edge run --source`")
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")
    parser.add_argument("--for", dest="for_s", type=positive, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Until the time is up, the source ends, or Ctrl-C."""
    from edge.capture import capture
    from edge.clock import SystemClock

    report = capture(options.uri, options.file, options.for_s, SystemClock())
    if options.json:
        print(json.dumps(report))
    else:
        print(
            f"{report['packets']} packets, {report['bytes']} bytes, "
            f"{report['frames']} frames in {options.file}"
        )
        print(f"play it back: edge run --source 'replay:{options.file}'")
    return Exit.OK
