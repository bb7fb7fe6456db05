"""What a report consists of, in order, whatever it is written as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.holter import charts
from edge.holter.alarms import by_severity
from edge.holter.disclosure import Disclosure
from edge.holter.disclosure_pages import disclosure_pages, gain_mm_mv
from edge.holter.ecg_paper import strip_picture
from edge.holter.excerpts import ALARM_STRIPS_MAX
from edge.holter.findings import Findings
from edge.holter.notes import METHOD, NOT_A_DEVICE
from edge.holter.picture import Picture
from edge.holter.samples import Strip
from edge.holter.summary import key_findings
from edge.holter.tables import (
    LISTED_MAX,
    about,
    af_table,
    alarm_table,
    beat_table,
    coverage_table,
    hour_table,
    hrv_frequency_table,
    hrv_time_table,
    nn_table,
    rate_table,
)
from edge.holter.times import Times, length
from edge.table import Table

__all__ = ["Beside", "Block", "Document", "Facts", "Heading", "Keep", "Text", "blocks"]


@dataclass(frozen=True, slots=True)
class Heading:
    """level: 1 of the report, 2 of a section. on_new_page: in print."""

    text: str
    level: int = 2
    on_new_page: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. kind: "plain", "note" (small), "warning", or "item" of a list."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Beside:
    """Two columns."""

    left: Sequence[Table | Picture]
    right: Sequence[Table | Picture]


@dataclass(frozen=True, slots=True)
class Keep:
    """A picture with its title, on one page; priority: of the alarm it shows, or empty."""

    title: str
    picture: Picture
    priority: str = ""


Block = Heading | Text | Facts | Beside | Keep | Table | Picture


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """All that a report is made of. disclosure: None where there is no ECG, or it is not wanted."""

    findings: Findings
    times: Times
    strips: Sequence[Strip]
    disclosure: Disclosure | None

    @property
    def title(self) -> str:
        """Of the page and the file."""
        return f"Holter report: {self.findings.survey.patient}"


def blocks(document: Document) -> Iterator[Block]:
    """The report, the summary first."""
    yield from _summary(document)
    yield from _details(document)
    yield from _strips(document)
    yield from _disclosure(document)
    yield Heading("Method and limits", on_new_page=document.disclosure is not None)
    yield from (Text(each, "item") for each in METHOD)


def _summary(document: Document) -> Iterator[Block]:
    findings, times = document.findings, document.times
    yield Heading(document.title, 1)
    yield Text(NOT_A_DEVICE, "warning")
    yield Facts(about(findings, times))
    yield Heading("Summary")
    yield from (Text(each, "item") for each in key_findings(findings, times))
    yield charts.day(findings, times)
    yield Text(
        "Rate: line, mean of each minute; band, from the lowest to the highest over 8 intervals. "
        "Signal: green clean, orange noise, red no contact. Rhythm: violet AF, red VT or VF, grey "
        "other. Alarms: red high, yellow medium, blue low.",
        "note",
    )
    left = [rate_table(findings, times), coverage_table(findings)]
    yield Beside(left, [beat_table(findings, times)])


def _details(document: Document) -> Iterator[Block]:
    findings, times = document.findings, document.times
    yield Heading("Heart rate variability", on_new_page=True)
    right = [hrv_frequency_table(findings), nn_table(findings.nn)]
    yield Beside([hrv_time_table(findings)], right)
    rr_ms = findings.survey.beats.rr_ms
    yield Beside(
        [charts.rr_histogram(rr_ms, findings.nn)],
        [charts.poincare(findings.nn, findings.time_domain)],
    )
    yield Heading("Hour by hour")
    yield hour_table(findings, times)
    if findings.fibrillation.episodes:
        yield Beside([af_table(findings, times)], [])


def _strips(document: Document) -> Iterator[Block]:
    findings, times = document.findings, document.times
    beats = findings.survey.beats
    pictures = [
        (strip.excerpt, picture)
        for strip in document.strips
        if (picture := strip_picture(strip, beats, times)) is not None
    ]
    extremes = [Keep(e.title, p) for e, p in pictures if e.section == "extreme"]
    if extremes:
        yield Heading("Extremes", on_new_page=True)
        yield from extremes
    alarms = sorted(findings.survey.alarms, key=by_severity)
    yield Heading("Alarms", on_new_page=bool(extremes))
    if not alarms:
        yield Text("No alarm condition was present.")
        return
    yield from (Keep(e.title, p, e.priority) for e, p in pictures if e.section == "alarm")
    yield alarm_table(alarms[:LISTED_MAX], times)
    left_out = len(alarms) - LISTED_MAX + findings.survey.alarms_left_out
    rest = f" {left_out} less severe ones are not listed." if left_out > 0 else ""
    yield Text(
        f"The most severe first; of at most {ALARM_STRIPS_MAX} there is a strip, of one kind at "
        f"most five.{rest}",
        "note",
    )


def _disclosure(document: Document) -> Iterator[Block]:
    disclosure, survey = document.disclosure, document.findings.survey
    if disclosure is None:
        return
    yield Heading("Full disclosure", on_new_page=True)
    yield Text(
        f"Lead {disclosure.lead_name}, {length(disclosure.line_s)} a line, "
        f"{gain_mm_mv(disclosure):g} mm/mV, its baseline taken away; what would leave its line by "
        "more than half is cut off. Ticks above: red ventricular, orange supraventricular beats. "
        "Shades: violet AF, red VT or VF.",
        "note",
    )
    for title, picture in disclosure_pages(survey, disclosure, document.times):
        yield Keep(title, picture)
