"""Which stretches of the ECG a report shows on paper: the extremes, and the gravest alarms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.holter.alarms import Alarm, by_severity
from edge.holter.findings import Findings
from edge.holter.rates import Moment
from edge.holter.times import Times, length

__all__ = ["ALARM_STRIPS_MAX", "STRIP_S", "Excerpt", "alarm_title", "choose", "words"]

STRIP_S = 7.0
"""At 25 mm/s, the width of a page."""
LONG_STRIP_S = 14.0
BEFORE_S = 1.5
ALARM_STRIPS_MAX = 24
OF_KIND_MAX = 5

Section = Literal["extreme", "alarm"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of ECG to show. priority: of the alarm, empty for none. span_ns: what it is
    about, from and to, UTC; None where that is all of it."""

    section: Section
    title: str
    start_ns: int
    length_s: float = STRIP_S
    priority: str = ""
    span_ns: tuple[int, int] | None = None


def choose(findings: Findings, times: Times) -> list[Excerpt]:
    """What to show, in the order of the report; nothing where there is no ECG."""
    if not findings.has_ecg:
        return []
    return [*_extremes(findings, times), *_alarms(findings, times)]


def alarm_title(alarm: Alarm, times: Times) -> str:
    """`High: vt at 14:03:12 for 4 s`."""
    lasted = length(alarm.duration_s)
    still = "" if alarm.ended else ", until the end of the run"
    when = times.clock(alarm.onset_ns)
    return f"{alarm.priority.capitalize()}: {words(alarm.kind)} at {when} for {lasted}{still}"


def words(kind: str) -> str:
    """An alarm's kind as a person writes it."""
    known = {"vf": "VF", "vt": "VT", "af": "AF", "pvc_run": "PVC run"}
    return known.get(kind, kind.replace("_", " "))


def _extremes(findings: Findings, times: Times) -> Iterator[Excerpt]:
    rates, beats = findings.rates, (findings.ventricular, findings.supraventricular)
    longest = findings.pauses.longest
    if longest:
        title = f"Longest RR interval: {longest.value:.2f} s at {times.clock(longest.start_ns)}"
        yield _around(title, longest)
    for name, run in zip(("ventricular", "supraventricular"), beats, strict=True):
        if run.longest:
            when = times.clock(run.longest.start_ns)
            yield _from(f"Longest {name} run: {run.longest.value:.0f} beats at {when}", run.longest)
        if run.fastest and run.fastest.start_ns != (run.longest and run.longest.start_ns):
            when = times.clock(run.fastest.start_ns)
            title = f"Fastest {name} run: {run.fastest.value:.0f}/min at {when}"
            yield _from(title, run.fastest)
    for name, minute in (("Fastest", rates.fastest_minute), ("Slowest", rates.slowest_minute)):
        if minute:
            when = times.minute(minute.start_ns)
            title = f"{name} minute: mean {minute.value:.0f}/min, from {when}; its middle"
            yield _around(title, minute)
    for name, rate in (("Highest", rates.highest), ("Lowest", rates.lowest)):
        if rate:
            when = times.clock(rate.start_ns)
            yield _around(f"{name} rate over 8 intervals: {rate.value:.0f}/min at {when}", rate)
    if findings.fibrillation.episodes:
        start_ns, length_s = max(findings.fibrillation.episodes, key=lambda each: each[1])
        title = f"Longest AF episode: {length(length_s)} from {times.clock(start_ns)}; its middle"
        yield _around(title, Moment(length_s, start_ns, length_s))


def _alarms(findings: Findings, times: Times) -> Iterator[Excerpt]:
    shown: dict[str, int] = {}
    for alarm in sorted(findings.survey.alarms, key=by_severity):
        if alarm.kind == "signal_lost" or sum(shown.values()) >= ALARM_STRIPS_MAX:
            continue  # of a lost signal there is no strip
        if shown.get(alarm.kind, 0) < OF_KIND_MAX:
            shown[alarm.kind] = shown.get(alarm.kind, 0) + 1
            start_ns = alarm.onset_ns - round(BEFORE_S * 1e9)
            title = alarm_title(alarm, times)
            span_ns = (alarm.onset_ns, alarm.end_ns)
            yield Excerpt("alarm", title, start_ns, STRIP_S, alarm.priority, span_ns)


def _around(title: str, moment: Moment) -> Excerpt:
    """A strip with the moment in its middle; longer where a pause would not fit."""
    wide = STRIP_S - BEFORE_S < moment.length_s <= LONG_STRIP_S
    shown_s = LONG_STRIP_S if wide else STRIP_S
    middle_ns = moment.start_ns + round(moment.length_s / 2 * 1e9)
    start_ns = middle_ns - round(shown_s / 2 * 1e9)
    return Excerpt("extreme", title, start_ns, shown_s, span_ns=_span(moment))


def _from(title: str, moment: Moment) -> Excerpt:
    start_ns = moment.start_ns - round(BEFORE_S * 1e9)
    return Excerpt("extreme", title, start_ns, span_ns=_span(moment))


def _span(moment: Moment) -> tuple[int, int]:
    return moment.start_ns, moment.start_ns + round(moment.length_s * 1e9)
