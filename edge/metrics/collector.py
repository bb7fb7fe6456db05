"""Collects the figures whenever Prometheus asks for them; needs prometheus-client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edge.health.report import HealthReporter
from edge.metrics import families
from edge.metrics.settings import MetricsSettings

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["Figures", "application"]


class Figures(Collector):
    """All families of the moment at which they are collected."""

    def __init__(self, settings: MetricsSettings, reporter: HealthReporter) -> None:
        self._settings = settings
        self._reporter = reporter

    def describe(self) -> list[Metric]:
        """None: asked at registration, before anything runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Those of the service, of each patient, and of time."""
        parts = self._reporter.parts
        health, patients = self._reporter.message(restart_window=False), parts.watch.patients
        yield from families.service_families(health)
        yield from families.patient_families(health, patients)
        if self._settings.vital_signs:
            yield from families.vital_families(patients)
        yield from families.alert_families(dict(parts.watch.alerts))
        about = "From a packet's arrival to what was decided by it."
        yield families.histogram("edge_step_latency_seconds", about, parts.watch.steps)
        if parts.publisher:
            about = "From an alert's storing to the broker's acknowledgement."
            yield families.histogram("edge_alert_latency_seconds", about, parts.publisher.latency)


def application(settings: MetricsSettings, reporter: HealthReporter) -> WSGIApplication:
    """Answers with the exposition of a registry of our own, the process's figures among them."""
    registry = CollectorRegistry()
    registry.register(Figures(settings, reporter))
    ProcessCollector(registry=registry)
    answer: WSGIApplication = make_wsgi_app(registry)
    return answer
