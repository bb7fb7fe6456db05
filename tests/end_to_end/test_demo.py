"""`edge demo` as a new user meets it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def events():
    done = subprocess.run(
        [sys.executable, "-m", "edge", "demo", "--json", "--for", "22"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(events, name):
    return [event for event in events if event["event"] == name]


def test_ecg_flows_through_a_serial_port(events):
    (start,) = of(events, "start")
    assert start["sources"]["demo"].startswith("serial:///dev/")
    state = of(events, "state")[10]
    assert state["link"] == "streaming"
    assert 50 < state["heart_rate_bpm"] < 100
    assert state["rhythm"] == "normal"


def test_an_alert_reaches_the_subscriber_over_mqtt(events):
    received = [each["alert"] for each in of(events, "received")]
    assert ("vt", "start") in {(alert["kind"], alert["phase"]) for alert in received}
    raised = [
        {name: value for name, value in each.items() if name != "event"}
        for each in of(events, "alert")
    ]
    assert received == raised[: len(received)]
    assert len(received) >= len(raised) - 1


def test_the_report_conserves_every_sample(events):
    samples = of(events, "end")[0]["patients"][0]["samples"]
    lost_and_double = samples["duplicate"] + samples["late"] + samples["bad"]
    assert samples["received"] == samples["delivered"] + lost_and_double
    assert samples["span"] == samples["delivered"] + samples["gap"]
    assert samples["received"] > 20 * 250


def test_an_unknown_scenario_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "edge", "demo", "--scenario", "dance"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 4
    assert "dance" in done.stderr
    assert "Traceback" not in done.stderr
