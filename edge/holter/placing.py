"""Where what was recorded lies in time: one axis of UTC for all runs of a recording.

Within a run of the program the samples' own axis decides, from the host's clock at its first
sample on: a clock that is set in mid-run moves nothing. A run that the clock places before the
end of the run before it follows that end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.record import Block, Entry, Header, Notes, Recording
from edge.record.notes import BeatNote
from firmware_bridge.stream import NS_PER_S

__all__ = ["Axis", "Window", "length_ns", "placed"]


@dataclass(frozen=True, slots=True)
class Window:
    """What to report on: a recording from `from_ns` until before `to_ns`, both UTC or None."""

    recording: Recording
    from_ns: int | None = None
    to_ns: int | None = None

    def holds(self, utc_ns: int) -> bool:
        """Whether a moment lies in it."""
        after = self.from_ns is None or utc_ns >= self.from_ns
        return after and (self.to_ns is None or utc_ns < self.to_ns)


@dataclass(slots=True)
class Axis:
    """From stream time to UTC, both in nanoseconds, in the run that is being read.

    offset_ns: None until something in the run has told what its stream time means.
    reached_ns: UTC of the end of what was placed so far.
    """

    offset_ns: int | None = None
    reached_ns: int | None = None

    def begin_run(self) -> None:
        """Stream time begins anew."""
        self.offset_ns = None

    def anchor(self, stream_ns: int, utc_ns: int) -> None:
        """At that stream time the host's clock said so; the first word in a run counts."""
        if self.offset_ns is None:
            earliest_ns = utc_ns if self.reached_ns is None else max(utc_ns, self.reached_ns)
            self.offset_ns = earliest_ns - stream_ns

    def utc_ns(self, stream_ns: int) -> int | None:
        """UTC of a stream time, None where the run has not said yet."""
        return None if self.offset_ns is None else self.offset_ns + stream_ns

    def reach(self, utc_ns: int) -> None:
        """Something lasts until then."""
        self.reached_ns = utc_ns if self.reached_ns is None else max(utc_ns, self.reached_ns)


def placed(window: Window) -> Iterator[tuple[Axis, Entry]]:
    """All entries in the window, each with the axis on which it lies; the same on every reading.

    Raises RecordingError where a file cannot be read.
    """
    axis = Axis()
    for entry in window.recording.read(window.from_ns, window.to_ns):
        match entry:
            case Header():
                axis.begin_run()
            case Block():
                axis.anchor(entry.time_ns, entry.utc_ns)
                axis.reach((axis.offset_ns or 0) + entry.time_ns + length_ns(entry))
            case Notes():
                # Stream time stands still until the first beat; then it is tied to the clock.
                if any(isinstance(note, BeatNote) for note in entry.notes):
                    axis.anchor(entry.time_ns, entry.utc_ns)
        yield axis, entry


def length_ns(block: Block) -> int:
    """How long the samples of a block last, at the nominal rate."""
    return round(len(block.samples_uv) / block.format.rate_hz * NS_PER_S)
