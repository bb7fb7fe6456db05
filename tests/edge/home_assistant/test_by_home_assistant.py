"""Judged by Home Assistant's own code, where a Python that has it is named.

    python3.13 -m venv ha
    ha/bin/pip install -c package_constraints.txt homeassistant==2025.4.4 paho-mqtt==2.1.0
    EDGE_HOME_ASSISTANT_PYTHON=ha/bin/python pytest tests/edge/home_assistant

`homeassistant/package_constraints.txt` comes out of Home Assistant's wheel.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.clock import SystemClock
from edge.home_assistant.announcement import Announcement
from edge.home_assistant.discovery import Extras, Watched
from edge.home_assistant.record import FILE, AnnouncedTopics
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import (
    AvailabilityMessage,
    MessageContext,
    Presence,
    SampleCounts,
    StateMessage,
    Topics,
    active_alerts,
    alert_message,
)
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.sink import MqttSink
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S

PYTHON = os.environ.get("EDGE_HOME_ASSISTANT_PYTHON", "")
TIME = "2026-01-31T12:00:00.250Z"
PNG = b"\x89PNG\r\n\x1a\n"
SENSORS = {
    "sensor.ecg_bed_3_heart_rate": "71.5",
    "sensor.ecg_bed_3_rmssd": "unknown",
    "sensor.ecg_bed_3_rhythm": "normal",
    "sensor.ecg_bed_3_signal_quality": "93",
    "sensor.ecg_bed_3_battery": "88",
    "binary_sensor.ecg_bed_3_lead_off": "off",
    "binary_sensor.ecg_bed_3_connected": "on",
    "sensor.ecg_bed_3_link": "streaming",
    "sensor.ecg_bed_3_encoder": "tcn-s",
    "binary_sensor.ecg_bed_3_alarm": "off",
    "binary_sensor.ecg_bed_3_audio_paused": "off",
    "sensor.ecg_bed_3_alarm_priority": "none",
    "sensor.ecg_bed_3_alarm_kind": "none",
    "event.ecg_bed_3_alert": "unknown",
    "button.ecg_bed_3_acknowledge_alarms": "unknown",
}

pytestmark = [
    pytest.mark.broker,
    needs_mosquitto,
    pytest.mark.skipif(not PYTHON, reason="needs EDGE_HOME_ASSISTANT_PYTHON, see this file"),
]


class Judge:
    """The process in which Home Assistant runs."""

    def __init__(self, port: int, folder: Path) -> None:
        script = Path(__file__).parent / "judge.py"
        folder.mkdir()
        self._process = subprocess.Popen(
            [PYTHON, str(script), str(port), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, command: str = "look") -> dict[str, Any]:
        """The answer to one command."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def wait_for(
        self,
        condition: Callable[[dict[str, Any]], bool],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """What is seen once the condition holds."""
        seen: dict[str, Any] = {}
        for _ in range(int(WAIT_S / 0.1)):
            meanwhile()
            seen = self.ask()
            if condition(seen):
                return seen
            threading.Event().wait(0.1)
        raise AssertionError(f"after {WAIT_S:g} s: {json.dumps(seen, indent=1)}")

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=WAIT_S)


def states(seen: dict[str, Any]) -> dict[str, str]:
    return {name: each["state"] for name, each in seen["entities"].items() if not each["disabled"]}


@contextmanager
def service(
    broker: Mosquitto, folder: Path, *patients: str
) -> Iterator[tuple[Publisher, MqttSink, list[bytes]]]:
    """What `edge run` has of it: a publisher, a sink, and the presses of buttons."""
    topics, presses = Topics(), []
    outbox = Outbox(folder / "outbox.db")
    publisher = Publisher(MqttSettings(url=broker.url), outbox)
    settings = HomeAssistantSettings(enabled=True, buttons=True)
    record = AnnouncedTopics(folder / FILE)
    announcement = Announcement(settings, topics, publisher, record, SystemClock())
    watched = [Watched(each, "patch 7") for each in patients]
    announcement.make(watched, "1.2.3", Extras(("acknowledge", "pause_audio"), picture=True))
    publisher.listen(topics.button("bed-3"), lambda message: presses.append(message.payload))
    publisher.start()
    try:
        yield publisher, MqttSink(outbox, publisher, topics), presses
    finally:
        publisher.stop(WAIT_S)
        announcement.close()
        outbox.close()


