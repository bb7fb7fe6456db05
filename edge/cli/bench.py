"""`edge bench`: how fast this device runs the whole path, and what it costs; compare reports."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.cli.run import positive
from edge.errors import Exit, UsageError

MOST_S = 3600.0
MOST_STREAMS = 2000
DEFAULT_THRESHOLD_PERCENT = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments, and those of `compare`."""
    parser.add_argument("--bundle", metavar="NAME|DIR", help="encoder bundle, or none")
    parser.add_argument(
        "--for", dest="for_s", type=positive, metavar="SECONDS", help="in all (default: 30)"
    )
    parser.add_argument(
        "--streams", type=count, metavar="N", help="patients in real time (default: 1)"
    )
    parser.add_argument(
        "--source", metavar="URI", help="signal to play (default: the virtual patch)"
    )
    parser.add_argument(
        "--mqtt", metavar="URI", help="publish to this broker (default: one of its own)"
    )
    parser.add_argument(
        "--provider",
        metavar="NAME|all",
        help="runtime or execution provider; all: each that is here, side by side",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    parser.set_defaults(command=run)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    purpose = "compare two reports; exit code 10 where something got worse"
    _compare_arguments(
        actions.add_parser("compare", help=purpose, description=f"{purpose.capitalize()}.")
    )


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", type=Path, metavar="A.json", help="report of `edge bench --json`")
    parser.add_argument("b", type=Path, metavar="B.json", help="the later one")
    parser.add_argument(
        "--threshold",
        type=threshold,
        default=DEFAULT_THRESHOLD_PERCENT,
        metavar="PERCENT",
        help="changes up to this count as none (default: 10)",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="though machine, signal or streams differ"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=compare)


def count(text: str) -> int:
    """A whole number of streams."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_STREAMS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_STREAMS}")
    return int(text)


def threshold(text: str) -> float:
    """Percent, from 0."""
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 <= percent < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0")
    return percent


def run(options: argparse.Namespace) -> int:
    """Measure, and print the report."""
    if options.for_s is not None and options.for_s > MOST_S:
        raise UsageError(f"--for {options.for_s:g}: at most {MOST_S:g} s")
    from edge.cli.warmup import load_kernels
    from edge.lean_start import lean_start

    with lean_start():
        load_kernels()
        import msgspec

        from edge.bench.page import check_target, write_page
        from edge.bench.run import Options, bench
        from edge.bench.tables import show

    if options.html is not None:
        check_target(options.html)
    names = ("bundle", "for_s", "streams", "source", "mqtt", "provider")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    with _progress() as on_part:
        report = bench(Options(**given, command=_command(given)), on_part=on_part)
    if options.json:
        print(msgspec.json.encode(report).decode())
    else:
        show(report)
    if options.html is not None:
        write_page(report, options.html)
    return Exit.OK


def compare(options: argparse.Namespace) -> int:
    """Compare two reports; exit code 10 where something got worse."""
    import msgspec

    from edge.bench.compare import compare as compare_reports
    from edge.bench.compare import load_report
    from edge.bench.tables import show_comparison

    a, b = load_report(options.a), load_report(options.b)
    names = (str(options.a), str(options.b))
    comparison = compare_reports(a, b, options.threshold, names, options.anyway)
    if options.json:
        print(msgspec.json.encode(comparison).decode())
    else:
        show_comparison(comparison)
    if comparison.ok:
        return Exit.OK
    worse = ", ".join(row.figure for row in comparison.figures if row.verdict == "worse")
    print(f"edge: worse beyond {options.threshold:g} %: {worse}", file=sys.stderr)
    return Exit.THRESHOLD


def _command(given: dict[str, object]) -> str:
    from firmware_bridge.source import redact

    words = ["edge", "bench"]
    for name, value in given.items():
        told = f"{value:g}" if isinstance(value, float) else str(value)
        told = redact(told) if name == "source" else told
        words += [f"--{'for' if name == 'for_s' else name}", told]
    return shlex.join(words)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being measured, on standard error, where that is a terminal."""
    from edge.terminal import is_live

    if not is_live(sys.stderr):
        yield lambda _part: None
        return
    from rich.console import Console

    with Console(stderr=True).status("measuring") as status:
        yield lambda part: status.update(f"measuring: {part}")
