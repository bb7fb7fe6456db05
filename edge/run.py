"""One run: configuration to parts, parts to a running whole, and its orderly end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge.clock import SystemClock
from edge.config import Config
from edge.errors import Exit, MonitorError
from edge.monitor import Monitor
from edge.ndjson import JsonDisplay
from edge.open_files import raise_limit
from edge.output import StderrHandler
from edge.parts import Parts
from edge.runtime import Runtime
from edge.service.deadline import ExitDeadline
from edge.service.notify import Notifier
from edge.terminal import is_attached
from firmware_bridge.source import Source, open_source

if TYPE_CHECKING:
    from edge.display import Display


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run what is configured.

    strips: draw the ECG on a terminal. supervised: whoever started the process starts it again.
    """

    for_s: float | None = None
    json: bool = False
    strips: bool = False
    supervised: bool = False


def run(
    config: Config,
    options: RunOptions,
    open_with: Callable[[str], Source] = open_source,
    on_ready: Callable[[Runtime], None] = lambda _: None,
    display: Display | None = None,
) -> int:
    """Run until the end, a signal, or the time is up; returns the exit code.

    on_ready: called once everything is assembled, before the first byte is read.
    Raises SourceError, ModelError, StorageError for what cannot be had.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[StderrHandler()])
    logging.getLogger("edge.reload").setLevel(logging.INFO)  # whoever asks is answered
    raise_limit()
    display = display or (JsonDisplay() if options.json else _text(options.strips))
    with ExitStack() as stack:
        leaving = ExitDeadline(Notifier().stopping)
        stack.callback(leaving.cancel)
        parts = Parts(config, SystemClock(), display, stack, open_with, options.supervised)
        parts.start(on_ready)
        with _signals(parts, leaving) as caught:
            parts.runtime.run(options.for_s)
            parts.close()
        display.ended(parts.report())
    return _exit_code(parts.runtime.monitors, caught)


def _text(strips: bool) -> Display:
    from edge.display import TextDisplay  # and what draws on terminals, which programs do not need

    return TextDisplay(strips)


def _exit_code(monitors: tuple[Monitor, ...], caught: list[int]) -> int:
    if caught:
        return 128 + caught[0]
    errors = [monitor.error for monitor in monitors if monitor.error]
    for error in errors:
        print(f"edge: {error}", file=sys.stderr)
    defects = any(isinstance(error, MonitorError) for error in errors)
    return Exit.FAILURE if defects else Exit.SOURCE if errors else Exit.OK


@contextmanager
def _signals(parts: Parts, leaving: ExitDeadline) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the run; a second one ends the process at once.

    SIGHUP has the bundles read again; where a terminal says by it that it is gone, it ends the run.
    """
    caught: list[int] = []

    def stop(number: int, _: object) -> None:
        if caught:
            raise SystemExit(128 + number)
        caught.append(number)
        leaving.begin(128 + number)
        parts.runtime.stop()

    def reload(_: int, __: object) -> None:
        parts.reloader.request()

    handlers: dict[signal.Signals, Any] = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        handlers[signal.SIGHUP] = stop if is_attached() else reload
    before = {each: signal.signal(each, handler) for each, handler in handlers.items()}
    try:
        yield caught
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def with_bundle(config: Config, bundle: str | None) -> Config:
    """The configuration with one bundle for all patients, where one is named."""
    if bundle is None:
        return config
    patients = tuple(msgspec.structs.replace(each, bundle=bundle) for each in config.patient)
    return msgspec.structs.replace(config, patient=patients)
