"""What is wrong with a recording's signal, so that its figures are not taken at face value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["signal_remarks"]


def signal_remarks(samples_uv: NDArray[np.float32], leads: Sequence[str]) -> list[str]:
    """One remark a lead that is constant or has invalid samples, none for a sound recording.

    samples_uv: shape (samples, leads), NaN where invalid.
    """
    remarks = (_remark(lead) for lead in samples_uv.T)
    return [f"lead {name} {said}" for name, said in zip(leads, remarks, strict=True) if said]


def _remark(lead_uv: NDArray[np.float32]) -> str:
    valid = np.isfinite(lead_uv)
    if not valid.any():
        return "has no valid sample"
    if np.ptp(lead_uv[valid]) == 0:
        return "is constant"
    missing = 100.0 * (1.0 - float(valid.mean()))
    return f"has {missing:.3g} % invalid samples" if missing else ""
