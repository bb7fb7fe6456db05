"""Keys, signed commands and the world around a desk, for tests."""

from __future__ import annotations

import json
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from edge.actions import Action, Outcome
from edge.commands.keys import CommandKey
from edge.commands.policy import Delivery, Policy
from edge.commands.settings import USUAL_VERBS
from edge.publish import Incoming

SECRET = bytes(range(32)).hex().encode()
WARD = CommandKey("ward", SECRET, frozenset(USUAL_VERBS))
CHIEF = CommandKey("chief", SECRET[::-1], frozenset({*USUAL_VERBS, "set_limits"}))
UTC_NS = 1_769_860_800_000_000_000
"""2026-01-31T12:00:00Z."""
NOW_NS = 5_000_000_000_000


def text(**changes: Any) -> str:
    """A command as JSON text; a change to None leaves a field out."""
    now = datetime.fromtimestamp(UTC_NS / 1e9, UTC)
    fields: dict[str, Any] = {
        "verb": "acknowledge",
        "id": "a1",
        "patient": "bed-3",
        "counter": 1,
        "expires": (now + timedelta(seconds=30)).isoformat().replace("+00:00", "Z"),
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def sealed(command: str, signer: CommandKey = WARD, **changes: Any) -> bytes:
    """The envelope as a sender in any language would write it."""
    fields = {"command": command, "key": signer.name, "signature": signer.sign(command)}
    return json.dumps({**fields, **changes}).encode()


def command(key: CommandKey = WARD, **changes: Any) -> bytes:
    """A signed command with some fields changed."""
    return sealed(text(**changes), key)


def delivery(payload: bytes, **changes: Any) -> Delivery:
    """A message on bed-3's topic, by a host whose clock is right."""
    fields: dict[str, Any] = {
        "patient": "bed-3",
        "payload": payload,
        "retained": False,
        "button": False,
        "now_ns": NOW_NS,
        "utc_ns": UTC_NS,
    }
    return Delivery(**{**fields, **changes})


def policy(*unsigned: Any, newest: int = 0) -> Policy:
    """A policy with both keys."""
    return Policy([WARD, CHIEF], unsigned, lambda _: newest)


class StandIns:
    """What a desk talks to: monitor, ledger and publisher in one, remembering everything."""

    def __init__(self) -> None:
        self.asked: list[Action] = []
        self.spent: list[tuple[str, int]] = []
        self.replies: list[tuple[str, dict[str, Any], bytes]] = []
        self.listeners: dict[str, Any] = {}
        self.outcome: Outcome | BaseException | None = Outcome(True, "done so")
        self.disk_takes = True

    def ask(self, action: Action) -> Future[Outcome]:
        """The monitor's answer; none for ever where the outcome is None."""
        self.asked.append(action)
        future: Future[Outcome] = Future()
        if isinstance(self.outcome, BaseException):
            future.set_exception(self.outcome)
        elif self.outcome is not None:
            future.set_result(self.outcome)
        return future

    def spend(self, name: str, number: int) -> bool:
        """The ledger."""
        assert len(self.asked) == len(self.spent)
        self.spent.append((name, number))
        return self.disk_takes

    def listen(self, topic_filter: str, handler: Any) -> None:
        """The publisher's subscriptions."""
        self.listeners[topic_filter] = handler

    def reply(self, topic: str, payload: bytes, correlation_data: bytes = b"") -> bool:
        """The publisher's answers."""
        self.replies.append((topic, json.loads(payload), correlation_data))
        return True

    def send(self, payload: bytes, topic: str = "edge/bed-3/command", **more: Any) -> None:
        """A message comes."""
        self.listeners[topic](Incoming(topic, payload, more.pop("retained", False), **more))
