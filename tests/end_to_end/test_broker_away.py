"""Alerts raised while the broker is away arrive when it returns, from a running `edge run`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S

pytestmark = [pytest.mark.broker, needs_mosquitto]

SOURCE = "sim:?scenario=tour&speed=20"
ALERTS = "edge/+/alert"
SESSION = "watch"


def lines_until(process, wanted):
    """Events of the run up to the first that `wanted` accepts."""
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if wanted(events[-1]):
            return events
    raise AssertionError(f"the run ended early: {process.stderr.read()}")


@pytest.fixture
def start(tmp_path):
    processes = []

    def start(broker):
        to = ("--mqtt", broker.url)
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--source", SOURCE, "--json", *to],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def expect(broker):
    """From now on the broker keeps alerts for a subscriber that is not there yet."""
    with broker.subscribe(ALERTS, session=SESSION):
        pass


def key(alert):
    return alert["id"], alert["phase"], alert["seq"]


def is_alert(event):
    return event["event"] == "alert"


def test_broker_away_during_alerts(start):
    with Mosquitto(durable=True) as broker:
        expect(broker)
        process = start(broker)
        before = lines_until(process, is_alert)
        broker.stop()
        away = lines_until(process, is_alert) + lines_until(process, is_alert)
        broker.start()
        with broker.subscribe(ALERTS, session=SESSION) as subscriber:
            wanted = {key(event) for event in away if is_alert(event)}
            subscriber.wait_for(lambda got: wanted <= {key(message.json) for message in got})
        assert wanted
        assert before
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 143


def test_killed_run_leaves_its_alerts_to_the_next_one(start):
    with Mosquitto(durable=True) as broker:
        expect(broker)
        broker.stop()
        process = start(broker)
        raised = lines_until(process, is_alert)
        raised += lines_until(process, lambda event: event["event"] == "state")
        process.kill()
        process.communicate()
        broker.start()
        start(broker)
        wanted = {key(event) for event in raised if is_alert(event)}
        assert wanted
        with broker.subscribe(ALERTS, session=SESSION) as subscriber:
            subscriber.wait_for(lambda got: wanted <= {key(message.json) for message in got})
