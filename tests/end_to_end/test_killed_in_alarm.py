"""A process killed while an alarm is on, and started again: one alarm, told to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mosquitto import Mosquitto, Received, needs_mosquitto
from tests.patience import WAIT_S

CONFIG = """
[mqtt]
url = "{url}"
[encoder]
bundle = "none"
[storage]
directory = "{folder}"
[[patient]]
id = "p1"
source = "sim:?scenario=asystole&speed=8"
[patient.attendance]
latching = []
[patient.limits]
end_s = {end_s}
"""
"""The heart stands still again and again, before an alarm that needs a minute without can end."""


@contextmanager
def edge_run(folder: Path, url: str, end_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """`edge run`, killed at the end."""
    config = folder / "edge.toml"
    config.write_text(CONFIG.format(url=url, folder=folder, end_s=end_s), encoding="utf-8")
    command = [sys.executable, "-m", "edge", "run", str(config), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT_S)


def steps(received: list[Received]) -> list[dict[str, Any]]:
    """Each step of any alarm, once, as a subscriber is told to take them."""
    messages = [each.json for each in received if each.topic.endswith("/alert")]
    return [*{(each["id"], each["phase"], each["seq"]): each for each in messages}.values()]


def asystoles(received: list[Received]) -> list[tuple[str, str]]:
    """Id and phase of each step."""
    return [(each["id"], each["phase"]) for each in steps(received) if each["kind"] == "asystole"]


def has(received: list[Received], phase: str) -> bool:
    return phase in [each for _, each in asystoles(received)]


def lists_before_end(received: list[Received]) -> list[list[str]]:
    """Ids of all lists of alarms present, from the first that has one to the alarm's end."""
    ends = [k for k, each in enumerate(received) if each.json.get("phase") == "end"]
    lists = [each.json["alerts"] for each in received[: ends[0]] if "alerts" in each.json]
    begun = next(k for k, alerts in enumerate(lists) if alerts)
    return [[alert["id"] for alert in alerts] for alerts in lists[begun:]]


@pytest.mark.broker
@needs_mosquitto
def test_an_alarm_that_was_on_goes_on_and_ends_under_its_id(tmp_path: Path) -> None:
    with Mosquitto() as broker, broker.subscribe("edge/p1/alert/#") as subscriber:
        with edge_run(tmp_path, broker.url, end_s=60.0):
            subscriber.wait_for(lambda got: has(got, "start"))
        with edge_run(tmp_path, broker.url, end_s=1.0):
            received = subscriber.wait_for(lambda got: has(got, "end"))
    told = steps(received)
    start = told[0]
    life = asystoles(received)
    life = life[: life.index((start["id"], "end")) + 1]
    assert [phase for _, phase in life].count("start") == 1
    assert {alarm for alarm, _ in life} == {start["id"]}
    assert [each["seq"] for each in told] == list(range(1, len(told) + 1))
    again = next(each for each in told if "interrupted_s" in each["evidence"])
    assert (again["id"], again["phase"]) == (start["id"], "update")
    assert ("signal_lost", "start") in [(each["kind"], each["phase"]) for each in told]
    assert all(start["id"] in present for present in lists_before_end(received))
