"""`edge watch`: over the feed and over MQTT, on a terminal, in a pipe and as NDJSON."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from edge.alert import Phase
from edge.cli import main
from edge.clock import SystemClock
from edge.errors import BrokerError, Exit, UsageError
from edge.messages import ActiveAlerts, AvailabilityMessage, Topics, encode
from edge.mqtt_settings import MqttSettings
from edge.output import Output
from edge.publish.inbox import MAX_PACKET_BYTES
from edge.publish.session import ConnectionLostError
from edge.view_settings import ViewSettings
from edge.watching import WatchOptions, watch
from edge.watching.feed import FeedSource
from edge.watching.heard import Format, Notice, Samples
from edge.watching.mqtt import MqttSource
from edge.watching.screen import JsonLines, Lines, Screen
from tests.edge.view.served import RATE_HZ, TIME, alert_of, served, state_of
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Heard:
    """A source that tells what a test gives it, then ends the watch by an interrupt."""

    name = "a test"

    def __init__(self, *told):
        self._told = [list(told)]
        self.closed = False

    def open(self):
        """Nothing to connect to."""

    def read(self, timeout_s):
        if not self._told:
            raise KeyboardInterrupt
        return self._told.pop()

    def close(self):
        self.closed = True


def until(source, wanted: Callable[[list], bool]) -> list:
    """What was heard up to where `wanted` is true of it."""
    clock, heard = SystemClock(), []
    deadline_ns = clock.monotonic_ns() + int(WAIT_S * 1e9)
    while not wanted(heard):
        assert clock.monotonic_ns() < deadline_ns, heard
        heard += source.read(0.05)
    return heard


def shown_by(view_of, *told) -> str:
    stream, source = Terminal(), Heard(*told)
    with pytest.raises(KeyboardInterrupt):
        watch(source, WatchOptions(), view_of(Output(stream)))
    assert source.closed
    return stream.getvalue()


def wave(seconds: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE_HZ))
    return (1000 * np.exp(-(((at % RATE_HZ) - 60.0) ** 2) / 18.0)).astype(np.float32)


TOLD = (
    Format("p1", RATE_HZ, ("II",)),
    Samples("p1", wave(4)),
    Samples("p1", np.full(250, np.nan, np.float32)),
    state_of("p1", active=["vt"]),
    ActiveAlerts(patient="p1", time=TIME, alerts=[alert_of("p1")]),
    alert_of("p1"),
)


def test_lines_for_a_pipe_or_a_dumb_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = shown_by(Lines, *TOLD, Notice("connection lost", lost=True))
    assert "\x1b" not in text
    assert "HIGH" in text
    assert "ventricular tachycardia" in text
    assert "connection lost" in text


def test_status_lines_without_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown_by(Lines, *TOLD)
    assert " 72 bpm" in text
    assert "\x1b[3" not in text


def test_a_terminal_gets_a_strip_and_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    text = shown_by(Screen, *TOLD)
    assert any(0x2801 <= ord(each) <= 0x28FF for each in text)
    assert " 72 bpm" in text
    assert "\x1b[?25l" in text  # the cursor, hidden
    assert text.rstrip("\n").rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_json_is_one_object_a_line():
    lines = [json.loads(line) for line in shown_by(JsonLines, *TOLD).splitlines()]
    assert [each["event"] for each in lines] == ["start", "format", "state", "active", "alert"]
    assert lines[-1]["kind"] == "vt"


def test_feed_tells_state_alerts_and_each_sample_once():
    pytest.importorskip("websockets")
    with served("p1", "p2") as (view, _, (bed, other)):
        bed.alert(id="old", phase=Phase.END)
        bed.samples(500)
        bed.state()
        picked_up(view)
        source = FeedSource(view.url, patient="p1")
        source.open()
        other.samples(100)
        bed.gap(100)
        bed.samples(100)
        bed.alert(id="new")
        heard = until(source, lambda told: len(samples_in(told)) >= 700)
        heard += until(source, lambda told: any(isinstance(e, ActiveAlerts) for e in heard + told))
        source.close()
    assert {each.patient for each in heard if not isinstance(each, Notice)} == {"p1"}
    trace = samples_in(heard)
    assert len(trace) == 700
    assert np.isnan(trace[500:600]).all()
    assert np.isfinite(trace[:500]).all()
    assert [each.id for each in heard if hasattr(each, "phase")] == ["new"]


def picked_up(view) -> None:
    """Wait until the page's thread knows what it was told: it is history for who comes then."""
    deadline_s = time.monotonic() + WAIT_S
    while view.ward.waiting:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def samples_in(heard) -> np.ndarray:
    parts = [each.samples_uv for each in heard if isinstance(each, Samples)]
    return np.concatenate(parts) if parts else np.empty(0)


