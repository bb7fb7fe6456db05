"""Whether and how to appear in Home Assistant: the `[home_assistant]` table."""

from __future__ import annotations

import re

import msgspec

__all__ = ["HomeAssistantSettings"]

_PART = r"[A-Za-z0-9_-]{1,32}"
_PARTS = re.compile(rf"{_PART}(/{_PART}){{0,7}}")
_NODE = re.compile(rf"({_PART})?")


class HomeAssistantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Device discovery over the broker of `[mqtt]`.

    enabled: what was announced is withdrawn at the next start where this is false.
    prefix: of Home Assistant's discovery topics.
    birth_topic: where Home Assistant says `online` once it runs.
    node: a level of its own in the discovery topic, for a broker that lets each service write
        below its own name only; empty for none.
    buttons: offer a button for each verb that `[commands] unsigned` lists.
    """

    enabled: bool = False
    prefix: str = "homeassistant"
    birth_topic: str = "homeassistant/status"
    node: str = ""
    buttons: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError where a topic could reach beyond itself."""
        for name in ("prefix", "birth_topic"):
            value = getattr(self, name)
            if not _PARTS.fullmatch(value):
                raise ValueError(
                    f"{name} {value!r}: expected 1 to 8 parts joined by '/', each of 1 to 32 "
                    "letters, digits, '_' or '-'"
                )
        if not _NODE.fullmatch(self.node):
            raise ValueError(f"node {self.node!r}: expected at most 32 letters, digits, '_' or '-'")
