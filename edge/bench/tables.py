"""A report, and a comparison, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator

from edge.bench.compare import Comparison
from edge.bench.distribution import Distribution
from edge.bench.report import Environment, Report
from edge.table import Table, cell, print_table

__all__ = ["show", "show_comparison", "summary", "tables"]

PERCENTILES = ("p50", "p90", "p95", "p99", "max")


def show(report: Report) -> None:
    """Print it all on standard output."""
    for name, value in summary(report):
        print(f"{name:9} {value}")
    print()
    for table in tables(report):
        print_table(table)
    for line in report.notes:
        print(f"note: {line}")


def show_comparison(comparison: Comparison) -> None:
    """Print it on standard output."""
    rows = tuple(
        (
            f"{row.figure}{', ' if row.unit else ''}{row.unit}",
            cell(row.a),
            cell(row.b),
            cell(row.ratio),
            row.better,
            row.verdict,
        )
        for row in comparison.figures
    )
    title = f"{comparison.a} and {comparison.b}, threshold {comparison.threshold_percent:g} %"
    print_table(Table(title, ("figure", "A", "B", "B/A", "better", "verdict"), rows))
    for line in comparison.differences:
        print(f"differs: {line}")


def tables(report: Report) -> list[Table]:
    """All figures of one report."""
    return [
        *_cold_start(report),
        _stages(report),
        _real_time(report),
        *_alert_parts(report),
        _delays(report),
        _cost(report),
        *_providers(report),
    ]


def summary(report: Report) -> Iterator[tuple[str, str]]:
    """Machine, model and signal: name and value."""
    machine = report.environment
    yield "machine", f"{machine.board}, {machine.cpu}, {machine.cores_usable} core(s) usable"
    yield "state", _state(machine)
    libraries = ", ".join(f"{name} {found}" for name, found in machine.libraries.items())
    yield "software", f"Linux {machine.kernel}, Python {machine.python}, {libraries}"
    yield "edge", f"{report.version} ({report.commit}), {report.time}"
    if report.model:
        model, use = report.model, report.model.provider
        yield "bundle", f"{model.name} {model.version} ({model.sha256[:12]})"
        nodes = ", ".join(f"{n} nodes on {name}" for name, n in (use.nodes or {}).items())
        told = nodes or ", ".join(use.used)
        yield "provider", f"asked {use.asked}, {told}{'; ' * bool(use.fallback)}{use.fallback}"
        if use.measured_us:
            times = ", ".join(f"{name} {us:g} us a hop" for name, us in use.measured_us.items())
            yield "auto chose by", times
    else:
        yield "bundle", "none: rules alone"
    signal = report.signal
    yield (
        "signal",
        (
            f"{signal.uri}: {signal.leads} lead(s), {signal.rate_hz:g} Hz, "
            f"a packet each {signal.packet_interval_ms:g} ms"
        ),
    )


def _state(machine: Environment) -> str:
    before, after = machine.before, machine.after
    words = [f"governor {machine.governor or 'unknown'}"]
    words.append(f"clock {_or_unknown(after.clock_mhz, 'MHz')}")
    words[-1] += f" of {machine.clock_max_mhz:.0f}" if machine.clock_max_mhz else ""
    first, last = before.temperature_c, after.temperature_c
    words.append(f"temperature {_or_unknown(first, 'C')} to {_or_unknown(last, 'C')}")
    told = after.throttled
    words.append(f"throttled: {'unknown' if told is None else ', '.join(told) or 'no'}")
    return ", ".join(words)


def _or_unknown(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:.0f} {unit}"


def _cold_start(report: Report) -> Iterator[Table]:
    cold = report.cold_start
    if cold:
        rows = [(part.name, cell(part.median_ms), cell(part.first_ms)) for part in cold.parts]
        rows.append(("all", cell(cold.total_median_ms), cell(cold.total_first_ms)))
        memory = f"; then {cell(cold.memory_mb)} MB" if cold.memory_mb else ""
        title = f"cold start of a fresh process, {cold.rounds} time(s), ms{memory}"
        yield Table(title, ("part", "median", "first"), tuple(rows))


def _stages(report: Report) -> Table:
    unpaced = report.unpaced
    rows = [
        (f"{each.name}, each {each.per}", f"{each.share_percent:g}", *_cells(each.time_us))
        for each in unpaced.stages
    ]
    rows.append(("whole path, each packet", "", *_cells(unpaced.packet_us)))
    title = f"stages, unpaced, us (timing adds {unpaced.timer_us:g} us a call)"
    return Table(title, ("stage", "% of time", "n", *PERCENTILES), tuple(rows))


def _real_time(report: Report) -> Table:
    paced = report.paced
    rows = (
        ("jitter: read later than due", *_cells(paced.lateness_ms)),
        ("last byte to engine", *_cells(paced.wait_ms)),
        ("last byte to processed", *_cells(paced.response_ms)),
    )
    title = (
        f"in real time, {paced.streams} stream(s), ms; {paced.deadline_misses} of {paced.packets} "
        f"packets missed the deadline of {paced.deadline_ms:g} ms"
    )
    return Table(title, ("", "n", *PERCENTILES), rows)


def _alert_parts(report: Report) -> Iterator[Table]:
    alerts = report.alerts
    if alerts:
        rows = (
            ("last byte to decision", *_cells(alerts.decide_ms)),
            ("to the outbox", *_cells(alerts.announce_ms)),
            ("commit on disk", *_cells(alerts.commit_ms)),
            ("publish to PUBACK", *_cells(alerts.publish_ms)),
            ("last byte to PUBACK", *_cells(alerts.end_to_end_ms)),
        )
        where = f"outbox on {alerts.filesystem or 'a disk'}, {alerts.broker}"
        yield Table(f"alerts in real time, ms; {where}", ("", "n", *PERCENTILES), rows)


def _delays(report: Report) -> Table:
    beat = report.delays.beat_ms
    rows = [("R peak to beat known", cell(beat.n), _seconds(beat.p50), _seconds(beat.max))]
    rows += [
        (f"onset to {each.kind}", cell(each.n), cell(each.median_s), cell(each.max_s))
        for each in report.delays.alerts
    ]
    title = "algorithmic delay, sample time to result, s (the same on every machine)"
    return Table(title, ("", "n", "median", "max"), tuple(rows))


def _cost(report: Report) -> Table:
    unpaced, paced = report.unpaced, report.paced
    energy = paced.energy
    rows = (
        ("real-time factor, unpaced", cell(unpaced.real_time_factor)),
        ("CPU s an hour of signal, engine, unpaced", cell(unpaced.cpu_s_per_signal_hour)),
        ("CPU s an hour of signal, process, paced", cell(paced.cpu_s_per_signal_hour)),
        ("streams a core at most, computed", cell(unpaced.streams_a_core)),
        (f"kept up with {paced.streams} stream(s)", "yes" if paced.kept_up else "no"),
        ("engine busy, % of a core", cell(paced.busy_percent)),
        ("memory at the end, benchmark included, MB", cell(paced.memory.end_mb)),
        ("memory peak, benchmark included, MB", cell(paced.memory.peak_mb)),
        ("memory slope, MB/h (from 60 s on)", cell(paced.memory.slope_mb_per_h)),
        (
            "power, W, and at rest",
            f"{cell(energy.mean_w)}, {cell(energy.idle_w)}" if energy else "-",
        ),
        ("energy above rest, J an hour of signal", cell(energy and energy.joule_per_signal_hour)),
    )
    return Table("cost", ("", ""), rows)


def _providers(report: Report) -> Iterator[Table]:
    if report.providers:
        rows = tuple(
            (
                row.provider.asked,
                row.error or ", ".join(f"{n} {p}" for p, n in (row.provider.nodes or {}).items()),
                cell(row.open_ms),
                cell(row.step_us and row.step_us.p50),
                cell(row.step_us and row.step_us.p99),
                cell(row.cpu_s_per_signal_hour),
                cell(row.streams_a_core),
            )
            for row in report.providers
        )
        columns = ("provider", "nodes", "open ms", "step p50 us", "p99", "CPU s/h", "streams")
        yield Table("runtimes and execution providers", columns, rows)


def _cells(values: Distribution) -> tuple[str, ...]:
    return (cell(values.n), *(cell(getattr(values, name)) for name in PERCENTILES))


def _seconds(milliseconds: float | None) -> str:
    return cell(None if milliseconds is None else milliseconds / 1000)
