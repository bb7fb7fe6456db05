"""What a run has to say of itself at its end: samples, alerts, publishing."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import msgspec

from edge.alert import Phase
from edge.messages import AlertMessage, StateMessage
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.record.recorder import Recorder

LinkedStates = Iterable[StateMessage]


class AlertTally:
    """Counts alerts by patient and kind. A sink without a wire."""

    def __init__(self) -> None:
        self._started: dict[str, Counter[str]] = {}

    def alert(self, message: AlertMessage) -> None:
        """Count the start of an alarm condition."""
        if message.phase is Phase.START:
            self._started.setdefault(message.patient, Counter())[message.kind] += 1

    def of(self, patient: str) -> dict[str, int]:
        """Kind to number of alarm conditions begun."""
        return dict(self._started.get(patient, {}))


def final_report(
    states: LinkedStates,
    tally: AlertTally,
    publisher: Publisher | None,
    outbox: Outbox | None = None,
    recorder: Recorder | None = None,
) -> dict[str, Any]:
    """The report as JSON-able data. Memory peak in megabytes (10^6 bytes)."""
    patients = [
        {
            "patient": state.patient,
            "link": state.link,
            "samples": msgspec.to_builtins(state.samples),
            "drift_ppm": state.drift_ppm,
            "late_hops": state.late_hops,
            "alerts": tally.of(state.patient),
        }
        for state in states
    ]
    published = asdict(publisher.statistics) if publisher else None
    stored = asdict(outbox.counts) | _health(outbox) if outbox else None
    return {
        "patients": patients,
        "mqtt": published,
        "outbox": stored,
        "recording": asdict(recorder.counts) if recorder else None,
        "memory_peak_mb": memory_peak_mb(),
    }


def _health(outbox: Outbox) -> dict[str, Any]:
    health = outbox.health
    moved_to = str(health.quarantined) if health.quarantined else None
    return {"fault": health.fault, "quarantined": moved_to, "rescued": health.rescued}


def memory_peak_mb() -> float:
    """Peak resident memory of this process, in 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report as lines for people."""
    lines = []
    for patient in report["patients"]:
        samples = patient["samples"]
        alerts = ", ".join(f"{count} {kind}" for kind, count in patient["alerts"].items())
        lines.append(
            f"{patient['patient']}: {samples['received']} samples a lead received\n  = "
            f"{samples['delivered']} delivered + {samples['duplicate']} duplicate + "
            f"{samples['late']} late + {samples['bad']} bad"
            + (f" + {samples['pending']} pending" if samples["pending"] else "")
        )
        lines.append(
            f"  span {samples['span']} = {samples['delivered']} delivered + {samples['gap']} lost"
            f"; {samples['bad_frames']} damaged frames"
        )
        if patient["late_hops"]:
            lines.append(f"  {patient['late_hops']} hops late: rules alone while the engine lagged")
        lines.append(f"  alerts: {alerts or 'none'}")
    if report["mqtt"]:
        lines.append(_mqtt_line(report["mqtt"]))
    if report["outbox"]:
        lines += _outbox_lines(report["outbox"])
    if report["recording"]:
        lines.append(_recording_line(report["recording"]))
    return [*lines, f"memory peak {report['memory_peak_mb']:.0f} MB"]


def _outbox_lines(outbox: dict[str, Any]) -> Iterator[str]:
    if outbox["pending"]:
        yield f"  {outbox['pending']} alert message(s) wait on disk for the broker"
    if outbox["quarantined"]:
        yield (
            f"  the outbox was damaged and set aside as {outbox['quarantined']}; "
            f"{outbox['rescued']} message(s) were brought over"
        )
    if outbox["fault"]:
        yield f"  the outbox is not stored: {outbox['fault']}"


def _recording_line(recording: dict[str, Any]) -> str:
    line = f"recording: {recording['bytes'] / 1e6:.1f} MB written"
    left_out = recording["unrecorded"]
    return f"{line}, {left_out} samples a lead left out" if left_out else line


def _mqtt_line(mqtt: dict[str, Any]) -> str:
    latency = mqtt["put_to_puback"]
    told = ""
    if latency["p50"] is not None:
        told = f"; alert raised to acknowledged p50 {latency['p50']:.1f} ms"
    return f"mqtt: {mqtt['sent']} sent, {mqtt['acked']} acknowledged{told}"