def test_feed_that_goes_away_is_told_and_found_again():
    pytest.importorskip("websockets")
    with served("p1") as (view, *_):
        url = view.url
        source = FeedSource(url)
        source.open()
    told = until(source, lambda heard: any(isinstance(each, Notice) for each in heard))
    assert [each.lost for each in told if isinstance(each, Notice)] == [True]
    at = url.removeprefix("http://").strip("/")
    with served("p1", settings=ViewSettings(listen=at)) as (_, _, (bed,)):
        bed.state()
        heard = until(source, lambda heard: any(hasattr(each, "link") for each in heard))
    assert Notice("connected again") in heard
    source.close()


def test_what_cannot_be_watched_is_said(tmp_path, capsys):
    pytest.importorskip("websockets")
    (tmp_path / "token").write_text("a token for the tests")
    settings = ViewSettings(listen="0", token_file=str(tmp_path / "token"))
    with served("p1", settings=settings) as (view, *_):
        with pytest.raises(BrokerError, match="--token-file"):
            FeedSource(view.url).open()
        source = FeedSource(view.url, settings.token())
        source.open()
        source.close()
    with pytest.raises(BrokerError, match="is `edge run --view` running"):
        FeedSource(view.url).open()
    for url in ("http://h/path", "ftp://h", "http://u:p@h", "http://h:0"):
        with pytest.raises(UsageError, match="--view takes"):
            FeedSource(url)
    assert main(["watch", "--view", view.url, "--for", "1"]) == Exit.BROKER
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["watch", "--patient", "../x"]) == Exit.USAGE
    assert main(["watch", "--mqtt", "http://x"]) == Exit.CONFIG


@needs_mosquitto
def test_states_and_alerts_over_a_real_broker():
    topics = Topics("ward/3")
    with Mosquitto() as broker:
        broker.publish(topics.state("p1"), encode(state_of("p1")).decode(), "-r")
        source = MqttSource(MqttSettings(url=broker.url, base="ward/3"))
        source.open()
        until(source, lambda heard: any(hasattr(each, "link") for each in heard))
        online = AvailabilityMessage(state="online", patient="p1", time=TIME)
        broker.publish(topics.availability("p1"), encode(online).decode())
        broker.publish(topics.alert("p1"), "nonsense")
        for _ in range(2):  # a copy, as MQTT may bring it
            broker.publish(topics.alert("p1"), encode(alert_of("p1")).decode())
        broker.publish(topics.alert("p1"), encode(alert_of("p1", seq=2, phase=Phase.END)).decode())
        heard = until(source, lambda told: any(getattr(e, "seq", 0) == 2 for e in told))
        assert [each.seq for each in heard if hasattr(each, "seq")] == [1, 2]
        assert online in heard
        broker.stop()
        told = until(source, lambda heard: any(isinstance(each, Notice) for each in heard))
        assert told[-1].lost
        broker.start()
        until(source, lambda heard: Notice("connected again") in heard)
        source.close()


@needs_mosquitto
def test_a_long_list_of_active_alarms_is_not_kept_back():
    alarms = [alert_of("p1", id=f"a{number}") for number in range(100)]
    message = encode(ActiveAlerts(patient="p1", time=TIME, alerts=alarms))
    assert len(message) > 2 * MAX_PACKET_BYTES
    with Mosquitto() as broker:
        source = MqttSource(MqttSettings(url=broker.url))
        source.open()
        broker.publish(Topics("edge").active("p1"), message.decode(), "-r")
        heard = until(source, lambda told: any(isinstance(each, ActiveAlerts) for each in told))
        source.close()
    assert len(heard[-1].alerts) == 100


def test_a_connection_that_cannot_subscribe_is_closed(monkeypatch):
    made = []

    class Unwilling:
        def __init__(self, *_, **__):
            self.closed = False
            made.append(self)

        def subscribe(self, filters):
            raise ConnectionLostError("gone")

        def close(self):
            self.closed = True

    monkeypatch.setattr("edge.watching.mqtt.Session", Unwilling)
    source = MqttSource(MqttSettings(url="mqtt://127.0.0.1"))
    with pytest.raises(BrokerError, match="gone"):
        source.open()
    source.close()
    assert [each.closed for each in made] == [True]


def test_no_broker_is_said():
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        MqttSource(MqttSettings(url="mqtt://127.0.0.1:1")).open()


def test_time_is_up():
    ended = threading.Event()

    class Silent(Heard):
        def read(self, timeout_s):
            ended.wait(0.01)
            return []

    options = WatchOptions(for_s=0.05)
    assert watch(Silent(), options, Lines(Output(Terminal()))) == Exit.OK
