"""Which bundle is in use, and how another takes its place: verified first, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.registry import open_encoder

__all__ = ["Activation"]


class Activation:
    """The bundle in use. It may be replaced from another thread than the one that opens encoders.

    Encoders that are open keep the bundle that they were made of. The encoder that was tested is
    kept, and with it the sessions that further ones share: they open in an instant.
    """

    def __init__(self, name_or_dir: str | Path, device: str = "auto") -> None:
        """ModelError: the bundle cannot be trusted, so that nothing is in use."""
        self._device = device
        self._replacing = threading.Lock()
        self._bundle, self._first = self._verified(name_or_dir, None)

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._bundle

    def replace(
        self,
        name_or_dir: str | Path,
        sha256: str | None = None,
        trial: Callable[[Bundle], None] = lambda _: None,
    ) -> Bundle:
        """Verify another bundle, self-test included, and use it from now on; returns the old one.

        sha256: its manifest's expected digest. trial: tries the verified bundle before it is used.
        ModelError, with the reason: it cannot be trusted or does not run here. In that case, and
        where the trial raises anything, the old one stays in use.
        """
        with self._replacing:
            new, first = self._verified(name_or_dir, sha256)
            trial(new)
            old, self._bundle, self._first = self._bundle, new, first
        return old

    def open_encoder(self, leads: int) -> Encoder:
        """An encoder of the bundle in use."""
        return open_encoder(self._bundle, leads, self._device)

    def _verified(self, name_or_dir: str | Path, sha256: str | None) -> tuple[Bundle, Encoder]:
        bundle = load_bundle(name_or_dir, sha256)
        return bundle, open_encoder(bundle, bundle.manifest.input.leads_min, self._device)
