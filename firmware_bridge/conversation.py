"""What a device is to be told and when: decisions without I/O."""

from __future__ import annotations

from firmware_bridge.protocols import Conversing, Decoder
from firmware_bridge.stream import NS_PER_S

__all__ = ["Conversation"]


class Conversation:
    """The commands of one opening of a link, each handed out once, when it is due.

    settle_s: from the opening, at `now_ns`, until the device hears its start commands; the
    commands of a `Conversing` decoder follow them.
    """

    def __init__(self, decoder: Decoder, now_ns: int, settle_s: float = 0.0) -> None:
        self._decoder = decoder
        self._device = decoder if isinstance(decoder, Conversing) else None
        self._start_ns: int | None = now_ns + round(settle_s * NS_PER_S)
        self._keep_alive_ns: int | None = None

    def due(self, now_ns: int) -> tuple[bytes, ...]:
        """What to send now: start commands, then replies, then what keeps the device alive."""
        if self._start_ns is not None:
            return self.begin(now_ns) if now_ns >= self._start_ns else ()
        if self._device is None:
            return ()
        commands = self._device.replies()
        if self._keep_alive_ns is not None and now_ns >= self._keep_alive_ns:
            self._schedule(now_ns)
            commands += self._device.keep_alive_commands()
        return commands

    def begin(self, now_ns: int) -> tuple[bytes, ...]:
        """The start commands, now; also for a device that fell silent."""
        self._start_ns = None
        self._schedule(now_ns)
        return self._decoder.start_commands()

    def wait_s(self, now_ns: int, longest_s: float) -> float:
        """How long a read may last so that nothing is sent late: at most `longest_s`."""
        due = [each for each in (self._start_ns, self._keep_alive_ns) if each is not None]
        if not due:
            return longest_s
        return min(longest_s, max(0.0, (min(due) - now_ns) / NS_PER_S))

    def _schedule(self, now_ns: int) -> None:
        every_s = self._device.keep_alive_s if self._device else 0.0
        self._keep_alive_ns = now_ns + round(every_s * NS_PER_S) if every_s > 0 else None