def present(sink: MqttSink, online: Presence) -> None:
    """A patient who is well."""
    sink.availability(AvailabilityMessage(state=online, patient="bed-3", time=TIME))
    sink.active(active_alerts("bed-3", TIME, []))
    sink.state(
        StateMessage(
            patient="bed-3",
            device="patch 7",
            bundle="tcn-s",
            time=TIME,
            link="streaming",
            heart_rate_bpm=71.5,
            rhythm="normal",
            quality=0.93,
            battery_percent=88,
            samples=SampleCounts(gap=3),
        )
    )


def test_home_assistant_makes_of_it_what_was_meant(tmp_path: Path) -> None:
    with Mosquitto() as broker:
        judge = Judge(broker.port, tmp_path / "config")
        try:
            _watched(broker, tmp_path, judge)
            _withdrawn(broker, tmp_path, judge)
        finally:
            judge.close()


def _watched(broker: Mosquitto, folder: Path, judge: Judge) -> None:
    with service(broker, folder, "bed-3", "bed-4") as (publisher, sink, presses):
        seen = judge.wait_for(
            lambda seen: SENSORS.items() <= states(seen).items(),
            lambda: present(sink, "online"),  # a state expires, so it comes again and again
        )
        assert {each["name"] for each in seen["devices"]} == {"ECG bed-3", "ECG bed-4"}
        assert {each["model"] for each in seen["devices"]} == {"patch 7"}
        assert states(seen)["sensor.ecg_bed_4_heart_rate"] == "unavailable"
        assert seen["entities"]["sensor.ecg_bed_3_clock_drift"]["disabled"]

        _alarm(sink, judge)
        present(sink, "offline")
        judge.wait_for(
            lambda seen: (
                states(seen)["sensor.ecg_bed_3_heart_rate"] == "unavailable"
                and states(seen)["binary_sensor.ecg_bed_3_alarm"] == "off"
            )
        )
        publisher.retain(Topics().image("bed-3"), PNG, qos=0)
        judge.wait_for(lambda seen: "T" in states(seen)["image.ecg_bed_3_last_strip"])
        judge.ask("press button.ecg_bed_3_acknowledge_alarms")
        judge.wait_for(lambda _: presses == [b"acknowledge"])
    seen = judge.wait_for(lambda seen: set(states(seen).values()) == {"unavailable"})
    assert seen["complaints"] == []


def _alarm(sink: MqttSink, judge: Judge) -> None:
    """An alert becomes an event, and the condition a problem with its particulars."""
    raised = Alert(
        *("a1", AlarmKind.VF, AlarmType.PHYSIOLOGICAL, Priority.HIGH, Phase.START, 0, 0),
        evidence={"share": 0.9},
    )
    message = alert_message(raised, 1, MessageContext("bed-3", "patch 7", "tcn-s", lambda _: 0))
    sink.alert(message)
    sink.active(active_alerts("bed-3", TIME, [message]))
    seen = judge.wait_for(
        lambda seen: seen["fired"] and states(seen)["sensor.ecg_bed_3_alarm_priority"] == "high"
    )
    (event,) = seen["fired"]
    assert (event["event_type"], event["kind"], event["priority"]) == ("start", "vf", "high")
    assert event["evidence"] == {"share": 0.9}
    alarm = seen["entities"]["binary_sensor.ecg_bed_3_alarm"]
    assert alarm["state"] == "on"
    assert alarm["attributes"]["alerts"][0]["kind"] == "vf"


def _withdrawn(broker: Mosquitto, folder: Path, judge: Judge) -> None:
    """A patient no longer configured leaves nothing behind."""
    with service(broker, folder, "bed-4"):
        seen = judge.wait_for(
            lambda seen: [each["name"] for each in seen["devices"]] == ["ECG bed-4"]
        )
        assert not [name for name in seen["entities"] if "bed_3" in name]
