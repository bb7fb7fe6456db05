"""Announces what is watched to Home Assistant, again whenever that begins anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version

from edge.clock import Clock
from edge.config import Config
from edge.home_assistant.discovery import Extras, Watched, discovery, discovery_topic
from edge.home_assistant.record import FILE, AnnouncedTopics
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import Topics
from edge.monitor import Monitor
from edge.mqtt_settings import MqttSettings
from edge.publish import Publisher
from edge.publish.inbox import Incoming
from firmware_bridge.stream import NS_PER_S

__all__ = ["Announcement", "announce"]

BIRTH = b"online"
REPEAT_AFTER_S = 5.0
"""Home Assistant's births are answered this far apart at least, for anybody could send them."""


class Announcement:
    """The discovery messages of one run. All methods but the handler belong to one thread.

    What an earlier run announced, and this one does not, is withdrawn.
    """

    def __init__(
        self,
        settings: HomeAssistantSettings,
        topics: Topics,
        publisher: Publisher,
        record: AnnouncedTopics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._publisher = publisher
        self._record = record
        self._clock = clock
        self._mine: frozenset[str] = frozenset()
        self._repeated_ns: int | None = None

    def make(self, watched: Iterable[Watched], version: str, extras: Extras | None = None) -> None:
        """Announce each device, withdraw the others. Before the publisher starts."""
        messages = {
            discovery_topic(each.patient, self._topics.base, self._settings): discovery(
                each, self._topics, version, extras
            )
            for each in (watched if self._settings.enabled else ())
        }
        self._mine = frozenset(messages)
        before = self._record.load()
        if before != self._mine:
            self._record.save(before | self._mine)
        for topic in sorted(before - self._mine):
            self._publisher.retain(topic, b"", qos=1)
        for topic, message in messages.items():
            self._publisher.retain(topic, message, qos=1)
        if messages:
            self._publisher.listen(self._settings.birth_topic, self._heard)

    def close(self) -> None:
        """Forget what was withdrawn, where there was a broker to withdraw it from."""
        if self._publisher.statistics.connects and self._record.load() != self._mine:
            self._record.save(self._mine)

    def _heard(self, message: Incoming) -> None:
        """In the publisher's thread: Home Assistant runs anew and may know nothing of us."""
        now_ns = self._clock.monotonic_ns()
        recent = self._repeated_ns is not None and (
            now_ns - self._repeated_ns < REPEAT_AFTER_S * NS_PER_S
        )
        if message.payload != BIRTH or message.retained or recent:
            return
        self._repeated_ns = now_ns
        self._publisher.repeat_retained()


def announce(
    config: Config, publisher: Publisher, monitors: Iterable[Monitor], clock: Clock
) -> Callable[[], None]:
    """Announce a run to Home Assistant; gives what is to be called at its end."""
    settings, mqtt = config.home_assistant, config.mqtt or MqttSettings()
    record = AnnouncedTopics(config.storage.path() / FILE)
    announcement = Announcement(settings, mqtt.topics, publisher, record, clock)
    watched = [Watched(each.patient.id, each.device) for each in monitors]
    verbs = config.commands.unsigned if settings.buttons else ()
    announcement.make(watched, version("edge"), Extras(verbs, mqtt.strip_image))
    return announcement.close
