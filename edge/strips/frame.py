"""Above and below the traces: whose alarm, when and why; and to which scale it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from edge.alert import Priority
from edge.messages import AlertMessage, StripMessage
from edge.strips.band import LOW_HZ, top_hz
from edge.strips.drawing import Box, Item, Label
from edge.strips.words import evidence_words, kind_words, moment, moment_words

__all__ = ["HEADER_MM", "MARGIN_MM", "PRIORITY_COLOUR", "footer", "header"]

MARGIN_MM = 6.0
HEADER_MM = 30.0
DISCLAIMER = "Not a medical device. Not for diagnosis."

PRIORITY_COLOUR = {
    Priority.HIGH: ("#c8000a", "#ffffff"),
    Priority.MEDIUM: ("#ffd400", "#000000"),
    Priority.LOW: ("#5fd7ee", "#000000"),
}
"""Ground and text: red, yellow and cyan of IEC 60601-1-8:2006, table 2."""
ASKED_COLOUR = ("#e3e3e3", "#000000")
SEPARATOR = " · "
QUIET = "#4d4d4d"
LETTER_SHARE = 0.52
"""Mean width of a letter, as a share of its height, in the fonts that may be taken."""


def header(strip: StripMessage, alert: AlertMessage | None, width: float) -> Iterator[Item]:
    """Priority, condition, heart rate; patient and device; times; what decided it."""
    ground, text = PRIORITY_COLOUR[strip.priority] if strip.priority else ASKED_COLOUR
    word = strip.priority.upper() if strip.priority else "STRIP"
    right = width - MARGIN_MM
    yield Box(MARGIN_MM, 5.0, 24.0, 8.0, ground)
    yield Label(MARGIN_MM + 12.0, 10.7, word, 4.8, text, True, "middle")
    yield Label(MARGIN_MM + 28.0, 11.1, kind_words(strip.kind), 6.0, bold=True)
    rate = "--" if strip.heart_rate_bpm is None else f"{strip.heart_rate_bpm:.0f}"
    yield Label(right, 11.1, f"{rate} /min", 6.0, bold=True, anchor="end")
    lines = (_whose(strip, alert), _when(strip), _why(strip, alert))
    for number, line in enumerate(lines):
        y = 18.0 + 4.6 * number
        yield Label(MARGIN_MM, y, _shortened(line, 3.2, right - MARGIN_MM), 3.2, QUIET)


def footer(
    strip: StripMessage, gain_mm_per_mv: float, cut_off: bool, width: float, y: float
) -> Iterator[Item]:
    """Scale, band, software; and what this is not."""
    parts = [
        "25 mm/s",
        f"{gain_mm_per_mv:g} mm/mV",
        f"{LOW_HZ:g} to {top_hz(strip.rate_hz):.3g} Hz for display",
        f"sampled at {strip.rate_hz:.4g} Hz",
        f"edge {version('edge')}",
    ]
    if cut_off:
        parts.insert(2, "cut off where beyond its band")
    yield Label(MARGIN_MM, y + 5.5, SEPARATOR.join(parts), 2.9, QUIET)
    yield Label(width - MARGIN_MM, y + 5.5, DISCLAIMER, 2.9, QUIET, True, "end")


def _whose(strip: StripMessage, alert: AlertMessage | None) -> str:
    parts = [f"Patient {strip.patient}", f"device {strip.device or 'unknown'}"]
    if alert:
        bundle = alert.bundle or "none, rules alone"
        digest = f" ({alert.bundle_sha256[:12]})" if alert.bundle_sha256 else ""
        parts.append(f"bundle {bundle}{digest}")
    return SEPARATOR.join(parts)


def _when(strip: StripMessage) -> str:
    if strip.decided_ms is None:
        return f"From {moment_words(moment(strip, 0.0))}"
    words = f"Alarm {moment_words(moment(strip, strip.decided_ms))}"
    if strip.onset_ms is None:
        return words
    return f"{words}{SEPARATOR}onset {(strip.decided_ms - strip.onset_ms) / 1000:.1f} s before"


def _why(strip: StripMessage, alert: AlertMessage | None) -> str:
    words = evidence_words(alert.evidence) if alert else ""
    return f"Because: {words}" if words else f"Alert {strip.id}" if strip.kind else ""


def _shortened(line: str, size: float, width: float) -> str:
    most = int(width / (size * LETTER_SHARE))
    return line if len(line) <= most else f"{line[: most - 3]}..."
