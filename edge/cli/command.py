"""`edge command`: ask something of a running monitor, over MQTT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.broker import BROKER, broker_settings
from edge.errors import Exit, UsageError

if TYPE_CHECKING:
    from edge.clock import Clock
    from edge.commands.wire import Command, CommandResponse
    from edge.mqtt_settings import MqttSettings

WAIT_S = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=type(parser))
    acknowledge = _verb(verbs, "acknowledge", "take notice of one alert, or of all that are on")
    acknowledge.add_argument("--alert", metavar="ID", default="", help="of which alert")
    pause = _verb(verbs, "pause-audio", "no sound for a while")
    pause.add_argument("--for", dest="for_s", type=float, default=60.0, metavar="SECONDS")
    limits = _verb(verbs, "set-limits", "other alarm limits, until the next start")
    limits.add_argument(
        "--limit",
        dest="limits",
        action="append",
        required=True,
        type=_limit,
        metavar="NAME=VALUE",
        help="such as tachy_bpm=130; several times for several",
    )
    _verb(verbs, "ask-strip", "have the signal of the last seconds published")
    new_key = verbs.add_parser("new-key", help="make a key file", description="Make a key file.")
    new_key.add_argument("file", type=Path, metavar="FILE")
    new_key.set_defaults(command=_new_key)


def _verb(verbs: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=purpose, description=purpose.capitalize() + "."
    )
    parser.add_argument("--mqtt", required=True, metavar=BROKER, help="the broker")
    parser.add_argument("--base", metavar="TOPIC", help="topics begin with it (default: edge)")
    parser.add_argument("--patient", required=True, metavar="ID")
    parser.add_argument("--key", required=True, type=_named_file, metavar="NAME=FILE")
    parser.add_argument("--by", default="", metavar="WHO", help="for the log")
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object")
    parser.set_defaults(command=_send, verb=name)
    return parser


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER") from None


def _named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, Path(path)


def _new_key(options: argparse.Namespace) -> int:
    from edge.commands.keys import write_new_key

    write_new_key(options.file)
    print(f"{options.file}: a new key, readable by its owner only")
    return Exit.OK


def _send(options: argparse.Namespace) -> int:
    """Exit code 0 where it was done, 1 where it was refused."""
    from edge.clock import SystemClock
    from edge.commands.keys import load_key
    from edge.commands.sending import send

    clock = SystemClock()
    name, path = options.key
    key = load_key(name, path, (), "--key")
    command = _command(options, clock)
    response = send(command, key, _broker(options), clock, WAIT_S)
    _show(response, options.json)
    return Exit.OK if response.done else Exit.FAILURE


def _broker(options: argparse.Namespace) -> MqttSettings:
    import msgspec

    settings = broker_settings(options.mqtt)
    if options.base is None:
        return settings
    try:
        return msgspec.structs.replace(settings, base=options.base)
    except ValueError as error:
        raise UsageError(f"--base: {error}") from None


def _command(options: argparse.Namespace, clock: Clock) -> Command:
    """The command that the options describe. Raises UsageError."""
    from edge.commands.sending import stamp
    from edge.commands.wire import checked

    mark = stamp(clock)
    fields: dict[str, Any] = {
        "verb": options.verb.replace("-", "_"),
        "id": mark.id,
        "patient": options.patient,
        "counter": mark.counter,
        "expires": mark.expires,
        "by": options.by,
    }
    match options.verb:
        case "acknowledge":
            fields["alert"] = options.alert
        case "pause-audio":
            fields["for_s"] = options.for_s
        case "set-limits":
            fields["limits"] = dict(options.limits)
    try:
        return checked(fields)
    except ValueError as error:
        raise UsageError(f"edge command {options.verb}: {error}") from None


def _show(response: CommandResponse, as_json: bool) -> None:
    if as_json:
        import msgspec

        print(msgspec.json.encode(response).decode())
    elif response.done:
        print(f"done: {response.text}")
    else:
        print(f"refused ({response.reason}): {response.text}", file=sys.stderr)
