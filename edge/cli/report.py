"""`edge report`: a Holter report of a recording, as HTML page and PDF."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import Exit

if TYPE_CHECKING:
    from edge.holter.findings import Findings
    from edge.holter.times import Times


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "recording", type=Path, metavar="RECORDING", help="what `edge run --record` wrote"
    )
    parser.add_argument(
        "--output",
        type=Path,
        action="append",
        metavar="FILE.html|FILE.pdf",
        help="what to write, once or twice (default: PATIENT-report.html)",
    )
    parser.add_argument("--patient", metavar="ID", help="whose, where there are several")
    parser.add_argument(
        "--from", dest="from_time", metavar="TIME", help="UTC, or seconds since the beginning"
    )
    parser.add_argument("--until", "--to", dest="to_time", metavar="TIME", help="as --from")
    parser.add_argument(
        "--timezone", default="UTC", metavar="NAME", help="of the times shown: Europe/Berlin"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="the figures as one JSON object; files only where --output names them",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the files and say which, or tell the figures."""
    from edge.export.span import utc_of
    from edge.holter.placing import Window
    from edge.holter.report import analyse, check_targets, write
    from edge.record import open_recording

    recording = open_recording(options.recording, options.patient)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", recording.patient)[:64]
    default = [] if options.json else [Path(f"{name}-report.html")]
    files: list[Path] = options.output or default
    check_targets(files)
    start_ns = recording.start_utc_ns
    times = (options.from_time, options.to_time)
    from_ns, to_ns = (None if each is None else utc_of(each, start_ns) for each in times)
    analysed = analyse(Window(recording, from_ns, to_ns), options.timezone)
    if files:
        write(analysed, files)
    if options.json:
        from edge.holter.figures import as_json

        print(json.dumps(as_json(analysed.findings) | {"files": list(map(str, files))}))
    else:
        _say(analysed.findings, analysed.times, files)
    return Exit.OK


def _say(findings: Findings, times: Times, files: list[Path]) -> None:
    from edge.holter.summary import key_findings

    for sentence in key_findings(findings, times):
        print(sentence)
    for path in files:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
