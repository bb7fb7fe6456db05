"""The bundles that patients name: verified once, shared, and replaced while they are in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edge.encode import EncoderStage
from edge.encoder_lease import EncoderFactory
from edge.networks import Networks
from firmware_bridge.stream import StreamFormat
from models.activation import Activation
from models.beat_stage import BeatStage
from models.bundle import Bundle
from models.registry import open_encoder

__all__ = ["ENCODER_OPENING_S", "NO_BUNDLE", "Bundles"]

NO_BUNDLE = "none"
"""The bundle name that means: rules without an encoder."""
ENCODER_OPENING_S = 300.0
"""How long the opening of an encoder may take: TensorRT compiles it first."""


class Bundles:
    """What each name leads to, by name or folder. device: as `edge.config.Encoder` says.

    opening: called by the thread that is about to make the networks of a stream, which may take
    minutes where an execution provider compiles them first.
    """

    def __init__(self, device: str, opening: Callable[[], None] = lambda: None) -> None:
        self._device = device
        self._opening = opening
        self._in_use: dict[str, Activation] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Those in use, in the order in which they were first asked for."""
        return tuple(self._in_use)

    def in_use(self, name: str) -> Bundle:
        """The bundle that new streams get."""
        return self._in_use[name].bundle

    def encoder_for(self, name: str) -> EncoderFactory:
        """Makes the networks of one stream format, of the bundle that is then in use.

        A name is verified when it is first asked for. Raises ModelError where the bundle cannot
        be trusted.
        """
        if name == NO_BUNDLE:
            return lambda _: None
        if name not in self._in_use:
            self._in_use[name] = Activation(name, self._device)
        activation = self._in_use[name]

        def make(form: StreamFormat) -> Networks | None:
            self._opening()
            return self._networks(activation.bundle, form)

        return make

    def replace(
        self, name: str, formats: Iterable[StreamFormat | None]
    ) -> list[Networks | None] | None:
        """Use what the name leads to now; the networks of streams of these formats.

        None where it is the bundle in use, unchanged; None in the place of a format that is not
        known yet. Verifies, tests and fits before anything is replaced. Raises ModelError, or
        what a runtime of another package does: the old bundle stays in use.
        """
        fresh: list[Networks | None] = []

        def fit(new: Bundle) -> None:
            if new.sha256 != self.in_use(name).sha256:
                fresh.extend(self._fitted(new, form) if form else None for form in formats)

        old = self._in_use[name].replace(name, trial=fit)
        return None if old.sha256 == self.in_use(name).sha256 else fresh

    def _fitted(self, bundle: Bundle, form: StreamFormat) -> Networks:
        """Networks that can hear a stream of this format; raises where they cannot."""
        networks = self._networks(bundle, form)
        EncoderStage(networks, form.rate_hz, len(form.leads), filter_delay_s=0.0)
        return networks

    def _networks(self, bundle: Bundle, form: StreamFormat) -> Networks:
        heard = min(len(form.leads), bundle.manifest.input.leads_max)
        stage = BeatStage(bundle) if bundle.manifest.beat_stage else None
        return Networks(open_encoder(bundle, heard, self._device), stage, bundle.sha256)
