"""The encoder of one stream: at work, or shed for a while because the engine is behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edge.networks import Networks
from edge.told_text import without_folders
from firmware_bridge.stream import Chunk, StreamFormat
from models.errors import ModelError

__all__ = ["EncoderFactory", "EncoderLease"]

EncoderFactory = Callable[[StreamFormat], Networks | None]
"""Makes the networks of a stream of one format; None where it goes on rules alone."""

ROUNDING = 1e-6
"""Of a hop: sums of binary fractions fall short of whole ones by less."""


OPENINGS = 4
OPENING_S = 10.0
"""Opening takes far longer than a second of signal: a stream that changes its format again and
again gets so many openings, and one more for each of so many seconds of signal."""

BEHIND = "the engine is behind: too many patients for this machine, or a slow encoder"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Networks, None for rules alone, and the format of the stream that they were opened for."""

    form: StreamFormat
    networks: Networks | None


class EncoderLease:
    """Whose networks a stream has now, and what it misses without them.

    open_for: called for every new format of the stream; later where its encoder is shed, or where
        formats change too often.
    is_optional: where it raises, that is logged, and the stream goes on rules alone.
    """

    def __init__(self, open_for: EncoderFactory, is_optional: bool = False) -> None:
        self._open_for = open_for
        self._is_optional = is_optional
        self._refusal = ""
        self._kept: _Kept | None = None
        self._hop_s = 0.0
        self._is_shed = False
        self._openings = float(OPENINGS)
        self._owes = False
        self._late_before = 0
        self._late = 0.0

    @property
    def is_shed(self) -> bool:
        """Whether the stream goes without an encoder that it would have."""
        return self._is_shed

    @property
    def limitation(self) -> str:
        """Why a stream that asks for an encoder is given none, in words; empty where it is given
        one, or asks for none."""
        return BEHIND if self._is_shed else self._refusal

    @property
    def late_hops(self) -> int:
        """Whole hops that the encoder would have taken while it was shed."""
        return self._late_before + int(self._late + ROUNDING)

    def passed(self, chunk: Chunk) -> None:
        """Samples pass by."""
        passed_s = len(chunk.samples_uv) / chunk.format.rate_hz
        if self._openings < OPENINGS:
            self._openings += passed_s / OPENING_S
        if self._is_shed and self._hop_s > 0:
            self._late += passed_s / self._hop_s

    @property
    def is_due(self) -> bool:
        """Whether the networks of a new format, which came too soon, may be opened now."""
        return self._owes and self._openings >= 1 and not self._is_shed

    def begin(self, form: StreamFormat) -> Networks | None:
        """The networks for a stream whose format is new."""
        self._kept = None
        self._owes = self._openings < 1
        return None if self._is_shed or self._owes else self._opened(form)

    def open_late(self, form: StreamFormat) -> Networks | None:
        """Where it `is_due`: the networks for the format that the stream has by now."""
        return self._opened(form)

    def replace(
        self, opened_for: StreamFormat | None, networks: Networks | None, form: StreamFormat
    ) -> Networks | None:
        """Other networks take over in a stream of format `form`: these where they were opened for
        it, else those that `open_for` gives now."""
        self._kept = None
        if opened_for == form:
            self._keep(form, networks)
        return None if self._is_shed else self._at_hand(form)

    def shed(self, is_shed: bool, form: StreamFormat) -> Networks | None:
        """Take the encoder off a stream of this format, or give it back: the networks from now
        on. What is given back begins anew with the next sample, as all networks do that take over.
        """
        self._is_shed = is_shed
        self._late_before, self._late = self.late_hops, 0.0
        return None if is_shed else self._at_hand(form)

    def _at_hand(self, form: StreamFormat) -> Networks | None:
        kept = self._kept
        return kept.networks if kept and kept.form == form else self._opened(form)

    def _opened(self, form: StreamFormat) -> Networks | None:
        self._openings -= 1
        try:
            return self._keep(form, self._open_for(form))
        except Exception as error:  # a runtime of another package may raise anything
            if not self._is_optional:
                raise
            is_ours = isinstance(error, ModelError)
            log.error("no encoder, rules alone go on: %s", error, exc_info=not is_ours)
            self._keep(form, None)
            kind = "" if is_ours else f"{type(error).__name__}: "
            self._refusal = without_folders(f"the encoder cannot be opened: {kind}{error}")
            return None

    def _keep(self, form: StreamFormat, networks: Networks | None) -> Networks | None:
        self._owes, self._refusal = False, ""
        self._kept = _Kept(form, networks)
        self._hop_s = networks.encoder.manifest.hop_s if networks else 0.0
        return networks
