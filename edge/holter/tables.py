"""The figures of a report as tables of text."""

from __future__ import annotations

from collections.abc import Sequence

from edge.holter.alarms import Alarm
from edge.holter.beats import CLASSES
from edge.holter.ectopy import Ectopy
from edge.holter.excerpts import words
from edge.holter.findings import Findings
from edge.holter.intervals import NN
from edge.holter.pauses import LIMITS_S
from edge.holter.rates import Moment
from edge.holter.times import Times, length
from edge.table import Table

__all__ = [
    "LISTED_MAX",
    "about",
    "af_table",
    "alarm_table",
    "beat_table",
    "coverage_table",
    "hour_table",
    "hrv_frequency_table",
    "hrv_time_table",
    "nn_table",
    "rate_table",
]

LISTED_MAX = 200
EPISODES_MAX = 40
EVIDENCE_MAX = 90
NONE = "–"

Rows = Sequence[tuple[str, ...]]


def about(findings: Findings, times: Times) -> list[tuple[str, str]]:
    """Who, with what, when."""
    survey = findings.survey
    formats = {each.format: None for each in survey.stretches}
    signal = "; ".join(
        f"{', '.join(form.leads)} at {form.rate_hz:g} Hz" for form in list(formats)[:4]
    )
    runs = f", in {survey.runs} runs" if survey.runs > 1 else ""
    span = f"{times.date(survey.start_ns)} to {times.date(survey.stop_ns)}"
    return [
        ("Patient", survey.patient),
        ("Device", f"{survey.device or NONE}; {signal or 'no ECG: it tells its beats only'}"),
        ("Recorded", f"{span} ({length(survey.duration_s)}{runs})"),
        ("Times in", times.name),
        ("Made by", f"edge report, of a recording by {survey.software or 'an unknown program'}"),
    ]


def rate_table(findings: Findings, times: Times) -> Table:
    """Heart rate and pauses."""
    rates, pauses = findings.rates, findings.pauses
    rows = [
        ("Mean", number(rates.mean_bpm, 0, "/min"), ""),
        _moment("Highest, 8 intervals", rates.highest, times, "/min"),
        _moment("Lowest, 8 intervals", rates.lowest, times, "/min"),
        _moment("Fastest minute", rates.fastest_minute, times, "/min"),
        _moment("Slowest minute", rates.slowest_minute, times, "/min"),
        _moment("Longest RR", pauses.longest, times, " s", 2),
    ]
    for limit, count in zip(LIMITS_S, pauses.counts, strict=True):
        rows.append((f"RR of {limit:g} s and more", str(count), ""))
    return Table("Heart rate and pauses", ("", "value", "at"), tuple(rows))


def coverage_table(findings: Findings) -> Table:
    """What was recorded, and how good it was."""
    coverage, lost = findings.coverage, findings.survey.lost_s
    whole = coverage.duration_s
    rows = [
        ("From beginning to end", length(whole), ""),
        ("ECG recorded", length(coverage.recorded_s), percent(coverage.recorded_s, whole)),
        ("Clean on a lead", length(coverage.clean_s), percent(coverage.clean_s, whole)),
        ("Noise on all leads", length(coverage.noisy_s), percent(coverage.noisy_s, whole)),
        ("No contact", length(coverage.lead_off_s), percent(coverage.lead_off_s, whole)),
        ("Missing", length(coverage.missing_s), percent(coverage.missing_s, whole)),
        ("Breaks", str(coverage.breaks), ""),
    ]
    for cause, seconds in sorted(lost.items(), key=lambda each: -each[1])[:3]:
        rows.append((f"of it: {cause[:20]}", length(seconds), percent(seconds, whole)))
    return Table("Coverage", ("", "time", "share"), tuple(rows))


def beat_table(findings: Findings, times: Times) -> Table:
    """Beats by class, ectopy and fibrillation."""
    counts, total = findings.beats, sum(findings.beats.values())
    names = (
        "normal N",
        "supraventricular S",
        "ventricular V",
        "fusion F",
        "paced, other Q",
        "unclassified",
    )
    rows: list[tuple[str, ...]] = [("Beats", str(total), "")]
    for label, name in zip(CLASSES, names, strict=True):
        rows.append((name, str(counts[label]), percent(counts[label], total)))
    rows += _ectopy("V", findings.ventricular, times)
    rows += _ectopy("S", findings.supraventricular, times)
    af = findings.fibrillation
    share = NONE if af.burden_percent is None else f"{af.burden_percent:.1f} %"
    number = NONE if af.source == "none" else str(len(af.episodes))
    name = "AF alarms" if af.source == "alarms" else "AF episodes of 30 s and more"
    rows.append((name, number, share))
    return Table("Beats and arrhythmia", ("", "number", "share or time"), tuple(rows))


def _ectopy(label: str, found: Ectopy, times: Times) -> Rows:
    longest, fastest = found.longest, found.fastest
    rows = [
        (f"{label} single", str(found.single), ""),
        (f"{label} couplets", str(found.couplets), ""),
        (f"{label} runs (3 and more)", str(found.runs), f"{found.run_beats} beats"),
    ]
    if longest and fastest:
        rows.append((f"{label} longest run", f"{longest.value:.0f}", times.clock(longest.start_ns)))
        rate = f"{fastest.value:.0f}/min"
        rows.append((f"{label} fastest run", rate, times.clock(fastest.start_ns)))
    if found.bigeminy or found.trigeminy:
        rows.append((f"{label} bigeminy", str(found.bigeminy), f"{found.bigeminy_beats} {label}"))
        rows.append(
            (f"{label} trigeminy", str(found.trigeminy), f"{found.trigeminy_beats} {label}")
        )
    return rows


