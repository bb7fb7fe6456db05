"""`edge demo` as a new user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.patience import PROGRAM_S, WAIT_S

ENOUGH_STATES = 10
"""Until there is a heart rate and a rhythm."""


@pytest.fixture(scope="module")
def events():
    """Up to the first alert that the subscriber got, and the report of the end."""
    command = [sys.executable, "-m", "edge", "demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        seen = []
        while not (of(seen, "received") and len(of(seen, "state")) > ENOUGH_STATES):
            seen.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        seen += [json.loads(line) for line in process.stdout]
        assert process.wait(WAIT_S) == 143
    return seen


def of(events, name):
    return [event for event in events if event["event"] == name]


def test_ecg_flows_through_a_serial_port(events):
    (start,) = of(events, "start")
    assert start["sources"]["demo"].startswith("serial:///dev/")
    assert [
        state
        for state in of(events, "state")
        if (state["link"], state["rhythm"]) == ("streaming", "normal")
        and 50 < (state["heart_rate_bpm"] or 0) < 100
    ]


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
    assert samples["received"] > 250 * ENOUGH_STATES


def test_an_unknown_scenario_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "edge", "demo", "--scenario", "dance"],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
    )
    assert done.returncode == 4
    assert "dance" in done.stderr
    assert "Traceback" not in done.stderr
