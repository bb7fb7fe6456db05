"""The encoder protocol: carried state in, a hop of samples in, named outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest

Outputs = Mapping[str, NDArray[np.float32]]


@runtime_checkable
class Encoder(Protocol):
    """A network that hears a stream hop by hop and keeps what it needs of the past.

    One encoder serves one stream. Pushing the same hops after `reset` gives the same outputs.
    """

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, as the runtime names them."""

    def step(
        self, samples: NDArray[np.float32], lead_weights: Sequence[float] | None = None
    ) -> Outputs:
        """Outputs for one hop: samples float32, shape (leads, hop_samples), conditioned
        and resampled as the manifest says, in microvolts; normalisation happens inside.

        lead_weights: how far each lead is to be trusted in this hop, 0 (off, unusable) to 1;
        None trusts all alike. The outputs are those of one heart: the leads' logits are
        averaged with these weights, but for QRS complexes, which are heard in the first lead
        that is fit. With every weight 0 nothing is known: all probability is on the label
        "noise" where the output has one, and every other number is 0.
        """

    def reset(self) -> None:
        """Forget the past, as after a gap."""
