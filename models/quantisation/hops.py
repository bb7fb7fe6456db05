"""What an encoder hears while it is calibrated or compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.manifest import Manifest

__all__ = ["Hop", "Stretch", "check_stretches"]

_FEWEST_HOPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One hop as the runtime hands it to an encoder: conditioned, resampled, in microvolts.

    samples_uv: float32, (leads, hop_samples). lead_weights: trust in each lead, 0 to 1.
    """

    samples_uv: NDArray[np.float32]
    lead_weights: tuple[float, ...]


Stretch = Sequence[Hop]
"""Consecutive hops of one recording, all with the same leads; the encoder is reset before it."""


def check_stretches(manifest: Manifest, stretches: Sequence[Stretch]) -> None:
    """ModelError where the hops do not fit the bundle or say nothing of its signal."""
    hops = [hop for stretch in stretches for hop in stretch]
    if len(hops) < _FEWEST_HOPS:
        raise ModelError(
            f"calibration needs {_FEWEST_HOPS} hops of {manifest.hop_s:g} s or more, there are"
            f" {len(hops)}; give longer recordings, or more of them"
        )
    for hop in hops:
        _check_hop(manifest, hop)
    if not any(_varies(hop) for hop in hops):
        raise ModelError(
            "calibration: the signal is constant or its leads are off in every hop; give"
            " recordings with an ECG in them"
        )


def _check_hop(manifest: Manifest, hop: Hop) -> None:
    facts, (leads, samples) = manifest.input, hop.samples_uv.shape
    if samples != facts.hop_samples or not facts.leads_min <= leads <= facts.leads_max:
        raise ModelError(
            f"calibration: a hop has {leads} leads of {samples} samples, bundle {manifest.name!r}"
            f" takes {facts.leads_min} to {facts.leads_max} leads of {facts.hop_samples} samples"
            f" at {facts.rate_hz:g} Hz; resample the recordings"
        )
    if len(hop.lead_weights) != leads:
        raise ModelError(f"calibration: {len(hop.lead_weights)} lead weights for {leads} leads")
    if not np.isfinite(hop.samples_uv).all():
        raise ModelError("calibration: a hop holds samples that are not finite; leave gaps out")


def _varies(hop: Hop) -> bool:
    """Whether a lead that is trusted moves."""
    spread = np.ptp(hop.samples_uv, axis=1)
    return bool((spread * np.asarray(hop.lead_weights) > 0).any())
