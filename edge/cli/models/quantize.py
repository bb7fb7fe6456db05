"""`edge models quantize`: an int8 bundle of a float one, written only where that is a gain."""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.models.judgement import judgement_argument
from edge.cli.models.named import bundle_argument, named_bundle
from edge.cli.models.output_folder import check_free
from edge.errors import Exit

if TYPE_CHECKING:
    from edge.cli.models.quantising import Outcome

BOUND_POINTS = 0.3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bundle_argument(parser)
    parser.add_argument(
        "--data", type=Path, metavar="DIR", required=True, help="recordings to calibrate on"
    )
    parser.add_argument(
        "--records",
        metavar="A,B",
        help="names; also ds1 (default: all but those set aside for judging)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="the new bundle")
    parser.add_argument(
        "--judge",
        type=judgement_argument,
        action="append",
        default=[],
        metavar="TASK=DIR[@A,B]",
        help="compare the figures of `edge evaluate TASK DIR --records A,B`; qrs, beats, rhythm",
    )
    parser.add_argument(
        "--bound",
        type=points,
        metavar="POINTS",
        default=BOUND_POINTS,
        help="refuse a figure that is worse by more percentage points (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=processes, default=1, metavar="N", help="for --judge")
    parser.add_argument("--force", action="store_true", help="write it even if slower or worse")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def points(text: str) -> float:
    """A number from 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return value


def processes(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Quantise, compare, judge; write the bundle unless it is slower or worse.

    UsageError, SourceError, ModelError: what was given does not fit.
    """
    from edge.cli.models.quantising import Request, quantised

    check_free(options.out)
    bundle = named_bundle(options, "quantize")
    request = Request(
        bundle=bundle,
        data=options.data,
        records=options.records,
        judge=tuple(options.judge),
        bound_points=options.bound,
        jobs=options.jobs,
        command=_command(options),
    )
    with tempfile.TemporaryDirectory(prefix="edge-quantize-") as scratch:
        outcome = quantised(request, Path(scratch) / "candidate")
    written = options.force or not outcome.refused
    if written:
        outcome.write(options.out)
    _print(outcome, options.out if written else None, options.json)
    return Exit.OK if written else Exit.THRESHOLD


def _print(outcome: Outcome, written: Path | None, as_json: bool) -> None:
    if as_json:
        report = outcome.report()
        print(
            json.dumps({"ok": not outcome.refused, "written": written and str(written), **report})
        )
        return
    for line in outcome.lines():
        print(line)
    if written:
        forced = " although refused (--force)" if outcome.refused else ""
        print(f"written   {written}{forced}")
    else:
        print("refused   nothing was written; --force writes it all the same")


def _command(options: argparse.Namespace) -> str:
    """As a reader can repeat it: folders by their last part."""
    words = ["edge", "models", "quantize", Path(options.bundle).name, "--data", options.data.name]
    words += ["--records", options.records] if options.records else []
    for each in options.judge:
        records = f"@{each.records}" if each.records else ""
        words += ["--judge", f"{each.task}={each.folder.name}{records}"]
    return shlex.join([*words, "--out", options.out.name])
