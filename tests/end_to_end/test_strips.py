"""Strips of a real run: on the broker, on disk, as a picture, and on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from edge.cli import main
from edge.messages import AlertMessage, StripMessage
from edge.strips.codec import decode
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import PROGRAM_S

pytestmark = [pytest.mark.broker, needs_mosquitto]

SOURCE = "sim:?scenario=asystole&leads=3&seed=1&speed=20&duration_s=20000"
IMAGE = "edge/patient-1/alert/image"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the broker got of one asystole, and where it is stored."""
    pytest.importorskip("PIL.Image")
    variables = {
        "EDGE__STORAGE__DIRECTORY": str(tmp_path_factory.mktemp("strips")),
        "EDGE__MQTT__STRIP_IMAGE": "true",
    }
    with Mosquitto() as broker, broker.subscribe("edge/+/alert", "edge/+/alert/strip") as heard:
        run = ("run", "--source", SOURCE, "--bundle", "none", "--mqtt", broker.url, "--json")
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", *run],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **variables},
        )
        try:
            got = heard.wait_for(lambda got: any(has_strip(each) for each in got), PROGRAM_S)
            image = retained_image(broker)
        finally:
            process.kill()
            process.wait()
    return got, image, variables


def has_strip(received):
    return received.topic == "edge/patient-1/alert/strip"


def retained_image(broker):
    """The picture, as bytes: `mosquitto_sub` prints hexadecimal digits of a payload by `%x`."""
    command = ["mosquitto_sub", "-p", str(broker.port), "-t", IMAGE, "-C", "1", "-F", "%x"]
    told = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PROGRAM_S)
    return bytes.fromhex(told.stdout.strip())


def test_an_alert_has_its_strip_after_it_on_the_broker(ran):
    got, _, _ = ran
    alert = msgspec.json.decode(got[0].payload, type=AlertMessage)
    strip = next(
        msgspec.json.decode(each.payload, type=StripMessage) for each in got if has_strip(each)
    )
    assert (alert.kind, alert.phase, strip.id) == ("asystole", "start", alert.id)
    samples = decode(strip)
    assert list(strip.samples) == ["I", "II", "III"]
    silent = samples[round((strip.onset_ms + 1000) / 1000 * strip.rate_hz) :]
    beating = samples[: round(strip.onset_ms / 1000 * strip.rate_hz)]
    assert np.nanmax(np.ptp(beating, axis=0)) > 5 * np.nanmax(np.ptp(silent[:750], axis=0))
    assert strip.decided_ms - strip.onset_ms > 4000
    assert max(beat.offset_ms for beat in strip.beats) <= strip.onset_ms + 1


def test_its_picture_is_retained(ran):
    _, image, _ = ran
    assert image.startswith(b"\x89PNG")
    assert len(image) <= 200_000


def test_it_is_on_record(ran, monkeypatch, capsys):
    got, _, variables = ran
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stored = next(each.json for each in got if has_strip(each))
    assert main(["alerts", "show", json.loads(got[0].payload)["id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["strips"][0] == stored
