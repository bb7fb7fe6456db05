"""What the conformance suite must know of a device: a session of its bytes and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.stream import Packet

__all__ = ["Specimen"]


def silent(command: bytes) -> tuple[Packet, ...]:
    """A device that answers no command."""
    return ()


@dataclass(frozen=True, eq=False)
class Specimen:
    """A session of one device, written by an encoder of its format (never by the decoder).

    device: name in the registry. options: keyword arguments of its decoder.
    packets: what it sends while it streams, in order; over BLE one notification each.
    samples_uv: all samples that the decoder must give from them, shape (samples, leads).
    leads: their names. rate_hz: nominal.
    byte_stream: the wire knows no packets: any chunking must give the same frames.
    checked: a checksum guards the samples: no altered byte may ever yield a wrong sample.
    answer: what the device sends because of a command written to it.
    tolerance_uv: how far a sample may be from `samples_uv`.
    """

    device: str
    packets: tuple[Packet, ...]
    samples_uv: NDArray[np.float32]
    leads: tuple[str, ...]
    rate_hz: float
    byte_stream: bool
    checked: bool
    options: dict[str, object] = field(default_factory=dict)
    answer: Callable[[bytes], tuple[Packet, ...]] = silent
    tolerance_uv: float = 1e-3
