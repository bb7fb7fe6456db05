"""What the figures of a probe mean, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from edge.probe import ProbeReport

__all__ = ["verdicts"]

RATE_TOLERANCE = 0.02
LOW_BATTERY_PERCENT = 20
UNEVEN_MS = 250.0
SMALL_MTU_BYTES = 60
"""Below it some devices refuse to stream an ECG at all."""


def verdicts(report: ProbeReport) -> tuple[str, ...]:
    """One line a finding, good or bad; empty where nothing could be decoded."""
    if report.format is None and not report.readings:
        return ()
    return tuple(_lines(report))


def _lines(report: ProbeReport) -> Iterator[str]:
    if report.format is None:
        yield "good: it tells readings; it sends no ECG, so there is nothing to monitor"
    else:
        yield from _rate(report)
        yield _losses(report)
    yield _damage(report)
    yield from _pace(report)
    yield from _body(report)


def _rate(report: ProbeReport) -> Iterator[str]:
    """The shorter the probe, the less a packet more or less means."""
    if report.format is None or report.measured_rate_hz is None or report.seconds <= 0:
        return
    nominal_hz, measured_hz = report.format.rate_hz, report.measured_rate_hz
    tolerance = RATE_TOLERANCE + (report.packet_interval_max_ms or 0.0) / 1e3 / report.seconds
    deviation = measured_hz / nominal_hz - 1
    if abs(deviation) <= tolerance:
        yield f"good: {measured_hz:g} Hz measured where {nominal_hz:g} Hz are announced"
    else:
        way = "faster" if deviation > 0 else "slower"
        yield (
            f"bad: {measured_hz:g} Hz measured, {abs(deviation):.1%} {way} than the "
            f"{nominal_hz:g} Hz announced: heart rates will be off by as much; check rate="
        )


def _losses(report: ProbeReport) -> str:
    samples = report.samples
    if not samples.gap:
        return "good: no sample was lost"
    share = samples.gap / samples.span
    return (
        f"bad: {samples.gap} samples ({share:.1%}) were lost in {report.gaps} gaps, "
        f"the longest of {report.longest_gap_ms:g} ms"
    )


def _damage(report: ProbeReport) -> str:
    decoded = report.decoded
    if not decoded.bad_frames:
        return "good: no frame was damaged"
    total = decoded.frames + decoded.bad_frames
    return (
        f"bad: {decoded.bad_frames} of {total} frames were damaged: "
        f"a wrong baud rate, a bad cable, or another firmware"
    )


def _pace(report: ProbeReport) -> Iterator[str]:
    if report.jitter_ms is not None and report.jitter_ms > UNEVEN_MS:
        yield f"bad: packets come unevenly (jitter {report.jitter_ms:g} ms): a weak or busy link"
    mtu = report.about.get("MTU", "").removesuffix(" bytes")
    if mtu.isdigit() and int(mtu) < SMALL_MTU_BYTES:
        yield f"note: the MTU is {mtu} bytes; where the device refuses to start, that is why"


def _body(report: ProbeReport) -> Iterator[str]:
    if report.leads_off:
        yield f"bad: no skin contact at {', '.join(report.leads_off)}"
    elif report.contact is False:
        yield "bad: no skin contact"
    battery = report.battery_percent
    if battery is not None and battery < LOW_BATTERY_PERCENT:
        yield f"bad: its battery is at {battery} %"
