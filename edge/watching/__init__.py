"""`edge watch`: what a running edge sees, in any terminal, from its feed or over MQTT."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import Clock, SystemClock
from edge.errors import Exit
from edge.output import Output
from edge.watching.heard import Source
from edge.watching.screen import JsonLines, Lines, Screen, View
from firmware_bridge.stream import NS_PER_S

__all__ = ["WatchOptions", "watch"]

READ_S = 0.1


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """for_s: how long, None until interrupted. json: NDJSON instead of text."""

    for_s: float | None = None
    json: bool = False


def watch(source: Source, options: WatchOptions, view: View | None = None) -> int:
    """Show what the source tells until time is up; returns the exit code.

    Raises EdgeError where the source cannot be reached at all.
    """
    clock: Clock = SystemClock()
    view = view or _view(options)
    output_gone = view.output.check
    until_ns = clock.monotonic_ns() + round((options.for_s or 0.0) * NS_PER_S)
    source.open()
    view.start(source.name)
    try:
        while options.for_s is None or clock.monotonic_ns() < until_ns:
            for heard in source.read(READ_S):
                view.take(heard)
            view.redraw(clock.monotonic_ns())
            output_gone()
    finally:
        view.stop()
        source.close()
    return Exit.OK


def _view(options: WatchOptions) -> View:
    from edge.terminal import is_live

    output = Output()
    if options.json:
        return JsonLines(output)
    return Screen(output) if is_live(output) else Lines(output)
