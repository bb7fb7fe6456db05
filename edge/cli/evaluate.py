"""`edge evaluate`: judge detectors and encoders on annotated recordings."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import Exit, UsageError

TASKS = {
    "qrs": "QRS detection, beat by beat (EC57)",
    "beats": "AAMI beat classes, VEB and SVEB (EC57)",
    "rhythm": "AF and VF by episode and duration; on CinC 2017: AF and F1",
    "alarms": "alarms true, false and missed, and their delay",
}
DEFAULT_BUNDLE = "tcn-s"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    described = "; ".join(f"{name}: {purpose}" for name, purpose in TASKS.items())
    parser.add_argument("task", choices=tuple(TASKS), help=described)
    parser.add_argument("folder", type=Path, metavar="DIR", help="WFDB records with annotations")
    parser.add_argument(
        "--records", metavar="A,B", help="names; also ds1, ds2, vfdb-test, cinc-dev (default: all)"
    )
    parser.add_argument(
        "--bundle", metavar="NAME|DIR", default=DEFAULT_BUNDLE, help="encoder bundle, or none"
    )
    parser.add_argument("--lead", type=whole, metavar="N", help="hear this signal only, from 0")
    parser.add_argument("--noise", type=Path, metavar="FILE", help="WFDB noise record to mix in")
    parser.add_argument("--snr", type=float, metavar="DB", help="signal-to-noise ratio with it")
    parser.add_argument(
        "--peers", action="store_true", help="qrs: also judge xqrs, sleepecg, neurokit2"
    )
    parser.add_argument("--jobs", type=whole, metavar="N", help="processes (default: cores - 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def whole(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Judge, and print the report."""
    _check(options)
    from edge.evaluate.parallel import default_jobs
    from edge.evaluate.run import Job, evaluate
    from edge.evaluate.table import show

    job = Job(
        task=options.task,
        folder=options.folder,
        bundle=options.bundle,
        lead=options.lead,
        noise=options.noise,
        snr_db=options.snr,
        peers=options.peers,
    )
    jobs = default_jobs() if options.jobs is None else options.jobs
    with _progress() as on_record:
        report = evaluate(job, options.records, jobs, on_record)
    report["command"] = _command(options)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)
    return Exit.OK


def _check(options: argparse.Namespace) -> None:
    if (options.noise is None) != (options.snr is None):
        raise UsageError("--noise FILE and --snr DB go together: give both")
    if options.snr is not None and not -100 <= options.snr <= 100:
        raise UsageError(f"--snr {options.snr:g}: expected -100 to 100 dB")
    if options.peers and options.task != "qrs":
        raise UsageError("--peers: only `evaluate qrs` has peers to run")
    if options.jobs == 0:
        raise UsageError("--jobs 0: expected 1 or more")


def _command(options: argparse.Namespace) -> str:
    words = ["edge", "evaluate", options.task, str(options.folder), "--bundle", options.bundle]
    for name in ("records", "lead", "noise", "snr"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", f"{value:g}" if name == "snr" else str(value)]
    return shlex.join([*words, *(["--peers"] if options.peers else [])])


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal."""
    from edge.terminal import is_live

    if not is_live(sys.stderr):
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("records", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)
