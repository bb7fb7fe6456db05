"""One health message and the figures beside it, as metric families of Prometheus.

Names end in their unit; what only grows ends in `_total`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric

from edge.health.message import HealthMessage
from edge.health.watch import PatientFigures
from edge.histogram import Histogram
from edge.messages import LinkState, StateMessage

__all__ = ["alert_families", "histogram", "patient_families", "service_families", "vital_families"]

Labels = tuple[str, ...]
Rows = Iterable[tuple[Labels, float | None]]
PATIENT = ("patient",)


def service_families(health: HealthMessage) -> Iterator[Metric]:
    """The service as a whole."""
    yield InfoMetricFamily("edge", "The software that runs.", {"version": health.version})
    yield _gauge("edge_uptime_seconds", "Since the start.", health.uptime_s)
    yield _gauge("edge_degraded", "1 where something is wrong.", health.state == "degraded")
    engine, sinks = health.engine, health.sinks
    late = "The most that a tick of the engine came late since the last health message."
    yield _gauge("edge_engine_late_seconds", late, engine.late_ms / 1000)
    yield _gauge("edge_engine_queued", "Events that wait for the engine.", engine.queued)
    yield _gauge("edge_sinks_queued", "Messages that wait for the sinks.", sinks.queued)
    yield _counter("edge_sinks_dropped", "States that found no room.", sinks.dropped)
    yield _gauge("edge_threads", "Threads of Python.", health.process.threads)
    yield _gauge("edge_board_temperature_celsius", "Warmest.", health.board.temperature_c)
    yield _gauge("edge_board_throttled", "1 where slowed by heat or power.", health.board.throttled)
    yield from _outbox_families(health)
    yield from _broker_families(health)
    yield from _recording_families(health)
    yield from _command_families(health)
    rows = [((name,), part.restarts) for name, part in health.parts.items()]
    yield _counters("edge_part_restarts", "Threads that died.", ("part",), rows)
    rows = [((name,), bool(part.trouble)) for name, part in health.parts.items()]
    yield _gauges("edge_part_trouble", "1 where a part hangs or is dead.", ("part",), rows)


def _outbox_families(health: HealthMessage) -> Iterator[Metric]:
    if (outbox := health.outbox) is None:
        return
    outcomes = {"raised": outbox.raised, "delivered": outbox.delivered, "evicted": outbox.evicted}
    about = "Messages since the store was made; raised = delivered + evicted + waiting."
    yield _by_outcome("edge_outbox_messages", about, outcomes)
    yield _gauge("edge_outbox_waiting", "Messages that wait for the broker.", outbox.pending)
    yield _gauge("edge_outbox_held", "Of these, refused by the disk.", outbox.held)
    yield _gauge("edge_outbox_fault", "1 while the disk refuses.", bool(outbox.fault))
    yield _counter("edge_outbox_failures", "Operations that the disk refused.", outbox.failures)
    yield _gauge("edge_outbox_file_bytes", "Taken from the disk.", outbox.file_bytes)


def _broker_families(health: HealthMessage) -> Iterator[Metric]:
    if (broker := health.broker) is None:
        return
    yield _gauge("edge_broker_connected", "1 while connected.", broker.connected)
    ends = {
        "made": broker.connects,
        "failed": broker.failed_connects,
        "lost": broker.lost_connections,
    }
    yield _by_outcome("edge_broker_connections", "Connections to the broker.", ends)
    outcomes = {
        "sent": broker.sent,
        "acknowledged": broker.acked,
        "refused": broker.refused,
        "replaced": broker.dropped,
    }
    yield _by_outcome("edge_broker_messages", "Messages to the broker.", outcomes)
    yield _gauge("edge_broker_in_flight", "Sent, not yet acknowledged.", broker.in_flight)


def _recording_families(health: HealthMessage) -> Iterator[Metric]:
    if (recording := health.recording) is None:
        return
    yield _counter("edge_recording_written_bytes", "Written.", recording.written_bytes)
    about = "Samples a lead that found no place."
    yield _counter("edge_recording_unrecorded_samples", about, recording.unrecorded)


def _command_families(health: HealthMessage) -> Iterator[Metric]:
    if (commands := health.commands) is None:
        return
    outcomes = {"done": commands.done, "failed": commands.failed, **commands.refused}
    about = "Commands heard: done, failed, or the reason of their refusal."
    yield _by_outcome("edge_commands", about, outcomes)


def patient_families(
    health: HealthMessage, patients: Mapping[str, PatientFigures]
) -> Iterator[Metric]:
    """Each patient's equipment."""
    states = [each.state for each in patients.values()]
    yield _samples(states)
    yield _counters(
        "edge_frames",
        "Messages of the device.",
        (*PATIENT, "outcome"),
        [
            ((each.patient, outcome), count)
            for each in states
            for outcome, count in (
                ("decoded", each.samples.frames),
                ("damaged", each.samples.bad_frames),
            )
        ],
    )
    words = get_args(LinkState)
    links = [((each.patient, word), each.link == word) for each in states for word in words]
    yield _gauges("edge_link", "1 for the state that it is in.", (*PATIENT, "state"), links)
    for name, about, field in (
        ("edge_link_silent_seconds", "Since the newest sample or reading.", "silent_s"),
        ("edge_battery_percent", "Charge of the device.", "battery_percent"),
        ("edge_signal_quality", "0 (unusable) to 1 (clean), over the leads.", "quality"),
        ("edge_encoder_shed", "1 while it rests because the engine is behind.", "encoder_shed"),
    ):
        rows = [((each.patient,), getattr(each, field)) for each in health.patients]
        yield _gauges(name, about, PATIENT, rows)
    for name, about, field in (
        ("edge_link_reconnects", "Openings after the first.", "reconnects"),
        ("edge_model_failures", "Encoders that failed; rules alone went on.", "model_failures"),
        ("edge_encoder_late_hops", "Hops missed while the encoder rested.", "late_hops"),
    ):
        rows = [((each.patient,), getattr(each, field)) for each in health.patients]
        yield _counters(name, about, PATIENT, rows)


