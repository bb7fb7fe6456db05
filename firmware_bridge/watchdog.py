"""Is a link silent or not understood, and what is to be done: decisions without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firmware_bridge.errors import TransientSourceError
from firmware_bridge.protocols import Decoder, Refusing
from firmware_bridge.stream import NS_PER_S

__all__ = ["Doubts", "LinkTiming", "Verdict", "Watchdog", "Yield"]

Verdict = Literal["fine", "prod", "reopen"]


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """How patient a link is.

    stall_s: without data until the device is told again to start; after as long again the link
    is opened anew. backoff_min_s, backoff_max_s: wait before opening again, doubled each time.
    watch_s: wait between two looks for a device that is out of reach. poll_s: longest single
    read, so that `stop` is heard. unreadable_bytes: decoded in vain until the device counts as
    the wrong one.
    """

    stall_s: float = 5.0
    backoff_min_s: float = 0.25
    backoff_max_s: float = 30.0
    watch_s: float = 0.25
    poll_s: float = 0.2
    unreadable_bytes: int = 4096

    def backoff_s(self, failures: int, chance: float) -> float:
        """Wait after `failures` failures in a row: half of a doubling time for sure, the other
        half by `chance` (0 to 1), so that many devices do not come back at one moment.
        """
        full_s = min(self.backoff_min_s * 2.0 ** min(failures, 20), self.backoff_max_s)
        return full_s * (0.5 + 0.5 * chance)


class Watchdog:
    """Follows one opening of a link by the times at which data came.

    first_data_s: patience from the opening to the first data. enabled: False for a source that
    may rest as long as it likes, such as a slow replay.
    """

    def __init__(
        self, timing: LinkTiming, now_ns: int, first_data_s: float, enabled: bool = True
    ) -> None:
        self._timing = timing
        self._enabled = enabled
        self._since_ns = now_ns
        self._patience_s = first_data_s
        self._prodded = False
        self._streaming = False

    def fed(self, now_ns: int) -> bool:
        """Data came; whether it is the first since opening or since a stall."""
        first = self._prodded or not self._streaming
        self._since_ns, self._patience_s = now_ns, self._timing.stall_s
        self._streaming, self._prodded = True, False
        return first

    def excuse(self, now_ns: int) -> None:
        """The host was busy until now: its delay is not the device's silence."""
        if self._streaming and not self._prodded:
            self._since_ns = now_ns

    def verdict(self, now_ns: int) -> Verdict:
        """What to do about the silence up to now."""
        if not self._enabled or now_ns - self._since_ns < self._patience_s * NS_PER_S:
            return "fine"
        if self._prodded:
            return "reopen"
        self._since_ns, self._patience_s = now_ns, self._timing.stall_s
        self._prodded = True
        return "prod"


class Yield:
    """Whether bytes that come still give frames, judged by the decoder's own counts.

    Heart rate or movement may share a channel with the ECG, and go on when it has stopped. The
    decoder runs in another thread, later than the reading: only what it has read is judged.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._last = decoder.count
        self._has_yielded = False

    def dried_up(self) -> bool:
        """Whether the bytes decoded since the last call gave no frame, where once they did."""
        last, self._last = self._last, self._decoder.count
        if self._last.frames > last.frames:
            self._has_yielded = True
            return False
        return self._has_yielded and self._last.bytes > last.bytes


class Doubts:
    """Whether the decoder understands this device, judged by its own counts.

    The decoder runs in another thread, later than the reading; its counts only grow.
    """

    def __init__(self, decoder: Decoder, unreadable_bytes: int) -> None:
        self._decoder = decoder
        self._device = decoder if isinstance(decoder, Refusing) else None
        self._unreadable_bytes = unreadable_bytes
        self._first = decoder.count
        self._refusals = self._device.refusals if self._device else 0
        self._settled = False

    def complaint(self) -> str:
        """Why bytes come to nothing, said once; empty while there is no reason for doubt.

        Raises TransientSourceError where the device refused a command: a fresh link may help.
        """
        if self._device and self._device.refusals > self._refusals:
            raise TransientSourceError(self._device.last_refusal)
        if self._settled:
            return ""
        count = self._decoder.count
        read_bytes = count.bytes - self._first.bytes
        self._settled = count.frames > self._first.frames or read_bytes >= self._unreadable_bytes
        if not self._settled or count.frames > self._first.frames:
            return ""
        return f"{read_bytes} bytes came and no frame decodes; is it another device or baud rate?"
