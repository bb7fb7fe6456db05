"""A report as tables for people: drawn with lines on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from edge.evaluate.figures import Row
from edge.terminal import is_live

__all__ = ["Table", "show", "tables"]

RECORDS_SHOWN = 60
"""Longer lists of records are left to --json."""

QRS = {"se": "Se %", "ppv": "+P %", "tp": "TP", "fn": "FN", "fp": "FP"}
ECTOPIC = {"se": "Se %", "ppv": "+P %", "fpr": "FPR %", "tp": "TP", "fn": "FN", "fp": "FP"}
EPISODES = {
    "episode_se": "episode Se %",
    "episode_ppv": "episode +P %",
    "duration_se": "duration Se %",
    "duration_ppv": "duration +P %",
    "reference": "episodes",
    "test": "claimed",
}
COUNTS = {"true": "true", "missed": "missed", "false": "false", "excused": "excused"}
AF = {"auroc": "AUROC", "se": "Se %", "sp": "Sp %", "ppv": "+P %", "f1": "F1"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column to the left, figures to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def show(report: Row) -> None:
    """Print it all on standard output."""
    live = is_live()
    for table in tables(report):
        _draw(table) if live else _print(table)
    for line in _footer(report):
        print(line)


def tables(report: Row) -> list[Table]:
    """The tables of one report."""
    match report["task"]:
        case "qrs":
            return [_by_record("QRS", report, None, QRS), *_peers(report)]
        case "beats":
            names = {"veb": "VEB", "sveb": "SVEB"}
            scores = [_by_record(title, report, key, ECTOPIC) for key, title in names.items()]
            return [*scores, _confusion(report)]
        case "rhythm" if "f1" in report["gross"]:
            return _cinc(report)
        case "rhythm":
            names = {"af": "AF", "vf": "VF and ventricular flutter"}
            return [_by_record(title, report, key, EPISODES) for key, title in names.items()]
        case _:
            return _alarms(report)


def _by_record(title: str, report: Row, key: str | None, columns: dict[str, str]) -> Table:
    def cells(name: str, row: Row) -> tuple[str, ...]:
        values = row if key is None else row[key]
        return (name, *(_cell(values.get(column)) for column in columns))

    rows = [cells(row["record"], row) for row in report["records"]][:RECORDS_SHOWN]
    rows += [cells(name, report[name]) for name in ("gross", "average")]
    return Table(title, ("record", *columns.values()), tuple(rows))


def _peers(report: Row) -> Iterator[Table]:
    scores = {name: peer["gross"] for name, peer in report.get("peers", {}).items()}
    if scores:
        scores = {"edge": report["gross"], **scores}
        rows = tuple((name, *(_cell(row[key]) for key in QRS)) for name, row in scores.items())
        yield Table("gross, beside other detectors", ("detector", *QRS.values()), rows)


def _confusion(report: Row) -> Table:
    confusion: dict[str, dict[str, int]] = report["confusion"]
    columns = tuple(next(iter(confusion.values())))
    rows = tuple(
        (name, *(_cell(counts[column]) for column in columns)) for name, counts in confusion.items()
    )
    return Table("reference class (rows), class told (columns)", ("", *columns), rows)


def _cinc(report: Row) -> list[Table]:
    gross = report["gross"]
    af = Table(
        "AF: A against N and O", tuple(AF.values()), (tuple(_cell(gross["af"][k]) for k in AF),)
    )
    f1 = Table("F1", tuple(gross["f1"]), (tuple(_cell(value) for value in gross["f1"].values()),))
    return [af, f1, _confusion(report)]


def _alarms(report: Row) -> list[Table]:
    events = [row for row in report["records"] if any(row[name] for name in COUNTS)]
    by_record = Table(
        "records with alarms or conditions",
        ("record", "kind", *COUNTS.values()),
        tuple(
            (row["record"], row["kind"], *(_cell(row[name]) for name in COUNTS))
            for row in events[:RECORDS_SHOWN]
        ),
    )
    kinds = {**report["kinds"], "all kinds": report["gross"]}
    by_kind = Table(
        f"alarms by kind, {report['hours']:.1f} h of recordings",
        ("kind", *COUNTS.values(), "false in 24 h", "delay p50 s", "p90 s", "max s"),
        tuple((kind, *_alarm_cells(row)) for kind, row in kinds.items()),
    )
    return [by_record, by_kind]


def _alarm_cells(row: Row) -> Iterator[str]:
    yield from (_cell(row[name]) for name in COUNTS)
    yield _cell(row["false_per_24h"])
    yield from (_cell(row["delay_s"][name]) for name in ("p50", "p90", "max"))


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _footer(report: Row) -> Iterator[str]:
    if report["left_out"]:
        yield f"left out, paced: {', '.join(report['left_out'])} (name them with --records)"
    bundle = report["bundle"]
    if bundle:
        yield f"bundle {bundle['name']} {bundle['version']} {bundle['sha256'][:12]}"
        yield f"its training: {bundle['training']['split']}"
    else:
        yield "no bundle: rules alone"
    machine = report["machine"]
    yield (
        f"edge {report['commit']}, {machine['architecture']}, {machine['jobs']} process(es) "
        f"on {machine['cores']} core(s)"
    )
    yield report["command"]


def _print(table: Table) -> None:
    lines = [table.columns, *table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    print(table.title)
    for line in lines:
        first, *others = line
        rest = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *rest]).rstrip())
    print()


def _draw(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(title=table.title, title_justify="left")
    for k, name in enumerate(table.columns):
        drawn.add_column(name, justify="right" if k else "left", no_wrap=not k)
    for row in table.rows:
        drawn.add_row(*row)
    Console(file=sys.stdout).print(drawn)
