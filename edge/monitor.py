"""One patient under watch: link events in, messages out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from edge.actions import Acknowledge, Action, AskStrip, Outcome
from edge.alarm.codes import CODES
from edge.alert import Alert
from edge.clock import Clock, rfc3339
from edge.config import Patient
from edge.errors import MonitorError
from edge.messages import (
    LeadState,
    MessageContext,
    SampleCounts,
    StateMessage,
)
from edge.messages import LinkState as LinkWord
from edge.networks import Networks
from edge.pipeline import Anchor, Pipeline, Step
from edge.vitals import Vitals
from firmware_bridge.errors import SourceError
from firmware_bridge.link import LinkEvent, LinkState
from firmware_bridge.stream import NS_PER_S, Chunk, Packet, StreamFormat

UNWATCHED_S = 60
"""Silence told for a patient who is no longer monitored: beyond any limit of `signal_lost`."""

SILENCE_S = 1.0
"""Silence is told to the alarms from here on, once a tick; their own limit decides."""

_LINK_WORDS: dict[str, LinkWord] = {
    "connecting": "connecting",
    "streaming": "streaming",
    "stalled": "silent",
    "unreadable": "silent",
    "disconnected": "lost",
    "ended": "ended",
    "failed": "lost",
}

log = logging.getLogger(__name__)

StepHook = Callable[["Monitor", Step], None]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """A change of the link, for people."""

    word: LinkWord
    reason: str


class Monitor:
    """Runs one patient's pipeline on what its link delivers, and knows how the patient is.

    on_step: called after every push that brought anything forth.
    on_link: called at every change of the link.
    finite: the source ends by itself, such as a recording: that it fails is no alarm.
    """

    def __init__(
        self,
        patient: Patient,
        device: str,
        pipeline: Pipeline,
        clock: Clock,
        on_step: StepHook,
        on_link: Callable[[Monitor, LinkReport], None],
        finite: bool = False,
    ) -> None:
        self.patient = patient
        self.device = device
        self.pipeline = pipeline
        self.vitals = Vitals()
        self.link: LinkWord = "connecting"
        self.error: SourceError | MonitorError | None = None
        self.finished = False
        self._finite = finite
        self._clock = clock
        self._on_step = on_step
        self._on_link = on_link
        self.on_ask_strip: Callable[[Monitor, AskStrip], Outcome] = _no_strips
        """Called in the engine's thread for `AskStrip`."""
        self.storage_trouble: Callable[[], str] = lambda: ""
        """Asked at every tick: why alerts may not be stored, empty where they are. Never waits."""
        self._storage_reason = ""
        self._battery_percent: int | None = None
        self._started_ns = self._heard_ns = clock.monotonic_ns()
        self._gap_ns = 0
        self.delivered_ns = 0
        """How long the signal lasts that has come: samples by their rate, without gaps."""

    @property
    def bundle(self) -> str:
        """Name of the encoder at work, empty on rules alone."""
        segment = self.pipeline.segment
        encoder = segment.encoder if segment else None
        return encoder.manifest.name if encoder else ""

    @property
    def bundle_sha256(self) -> str:
        """Of the manifest of the bundle at work, empty on rules alone."""
        segment = self.pipeline.segment
        return segment.bundle_sha256 if segment else ""

    @property
    def encoder_shed(self) -> bool:
        """Whether the encoder rests because the engine is behind; rules go on."""
        return not self.finished and self.pipeline.lease.is_shed

    @property
    def late_hops(self) -> int:
        """Hops that the encoder has missed while it rested."""
        return self.pipeline.lease.late_hops

    def resume(self) -> None:
        """To be called when the watch begins: alarms that were on before a restart go on."""
        self._started_ns = self._heard_ns = self._clock.monotonic_ns()
        self._take(lambda: self.pipeline.resume(self._clock.utc_ns()))

    def snapshot(self) -> bytes | None:
        """The state of the alarms, for a later start; None where nobody attends to them."""
        attended = self.pipeline.attended
        if attended is None:
            return None
        try:
            return attended.snapshot(self.context().utc_ns(attended.now_ns))
        except Exception:  # the alarms may be what is broken
            log.exception("patient %s: the state of the alarms", self.patient.id)
            return None

    def handle(self, event: LinkEvent) -> None:
        """Take one event of the link; a monitor that has finished takes none."""
        if self.finished:
            return
        if isinstance(event, Packet):
            self._take(lambda: self.pipeline.push(event))
        else:
            self._link_changed(event)

    def tick(self) -> None:
        """To be called several times a second: tells the alarms of silence and of storage."""
        silent_ns = self.silent_ns
        is_silent = silent_ns >= SILENCE_S * NS_PER_S
        if not self.finished and is_silent:
            self._take(lambda: self.pipeline.silence(silent_ns, self.link))
        reason = self.storage_trouble()
        if not self.finished and reason != self._storage_reason:
            self._storage_reason = reason
            self._take(lambda: self.pipeline.storage_fault(silent_ns if is_silent else 0, reason))

    def renew(self, form: StreamFormat | None, networks: Networks | None) -> None:
        """Other networks, opened for a stream of this format, take over."""
        if not self.finished:
            self._take(lambda: self.pipeline.renew(form, networks))

    def shed(self, is_shed: bool) -> None:
        """Let the encoder rest from the next sample on, or work again."""
        if not self.finished and is_shed != self.encoder_shed:
            self._take(lambda: self.pipeline.shed(is_shed))

    def act(self, action: Action) -> Outcome:
        """Do what a person asks, and say what came of it. Where the watch has ended, what is left
        of its alarms can be acknowledged."""
        if self.finished and not isinstance(action, Acknowledge):
            return Outcome(False, f"{self.patient.id} is no longer watched")
        if isinstance(action, AskStrip):
            return self._asked_strip(action)
        outcomes: list[Outcome] = []

        def advance() -> Step:
            outcome, step = self.pipeline.act(action)
            outcomes.append(outcome)
            return step

        self._take(advance)
        return outcomes[0] if outcomes else Outcome(False, str(self.error))

    def close(self) -> None:
        """No more events will come: release what waits for reordering."""
        if not self.finished:
            self._take(self.pipeline.finish)
            self.finished = True

    def context(self) -> MessageContext:
        """How stream time maps to the clocks that messages carry."""
        anchor = self.pipeline.anchor or Anchor(0, self._started_ns, None)
        offset_ns = self._clock.utc_ns() - self._clock.monotonic_ns()
        return MessageContext(
            self.patient.id,
            self.device,
            self.bundle,
            lambda stream_ns: anchor.host_time_ns(stream_ns) + offset_ns,
            anchor.device_time_ns,
            CODES,
            self.bundle_sha256,
        )

    def state(self) -> StateMessage:
        """The state message of this moment; what is old by now is left out."""
        now_ns = self.now_ns + self.silent_ns
        probability = self.vitals.rhythm(now_ns)
        leads = self._leads()
        counts = self._counts()
        attended = self.pipeline.attended
        return StateMessage(
            patient=self.patient.id,
            device=self.device,
            bundle=self.bundle,
            time=rfc3339(self._clock.utc_ns()),
            link=self.link,
            heart_rate_bpm=_rounded(self.vitals.heart_rate_bpm(now_ns), 1),
            rmssd_ms=_rounded(self.vitals.rmssd_ms(now_ns), 1),
            rhythm=self.vitals.rhythm_label(now_ns),
            rhythm_probability={name: round(value, 4) for name, value in probability.items()},
            quality=_mean([lead.quality for lead in leads]),
            leads=leads,
            lead_off=self._lead_off(),
            battery_percent=self._charge_percent(),
            samples=counts,
            drift_ppm=_rounded(self.pipeline.counts[1].drift_ppm, 1),
            active=[alert.kind for alert in self.pipeline.alarm.active],
            audio_paused=attended.audio_paused if attended else False,
            limits=attended.changed_limits if attended else {},
            encoder_shed=self.encoder_shed,
            late_hops=self.late_hops,
        )

    @property
    def now_ns(self) -> int:
        """Stream time of the newest sample."""
        return self.pipeline.now_ns

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alarm conditions present, most urgent first."""
        return self.pipeline.alarm.active

    @property
    def silent_ns(self) -> int:
        """Host time since the newest sample or reading."""
        return self._clock.monotonic_ns() - self._heard_ns

    def _asked_strip(self, action: AskStrip) -> Outcome:
        """A strip that cannot be had ends no monitoring."""
        try:
            return self.on_ask_strip(self, action)
        except Exception:  # whatever a strip suffers from, the patient stays watched
            log.exception("patient %s: strip", self.patient.id)
            return Outcome(False, f"no strip of {self.patient.id}: an error of ours, see the log")

    def _take(self, advance: Callable[[], Step]) -> None:
        try:
            step = advance()
        except Exception as error:
            self._broken(error)
            return
        chunks = [event for event in step.events if isinstance(event, Chunk)]
        self.delivered_ns += sum(_lasts_ns(chunk) for chunk in chunks)
        if chunks or step.readings:
            self._heard_ns = self._clock.monotonic_ns()
        if chunks and chunks[-1].battery_percent is not None:
            self._battery_percent = chunks[-1].battery_percent
        self.vitals.observe(step.observations)
        if step.events or step.observations or step.readings or step.alerts:
            self._on_step(self, step)

    def _broken(self, error: Exception) -> None:
        """A defect of ours ends this patient's monitoring, with an alarm, and nobody else's."""
        log.exception("patient %s", self.patient.id)
        self.error = MonitorError(
            f"patient {self.patient.id} is no longer monitored: {type(error).__name__}: {error}"
        )
        self.finished = True
        self.link = "lost"
        with contextlib.suppress(Exception):  # the alarms may be what is broken
            self._on_step(self, self.pipeline.silence(UNWATCHED_S * NS_PER_S, str(self.error)))
        self._on_link(self, LinkReport(self.link, str(self.error)))

    def _link_changed(self, state: LinkState) -> None:
        self.link = _LINK_WORDS[state.phase]
        if state.phase == "connecting":
            self.pipeline.link_opened()
        elif state.phase in ("stalled", "disconnected"):
            self._take(lambda: self.pipeline.link_lost(state.host_time_ns))
        elif state.phase in ("ended", "failed"):
            self._take(self.pipeline.finish)
            if state.phase == "failed" and not self._finite:
                self._take(lambda: self.pipeline.silence(UNWATCHED_S * NS_PER_S, state.reason))
            self.finished = True
            self.error = self.error or state.error
        self._on_link(self, LinkReport(self.link, state.reason))

    def _leads(self) -> list[LeadState]:
        form, quality = self.pipeline.format, self.vitals.quality
        if form is None or quality is None:
            return []
        pairs = zip(form.leads, quality.leads, strict=False)
        return [
            LeadState(name=name, quality=round(lead.score, 3), lead_off=lead.lead_off)
            for name, lead in pairs
        ]

    def _lead_off(self) -> bool:
        quality = self.vitals.quality
        return quality is not None and any(lead.lead_off for lead in quality.leads)

    def _charge_percent(self) -> int | None:
        if self._battery_percent is not None:
            return self._battery_percent
        return self.pipeline.told_battery_percent

    def _counts(self) -> SampleCounts:
        decoded, samples = self.pipeline.counts
        return SampleCounts(
            received=samples.received,
            delivered=samples.delivered,
            duplicate=samples.duplicate,
            late=samples.late,
            bad=samples.bad,
            pending=samples.pending,
            gap=samples.gap,
            span=samples.span,
            frames=decoded.frames,
            bad_frames=decoded.bad_frames,
        )


def _no_strips(monitor: Monitor, _: AskStrip) -> Outcome:
    return Outcome(False, f"nothing here takes strips of {monitor.patient.id}")


def _lasts_ns(chunk: Chunk) -> int:
    return round(len(chunk.samples_uv) * NS_PER_S / chunk.format.rate_hz)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None