def hrv_time_table(findings: Findings) -> Table:
    """The time domain."""
    time = findings.time_domain
    rows = (
        ("NN intervals", str(time.nn)),
        ("Mean NN", number(time.mean_nn_ms, 0, " ms")),
        ("SDNN", number(time.sdnn_ms, 1, " ms")),
        ("SDANN (5 min)", number(time.sdann_ms, 1, " ms")),
        ("SDNN index (5 min)", number(time.sdnn_index_ms, 1, " ms")),
        ("RMSSD", number(time.rmssd_ms, 1, " ms")),
        ("pNN50", number(time.pnn50_percent, 1, " %")),
        ("Triangular index", number(time.triangular_index, 1, "")),
        ("TINN", number(time.tinn_ms, 0, " ms")),
        ("SD1", number(time.sd1_ms, 1, " ms")),
        ("SD2", number(time.sd2_ms, 1, " ms")),
        ("Segments of 5 min", str(time.segments)),
    )
    return Table("Time domain", ("", "value"), rows)


def hrv_frequency_table(findings: Findings) -> Table:
    """The frequency domain."""
    power = findings.frequency_domain
    rows = (
        ("ULF, to 0.003 Hz (from 18 h on)", number(power.ulf_ms2, 0, " ms²")),
        ("VLF, 0.003 to 0.04 Hz", number(power.vlf_ms2, 0, " ms²")),
        ("LF, 0.04 to 0.15 Hz", number(power.lf_ms2, 0, " ms²")),
        ("HF, 0.15 to 0.4 Hz", number(power.hf_ms2, 0, " ms²")),
        ("Total, to 0.4 Hz", number(power.total_ms2, 0, " ms²")),
        ("LF/HF", number(power.lf_hf, 2, "")),
        ("LF normalised", number(power.lf_nu, 1, " %")),
        ("HF normalised", number(power.hf_nu, 1, " %")),
        ("Segments of 5 min", str(power.segments)),
    )
    return Table("Frequency domain", ("", "value"), rows)


def nn_table(nn: NN) -> Table:
    """Which intervals these figures are of."""
    rows = [("RR intervals", str(nn.intervals), "")]
    rows += [(why, str(count), percent(count, nn.intervals)) for why, count in nn.excluded.items()]
    rows.append(("NN intervals left", str(len(nn)), percent(len(nn), nn.intervals)))
    return Table("Intervals used", ("left out", "number", "share"), tuple(rows))


def hour_table(findings: Findings, times: Times) -> Table:
    """One row an hour."""
    columns = (
        "from",
        "ECG",
        "clean",
        "mean",
        "low",
        "high",
        "beats",
        "V",
        "V %",
        "S",
        "S %",
        "RR ≥ 2 s",
        "AF",
    )
    rows = [
        (
            times.minute(hour.start_ns),
            *(length(hour.recorded_s), percent(hour.clean_s, hour.recorded_s)),
            *(number(each, 0, "") for each in (hour.mean_bpm, hour.low_bpm, hour.high_bpm)),
            str(sum(hour.beats.values())),
            *(str(hour.beats["V"]), number(hour.ventricular_percent, 1, "")),
            *(str(hour.beats["S"]), number(hour.supraventricular_percent, 1, "")),
            *(str(hour.pauses), length(hour.af_s) if hour.af_s else ""),
        )
        for hour in findings.hours
    ]
    return Table("Rates are means of minutes, in beats a minute", columns, tuple(rows))


def af_table(findings: Findings, times: Times) -> Table:
    """Episodes of atrial fibrillation, the longest first."""
    episodes = sorted(findings.fibrillation.episodes, key=lambda each: -each[1])
    rows = [
        (times.clock(start_ns), length(seconds)) for start_ns, seconds in episodes[:EPISODES_MAX]
    ]
    more = (
        f" (the longest {EPISODES_MAX} of {len(episodes)})" if len(episodes) > EPISODES_MAX else ""
    )
    return Table(f"Episodes of atrial fibrillation{more}", ("from", "for"), tuple(rows))


def alarm_table(alarms: Sequence[Alarm], times: Times) -> Table:
    """Alarm conditions as they are given."""
    rows = [
        (
            alarm.priority,
            words(alarm.kind),
            times.clock(alarm.onset_ns),
            length(alarm.duration_s),
            _evidence(alarm),
        )
        for alarm in alarms
    ]
    return Table(
        "All alarm conditions", ("priority", "kind", "onset", "for", "because"), tuple(rows)
    )


def number(value: float | None, digits: int, unit: str) -> str:
    """A figure with its unit, a dash where there is none."""
    return NONE if value is None else f"{value:.{digits}f}{unit}"


def percent(part: float, whole: float) -> str:
    """A share, a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else NONE


def _moment(
    name: str, moment: Moment | None, times: Times, unit: str, digits: int = 0
) -> tuple[str, ...]:
    if moment is None:
        return name, NONE, ""
    return name, f"{moment.value:.{digits}f}{unit}", times.clock(moment.start_ns)


def _evidence(alarm: Alarm) -> str:
    pairs = (
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in alarm.evidence.items()
    )
    text = ", ".join(pairs)
    return text if len(text) <= EVIDENCE_MAX else f"{text[: EVIDENCE_MAX - 1]}…"
