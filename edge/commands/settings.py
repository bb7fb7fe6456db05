"""The `[commands]` table of the configuration: who may ask what. Nobody anything by default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

KEY_NAME = r"^[a-z0-9_]{1,32}$(?!\n)"
"""So that the environment can name a key, too."""

Verb = Literal["acknowledge", "pause_audio", "set_limits", "ask_strip"]
UnsignedVerb = Literal["acknowledge", "pause_audio", "ask_strip"]
KeyName = Annotated[str, msgspec.Meta(pattern=KEY_NAME)]

USUAL_VERBS: tuple[Verb, ...] = ("acknowledge", "pause_audio", "ask_strip")


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sender's key. file: holds at least 32 bytes and nobody else may read it.

    verbs: what this sender may ask; `set_limits` only where it is listed.
    """

    file: str
    verbs: tuple[Verb, ...] = USUAL_VERBS


class CommandSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which commands are heard. Without a key and without `unsigned`, none.

    keys: name to key file, or to a table of `file` and `verbs`.
    unsigned: verbs that anybody may send who may publish on the button topic.
    expiry: whether a command's time is looked at. `auto`: where systemd-timesyncd has set this
        host's clock since the boot; `always`: the clock is known to be right; `never`.
    """

    keys: dict[KeyName, KeySettings | str] = {}
    unsigned: tuple[UnsignedVerb, ...] = ()
    expiry: Literal["auto", "always", "never"] = "auto"

    @property
    def heard(self) -> bool:
        """Whether there is anything to listen to."""
        return bool(self.keys or self.unsigned)

    def key_settings(self) -> dict[str, KeySettings]:
        """All keys in their long form."""
        return {
            name: KeySettings(each) if isinstance(each, str) else each
            for name, each in self.keys.items()
        }


__all__ = [
    "KEY_NAME",
    "USUAL_VERBS",
    "CommandSettings",
    "KeySettings",
    "UnsignedVerb",
    "Verb",
]
