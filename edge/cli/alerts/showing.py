"""`edge alerts show`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from edge.cli.alerts.listing import local
from edge.cli.alerts.selected import config_argument, opened
from edge.errors import Exit, UsageError

if TYPE_CHECKING:
    from edge.alarm_log.condition import AlarmCondition
    from edge.messages import AlertMessage, StripMessage
    from edge.outbox import AlertLog

NAMED_MAX = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="of the alert, or how it begins")
    config_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print one condition. UsageError where no alert, or more than one, has such an id."""
    from edge.alarm_log.condition import strips_of
    from edge.alarm_log.rows import condition_row, step_row

    with opened(options.config) as log:
        condition = _found(log, options.id)
        strips = strips_of(log, condition.newest.id if condition else options.id)
    if condition is None and not strips:
        raise UsageError(f"no alert {options.id!r} on record; `edge alerts list` names them")
    if options.json:
        told = condition_row(condition) if condition else {}
        messages = [step_row(each) for each in condition.steps] if condition else []
        drawn = msgspec.to_builtins(strips)
        print(json.dumps({**told, "messages": messages, "strips": drawn}))
        return Exit.OK
    for line in (*_facts(condition), *_strip(strips)):
        print(line)
    return Exit.OK


def _found(log: AlertLog, id_: str) -> AlarmCondition | None:
    from edge.alarm_log.condition import Selection, conditions

    found = conditions(log, Selection(id=id_, last=NAMED_MAX)) if id_ else []
    exact = [each for each in found if each.newest.id == id_]
    if len(found) > 1 and not exact:
        ids = ", ".join(each.newest.id for each in found)
        raise UsageError(f"several alerts begin with {id_!r}: {ids}")
    return next(iter(exact or found), None)


def _facts(condition: AlarmCondition | None) -> Iterator[str]:
    from edge.strips.words import kind_words

    if condition is None:
        return
    newest = condition.newest
    yield f"{kind_words(newest.kind)}, {condition.priority} priority ({newest.type})"
    yield f"id        {newest.id}"
    yield f"patient   {newest.patient}"
    yield f"device    {newest.device}"
    digest = f" ({newest.bundle_sha256})" if newest.bundle_sha256 else ""
    yield f"bundle    {newest.bundle or 'none, rules alone'}{digest}"
    yield f"onset     {local(condition.began.onset):%Y-%m-%d %H:%M:%S %Z} ({condition.began.onset})"
    codes = ", ".join(f"{system} {code}" for system, code in newest.codes.items())
    yield f"codes     {codes or 'none'}"
    yield f"delivery  {condition.delivery}"
    for step in condition.steps:
        yield _step(step.message)


def _step(message: AlertMessage) -> str:
    from edge.strips.words import evidence_words

    parts = [
        f"{local(message.time):%H:%M:%S}",
        f"{message.seq:>6}",
        f"{message.phase:<6}",
        f"{message.priority:<6}",
        f"{message.state:<8}",
    ]
    if message.acknowledged_by or message.inactivation != "enabled":
        by = f" by {message.acknowledged_by}" if message.acknowledged_by else ""
        parts.append(f"{message.inactivation}{by}")
    return "  ".join([*parts, evidence_words(message.evidence)])


def _strip(strips: Sequence[StripMessage]) -> Iterator[str]:
    """The newest, drawn where the output has braille, else named."""
    from edge.output import Output
    from edge.strips.in_terminal import terminal_lines
    from edge.terminal import can_draw

    if not strips:
        yield "no strip on record"
        return
    *earlier, strip = strips
    yield "" if strip.kind else f"strip on request of {strip.patient}, from {strip.start}"
    if earlier:
        yield f"the newest of {len(strips)} strips; `edge alerts export --format svg` draws all"
    if can_draw(Output()):
        yield from terminal_lines(strip)
    else:
        yield f"strip of {len(strip.samples)} lead(s): `edge alerts export --format svg` draws it"
