"""The report in a few sentences, for those who have two minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edge.holter.ectopy import Ectopy
from edge.holter.excerpts import words
from edge.holter.fibrillation import INTERVALS_MIN
from edge.holter.findings import Findings
from edge.holter.hrv_frequency import LONG_S
from edge.holter.times import Times, length

__all__ = ["counted", "key_findings"]


def key_findings(findings: Findings, times: Times) -> Iterator[str]:
    """Sentences, the most important first; all are counts and measures, none a diagnosis."""
    yield _alarms(findings)
    yield from _rate(findings, times)
    yield from _ventricular_rhythm(findings)
    yield _fibrillation(findings)
    yield from _ectopy(findings)
    yield _pauses(findings, times)
    yield _variability(findings)
    yield from _coverage(findings)


def _alarms(findings: Findings) -> str:
    alarms = findings.survey.alarms
    if not alarms:
        return "Alarms: none."
    said = []
    for priority in ("high", "medium", "low"):
        kinds = Counter(each.kind for each in alarms if each.priority == priority)
        if kinds:
            counted = ", ".join(f"{count} {words(kind)}" for kind, count in kinds.most_common(6))
            said.append(f"{kinds.total()} {priority} ({counted})")
    return f"Alarms: {'; '.join(said)}."


def _rate(findings: Findings, times: Times) -> Iterator[str]:
    rates = findings.rates
    if rates.mean_bpm is None or rates.lowest is None or rates.highest is None:
        yield "Heart rate: no beats that can be counted."
        return
    yield (
        f"Heart rate: mean {rates.mean_bpm:.0f}/min, from {rates.lowest.value:.0f} at "
        f"{times.clock(rates.lowest.start_ns)} to {rates.highest.value:.0f} at "
        f"{times.clock(rates.highest.start_ns)}, over 8 intervals each."
    )


def _ventricular_rhythm(findings: Findings) -> Iterator[str]:
    told = [(name.upper(), findings.rhythm_s[name]) for name in ("vf", "vt")]
    said = [f"{name} for {length(seconds)}" for name, seconds in told if seconds]
    if said:
        yield f"Ventricular rhythm, as the network called it: {' and '.join(said)} in all."


def _fibrillation(findings: Findings) -> str:
    found = findings.fibrillation
    if found.burden_percent is None:
        return "Atrial fibrillation: could not be judged."
    if found.source == "rhythm":
        none, told = "no episode of 30 s or more", ""
    else:
        none = "no alarm"
        told = (
            "; no network told the rhythm, and the alarm from RR intervals alone misses what is "
            f"shorter than {INTERVALS_MIN} intervals"
        )
    if not found.episodes:
        return f"Atrial fibrillation: {none}{told}."
    episodes = counted(len(found.episodes), "episode")
    return (
        f"Atrial fibrillation: {found.burden_percent:.1f} % of the time analysed, {episodes}, the "
        f"longest {length(found.longest_s)}{told}."
    )


def _ectopy(findings: Findings) -> Iterator[str]:
    if not findings.survey.beats.are_classified:
        yield "Ectopic beats: not judged; no network classified the beats."
        return
    yield _beats("Ventricular beats", findings.ventricular)
    yield _beats("Supraventricular beats", findings.supraventricular)


def _beats(name: str, found: Ectopy) -> str:
    if not found.beats:
        return f"{name}: none."
    said = [counted(found.couplets, "couplet"), counted(found.runs, "run")]
    if found.longest:
        said[-1] += f" (longest {found.longest.value:.0f} beats)"
    if found.bigeminy:
        said.append(f"{found.bigeminy} times bigeminy")
    return f"{name}: {found.beats} ({found.burden_percent or 0.0:.2f} %); {', '.join(said)}."


def counted(number: int, name: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def _pauses(findings: Findings, times: Times) -> str:
    longest, counts = findings.pauses.longest, findings.pauses.counts
    if longest is None:
        return "Pauses: not judged."
    return (
        f"Longest RR interval: {longest.value:.2f} s at {times.clock(longest.start_ns)}; "
        f"{counts[0]} of 2 s and more, {counts[-1]} of 3 s and more."
    )


def _variability(findings: Findings) -> str:
    time, nn = findings.time_domain, findings.nn
    if time.sdnn_ms is None or time.rmssd_ms is None:
        return "Heart rate variability: not told, too few NN intervals."
    short = nn.nn_ms.sum() / 1000 < LONG_S
    norm = "; less than 18 h: not to be held against norms of 24 h" if short else ""
    return (
        f"Heart rate variability: SDNN {time.sdnn_ms:.0f} ms, RMSSD {time.rmssd_ms:.0f} ms, from "
        f"{100 * len(nn) / nn.intervals:.0f} % of the intervals{norm}."
    )


def _coverage(findings: Findings) -> Iterator[str]:
    coverage = findings.coverage
    if not findings.has_ecg:
        yield "No ECG: the device tells its beats only; there are neither strips nor classes."
        return
    yield (
        f"Coverage: {coverage.analysable_percent:.1f} % of {length(coverage.duration_s)} is clean "
        f"ECG; {length(coverage.missing_s)} are missing, {length(coverage.noisy_s)} noisy, "
        f"{length(coverage.lead_off_s)} without contact."
    )
