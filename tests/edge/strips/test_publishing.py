"""From the cutter to the sinks: a thread of its own, and pictures in another."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

import pytest

from edge.announce import Announcer
from edge.clock import SystemClock
from edge.errors import UsageError
from edge.messages import StripMessage, Topics, encode
from edge.mqtt_settings import MqttSettings
from edge.outbox import STRIP_PHASE, TELEMETRY_RANK, Outbox, open_alert_log
from edge.publish import Publisher
from edge.sink import StripSink, outbound, outbound_strip
from edge.strips.codec import decode
from edge.strips.image import BYTES_MAX, StripImages, strip_images
from edge.strips.service import WAITING, Strips
from tests.edge.strips.cutting import Bedside, a_strip, alert_at, ecg_uv, its_alert
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S


@dataclass
class Plain:
    """A sink that takes no strips."""

    alerts: list = field(default_factory=list)

    def alert(self, message):
        self.alerts.append(message)

    def active(self, message):
        pass

    def state(self, message):
        pass

    def availability(self, message):
        pass

    def close(self):
        pass


@dataclass
class WithStrips(Plain):
    strips: list = field(default_factory=list)

    def strip(self, message):
        self.strips.append(message)


@dataclass
class Retaining:
    """Remembers what is to be retained."""

    retained: list = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    def retain(self, topic, payload, qos, expiry_s=None, content_type="application/json"):
        self.retained.append((topic, payload, qos, expiry_s, content_type))
        self.came.set()


def test_strips_reach_the_sinks_that_take_them_and_no_others():
    plain, taking = Plain(), WithStrips()
    announcer = Announcer([plain, taking], lambda _: 1, SystemClock())
    assert announcer.takes_strips
    assert not Announcer([plain], lambda _: 1, SystemClock()).takes_strips
    strips = Strips(announcer.strip)
    bed = Bedside(alert_at(10, 12))
    bed.cutter = strips
    announcer.start([])
    strips.start([bed.monitor])
    bed.send(ecg_uv(13 * 250, 1))
    strips.close(WAIT_S)
    announcer.close(WAIT_S)
    (message,) = taking.strips
    assert isinstance(message, StripMessage)
    assert (message.id, message.patient, message.kind) == ("alert-1", "p1", "vt")
    assert len(decode(message)) == 13 * 250


def test_sinks_that_stand_still_cost_strips_and_not_the_engine(caplog):
    stuck, entered = threading.Event(), threading.Event()

    def deliver(_):
        entered.set()
        stuck.wait(WAIT_S)

    strips = Strips(deliver)
    bed = Bedside()
    bed.cutter = strips
    strips.start([bed.monitor])
    bed.send(ecg_uv(500, 1))
    for number in range(WAITING + 5):
        bed.alarms.due = [alert_at(2, 2 + number, id_=f"alert-{number}")]
        bed.send(ecg_uv(250, 1))
        strips.finish()
        assert number or entered.wait(WAIT_S)
    assert strips.left_out == 4  # one is with the sinks
    assert "strips: the sinks are too slow" in caplog.text
    stuck.set()
    strips.close(WAIT_S)


def test_a_strip_goes_below_its_own_name_after_every_alert():
    strip, alert = a_strip(ecg_uv(2500, 1)), its_alert()
    stored, of_alert = outbound_strip(strip, Topics("ward")), outbound(alert, Topics("ward"))
    assert stored.key == ("p1", strip.id, STRIP_PHASE, 0)
    assert (stored.topic, stored.qos, stored.rank) == ("ward/p1/alert/strip", 1, TELEMETRY_RANK)
    assert stored.rank > of_alert.rank
    assert stored.properties == (("schema", "strip"),)
    assert stored.payload == encode(strip)


def test_the_newest_strip_is_retained_as_a_picture():
    pytest.importorskip("PIL.Image")
    publisher = Retaining()
    images = StripImages(publisher, Topics())
    assert isinstance(images, StripSink)
    images.alert(its_alert())
    images.strip(a_strip(ecg_uv(5 * 250, 1)))
    assert publisher.came.wait(WAIT_S)
    images.close()
    (retained,) = publisher.retained
    topic, picture, qos, expiry_s, content_type = retained
    assert (topic, qos, content_type) == ("edge/p1/alert/image", 1, "image/png")
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= BYTES_MAX
    assert expiry_s > 0


def test_a_strip_that_cannot_be_drawn_costs_no_other_its_picture(caplog):
    pytest.importorskip("PIL.Image")
    publisher = Retaining()
    images = StripImages(publisher, Topics())
    images.strip(a_strip([[1.0]], patient="p2", signal=a_long_signal()))
    images.strip(a_strip(ecg_uv(500, 1)))
    assert publisher.came.wait(WAIT_S)
    images.close()
    assert [each[0] for each in publisher.retained] == ["edge/p1/alert/image"]
    assert "at most 120 s are drawn" in caplog.text


def a_long_signal():
    import numpy as np

    from edge.strips.cut import Signal
    from firmware_bridge.stream import StreamFormat

    form = StreamFormat(100.0, ("II",))
    return Signal(form, np.zeros((13_000, 1), np.float32), np.ones(13_000, np.uint8), 0)


def test_pictures_are_made_where_they_are_wanted_and_can_be(monkeypatch):
    pytest.importorskip("PIL.Image")
    plain, wanted = MqttSettings(), MqttSettings(strip_image=True)
    assert strip_images(None, None) is None
    assert strip_images(plain, Retaining()) is None
    made = strip_images(wanted, Retaining())
    assert made is not None
    made.close()
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(UsageError, match=r"edge\[strips\]"):
        strip_images(wanted, Retaining())


@pytest.mark.broker
@needs_mosquitto
@pytest.mark.parametrize("reason", ["topic", "size"])
def test_strips_that_the_broker_will_not_have_hold_no_alert_up(tmp_path, monkeypatch, reason):
    many = 30  # more than may be in flight
    rights = tmp_path / "acl"
    rights.write_text("topic readwrite edge/p1/alert\ntopic readwrite test-ready/#\n")
    refusing = {"topic": f"acl_file {rights}", "size": "max_packet_size 5000"}[reason]
    path = tmp_path / "outbox.sqlite"
    with Mosquitto(refusing) as broker, broker.subscribe("edge/p1/alert") as heard:
        outbox = Outbox(path)
        for number in range(many):
            outbox.put(outbound_strip(a_strip(ecg_uv(2500, 1), id=f"id-{number}"), Topics()))
        publisher = Publisher(MqttSettings(url=broker.url), outbox)
        publisher.start()
        deadline_ns = SystemClock().monotonic_ns() + int(WAIT_S * 1e9)
        while outbox.counts.pending and SystemClock().monotonic_ns() < deadline_ns:
            threading.Event().wait(0.02)
        outbox.put(outbound(its_alert(), Topics()))
        heard.wait_for(1)
        assert publisher.statistics.lost_connections == 0
        assert publisher.statistics.refused >= many
        publisher.stop(1.0)
        assert (outbox.counts.evicted, outbox.counts.pending) == (many, 0)
        assert outbox.health.evicted_by_rank == (0, 0, 0, 0)  # not for want of room
        with open_alert_log(path) as log:
            assert len(log.strip_payloads("id-7")) == 1
        outbox.close()
