"""One run of a device: from its start, or from a change of its format, to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_bridge.stream import Frame, StreamFormat

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What tells one run of a device's counter and clock from another."""

    format: StreamFormat
    boot_id: int | None
    counter_modulus: int | None
    has_clock: bool

    @classmethod
    def of(cls, frame: Frame) -> Origin:
        """The run that the frame belongs to."""
        modulus = None if frame.counter is None else frame.counter_modulus
        return cls(frame.format, frame.boot_id, modulus, frame.device_time_ns is not None)

    def fits(self, frame: Frame) -> bool:
        """Whether a frame belongs to this run."""
        modulus = None if frame.counter is None else frame.counter_modulus
        return (
            (frame.format is self.format or frame.format == self.format)
            and frame.boot_id == self.boot_id
            and modulus == self.counter_modulus
            and (frame.device_time_ns is not None) is self.has_clock
        )

    def changes(self, former: Origin | None) -> tuple[bool, bool]:
        """Whether a restart and whether a new format lie between `former` and this."""
        if former is None or former.format == self.format:
            return True, False
        return replace(former, format=self.format) != self, True
