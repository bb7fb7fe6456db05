"""Which streams go without their encoder while the engine cannot keep up. Pure, without a clock.

What is watched is the time that events wait for the engine. As in CoDel (RFC 8289) not a long
wait counts, which any hiccup brings, but one that stands. Encoders are taken off by halves and
given back one by one, the additive increase and multiplicative decrease of Chiu and Jain
(Computer Networks and ISDN Systems 17, 1-14, 1989), after a calm that doubles with every return
that was too much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.stream import NS_PER_S

__all__ = [
    "CALM_MAX_NS",
    "CALM_NS",
    "EASY_NS",
    "FAR_NS",
    "LATE_NS",
    "PROBATION_NS",
    "STANDING_NS",
    "STEP_NS",
    "Load",
    "StreamNeed",
]

LATE_NS = NS_PER_S
"""An event is late that has waited so long: as long as a hop of the usual encoders lasts."""
STANDING_NS = 2 * NS_PER_S
"""A stream is behind once all its events have been late for so long."""
FAR_NS = 4 * LATE_NS
"""Where an event waits so long, halves are too slow: all that are behind go without."""
EASY_NS = LATE_NS // 2
"""The engine keeps up while no event waits longer."""
CALM_NS = 30 * NS_PER_S
"""It must have kept up for so long before the first encoder returns."""
CALM_MAX_NS = 16 * CALM_NS
STEP_NS = 5 * NS_PER_S
"""From one return to the next."""
PROBATION_NS = CALM_NS
"""Where a stream falls behind so soon after a return, that return was too much."""
FORGOTTEN_NS = CALM_NS
"""Late events further apart than this do not make one wait that stands."""
PACE_MAX = 1.5
"""Seconds of signal in a second. What brings more, or bytes without signal, has only itself to
blame for its wait, and costs nobody else the encoder."""


@dataclass(frozen=True, slots=True)
class StreamNeed:
    """has_encoder: at work now. in_alarm: a physiological alarm is on, which may rest on it.
    finished: the watch has ended, so that no encoder can return.
    """

    has_encoder: bool
    in_alarm: bool = False
    finished: bool = False


@dataclass(slots=True)
class _Late:
    """Since when, and until when, all events of a stream have been late; its signal at first."""

    since_ns: int
    signal_ns: int
    until_ns: int


class Load:
    """Decides for streams numbered from 0: the lower the number, the longer it keeps its encoder.

    Call `taken` for each event of a source in real time, `review` about once a second. Times are
    of the host's monotonic clock.
    """

    def __init__(self) -> None:
        self._late: dict[int, _Late] = {}
        self._behind: dict[int, int] = {}
        self._greedy: set[int] = set()
        self._shed: set[int] = set()
        self._uneasy_ns = 0
        self._returned_ns: int | None = None
        self._calm_ns = self._wait_ns = CALM_NS

    @property
    def shed(self) -> frozenset[int]:
        """Streams that are to go without their encoder."""
        return frozenset(self._shed)

    def is_shed(self, stream: int) -> bool:
        """Whether this stream is to go without its encoder."""
        return stream in self._shed

    def taken(self, stream: int, waited_ns: int, now_ns: int, signal_ns: int) -> None:
        """An event is taken up that has waited so long.

        signal_ns: how much signal the stream has brought so far, in all; a gap brings none.
        """
        if waited_ns > EASY_NS and stream not in self._greedy:
            self._uneasy_ns = now_ns
        if waited_ns < LATE_NS:
            self._late.pop(stream, None)
            self._greedy.discard(stream)
            return
        late = self._late.get(stream)
        if late is None or now_ns - late.until_ns > FORGOTTEN_NS:
            late = self._late[stream] = _Late(now_ns, signal_ns, now_ns)
        late.until_ns = now_ns
        stood_ns = now_ns - late.since_ns
        if stood_ns < STANDING_NS:
            return
        self._behind[stream] = waited_ns
        if 0 < signal_ns - late.signal_ns <= PACE_MAX * stood_ns:
            self._greedy.discard(stream)
        else:
            self._greedy.add(stream)

    def excuse(self) -> None:
        """What waits so far waits for another reason, which passes."""
        self._late.clear()
        self._behind.clear()

    def review(self, now_ns: int, streams: int, need: Callable[[int], StreamNeed]) -> None:
        """Take encoders off where streams are behind, or give one back. streams: their number."""
        self._forget({k for k in self._shed if need(k).finished})
        behind, self._behind = self._behind, {}
        if behind:
            self._take_off(now_ns, behind, {k: need(k) for k in range(streams)})
        elif self._shed:
            self._give_back(now_ns, need)

    def _forget(self, finished: set[int]) -> None:
        self._shed -= finished
        self._greedy -= finished

    def _take_off(self, now_ns: int, behind: dict[int, int], needs: dict[int, StreamNeed]) -> None:
        able = {k for k, need in needs.items() if need.has_encoder} - self._shed
        chosen = able & behind.keys() or (able if behind.keys() - self._greedy else set())
        if not chosen:
            return
        ranked = sorted(chosen, key=lambda k: (needs[k].in_alarm, -k))
        is_far = max(behind.values()) >= FAR_NS
        self._shed.update(ranked if is_far else ranked[: (len(ranked) + 1) // 2])
        returned_ns, self._returned_ns = self._returned_ns, None
        is_relapse = returned_ns is not None and now_ns - returned_ns <= PROBATION_NS
        self._calm_ns = min(2 * self._calm_ns, CALM_MAX_NS) if is_relapse else CALM_NS
        self._wait_ns = self._calm_ns
        self._uneasy_ns = now_ns
        self._late.clear()  # whoever is still behind must show it anew

    def _give_back(self, now_ns: int, need: Callable[[int], StreamNeed]) -> None:
        since_ns = max(self._uneasy_ns, self._returned_ns or 0)
        waiting = self._shed - self._greedy
        if now_ns - since_ns < self._wait_ns or not waiting:
            return
        self._shed.remove(min(waiting, key=lambda k: (not need(k).in_alarm, k)))
        self._returned_ns, self._wait_ns = now_ns, STEP_NS
