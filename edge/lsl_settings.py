"""Whether a run is on the Lab Streaming Layer: the `[lsl]` table of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["LslSettings"]


class LslSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outlets for programs in the same network; LSL knows neither passwords nor encryption.

    name: what the names of all streams begin with, before the patient's id.
    """

    enabled: bool = False
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9 ._-]{1,32}$")] = "edge"