def vital_families(patients: Mapping[str, PatientFigures]) -> Iterator[Metric]:
    """What concerns the patient."""
    rows = [((name,), each.state.heart_rate_bpm) for name, each in patients.items()]
    yield _gauges("edge_heart_rate_bpm", "Heart rate, beats per minute.", PATIENT, rows)


def alert_families(begun: Mapping[tuple[str, str, str], int]) -> Iterator[Metric]:
    """Alarm conditions begun. begun: (patient, kind, priority) to their number."""
    yield _counters(
        "edge_alerts",
        "Alarm conditions begun since the start.",
        ("patient", "kind", "priority"),
        list(begun.items()),
    )


def histogram(name: str, about: str, counted: Histogram) -> Metric:
    """A duration by class, in seconds."""
    classes = [("+Inf" if b == float("inf") else repr(b), n) for b, n in counted.cumulative]
    family = HistogramMetricFamily(name, about)
    family.add_metric([], buckets=classes, sum_value=counted.total_s)
    return family


def _samples(states: Iterable[StateMessage]) -> Metric:
    outcomes = ("received", "delivered", "duplicate", "late", "bad", "gap")
    rows = [
        ((each.patient, outcome), getattr(each.samples, outcome))
        for each in states
        for outcome in outcomes
    ]
    return _counters("edge_samples", "Samples a lead.", (*PATIENT, "outcome"), rows)


def _gauge(name: str, about: str, value: float | None) -> Metric:
    return _gauges(name, about, (), [((), value)])


def _gauges(name: str, about: str, labels: Labels, rows: Rows) -> Metric:
    """Rows whose value is not known are left out."""
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, float(value))
    return family


def _counter(name: str, about: str, value: float) -> Metric:
    return _counters(name, about, (), [((), value)])


def _by_outcome(name: str, about: str, counts: Mapping[str, int]) -> Metric:
    rows = [((outcome,), count) for outcome, count in counts.items()]
    return _counters(name, about, ("outcome",), rows)


def _counters(name: str, about: str, labels: Labels, rows: Rows) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value or 0))
    return family
