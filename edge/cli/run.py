"""`edge run`: monitor patches, from source to alerts."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from edge.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--source", metavar="URI", help="one source, instead of the configured")
    parser.add_argument("--patient", metavar="ID", help="its pseudonym (default: patient-1)")
    parser.add_argument("--bundle", metavar="NAME|DIR", help="encoder bundle, or none")
    parser.add_argument("--mqtt", metavar="URI", help="broker: mqtt://localhost, mqtts://HOST")
    parser.add_argument("--record", metavar="DIR", help="record samples and annotations there")
    parser.add_argument(
        "--view",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="show the live page in browsers (default: 127.0.0.1:8765 or the next free port)",
    )
    parser.add_argument("--lsl", action="store_true", help="outlets for the Lab Streaming Layer")
    parser.add_argument("--for", dest="for_s", type=positive, metavar="SECONDS")
    parser.add_argument("--json", action="store_true", help="NDJSON on standard output")
    about = "end the process where a part hangs: somebody starts it again (implied by systemd)"
    parser.add_argument("--supervised", action="store_true", help=about)
    parser.set_defaults(command=run)


def positive(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def run(options: argparse.Namespace) -> int:
    """Run what is configured, or the one source named."""
    _survive_early_hangups()
    from edge.cli.warmup import load_kernels
    from edge.lean_start import lean_start

    with lean_start():
        load_kernels()
        from edge.config import Tree, load
        from edge.run import RunOptions, with_bundle
        from edge.run import run as run_configured

    flags: Tree = {}
    if options.source:
        flags["patient"] = [{"id": options.patient or "patient-1", "source": options.source}]
    elif options.patient:
        raise UsageError("--patient names the patient of --source: give both")
    if options.mqtt:
        flags["mqtt"] = {"url": options.mqtt}
    if options.record:
        flags["record"] = {"directory": options.record}
    if options.lsl:
        flags["lsl"] = {"enabled": True}
    if options.view is not None:
        flags["view"] = {"listen": options.view} if options.view else {}
    config = with_bundle(load(options.config, flags), options.bundle)
    if not config.patient:
        raise UsageError(
            "nothing to run: give --source URI, or a configuration with a [[patient]]; "
            "`edge demo` needs neither"
        )
    how = RunOptions(options.for_s, options.json, supervised=options.supervised)
    return run_configured(config, how)


def _survive_early_hangups() -> None:
    """SIGHUP asks for a reload, which nobody needs before anything is loaded; unless a terminal
    says by it that it is gone."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
        return
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    from edge.terminal import is_attached  # takes its time

    if is_attached():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
