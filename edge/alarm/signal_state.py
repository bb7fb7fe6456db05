"""What the runtime can hear at all: contact, gaps, noise, and since when."""

from __future__ import annotations

import msgspec

from edge.alarm.limits import AlarmLimits
from edge.events import LeadQuality, Quality, Silence

__all__ = ["SECOND_NS", "SignalState"]

SECOND_NS = 1_000_000_000

LOST_FRACTION = 0.5
"""A second that lacks more than this is lost."""

CLEAN_FRACTION = 0.1
"""A second that lacks more than this may hide a QRS (100 ms)."""

BAD_SECONDS = 2
"""So many bad seconds in a row break the evidence of beats; one alone only interrupts it."""

JOINED_NS = 1_500_000_000
"""Quality seconds further apart than this have a break between them."""


class SignalState(msgspec.Struct):
    """Stream times since which the signal has been good enough, None while it is not.

    contact_since_ns: electrodes on, samples there; noise allowed (fibrillation looks like noise).
    clean_since_ns: no second with noise or missing samples: absence of QRS means absence.
    usable_since_ns: beats can be trusted; one bad second alone does not reset it.
    good_now: the last second was usable. heard_ns: latest time that samples tell of.
    """

    heard_ns: int = 0
    second_ns: int | None = None
    contact_since_ns: int | None = None
    clean_since_ns: int | None = None
    usable_since_ns: int | None = None
    good_now: bool = False
    bad_seconds: int = 0
    leads: int = 0
    leads_off: int = 0
    off_since_ns: int | None = None
    poor_since_ns: int | None = None
    missing_since_ns: int | None = None
    silent_since_ns: int | None = None
    silent_ns: int = 0
    restarted: bool = False

    @property
    def all_off(self) -> bool:
        """No lead has skin contact."""
        return 0 < self.leads == self.leads_off

    def hear_time(self, time_ns: int) -> None:
        """Samples up to `time_ns` have been looked at."""
        self.heard_ns = max(self.heard_ns, time_ns)

    def break_off(self) -> None:
        """The signal is interrupted: nothing heard before counts for what comes."""
        self.contact_since_ns = self.clean_since_ns = self.usable_since_ns = None
        self.good_now = False

    def hear_silence(self, silence: Silence, limits: AlarmLimits) -> None:
        """Note a silent link; a long one breaks the evidence."""
        self.silent_ns = max(0, silence.silent_ns)
        self.restarted |= silence.restart
        if self.silent_since_ns is None:
            self.silent_since_ns = silence.time_ns - self.silent_ns
        if self.is_silent(limits):
            self.break_off()

    def is_silent(self, limits: AlarmLimits) -> bool:
        """The link has been silent for too long."""
        return self.restarted or self.silent_ns >= limits.signal_lost_s * SECOND_NS

    def hear_quality(self, quality: Quality, limits: AlarmLimits) -> None:
        """Note a second of quality; one that repeats or precedes a known one is left out."""
        time_ns, start_ns = quality.time_ns, quality.time_ns - SECOND_NS
        if self.second_ns is not None and time_ns <= self.second_ns:
            return
        if self.second_ns is not None and time_ns - self.second_ns > JOINED_NS:
            self.break_off()
        self.second_ns = time_ns
        self.hear_time(time_ns)
        lost = quality.missing > LOST_FRACTION
        if not lost:
            self.silent_since_ns, self.silent_ns, self.restarted = None, 0, False
        self.missing_since_ns = _since(lost, self.missing_since_ns, start_ns)
        self._assess(quality, lost, start_ns, limits)

    def _assess(self, quality: Quality, lost: bool, start_ns: int, limits: AlarmLimits) -> None:
        on = [] if lost else [lead for lead in quality.leads if not _off(lead, limits)]
        contact = any(not lead.flat and not lead.saturated for lead in on)
        quiet = [lead for lead in on if not lead.saturated and not lead.noisy]
        clean = bool(quiet) and quality.missing <= CLEAN_FRACTION
        good = any(lead.score >= limits.usable_score or lead.flat for lead in quiet)
        if not lost:
            self.leads = len(quality.leads)
            self.leads_off = self.leads - len(on)
        self.off_since_ns = _since(self.leads_off > 0, self.off_since_ns, start_ns)
        self.poor_since_ns = _since(
            not good and not lost and not self.all_off, self.poor_since_ns, start_ns
        )
        self.contact_since_ns = _since(contact, self.contact_since_ns, start_ns)
        self.clean_since_ns = _since(clean, self.clean_since_ns, start_ns)
        self.good_now = good
        self.bad_seconds = 0 if good else self.bad_seconds + 1
        if good or self.bad_seconds >= BAD_SECONDS:
            self.usable_since_ns = _since(good, self.usable_since_ns, start_ns)


def _off(lead: LeadQuality, limits: AlarmLimits) -> bool:
    return lead.lead_off or (lead.flat and not limits.flat_is_asystole)


def _since(state: bool, since_ns: int | None, start_ns: int) -> int | None:
    """Start of a state that holds, None where it does not."""
    if not state:
        return None
    return start_ns if since_ns is None else since_ns
