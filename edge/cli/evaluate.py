"""`edge evaluate`: judge detectors and encoders on annotated recordings."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge.errors import Exit, UsageError

if TYPE_CHECKING:
    from edge.evaluate.job import Job
    from edge.evaluate.ratchet import Gate

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
    parser.add_argument(
        "--lead", type=lead, metavar="N|NAME", help="hear this signal only: from 0, or its name"
    )
    _noise_arguments(parser)
    parser.add_argument(
        "--peers",
        action="store_true",
        help="qrs: also judge xqrs, sleepecg, neurokit2 and ecgdetectors where installed",
    )
    parser.add_argument("--jobs", type=whole, metavar="N", help="processes (default: cores - 1)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    _ratchet_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def _noise_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--noise", type=Path, metavar="FILE", help="WFDB noise record to mix in")
    parser.add_argument("--snr", type=float, metavar="DB", help="signal-to-noise ratio with it")
    parser.add_argument(
        "--noise-from",
        type=noise_start,
        metavar="S|half",
        help="use the noise record from here on only (default: 0)",
    )
    parser.add_argument(
        "--noise-method",
        choices=("nst", "whole"),
        help="nst: on and off in turns (default); whole: over the whole recording",
    )


def _ratchet_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ratchet", type=Path, metavar="FILE", help="exit with 10 where a figure got worse"
    )
    parser.add_argument(
        "--update", action="store_true", help="tighten the ratchet to figures that got better"
    )
    parser.add_argument(
        "--loosen", action="store_true", help="with --update: take worse figures, too"
    )


def whole(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def lead(text: str) -> int | str:
    """A signal by its index or its name."""
    return int(text) if text.isdecimal() else text


def noise_start(text: str) -> float | Literal["half"]:
    """Seconds into the noise record, or half of it."""
    if text == "half":
        return "half"
    try:
        start_s = float(text)
    except ValueError:
        start_s = -1.0
    if not 0 <= start_s < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is neither seconds from 0 nor half")
    return start_s


def run(options: argparse.Namespace) -> int:
    """Judge, and print the report."""
    _check(options)
    from edge.evaluate.parallel import default_jobs
    from edge.evaluate.plots import check_target, draw
    from edge.evaluate.run import evaluate
    from edge.evaluate.tables import show

    job = _job(options)
    if options.plot is not None:
        check_target(options.plot)
    gate = _gate(options, job)
    jobs = default_jobs() if options.jobs is None else options.jobs
    with _progress() as on_record:
        report = evaluate(job, options.records, jobs, on_record)
    report["command"] = _command(options)
    if gate is not None:
        report["ratchet"] = gate.judge(report)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)
    if options.plot is not None:
        draw(report, options.plot)
    return Exit.OK if gate is None else _verdict(report["ratchet"])


def _verdict(ratchet: dict[str, Any]) -> Exit:
    if ratchet["ok"]:
        return Exit.OK
    worse = (row["figure"] for row in ratchet["figures"] if row["verdict"] in ("worse", "gone"))
    print(f"edge: --ratchet {ratchet['file']}: worse: {', '.join(worse)}", file=sys.stderr)
    return Exit.THRESHOLD


def _job(options: argparse.Namespace) -> Job:
    from edge.evaluate.job import Job
    from edge.evaluate.noise import NoiseMix

    noise = None
    if options.noise is not None:
        noise = NoiseMix(
            options.noise, options.snr, options.noise_from or 0.0, options.noise_method or "nst"
        )
    return Job(options.task, options.folder, options.bundle, options.lead, noise, options.peers)


def _gate(options: argparse.Namespace, job: Job) -> Gate | None:
    if options.ratchet is None:
        return None
    from edge.evaluate.ratchet import open_gate
    from edge.evaluate.ratchet_file import evaluation_of

    evaluation = evaluation_of(job, options.records)
    return open_gate(options.ratchet, evaluation, update=options.update, loosen=options.loosen)


def _check(options: argparse.Namespace) -> None:
    if (options.noise is None) != (options.snr is None):
        raise UsageError("--noise FILE and --snr DB go together: give both")
    if options.snr is not None and not -100 <= options.snr <= 100:
        raise UsageError(f"--snr {options.snr:g}: expected -100 to 100 dB")
    if options.noise is None and (options.noise_from or options.noise_method) is not None:
        raise UsageError("--noise-from and --noise-method say how --noise FILE is used: give it")
    if options.ratchet is None and (options.update or options.loosen):
        raise UsageError("--update and --loosen change the bounds of --ratchet FILE: name it")
    if options.loosen and not options.update:
        raise UsageError("--loosen says what --update may do: give both")
    if options.peers and options.task != "qrs":
        raise UsageError("--peers: only `evaluate qrs` has peers to run")
    if options.jobs == 0:
        raise UsageError("--jobs 0: expected 1 or more")


def _command(options: argparse.Namespace) -> str:
    words = ["edge", "evaluate", options.task, str(options.folder), "--bundle", options.bundle]
    for name in ("records", "lead", "noise", "snr", "noise_from", "noise_method"):
        value = getattr(options, name)
        if value is not None:
            words += [
                f"--{name.replace('_', '-')}",
                f"{value:g}" if isinstance(value, float) else str(value),
            ]
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
