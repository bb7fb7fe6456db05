"""`python -m firmware_bridge.patch`: the virtual patch on a pseudo-terminal."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from firmware_bridge.errors import SourceError
from firmware_bridge.pacing import parse_speed
from firmware_bridge.patch.scenarios import SCENARIOS
from firmware_bridge.patch.sim_transport import parse_config
from firmware_bridge.patch.virtual_patch import VirtualPatch
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder

__all__ = ["main"]

_EXIT_OK, _EXIT_USAGE, _EXIT_SOURCE, _EXIT_INTERRUPTED = 0, 2, 4, 130
_EXIT_TERMINATED = 143
_WAIT_S = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run until the stream ends or the user interrupts; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        options = dict(_pair(option) for option in args.option)
        config = parse_config({"scenario": args.scenario, **options})
        speed = parse_speed(args.speed)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_USAGE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_EXIT_TERMINATED))  # the link goes, too
    try:
        return _stream(VirtualPatch(config), args.link, speed)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_SOURCE
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED


def _stream(patch: VirtualPatch, link: str | None, speed: float | None) -> int:
    with PseudoTerminal(link) as terminal:
        print(link or terminal.path, flush=True)
        feeder = PseudoTerminalFeeder(terminal)
        feeder.feed(patch.frames(), speed)
        while not feeder.wait(_WAIT_S):
            pass
    return _EXIT_OK


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.patch",
        description="A wearable ECG device in software, on a serial port that it prints.",
    )
    parser.add_argument("option", nargs="*", help="options of a sim: URI, such as leads=3 drop=0.1")
    parser.add_argument("--scenario", default="sinus", help=", ".join(sorted(SCENARIOS)))
    parser.add_argument("--link", help="symbolic link to make to the port")
    parser.add_argument("--speed", default="1", help="multiple of real time, or max")
    return parser


if __name__ == "__main__":
    sys.exit(main())
