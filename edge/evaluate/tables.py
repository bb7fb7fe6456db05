"""A report as tables and a few lines that say where its figures come from."""

from __future__ import annotations

from collections.abc import Iterator

from edge.evaluate.figures import Row
from edge.table import Table, cell, print_table

__all__ = ["show", "tables"]

RECORDS_SHOWN = 60
"""Longer lists of records are left to --json."""

REMARKS_SHOWN = 10

QRS = {"se": "Se %", "ppv": "+P %", "tp": "TP", "fn": "FN", "fp": "FP"}
KINDS = {"veb": "VEB", "sveb": "SVEB"}
ECTOPIC = {"se": "Se %", "ppv": "+P %", "fpr": "FPR %", "tp": "TP", "fn": "FN", "fp": "FP"}
EPISODES = {
    "episode_se": "episode Se %",
    "episode_ppv": "episode +P %",
    "duration_se": "duration Se %",
    "duration_ppv": "duration +P %",
    "reference": "episodes",
    "test": "claimed",
}
RUNS = {"se": "Se %", "ppv": "+P %", "tps": "TPs", "fn": "FN", "tpp": "TPp", "fp": "FP"}
COUNTS = {"true": "true", "missed": "missed", "false": "false", "excused": "excused"}
AF = {"auroc": "AUROC", "se": "Se %", "sp": "Sp %", "ppv": "+P %", "f1": "F1"}


def show(report: Row) -> None:
    """Print it all on standard output."""
    for table in tables(report):
        print_table(table)
    for line in _footer(report):
        print(line)


def tables(report: Row) -> list[Table]:
    """The tables of one report."""
    return [*_of_task(report), *_ratchet(report)]


def _of_task(report: Row) -> list[Table]:
    match report["task"]:
        case "qrs":
            return [_by_record("QRS", report, None, QRS), *_peers(report)]
        case "beats":
            scores = [_by_record(title, report, key, ECTOPIC) for key, title in KINDS.items()]
            return [*scores, _confusion(report), _runs(report)]
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
        return (name, *(cell(values.get(column)) for column in columns))

    rows = [cells(row["record"], row) for row in report["records"]][:RECORDS_SHOWN]
    rows += [cells(name, report[name]) for name in ("gross", "average")]
    return Table(title, ("record", *columns.values()), tuple(rows))


def _peers(report: Row) -> Iterator[Table]:
    scores = {name: peer["gross"] for name, peer in report.get("peers", {}).items()}
    if scores:
        scores = {"edge": report["gross"], **scores}
        rows = tuple((name, *(cell(row[key]) for key in QRS)) for name, row in scores.items())
        yield Table("gross, beside other detectors", ("detector", *QRS.values()), rows)


def _confusion(report: Row) -> Table:
    confusion: dict[str, dict[str, int]] = report["confusion"]
    columns = tuple(next(iter(confusion.values())))
    rows = tuple(
        (name, *(cell(counts[column]) for column in columns)) for name, counts in confusion.items()
    )
    return Table("reference class (rows), class told (columns)", ("", *columns), rows)


def _runs(report: Row) -> Table:
    rows = tuple(
        (f"{title} {name}", *(cell(score[key]) for key in RUNS))
        for kind, title in KINDS.items()
        for name, score in report["runs"][kind].items()
    )
    return Table("runs: couplets, short (3 to 5 beats), long", ("", *RUNS.values()), rows)


def _cinc(report: Row) -> list[Table]:
    gross = report["gross"]
    af = Table(
        "AF: A against N and O", tuple(AF.values()), (tuple(cell(gross["af"][k]) for k in AF),)
    )
    f1 = Table("F1", tuple(gross["f1"]), (tuple(cell(value) for value in gross["f1"].values()),))
    return [af, f1, _confusion(report)]


def _alarms(report: Row) -> list[Table]:
    events = [row for row in report["records"] if any(row[name] for name in COUNTS)]
    by_record = Table(
        "records with alarms or conditions",
        ("record", "kind", *COUNTS.values()),
        tuple(
            (row["record"], row["kind"], *(cell(row[name]) for name in COUNTS))
            for row in events[:RECORDS_SHOWN]
        ),
    )
    priorities = {f"{name} priority": row for name, row in report["priorities"].items()}
    kinds = {**report["kinds"], **priorities, "all kinds": report["gross"]}
    by_kind = Table(
        f"alarms by kind, {report['hours']:.1f} h of recordings",
        ("kind", *COUNTS.values(), "false in 24 h", "delay p50 s", "p90 s", "max s"),
        tuple((kind, *_alarm_cells(row)) for kind, row in kinds.items()),
    )
    return [by_record, by_kind]


def _alarm_cells(row: Row) -> Iterator[str]:
    yield from (cell(row[name]) for name in COUNTS)
    yield cell(row["false_per_24h"])
    yield from (cell(row["delay_s"][name]) for name in ("p50", "p90", "max"))


def _ratchet(report: Row) -> Iterator[Table]:
    if "ratchet" in report:
        held = report["ratchet"]
        columns = ("figure", "bound", "better", "tolerance", "now", "verdict")
        rows = tuple(tuple(cell(row[name]) for name in columns) for row in held["figures"])
        yield Table(f"ratchet {held['file']}", columns, rows)


def _remarks(report: Row) -> Iterator[str]:
    told = {row["record"]: row["remarks"] for row in report["records"] if "remarks" in row}
    for record, remarks in list(told.items())[:REMARKS_SHOWN]:
        yield f"{record}: {'; '.join(remarks)}"
    if len(told) > REMARKS_SHOWN:
        yield f"remarks on {len(told) - REMARKS_SHOWN} more records: see --json"


def _footer(report: Row) -> Iterator[str]:
    yield from _remarks(report)
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
