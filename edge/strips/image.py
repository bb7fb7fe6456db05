"""The newest strip of each patient as a picture on its topic, for Home Assistant and its like."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from edge.alert import Phase
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StripMessage,
    Topics,
)
from edge.mqtt_settings import MqttSettings
from edge.publish import Publisher
from edge.strips import render_png
from edge.strips.png import check_pillow
from edge.worker import Worker

__all__ = ["BYTES_MAX", "StripImages", "strip_images"]

BYTES_MAX = 200_000
EXPIRY_S = 7 * 24 * 3600
"""A picture older than a week says nothing of a patient any more."""
ALERTS_KEPT = 64
"""Alerts whose strip may yet come."""
CLOSE_S = 1.0

log = logging.getLogger(__name__)


def strip_images(settings: MqttSettings | None, publisher: Publisher | None) -> StripImages | None:
    """What publishes the pictures, where `strip_image` asks for them. It must be closed before the
    sink that ends the publisher.

    Raises UsageError where Pillow is missing.
    """
    if settings is None or publisher is None or not settings.strip_image:
        return None
    check_pillow()
    return StripImages(publisher, settings.topics)


class StripImages(Worker):
    """A `Sink` and `StripSink`: paints in a thread of its own, the newest strip of each patient
    only, and retains the picture.
    """

    def __init__(self, publisher: Publisher, topics: Topics) -> None:
        super().__init__("pictures")
        self._publisher = publisher
        self._topics = topics
        self._alerts: OrderedDict[str, AlertMessage] = OrderedDict()
        self._newest: dict[str, tuple[StripMessage, AlertMessage | None]] = {}
        self._changed = threading.Condition()
        self.start()

    def alert(self, message: AlertMessage) -> None:
        """Remember why, for the strip to come."""
        if message.phase is not Phase.END:
            self._alerts[message.id] = message
            self._alerts.move_to_end(message.id)
            while len(self._alerts) > ALERTS_KEPT:
                self._alerts.popitem(last=False)

    def strip(self, message: StripMessage) -> None:
        """Have it painted, unless a newer one of the patient comes first."""
        with self._changed:
            self._newest[message.patient] = message, self._alerts.get(message.id)
            self._changed.notify()

    def active(self, message: ActiveAlerts) -> None:
        """No part of a picture."""

    def state(self, message: StateMessage) -> None:
        """No part of a picture."""

    def availability(self, message: AvailabilityMessage) -> None:
        """No part of a picture."""

    def close(self) -> None:
        """Paint what waits, for a short while."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._join(CLOSE_S)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            strip, alert = work
            try:
                picture = render_png(strip, alert, BYTES_MAX)
            except Exception:  # a defect of ours ends a picture, not the others
                log.exception("picture of strip %s", strip.id)
                continue
            topic = self._topics.image(strip.patient)
            self._publisher.retain(topic, picture, 1, EXPIRY_S, "image/png")

    def _next(self) -> tuple[StripMessage, AlertMessage | None] | None:
        self.pulse.rest()
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._closing.is_set())
            if not self._newest:
                return None
            self.pulse.beat()
            return self._newest.pop(next(iter(self._newest)))
