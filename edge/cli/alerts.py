"""`edge alerts`: list and export the alerts on record."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from edge.errors import Exit

COLUMNS = ("onset", "time", "patient", "priority", "kind", "phase", "state", "id", "evidence")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=("list", "export"))
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument(
        "--last", type=whole, default=100, metavar="N", help="the newest N messages"
    )
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="of an export")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def whole(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isdecimal() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Read the alert log in the storage directory that the configuration names."""
    from edge.config import load
    from edge.outbox import read_history
    from edge.run import OUTBOX_FILE

    path = load(options.config).storage.path() / OUTBOX_FILE
    rows = [
        json.loads(each.message.payload) | {"state": each.state}
        for each in read_history(path, options.last)
    ]
    if options.json or (options.action == "export" and options.format == "json"):
        print(json.dumps({"alerts": rows}))
    elif options.action == "export":
        _csv(rows)
    else:
        _text(rows)
    return Exit.OK


def _csv(rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"evidence": json.dumps(row["evidence"])})


def _text(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(
            f"{row['time']}  {row['priority']:<6}  {row['kind']:<13}  {row['phase']:<6}  "
            f"{row['patient']}  {row['state']}"
        )
    if not rows:
        print("no alerts on record")
