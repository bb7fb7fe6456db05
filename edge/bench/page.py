"""A report as one HTML file that needs nothing else: no script, no network, light and dark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path

from edge.bench.environment import UNKNOWN
from edge.bench.report import Report
from edge.bench.svg import bars, histogram_plot, line_plot, ranges, stacked
from edge.bench.tables import summary, tables
from edge.errors import StorageError, UsageError
from edge.table import Table

__all__ = ["check_target", "page", "write_page"]

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --faint: #767676;
  --rule: #e0e0e0; --blue: #0072b2; --orange: #b35900; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b;
  --faint: #9a9a9a; --rule: #3a3d42; --blue: #56b4e9; --orange: #e69f00; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 800px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; margin: 0.5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { text-align: right; padding: 0.2rem 0.5rem; border-bottom: 1px solid var(--rule);
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } .note { border-left: 3px solid var(--orange); padding-left: 0.7rem; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--ink); }
.name { text-anchor: end; } svg .tick { text-anchor: middle; fill: var(--faint); }
.grid { stroke: var(--rule); } .range { stroke: var(--faint); stroke-width: 2; }
.bar { fill: var(--blue); } .mark { fill: var(--orange); }
.limit { stroke: var(--orange); stroke-dasharray: 4 3; }
.trace { fill: none; stroke: var(--blue); stroke-width: 1.5; }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def check_target(path: Path) -> None:
    """Before the long work: can this file be written? Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"--html {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UsageError(f"--html {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--html {path}: may not be written")


def write_page(report: Report, path: Path) -> None:
    """Write the page. Raises StorageError."""
    try:
        path.write_text(page(report), encoding="utf-8")
    except OSError as error:
        why = error.strerror or error
        raise StorageError(f"--html {path}: cannot be written: {why}") from error


def page(report: Report) -> str:
    """The whole page."""
    machine = report.environment
    board = machine.cpu if machine.board == UNKNOWN else machine.board
    title = f"edge bench: {board}, {report.time}"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in report.notes)
    body = [
        f"<h1>{escape(title)}</h1>",
        _facts(report),
        notes,
        *_plots(report),
        "<h2>All figures</h2>",
        *(_table(table) for table in tables(report)),
        f"<p>Made by <code>{escape(report.command)}</code>. {PERCENTILE_RULE}</p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


PERCENTILE_RULE = (
    "A percentile is given from so many values on: p50 from 11, p90 from 64, p95 from 130, p99 "
    "from 662. In plots of ranges the thin line goes from the least to the greatest value, the "
    "bar from the median to the highest percentile given."
)


def _plots(report: Report) -> Iterator[str]:
    alerts, paced, cold = report.alerts, report.paced, report.cold_start
    if alerts:
        shown = alerts.end_to_end_ms
        marks = [("p50", shown.p50), ("p95", shown.p95), ("p99", shown.p99)]
        yield histogram_plot(
            "Alerts: last byte received to PUBACK", alerts.end_to_end_histogram_ms, "ms", marks
        )
        parts = {
            "last byte to decision": alerts.decide_ms,
            "to the outbox": alerts.announce_ms,
            "commit on disk": alerts.commit_ms,
            "publish to PUBACK": alerts.publish_ms,
            "last byte to PUBACK": shown,
        }
        yield ranges("Alerts, part by part", list(parts.items()), "ms")
    response = paced.response_ms
    marks = [("p50", response.p50), ("p99", response.p99), ("deadline", paced.deadline_ms)]
    yield histogram_plot(
        "Packets in real time: last byte to processed", paced.response_histogram_ms, "ms", marks
    )
    yield ranges("Stages", [(s.name, s.time_us) for s in report.unpaced.stages], "us")
    if cold:
        parts_ms = [(part.name, part.median_ms) for part in cold.parts]
        yield stacked("Cold start of a fresh process", parts_ms, "ms")
    yield from _over_time(report)
    measured = [
        (row.provider.asked, row.step_us.p50)
        for row in report.providers
        if row.step_us and row.step_us.p50 is not None
    ]
    yield bars("Encoder step by provider, median", measured, "us")


def _over_time(report: Report) -> Iterator[str]:
    seconds = report.paced.timeline
    memory = [(each.at_s, each.memory_mb) for each in seconds if each.memory_mb is not None]
    slowest = [
        (each.at_s, each.response_max_ms) for each in seconds if each.response_max_ms is not None
    ]
    yield line_plot("Resident memory in real time", memory, "MB")
    yield line_plot("Slowest packet of each second", slowest, "ms")
    yield line_plot("CPU, percent of a core", [(e.at_s, e.cpu_percent) for e in seconds], "%")


def _facts(report: Report) -> str:
    pairs = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in summary(report))
    return f"<dl>{''.join(pairs)}</dl>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    heading = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    return (
        f'<div class="wide"><table><caption>{escape(table.title)}</caption>{heading}'
        f"<tbody>{rows}</tbody></table></div>"
    )
