"""From the configuration to a desk at work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge.clock import Clock
from edge.commands.desk import Desk
from edge.commands.keys import load_keys
from edge.commands.policy import Policy
from edge.commands.settings import CommandSettings
from edge.config import Config
from edge.errors import ConfigError
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.runtime import Runtime
from edge.service.closing import DESK_S

CLOCK_WAS_SET = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd at each successful synchronisation, see its manual page; `/run`
is empty after a boot."""


def open_desk(
    config: Config,
    runtime: Runtime,
    outbox: Outbox | None,
    publisher: Publisher | None,
    clock: Clock,
    stack: ExitStack,
) -> Desk | None:
    """A desk that hears what the configuration allows, None where that is nothing.

    It works until the stack unwinds. Before the publisher starts. Raises ConfigError.
    """
    settings = config.commands
    if not settings.heard:
        return None
    if config.mqtt is None or outbox is None or publisher is None:
        raise ConfigError("config: [commands] needs a broker to hear them from: set mqtt.url")
    policy = Policy(load_keys(settings.key_settings()), settings.unsigned, outbox.newest_number)
    right_time = _right_time(settings, clock)
    desk = Desk(policy, runtime.ask, outbox, publisher, config.mqtt.topics, clock, right_time)
    for patient in config.patient:
        desk.listen(patient.id, signed=bool(settings.keys), button=bool(settings.unsigned))
    desk.start()
    stack.callback(desk.close, DESK_S)
    return desk


def _right_time(settings: CommandSettings, clock: Clock) -> Callable[[], int | None]:
    def right_time() -> int | None:
        known = settings.expiry == "always" or (
            settings.expiry == "auto" and CLOCK_WAS_SET.exists()
        )
        return clock.utc_ns() if known else None

    return right_time


__all__ = ["open_desk"]
