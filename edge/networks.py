"""The networks of one stream, as a bundle brings them."""

from __future__ import annotations

from dataclasses import dataclass

from models.beat_stage import BeatStage
from models.encoder import Encoder

__all__ = ["Networks"]


@dataclass(frozen=True, slots=True)
class Networks:
    """What a bundle runs for one stream: its encoder, and its beat stage where it has one.

    bundle_sha256: of the bundle's manifest; empty where they come from no bundle.
    """

    encoder: Encoder
    beat_stage: BeatStage | None = None
    bundle_sha256: str = ""
