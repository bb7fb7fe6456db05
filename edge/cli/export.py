"""`edge export`: a recording to files that other programs read."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge.errors import Exit

KINDS = ("edf", "wfdb", "csv", "parquet", "fhir")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "recording", type=Path, metavar="RECORDING", help="what `edge run --record` wrote"
    )
    parser.add_argument("--to", dest="kind", choices=KINDS, required=True, help="what to write")
    parser.add_argument("--out", type=Path, metavar="PATH", help="the file to write")
    parser.add_argument("--patient", metavar="ID", help="whose, where there are several")
    parser.add_argument(
        "--from", dest="from_time", metavar="TIME", help="UTC, or seconds since the beginning"
    )
    parser.add_argument("--until", dest="to_time", metavar="TIME", help="as --from")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the files and say which."""
    from edge.export import Request, export
    from edge.export.span import utc_of
    from edge.record import open_recording

    recording = open_recording(options.recording, options.patient)
    start_ns = recording.start_utc_ns
    times = (options.from_time, options.to_time)
    from_ns, to_ns = (None if each is None else utc_of(each, start_ns) for each in times)
    files = export(Request(recording, from_ns, to_ns), options.kind, options.out)
    if options.json:
        print(json.dumps({"patient": recording.patient, "files": list(map(str, files))}))
    else:
        for path in files:
            print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return Exit.OK
