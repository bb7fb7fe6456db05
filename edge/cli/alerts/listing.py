"""`edge alerts list`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from edge.cli.alerts.selected import config_argument, opened, selection, selection_arguments
from edge.errors import Exit

if TYPE_CHECKING:
    from edge.alarm_log.condition import AlarmCondition, LoggedStep
    from edge.alert import Priority

ID_LETTERS = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    config_argument(parser)
    selection_arguments(parser)
    parser.add_argument("--messages", action="store_true", help="every message, not conditions")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print them. StorageError where there is no log."""
    from edge.alarm_log.condition import conditions, steps
    from edge.alarm_log.rows import condition_row, step_row

    with opened(options.config) as log:
        if options.messages:
            messages = steps(log, selection(options))
            if options.json:
                print(json.dumps({"alerts": [step_row(each) for each in messages]}))
            else:
                _print([_step_cells(each) for each in messages])
        else:
            found = conditions(log, selection(options))
            if options.json:
                print(json.dumps({"conditions": [condition_row(each) for each in found]}))
            else:
                _print([_condition_cells(each) for each in found])
    return Exit.OK


def local(utc: str) -> datetime:
    """A message's time in the time zone of this machine."""
    return datetime.fromisoformat(utc.replace("Z", "+00:00")).astimezone()


def _condition_cells(condition: AlarmCondition) -> tuple[Priority, tuple[str, ...]]:
    from edge.alert_words import KIND_WORDS

    kind = condition.newest.kind
    return condition.priority, (
        f"{local(condition.began.time):%Y-%m-%d %H:%M:%S}",
        condition.priority.upper(),
        KIND_WORDS.get(kind, kind),
        condition.newest.patient,
        _until(condition),
        _acknowledged(condition),
        condition.delivery,
        condition.newest.id[:ID_LETTERS],
    )


def _until(condition: AlarmCondition) -> str:
    if condition.ended is None:
        return "latched" if condition.presence == "latched" else "still on"
    began, ended = local(condition.began.time), local(condition.ended)
    day = "" if began.date() == ended.date() else f"{ended:%Y-%m-%d} "
    return f"to {day}{ended:%H:%M:%S}"


def _acknowledged(condition: AlarmCondition) -> str:
    if not condition.acknowledged:
        return "not acknowledged"
    by = condition.acknowledged_by
    return f"acknowledged by {by}" if by else "acknowledged"


def _step_cells(step: LoggedStep) -> tuple[Priority, tuple[str, ...]]:
    message = step.message
    return message.priority, (
        f"{local(message.time):%Y-%m-%d %H:%M:%S}",
        message.priority.upper(),
        message.kind,
        message.patient,
        f"{message.seq}",
        message.phase,
        message.state,
        step.delivery,
        message.id[:ID_LETTERS],
    )


def _print(rows: Sequence[tuple[Priority, tuple[str, ...]]]) -> None:
    from rich.console import Console
    from rich.text import Text

    from edge.alert_words import PRIORITY_STYLE

    if not rows:
        print("no alerts on record")
        return
    columns = zip(*(cells for _, cells in rows), strict=True)
    widths = [max(map(len, column)) for column in columns]
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for priority, cells in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        words = Text("  ").join(
            Text(cell, style=PRIORITY_STYLE[priority] if number == 1 else "")
            for number, cell in enumerate(padded)
        )
        words.rstrip()
        console.print(words)
