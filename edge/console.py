"""What `edge run` and `edge demo` show to people: start report, alerts, a live line or strip."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TextIO, cast

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from edge.alert import AlarmState, Phase, Priority
from edge.alert_words import KIND_WORDS, PRIORITY_STYLE, StepWords, step_words
from edge.messages import AlertMessage, StateMessage
from edge.monitor import LinkReport, Monitor
from edge.output import Output
from edge.pipeline import Step
from edge.terminal import strip
from firmware_bridge.stream import Chunk, FormatChange

NO_ECG = "no ECG so far; heart rate and RR intervals as the device tells them: no asystole, VF, VT"

STRIP_S = 6.0
STRIP_ROWS = 5
STRIP_SPAN_UV = 3000.0
REDRAW_NS = 100_000_000


class RunConsole:
    """Lines for people; on a terminal also a live view that redraws itself.

    strips: draw each patient's ECG, not just its numbers.
    """

    def __init__(self, output: Output, live: bool, strips: bool = False) -> None:
        self._output = output
        self._console = Console(file=cast(TextIO, output), highlight=False)
        self._strips = strips
        self._live = _live_view(self._console) if live else None
        self._monitors: tuple[Monitor, ...] = ()
        self._announced: dict[str, object] = {}
        self._drawn_ns: dict[str, int] = {}
        self._last: dict[str, AlertMessage] = {}

    def start(self, monitors: Sequence[Monitor]) -> None:
        """Begin the live view."""
        self._monitors = tuple(monitors)
        if self._live:
            self._live.start()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def say(self, line: str, style: str = "") -> None:
        """One line."""
        self._console.print(Text(line, style=style), soft_wrap=True)

    def alert(self, message: AlertMessage) -> None:
        """One line (on a narrow terminal two) for a step of an alarm, unless only its numbers
        have changed."""
        words = step_words(message, self._last.pop(message.id, None))
        if message.phase is not Phase.END:
            self._last[message.id] = message
        if words:
            self._console.print(alert_line(message, words), soft_wrap=self._live is None)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Say what the stream is once it is known; redraw now and then."""
        for event in step.events:
            if isinstance(event, Chunk | FormatChange):
                self._announce_format(monitor)
        if step.readings and monitor.patient.id not in self._announced:
            self._announced[monitor.patient.id] = None
            self.say(f"{monitor.patient.id}: {NO_ECG}")
        due_ns = self._drawn_ns.get(monitor.patient.id, -REDRAW_NS) + REDRAW_NS
        if self._live and monitor.now_ns >= due_ns:
            self._drawn_ns[monitor.patient.id] = monitor.now_ns
            self._redraw()

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """One line a change, with the reason where there is one."""
        reason = f": {report.reason}" if report.reason else ""
        self.say(f"{monitor.patient.id}: link {report.word}{reason}", "dim")

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Redraw all once a second, so that silence shows; is anybody still there to see it?"""
        self._output.check()
        if monitor in self._monitors[:1]:
            self._redraw()

    def _announce_format(self, monitor: Monitor) -> None:
        form, known = monitor.pipeline.format, self._announced.get(monitor.patient.id)
        if form is None or form is known or form == known:
            return
        self._announced[monitor.patient.id] = form
        leads = ", ".join(form.leads)
        self.say(f"{monitor.patient.id}: {form.rate_hz:g} Hz, {len(form.leads)} lead(s): {leads}")

    def _redraw(self) -> None:
        if self._live:
            parts = [part for each in self._monitors for part in self._patient(each)]
            self._live.update(Group(*parts), refresh=True)

    def _patient(self, monitor: Monitor) -> list[RenderableType]:
        latched = {a.kind for a in monitor.active if a.state is AlarmState.LATCHED}
        line = status_line(monitor.state(), latched)
        if not self._strips:
            return [line]
        columns = max(20, min(self._console.width, 120))
        drawn = strip_of(monitor, columns, STRIP_ROWS)
        urgent = {a.kind for a in monitor.active if a.priority is Priority.HIGH} - latched
        style = "red" if urgent else "green"
        return [*(Text(row, style=style) for row in drawn), line]


def _live_view(console: Console) -> Live:
    """Redrawn on demand; what is logged meanwhile appears above it, unless it goes elsewhere."""
    return Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stderr=sys.stderr.isatty(),
    )


def alert_line(message: AlertMessage, words: StepWords) -> Text:
    """`12:00:03  HIGH    start     ventricular tachycardia  [p1]  beats=6 rate_bpm=171`."""
    evidence = " ".join(f"{name}={_short(value)}" for name, value in message.evidence.items())
    style = PRIORITY_STYLE[message.priority] if message.phase is Phase.START else "dim"
    return Text.assemble(
        (message.time[11:19], "dim"),
        "  ",
        (f" {message.priority.upper():<6} ", style),
        f" {words.step:<8} ",
        (
            KIND_WORDS.get(message.kind, message.kind),
            "bold" if message.phase is Phase.START else "dim",
        ),
        f"  [{message.patient}]  ",
        f"{words.note}  " if words.note else "",
        (evidence, "dim"),
    )


def status_line(state: StateMessage, latched: Collection[str] = ()) -> Text:
    """One patient in one line, the most important first: a narrow terminal cuts its end.

    latched: kinds whose condition is over and whose alarm waits to be acknowledged.
    """
    rate = "--" if state.heart_rate_bpm is None else f"{state.heart_rate_bpm:.0f}"
    quality = "--" if state.quality is None else f"{state.quality * 100:.0f} %"
    battery = "" if state.battery_percent is None else f"  battery {state.battery_percent} %"
    gaps = state.samples.gap / state.samples.span * 100 if state.samples.span else 0.0
    words = {kind: KIND_WORDS.get(kind, kind) for kind in state.active}
    told = [f"({word})" if kind in latched else word for kind, word in words.items()]
    alarms = ", ".join(told) or "no alarm"
    link = "" if state.link == "streaming" else f"  {state.link}"
    late = f"  late hops {state.late_hops}" if state.late_hops else ""
    load = f"{late}, rules alone" if state.encoder_shed else late
    return Text.assemble(
        (f"{state.patient} ", "bold"),
        (f"{rate:>3} bpm", "bold green"),
        (f"{link}  ", "bold"),
        (alarms, "bold red" if state.active else "dim"),
        f"  rhythm {state.rhythm or '--'}  quality {quality}{battery}  lost {gaps:.2f} %{load}",
        no_wrap=True,
        overflow="ellipsis",
    )


def strip_of(monitor: Monitor, columns: int, rows: int) -> list[str]:
    """The newest seconds of the first lead."""
    segment = monitor.pipeline.segment
    if segment is None:
        return [" " * columns] * rows
    ring = segment.ring
    start = max(ring.start, ring.stop - round(STRIP_S * segment.format.rate_hz))
    samples, valid = ring.window(start, ring.stop)
    missing = round(STRIP_S * segment.format.rate_hz) - len(samples)
    lead = np.pad(samples[:, 0], (missing, 0))
    return strip(lead, np.pad(valid, (missing, 0)), columns, rows, STRIP_SPAN_UV)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
