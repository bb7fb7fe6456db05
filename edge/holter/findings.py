"""All figures of a report, told from what was read of the recording."""

from __future__ import annotations

from dataclasses import dataclass

from edge.holter.beats import CLASSES
from edge.holter.ectopy import Ectopy, ectopy
from edge.holter.fibrillation import Fibrillation, fibrillation
from edge.holter.hours import Hour, hours
from edge.holter.hrv_frequency import FrequencyDomain, frequency_domain
from edge.holter.hrv_time import TimeDomain, time_domain
from edge.holter.intervals import NN, nn_intervals
from edge.holter.pauses import Pauses, pauses
from edge.holter.rates import Rates, rates
from edge.holter.seconds import RHYTHMS, Signal
from edge.holter.survey import Survey

__all__ = ["Coverage", "Findings", "findings"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Seconds. recorded_s: of ECG; missing_s: the rest from beginning to end; of the recorded
    seconds clean, noisy, without contact on any lead, and not judged."""

    duration_s: float
    recorded_s: float
    missing_s: float
    clean_s: int
    noisy_s: int
    lead_off_s: int
    unjudged_s: int
    breaks: int

    @property
    def analysable_percent(self) -> float:
        """Of the time from beginning to end, how much is clean."""
        return 100.0 * self.clean_s / self.duration_s if self.duration_s else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything that a report says in numbers.

    beats: by class. rhythm_s: seconds that the network called so, by rhythm.
    """

    survey: Survey
    coverage: Coverage
    beats: dict[str, int]
    rhythm_s: dict[str, int]
    rates: Rates
    nn: NN
    time_domain: TimeDomain
    frequency_domain: FrequencyDomain
    ventricular: Ectopy
    supraventricular: Ectopy
    pauses: Pauses
    fibrillation: Fibrillation
    hours: list[Hour]

    @property
    def has_ecg(self) -> bool:
        """Whether the device sent an ECG, and not its beats only."""
        return bool(self.survey.stretches)


def findings(survey: Survey, offset_s: int = 0) -> Findings:
    """offset_s: of local time to UTC, for where the hours begin."""
    seconds = survey.seconds
    beats = survey.beats.unclassified(seconds.is_rhythm("vf")[seconds.at(survey.beats.time_ns)])
    nn, rate = nn_intervals(beats, seconds), rates(beats, seconds)
    return Findings(
        survey,
        _coverage(survey),
        {name: int(beats.of(name).sum()) for name in CLASSES},
        {name: int(seconds.is_rhythm(name).sum()) for name in RHYTHMS},
        rate,
        nn,
        time_domain(nn),
        frequency_domain(nn),
        ectopy(beats, "V"),
        ectopy(beats, "S"),
        pauses(beats, seconds),
        fibrillation(seconds, survey.alarms, beats, survey.recorded_s),
        hours(beats, seconds, rate.minute_bpm, offset_s),
    )


def _coverage(survey: Survey) -> Coverage:
    signal = survey.seconds.signal
    clean, noisy, off, unjudged = (
        int((signal == state).sum())
        for state in (Signal.CLEAN, Signal.NOISY, Signal.LEAD_OFF, Signal.UNJUDGED)
    )
    missing_s = max(0.0, survey.duration_s - survey.recorded_s)
    breaks = max(0, len(survey.stretches) - 1)
    about = (survey.duration_s, survey.recorded_s, missing_s)
    return Coverage(*about, clean, noisy, off, unjudged, breaks)
