"""Streams in real time, and alerts on their way to a broker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.alerts import run_alerts
from edge.bench.assembly import Assembly
from edge.bench.cost import measure_cost
from edge.bench.paced import run_paced
from edge.bench.paced_stream import PROBES_HZ, Handled, probe_every
from edge.bench.recording import record
from edge.bench.service import find_broker, play
from edge.broker import EmbeddedBroker
from edge.clock import SystemClock
from edge.errors import MonitorError, StorageError
from edge.mqtt_settings import MqttSettings

CLOCK = SystemClock()
URI = "sim:?scenario=sinus&seed=2"


@pytest.fixture(scope="module")
def assembly():
    return Assembly.of(record(URI, 10.0, CLOCK), "none", "auto")


def test_streams_are_played_side_by_side_and_every_packet_is_noted(assembly):
    paced = run_paced(assembly, 3, 1.2, None, CLOCK)
    assert paced.streams == 3
    assert 0 < paced.packets <= 3 * 13
    assert paced.response_ms.n == paced.wait_ms.n == paced.lateness_ms.n == paced.packets
    assert paced.response_ms.min >= paced.wait_ms.min
    assert paced.lateness_ms.min >= 0
    assert 0 <= paced.deadline_misses <= paced.packets
    assert paced.deadline_ms == 100.0
    assert sum(paced.response_histogram_ms.counts) == paced.packets
    assert paced.warm_up_s <= paced.seconds
    assert paced.memory.peak_mb >= paced.memory.start_mb * 0.9
    assert paced.memory.slope_mb_per_h is None
    assert paced.energy is None
    assert len(paced.timeline) >= 5


def test_a_run_too_short_for_a_packet_tells_nothing(assembly):
    paced = run_paced(assembly, 1, 1e-4, None, CLOCK)
    assert paced.packets == paced.response_ms.n <= 2
    assert paced.warm_up_s <= paced.seconds


def test_streams_are_spread_over_the_interval_of_packets(assembly):
    played = play(assembly, 4, 0.5, None, CLOCK)
    firsts = [int(each.times_ns[1, 0]) - int(each.times_ns[0, 0]) for each in played.handled]
    assert firsts == sorted(firsts)
    assert firsts[-1] - firsts[0] >= 60_000_000


@given(st.integers(1, 2000), st.integers(1_000_000, 2_000_000_000))
def test_no_more_alerts_are_made_than_a_ward_could_raise(streams, interval_ns):
    every = probe_every(streams, interval_ns)
    alerts_hz = streams * 1e9 / interval_ns / every
    assert alerts_hz <= PROBES_HZ * (1 + 1e-9)
    assert every == 1 or streams * 1e9 / interval_ns / (every - 1) > PROBES_HZ * (1 - 1e-9)


def test_alerts_of_many_streams_do_not_come_at_once(assembly):
    played = play(assembly, 6, 1.5, None, CLOCK, probing=True)
    packets = sum(each.done for each in played.handled)
    assert probe_every(6, assembly.recording.interval_ns) == 3
    assert packets / 3 - 6 <= played.watch.raised <= packets / 3 + 6


@pytest.mark.broker
def test_a_broker_of_ones_own_hears_nothing_of_patients(tmp_path):
    with EmbeddedBroker("mosquitto") as own:
        settings = MqttSettings(url=own.url, base="ward/3", client_id="the-monitor")
        with find_broker(settings, tmp_path, CLOCK) as broker:
            assert (broker.settings.base, broker.settings.client_id) == ("edge-bench", "")
            assert broker.name == own.url


@pytest.mark.broker
def test_alerts_are_timed_from_the_last_byte_to_the_puback(assembly, tmp_path):
    with find_broker(None, tmp_path, CLOCK) as broker:
        alerts = run_alerts(assembly, 2, 1.5, broker, CLOCK)
    told = [alerts.decide_ms, alerts.announce_ms, alerts.commit_ms, alerts.publish_ms]
    n = alerts.end_to_end_ms.n
    assert 5 <= n <= alerts.raised
    assert {part.n for part in told} == {n}
    assert all(part.min > 0 for part in told)
    assert sum(part.mean for part in told) == pytest.approx(alerts.end_to_end_ms.mean, rel=1e-3)
    assert alerts.undelivered == 0
    assert alerts.broker == "mosquitto on the loopback interface"
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_broker_is_measured_without(monkeypatch, tmp_path):
    monkeypatch.setattr("edge.broker.find_mosquitto", lambda: None)
    monkeypatch.setattr("edge.broker._have_amqtt", lambda: False)
    with find_broker(None, tmp_path, CLOCK) as broker:
        assert broker is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    broker = find_broker(MqttSettings(), tmp_path / "file", CLOCK)
    with pytest.raises(StorageError, match="storage"), broker:
        pass


def test_the_cost_is_that_of_the_signal_played(assembly):
    cost = measure_cost(assembly, 0.0, CLOCK)
    packets = len(assembly.recording.items) - 20
    assert len(cost.packet_us) == packets
    assert cost.signal_s == pytest.approx(packets * 0.1)
    assert cost.wall_s == pytest.approx(sum(cost.packet_us) / 1e6, rel=1e-6)
    assert cost.streams_a_core >= 1


def test_a_defect_of_the_pipeline_ends_the_measurement(assembly):
    def broken(_):
        raise ZeroDivisionError("a defect")

    wrong = Assembly(assembly.recording, broken)
    with pytest.raises(MonitorError, match="a defect"):
        measure_cost(wrong, 0.0, CLOCK)
    with pytest.raises(MonitorError, match="a defect"):
        play(wrong, 1, 1.0, None, CLOCK)


def test_a_packet_that_the_engine_takes_in_pieces_is_one_packet():
    handled = Handled(2)
    for arrived_ns, taken_ns, done_ns in ((10, 11, 12), (10, 14, 15), (20, 21, 22)):
        handled.note_done(arrived_ns, taken_ns, done_ns)
    assert handled.done == 2
    assert handled.times_ns[1:].T.tolist() == [[10, 11, 15], [20, 21, 22]]
