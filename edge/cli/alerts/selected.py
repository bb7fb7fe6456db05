"""Which alerts: the arguments that all actions share, and the log that they are in."""

from __future__ import annotations

import argparse
import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.alarm_log.condition import Selection
    from edge.outbox import AlertLog

__all__ = ["config_argument", "opened", "selection", "selection_arguments"]

LAST = 100
_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|min|h|d)")
_UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def config_argument(parser: argparse.ArgumentParser) -> None:
    """Declare where the log is looked for."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")


def selection_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what to select by."""
    parser.add_argument("--patient", default="", metavar="ID", help="of this patient only")
    parser.add_argument("--kind", default="", metavar="KIND", help="of this kind only, such as vt")
    parser.add_argument(
        "--since",
        type=since,
        default=0,
        metavar="TIME",
        help="raised since then: 2026-01-31T12:00 (local time), or 30min, 12h, 7d ago",
    )
    parser.add_argument(
        "--last", type=whole, default=LAST, metavar="N", help="the newest N (default: %(default)s)"
    )


def whole(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isdecimal() and 0 < int(text) < 1 << 31):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def since(text: str) -> int:
    """A moment in nanoseconds since 1970: a time, local unless it says otherwise, or how long
    ago."""
    if ago := _AGO.fullmatch(text):
        from edge.clock import SystemClock

        return max(0, SystemClock().utc_ns() - round(float(ago[1]) * _UNIT_S[ago[2]] * 1e9))
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
        return max(0, round((moment - _EPOCH).total_seconds() * 1e6) * 1000)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-01-31T12:00, or 30min, 12h or 7d for so long ago"
        ) from None


def selection(options: argparse.Namespace) -> Selection:
    """What the options select."""
    from edge.alarm_log.condition import Selection

    return Selection(
        patient=options.patient,
        kind=options.kind,
        id=getattr(options, "id", ""),
        since_utc_ns=options.since,
        last=options.last,
    )


def opened(config: Path | None) -> AbstractContextManager[AlertLog]:
    """The alert log in the storage directory that the configuration names.

    Raises ConfigError, or StorageError where there is no log.
    """
    from edge.config import load
    from edge.outbox import OUTBOX_FILE, open_alert_log

    return open_alert_log(load(config).storage.path() / OUTBOX_FILE)
