"""`edge probe`: what a device says of itself, and what is measured of it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.cli.run import positive
from edge.errors import Exit

if TYPE_CHECKING:
    from edge.probe import ProbeReport


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("uri", metavar="URI", help="the source, as for `edge run --source`")
    parser.add_argument("--for", dest="for_s", type=positive, default=10.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Exit code 4 where nothing could be decoded."""
    from edge.clock import SystemClock
    from edge.probe import probe
    from firmware_bridge.source import open_source

    report = probe(open_source(options.uri), options.for_s, SystemClock())
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        _show(report)
    if report.format is None:
        print(f"edge: {options.uri}: {_nothing(report)}", file=sys.stderr)
        return Exit.SOURCE
    return Exit.OK


def _nothing(report: ProbeReport) -> str:
    if report.decoded.bytes:
        return (
            f"{report.decoded.bytes} bytes came and no frame decodes; "
            "is it another device= or baud= than the URI says?"
        )
    return "no bytes came; is the device on, and does it stream?"


def _show(report: ProbeReport) -> None:
    samples, decoded = report.samples, report.decoded
    print(f"source    {report.source}")
    if report.format is None:
        return
    battery = "unknown" if report.battery_percent is None else f"{report.battery_percent} %"
    drift = "unknown" if samples.drift_ppm is None else f"{samples.drift_ppm:+.1f} ppm"
    print(f"leads     {', '.join(report.format.leads)}")
    print(f"off       {', '.join(report.leads_off) or 'none'}")
    print(f"rate      {report.format.rate_hz:g} Hz nominal, {report.measured_rate_hz} Hz measured")
    print(f"drift     {drift} (known after a minute)")
    print(
        f"packets   every {report.packet_interval_ms} ms, at most {report.packet_interval_max_ms}"
    )
    print(f"frames    {decoded.frames} intact, {decoded.bad_frames} damaged")
    print(f"samples   {samples.delivered} delivered, {samples.gap} lost in {report.seconds} s")
    print(f"battery   {battery}")
