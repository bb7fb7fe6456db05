"""What the service says of itself: on the broker, and to Prometheus."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import SystemClock
from edge.config import check
from edge.errors import ConfigError
from edge.health.beacon import Beacon
from edge.health.figures import board, open_files, process
from edge.health.message import EngineHealth
from edge.health.report import _troubles
from edge.health.watch import PatientFigures, ServiceWatch
from edge.histogram import Histogram
from edge.run import RunOptions, run
from edge.schemas import generate
from edge.told_text import without_folders
from tests.edge.service.test_parts_fail import Silent
from tests.edge.view.served import state_of
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.patience import WAIT_S

DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana" / "edge.json"


def configured(folder, **tables):
    source = "sim:?scenario=asystole&speed=20"
    patient = {"id": "p1", "source": source, "bundle": "none"}
    storage = {"directory": str(folder)}
    return check({"patient": [patient], "storage": storage, **tables})


class Until(Silent):
    """A display that ends the run once a condition holds."""

    def __init__(self, condition):
        super().__init__()
        self.condition = condition
        self.runtime = None
        self.ticks = 0

    def ticked(self, *_):
        self.ticks += 1
        if self.condition(self):
            self.runtime.stop()

    def run(self, config):
        return run(
            config,
            RunOptions(for_s=WAIT_S),
            on_ready=lambda runtime: setattr(self, "runtime", runtime),
            display=self,
        )


@needs_mosquitto
def test_health_is_published_by_its_schema(tmp_path, monkeypatch):
    monkeypatch.setattr(Beacon.__init__, "__defaults__", (0.2,))
    with Mosquitto() as broker, broker.subscribe("edge/health") as subscriber:

        def told(_):
            last = [each.json for each in subscriber.received][-1:]
            return bool(last and last[0]["outbox"]["delivered"])

        config = configured(
            tmp_path, mqtt={"url": broker.url}, record={"directory": str(tmp_path / "rec")}
        )
        assert Until(told).run(config) == 0
        received = [each.json for each in subscriber.wait_for(1)]
    for each in received:
        jsonschema.validate(each, generate("health"))
    last = received[-1]
    assert last["state"] == "ok", last["troubles"]
    assert last["outbox"]["raised"] >= 1
    assert last["broker"]["connected"]
    assert last["recording"]["unrecorded"] == 0
    assert set(last["parts"]) == {
        "engine", "link of p1", "sinks", "publisher", "recorder", "health", "strips", "bundles",
    }  # fmt: skip
    assert last["patients"][0]["patient"] == "p1"
    assert last["process"]["rss_bytes"] > 10_000_000
    assert str(tmp_path) not in json.dumps(received)


def scraped(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=WAIT_S) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def exposition(tmp_path_factory):
    """What Prometheus gets of a run with everything, after its first alarm."""
    pytest.importorskip("prometheus_client")
    folder = tmp_path_factory.mktemp("metrics")
    addresses, texts = [], []
    from edge.metrics.server import MetricsServer

    plain = MetricsServer.start

    def start(server):
        plain(server)
        addresses.append(server.endpoint)

    def asked(display):
        if display.alerts and addresses and display.ticks > 2:
            texts.append(scraped(addresses[0]))
        return bool(texts)

    patch = pytest.MonkeyPatch()
    patch.setattr(MetricsServer, "start", start)
    config = configured(
        folder,
        mqtt={"url": "mqtt://127.0.0.1:9"},
        record={"directory": str(folder / "rec")},
        metrics={"listen": "127.0.0.1:0", "vital_signs": True},
    )
    Until(asked).run(config)
    patch.undo()
    with pytest.raises(OSError, match="refused"):
        scraped(addresses[0])  # it ends with the run
    return texts[0]


def families(exposition):
    from prometheus_client.parser import text_string_to_metric_families

    return {each.name: each for each in text_string_to_metric_families(exposition)}


def test_the_figures_agree_with_the_run(exposition):
    found = families(exposition)
    assert found["edge_outbox_waiting"].samples[0].value >= 1  # no broker is there
    assert found["edge_broker_connected"].samples[0].value == 0
    assert found["edge_degraded"].samples[0].value == 1
    (alarm,) = [s for s in found["edge_alerts"].samples if s.name == "edge_alerts_total"]
    assert alarm.labels == {"patient": "p1", "kind": "asystole", "priority": "high"}
    samples = {s.labels["outcome"]: s.value for s in found["edge_samples"].samples}
    assert samples["received"] == samples["delivered"] > 1000
    link = {s.labels["state"]: s.value for s in found["edge_link"].samples}
    assert link["streaming"] == 1
    assert sum(link.values()) == 1
    assert "edge_heart_rate_bpm" in found
    assert found["process_resident_memory_bytes"].samples[0].value > 10_000_000


def test_every_metric_of_the_dashboard_exists(exposition):
    names = {s.name for family in families(exposition).values() for s in family.samples}
    names |= set(re.findall(r"^# TYPE (\w+)", exposition, re.MULTILINE))
    dashboard = json.loads(DASHBOARD.read_text())
    asked = " ".join(t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ()))
    asked += " ".join(each.get("definition", "") for each in dashboard["templating"]["list"])
    wanted = set(re.findall(r"\b(?:edge|process)_\w+", asked))
    assert len(wanted) > 25
    assert wanted <= names


def test_every_metric_is_in_the_manual(exposition):
    manual = (DASHBOARD.parents[1] / "service.md").read_text()
    ours = set(re.findall(r"^# TYPE (edge_\w+)", exposition, re.MULTILINE))
    assert {name for name in ours if f"`{name}`" not in manual} == set()


@pytest.mark.parametrize(
    ("metrics", "complaint"),
    [
        ({"listen": "0.0.0.0:9464"}, "can be reached from other machines"),
        ({"listen": "[::]:9464"}, "allow_remote = true"),
        ({"listen": "nowhere"}, "names no address"),
        ({"listen": "127.0.0.1:99999"}, "names no address"),
        ({"listne": "127.0.0.1:9464"}, "unknown field"),
    ],
)
def test_an_address_that_others_reach_must_be_allowed(tmp_path, metrics, complaint):
    with pytest.raises(ConfigError, match=complaint):
        configured(tmp_path, metrics=metrics)


def test_another_address_may_be_allowed(tmp_path):
    assert configured(tmp_path, metrics={"listen": "0.0.0.0:0", "allow_remote": True})


def test_a_port_that_is_taken_is_named(tmp_path):
    pytest.importorskip("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=re.escape(address)):
            Until(lambda _: True).run(configured(tmp_path, metrics={"listen": address}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("outbox /var/lib/edge/outbox.sqlite: disk full", "outbox outbox.sqlite: disk full"),
        ("password_file ~/keys/pw: no such file", "password_file pw: no such file"),
        (
            "broker mqtts://broker.example:8883: refused",
            "broker mqtts://broker.example:8883: refused",
        ),
        ("5 samples/s of 3/4", "5 samples/s of 3/4"),
    ],
)
def test_texts_name_files_and_no_folders(text, shown):
    assert without_folders(text) == shown


@given(st.text(max_size=1000))
def test_a_text_is_bounded_whatever_is_in_it(text):
    assert len(without_folders(text)) <= 300


@given(st.lists(st.floats(0.0, 20.0)))
def test_a_histogram_counts_everything_once(seconds):
    bounds = (0.01, 0.1, 1.0, 10.0)
    histogram = Histogram(bounds)
    for each in seconds:
        histogram.add(each)
    for bound, count in histogram.cumulative:
        assert count == sum(each <= bound for each in seconds)
    assert histogram.total_s == pytest.approx(sum(seconds))


def test_figures_of_this_process_and_board():
    now = process()
    assert now.threads >= 1
    assert now.rss_bytes is None or now.rss_bytes > 1_000_000
    before = open_files()
    with socket.socket():
        assert open_files() == before + 1
    assert board().temperature_c is None or -50 < board().temperature_c < 150


def test_an_encoder_that_works_again_is_no_trouble():
    def troubles(bundle):
        figures = PatientFigures(state_of("p1", bundle=bundle), model_failures=1)
        engine = EngineHealth(late_ms=0.0, queued=0)
        return list(_troubles(engine, None, None, {}, [figures]))

    assert troubles("") == ["p1: the encoder failed; alarms come from rules alone"]
    assert troubles("tcn-s") == []


def test_figures_may_be_read_while_another_patient_is_told_of_for_the_first_time():
    watch, seen = ServiceWatch(SystemClock()), []

    def told_of(name):
        monitor = SimpleNamespace(
            patient=SimpleNamespace(id=name), bundle="", encoder_shed=False, silent_ns=0
        )
        watch.ticked(monitor, state_of(name))

    told_of("p0")
    told_of("p1")
    for name in watch.patients:
        told_of(f"{name}b")
        told_of(name)
        seen.append(name)
    assert seen == ["p0", "p1"]
    assert list(watch.patients) == ["p0", "p1", "p0b", "p1b"]
