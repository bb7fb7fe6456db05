"""How a Polar sensor is brought to stream: step by step, each after the answer to the last.

Source: polar-ble-sdk (polarofficial), BlePMDClient: settings are asked for, one value of each is
sent back with the start, and no command goes out before the one before it is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from firmware_bridge.devices.polar_pmd import (
    ACC,
    GET_SETTINGS,
    PPG,
    PPI,
    RATE,
    SDK_MODE,
    Features,
    Reply,
    choose_settings,
    parse_control,
    parse_factor,
    parse_settings,
    settings_command,
    start_command,
    stop_command,
)
from firmware_bridge.devices.polar_samples import WaveformStream

__all__ = ["Dialogue"]

NAMES = {PPG: "light", ACC: "movement", PPI: "pulse intervals", SDK_MODE: "SDK mode"}
SETTINGS_BYTES = 512
"""Far more than a sensor has to say of the settings of one measurement."""
WAITING_REPLIES = 16


class Dialogue:
    """Starts a sensor's measurements in order, and hears what it says of them.

    name: of the sensor, for people. plan: measurements (and `SDK_MODE`) to start, in order.
    wanted_hz: rates of those that have settings; the nearest that is offered is taken and told
    to their streams. misnamed_hz: the true rate of light, by the only rate that is offered.
    """

    def __init__(
        self,
        name: str,
        plan: tuple[int, ...],
        wanted_hz: Mapping[int, int],
        streams: Mapping[int, WaveformStream],
        misnamed_hz: Mapping[int, int],
    ) -> None:
        self._name = name
        self._plan = plan
        self._wanted_hz = wanted_hz
        self._streams = streams
        self._misnamed_hz = misnamed_hz
        self._replies: deque[bytes] = deque(maxlen=WAITING_REPLIES)
        self._offered = b""
        self.refusals = 0
        self.last_refusal = ""

    def reset(self) -> None:
        """Forget what was said on the former connection; the count of refusals stays."""
        self._offered = b""
        self._replies.clear()

    def start_commands(self) -> tuple[bytes, ...]:
        """The first step."""
        return (self._first_command(self._plan[0]),) if self._plan else ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop all of it, the last first."""
        return tuple(stop_command(kind) for kind in reversed(self._plan))

    def replies(self) -> tuple[bytes, ...]:
        """The next step, where the sensor answered the one before; each is given once."""
        due = []
        while self._replies:
            due.append(self._replies.popleft())
        return tuple(due)

    def hear(self, data: bytes) -> bool:
        """Take a notification of the control point; whether it is intact."""
        message = parse_control(data)
        if message is None:
            return False
        if isinstance(message, Reply):
            self._hear_reply(message)
            return True
        offers = isinstance(message, Features)
        for kind in self._plan:
            if offers and kind not in message.measurements:
                self._refuse(f"offers no {NAMES[kind]}; its firmware is too old")
            elif not offers and kind in message.measurements:
                self._refuse(f"stopped {NAMES[kind]} by itself")
        return True

    def _hear_reply(self, reply: Reply) -> None:
        kind, asked = reply.measurement, reply.op == GET_SETTINGS
        if not (asked or reply.starts):
            return
        if reply.refused:
            what = NAMES.get(kind, f"measurement {kind}")
            self._refuse(f"refused to start {what}: {reply.why}")
        elif asked and kind in self._streams:
            self._choose(kind, reply)
        elif not asked and kind in self._plan:
            self._go_on(kind, reply)

    def _choose(self, kind: int, reply: Reply) -> None:
        """Start with the settings nearest to those wanted, once all are told."""
        self._offered = (self._offered + reply.parameters)[:SETTINGS_BYTES]
        if reply.more:
            return
        settings, self._offered = parse_settings(self._offered), b""
        rates_hz = [rate for rate in settings.get(RATE, ()) if rate]
        if not rates_hz:
            self._refuse(f"names no rate for {NAMES[kind]}")
            return
        wanted_hz = self._wanted_hz[kind]
        named_hz = min(rates_hz, key=lambda rate: abs(rate - wanted_hz))
        misnamed_hz = self._misnamed_hz if kind == PPG and len(rates_hz) == 1 else {}
        self._streams[kind].set_rate(misnamed_hz.get(named_hz, named_hz))
        self._replies.append(start_command(kind, choose_settings(settings, named_hz)))

    def _go_on(self, kind: int, reply: Reply) -> None:
        """One more streams: on to the next."""
        if kind in self._streams:
            self._streams[kind].factor = parse_factor(reply.parameters)
        following = self._plan[self._plan.index(kind) + 1 :]
        if following:
            self._replies.append(self._first_command(following[0]))

    def _first_command(self, kind: int) -> bytes:
        return settings_command(kind) if kind in self._streams else start_command(kind)

    def _refuse(self, words: str) -> None:
        self.refusals += 1
        self.last_refusal = f"{self._name} {words}"
