"""The command line. Each command lives in a module of its own, imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from edge.errors import EdgeError, Exit
from edge.output import prepare_streams, silence

Command = Callable[[argparse.Namespace], int]

COMMANDS: dict[str, str] = {
    "demo": "watch ECG flow from a virtual patch to alerts on MQTT",
    "run": "monitor patches: source to alerts",
    "watch": "see the patients of a running edge in a terminal",
    "scan": "list serial ports and BLE devices in reach",
    "probe": "what a device says of itself: rate, leads, gaps, drift, battery",
    "capture": "write a source's raw bytes to a file that replay: plays back",
    "export": "a recording to EDF+, WFDB, CSV, Parquet or FHIR",
    "report": "a Holter report of a recording, as HTML or PDF",
    "bench": "measure latency, cost and memory on this device, and compare reports",
    "evaluate": "judge detectors and encoders on annotated recordings",
    "models": "list, show, measure, verify, quantize and import encoder bundles",
    "command": "acknowledge, pause sound, set limits, ask a running monitor for a strip",
    "alerts": "list, show and export the alerts on record",
    "config": "check, show or describe the configuration",
    "install-service": "a systemd unit that keeps `edge run` running",
    "warmup": "compile the signal kernels and measure what runs the encoder best",
}

DISCLAIMER = "Not a medical device. Never rely on it for diagnosis or to call for help."


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors name the command that explains them."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(Exit.USAGE, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    prepare_streams()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    name = next((each for each in argv if not each.startswith("-")), "")
    parser = _parser(name)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.prog = f"edge {name}" if name in COMMANDS else "edge"
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if not hasattr(options, "command"):
        parser.print_help()
        return Exit.USAGE
    return _guarded(options.command, options)


def _parser(name: str) -> Parser:
    """The parser; only the command named gets its arguments, so that help stays fast."""
    parser = Parser(
        prog="edge", description="Streaming inference for wearable ECG.", epilog=DISCLAIMER
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    for command, purpose in COMMANDS.items():
        sub = commands.add_parser(command, help=purpose, description=purpose.capitalize() + ".")
        if command == name:
            importlib.import_module(f"edge.cli.{command.replace('-', '_')}").arguments(sub)
    return parser


def _guarded(command: Command, options: argparse.Namespace) -> int:
    try:
        signal.signal(signal.SIGTERM, _terminated)
        done = command(options)
        sys.stdout.flush()
        return done
    except KeyboardInterrupt:
        return Exit.SIGINT
    except OSError as error:
        silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            print(f"edge: {error}", file=sys.stderr)
        return Exit.FAILURE
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        print(f"edge: {error}", file=sys.stderr)
        return code


def _terminated(number: int, _: object) -> NoReturn:
    """SIGTERM unwinds as SIGINT does, so that temporary files and brokers of ours end, too."""
    raise SystemExit(128 + number)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error made for people to read, None for a defect of ours."""
    from firmware_bridge.errors import BridgeError
    from models.errors import ModelError

    if isinstance(error, EdgeError):
        return error.exit_code
    if isinstance(error, ModelError):
        return Exit.MODEL
    return Exit.SOURCE if isinstance(error, BridgeError) else None


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        print(f"edge {version('edge')}")
        parser.exit(Exit.OK)
