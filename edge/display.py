"""How a run shows itself: the protocol, and the display for people."""

from __future__ import annotations

from typing import Any, Protocol

from edge.console import RunConsole
from edge.messages import ActiveAlerts, AvailabilityMessage, StateMessage
from edge.monitor import Monitor
from edge.output import Output
from edge.report import report_lines
from edge.runtime import Observer
from edge.sink import Sink
from edge.terminal import can_draw, is_live
from firmware_bridge.source import redact


class Display(Observer, Sink, Protocol):
    """Shows a run, to people or to programs."""

    def started(self, monitors: tuple[Monitor, ...], facts: dict[str, Any]) -> None:
        """The run begins."""

    def ended(self, report: dict[str, Any]) -> None:
        """The run is over."""


class TextDisplay(RunConsole):
    """For people: lines, and a live view on a terminal."""

    def __init__(self, strips: bool) -> None:
        output = Output()
        super().__init__(output, is_live(output), strips and can_draw(output))

    def started(self, monitors: tuple[Monitor, ...], facts: dict[str, Any]) -> None:
        """Say what runs, from where to where."""
        self.say(f"edge {facts['version']}", "bold")
        for monitor in monitors:
            self.say(f"patient  {monitor.patient.id}: {redact(monitor.patient.source)}")
        for name in ("encoder", "broker"):
            self.say(f"{name:<8} {facts[name]}")
        if facts.get("recording"):
            self.say(f"recording to {facts['recording']}")
        if facts.get("view"):
            self.say(f"page     {facts['view']}")
        self.start(monitors)

    def ended(self, report: dict[str, Any]) -> None:
        """Say what came of it."""
        self.stop()
        for line in report_lines(report):
            self.say(line)

    def active(self, message: ActiveAlerts) -> None:
        """The status line shows them."""

    def state(self, message: StateMessage) -> None:
        """The status line shows it."""

    def availability(self, message: AvailabilityMessage) -> None:
        """Told by the link's own lines."""

    def close(self) -> None:
        """Closed by `ended`."""
