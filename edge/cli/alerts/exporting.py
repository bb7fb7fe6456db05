"""`edge alerts export`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge.cli.alerts.selected import config_argument, opened, selection, selection_arguments
from edge.errors import Exit, UsageError

if TYPE_CHECKING:
    from edge.alarm_log.condition import AlarmCondition
    from edge.messages import StripMessage
    from edge.outbox import AlertLog

FORMATS = ("csv", "json", "fhir", "svg", "png")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    config_argument(parser)
    selection_arguments(parser)
    parser.add_argument("--id", default="", metavar="ID", help="the alert whose id begins so")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="default: %(default)s")
    parser.add_argument(
        "--messages", action="store_true", help="every message, not conditions (CSV and JSON)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="a file, or for several pictures a folder (default: standard output)",
    )
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write them. StorageError where there is no log, UsageError where there is nothing to draw."""
    kind = "json" if options.json else options.format
    if options.messages and kind not in ("csv", "json"):
        raise UsageError(f"--messages goes with csv and json, not with {kind}")
    with opened(options.config) as log:
        if kind in ("svg", "png"):
            return _pictures(log, options, kind)
        text = _fhir(log, options) if kind == "fhir" else _rows(log, options, kind)
    with _written_to(options.output) as file:
        file.write(text)
    return Exit.OK


def _rows(log: AlertLog, options: argparse.Namespace, kind: str) -> str:
    from io import StringIO

    from edge.alarm_log.condition import conditions, steps
    from edge.alarm_log.rows import condition_row, step_row, write_csv

    if options.messages:
        rows = [step_row(each) for each in steps(log, selection(options))]
    else:
        rows = [condition_row(each) for each in conditions(log, selection(options))]
    if kind == "json":
        return json.dumps({"alerts" if options.messages else "conditions": rows}) + "\n"
    out = StringIO()
    write_csv(rows, out, options.messages)
    return out.getvalue()


def _fhir(log: AlertLog, options: argparse.Namespace) -> str:
    from edge.alarm_log.condition import conditions, strips_of
    from edge.alarm_log.fhir import alarm_bundle
    from edge.clock import SystemClock

    found = conditions(log, selection(options))
    strips = {each.newest.id: strips_of(log, each.newest.id) for each in found}
    return json.dumps(alarm_bundle(found, strips, SystemClock().utc_ns())) + "\n"


def _pictures(log: AlertLog, options: argparse.Namespace, kind: str) -> int:
    """One file for one strip; several need a folder."""
    from edge.alarm_log.condition import conditions

    if options.output is None:
        raise UsageError(f"say where to write the {kind.upper()}: --output PATH")
    found = conditions(log, selection(options))
    drawn = list(_strips(log, found))
    if not drawn:
        raise UsageError(f"none of the {len(found)} alarm conditions selected has a strip")
    if options.output.suffix.lower() != f".{kind}":
        options.output.mkdir(parents=True, exist_ok=True)
        paths = [options.output / f"{_name(*each)}.{kind}" for each in drawn]
    elif len(drawn) == 1:
        paths = [options.output]
    else:
        raise UsageError(
            f"{len(drawn)} strips, and one file: give a folder to --output, or select one by --id"
        )
    for path, (condition, strip) in zip(paths, drawn, strict=True):
        path.write_bytes(_picture(condition, strip, kind))
        print(path)
    return Exit.OK


def _strips(
    log: AlertLog, found: list[AlarmCondition]
) -> Iterator[tuple[AlarmCondition, StripMessage]]:
    from edge.alarm_log.condition import strips_of

    for condition in found:
        for strip in strips_of(log, condition.newest.id):
            yield condition, strip


def _picture(condition: AlarmCondition, strip: StripMessage, kind: str) -> bytes:
    from edge.alarm_log.condition import recurrence_of
    from edge.strips import render_png, render_svg

    told = (each.message for each in condition.steps)
    alert = next((each for each in told if recurrence_of(each) == strip.recurrence), None)
    return render_png(strip, alert) if kind == "png" else render_svg(strip, alert).encode()


def _name(condition: AlarmCondition, strip: StripMessage) -> str:
    """`p1-20260131T120003Z-vt-17`: in the order of time, and no two alike; `-17-2` for the second
    time that its condition returned."""
    message = condition.began
    time = strip.start[:19].replace("-", "").replace(":", "")
    again = f"-{strip.recurrence}" if strip.recurrence else ""
    return f"{message.patient}-{time}Z-{message.kind}-{message.seq}{again}"


@contextmanager
def _written_to(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file
