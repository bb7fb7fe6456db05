"""`edge probe`: what a device says of itself, and what is measured of it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from edge.cli.run import positive
from edge.errors import Exit

if TYPE_CHECKING:
    from edge.probe import ProbeReport
    from firmware_bridge.stream import StreamFormat


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("uri", metavar="URI", help="the source, as for `edge run --source`")
    parser.add_argument("--for", dest="for_s", type=positive, default=10.0, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Exit code 4 where nothing could be decoded."""
    import msgspec

    from edge.clock import SystemClock
    from edge.probe import probe
    from edge.probe_verdict import verdicts
    from firmware_bridge.source import open_source

    report = probe(open_source(options.uri), options.for_s, SystemClock())
    said = verdicts(report)
    if options.json:
        print(json.dumps({**msgspec.to_builtins(report), "verdicts": said}))
    else:
        _show(report, said)
    if not said:
        print(f"edge: {options.uri}: {_nothing(report)}", file=sys.stderr)
        return Exit.SOURCE
    return Exit.OK


def _nothing(report: ProbeReport) -> str:
    if not report.decoded.bytes:
        return "no bytes came; is the device on, and does it stream?"
    known = f"; {report.resembles}" if report.resembles else ""
    return (
        f"{report.decoded.bytes} bytes came and no frame decodes{known}; "
        "is it another device= or baud= than the URI says?"
    )


def _show(report: ProbeReport, said: tuple[str, ...]) -> None:
    print(f"{'source':<14}{report.source}")
    for name, text in report.about.items():
        print(f"{name:<14}{text}")
    if report.format is not None:
        _show_ecg(report, report.format)
    for each in report.readings:
        print(f"{each.kind:<14}{each.count} readings, the latest {each.newest}")
    if said:
        print(f"{'battery':<14}{_or_unknown(report.battery_percent, ' %')}")
        print(f"{'contact':<14}{_CONTACT[report.contact]}")
    for line in said:
        print(line)


_CONTACT = {True: "yes", False: "no", None: "not told"}


def _show_ecg(report: ProbeReport, form: StreamFormat) -> None:
    samples, decoded = report.samples, report.decoded
    drift = "unknown, takes a minute"
    if samples.drift_ppm is not None:
        drift = f"{samples.drift_ppm:+.1f} ppm"
    rows = {
        "leads": ", ".join(form.leads),
        "rate": f"{form.rate_hz:g} Hz nominal, {report.measured_rate_hz} Hz measured",
        "drift": drift,
        "packets": f"every {report.packet_interval_ms} ms, at most {report.packet_interval_max_ms}",
        "jitter": _or_unknown(report.jitter_ms, " ms"),
        "frames": f"{decoded.frames} intact, {decoded.bad_frames} damaged",
        "samples": f"{samples.delivered} delivered, {samples.gap} lost in {report.seconds} s",
    }
    for name, text in rows.items():
        print(f"{name:<14}{text}")


def _or_unknown(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:g}{unit}"
