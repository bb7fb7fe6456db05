"""What a source of `edge watch` tells, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StatusMessage,
)

__all__ = ["Format", "Heard", "Notice", "Samples", "Source"]


@dataclass(frozen=True, slots=True)
class Format:
    """Of a patient's samples from now on."""

    patient: str
    rate_hz: float
    leads: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The next samples of the first lead: float32, microvolts; NaN for what never came."""

    patient: str
    samples_uv: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Notice:
    """Words about the source itself. lost: from now on nothing is current."""

    text: str
    lost: bool = False


Heard = (
    StateMessage
    | AlertMessage
    | ActiveAlerts
    | AvailabilityMessage
    | StatusMessage
    | Format
    | Samples
    | Notice
)


class Source(Protocol):
    """Tells of patients. All calls come from one thread."""

    @property
    def name(self) -> str:
        """Where it listens, without secrets."""

    def open(self) -> None:
        """Connect. Raises EdgeError where that fails."""

    def read(self, timeout_s: float) -> list[Heard]:
        """What was heard within `timeout_s`; a lost connection is told and made again."""

    def close(self) -> None:
        """Disconnect."""
