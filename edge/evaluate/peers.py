"""Other QRS detectors on the same samples, whichever of them are installed.

They hear the first lead that `edge` hears, the whole recording at once, with their defaults, and
are judged by the same comparison. They may look ahead; `edge` may not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError

__all__ = ["PEERS", "peer_beats"]

Detector = Callable[[NDArray[np.float64], float], Any]


def _xqrs(lead_mv: NDArray[np.float64], rate_hz: float) -> Any:
    return import_module("wfdb.processing").xqrs_detect(lead_mv, rate_hz, verbose=False)


def _sleepecg(lead_mv: NDArray[np.float64], rate_hz: float) -> Any:
    return import_module("sleepecg").detect_heartbeats(lead_mv, rate_hz)


def _neurokit2(lead_mv: NDArray[np.float64], rate_hz: float) -> Any:
    neurokit2, rate = import_module("neurokit2"), round(rate_hz)
    return neurokit2.ecg_findpeaks(neurokit2.ecg_clean(lead_mv, rate), rate)["ECG_R_Peaks"]


def _pan_tompkins(lead_mv: NDArray[np.float64], rate_hz: float) -> Any:
    return import_module("ecgdetectors").Detectors(rate_hz).pan_tompkins_detector(lead_mv)


PEERS: dict[str, tuple[str, Detector]] = {
    "wfdb xqrs": ("wfdb", _xqrs),
    "sleepecg": ("sleepecg", _sleepecg),
    "neurokit2": ("neurokit2", _neurokit2),
    "Pan-Tompkins": ("ecgdetectors", _pan_tompkins),
}
"""Name to the package that holds it and how to call it with millivolts and hertz."""


def peer_beats(lead_uv: NDArray[np.float32], rate_hz: float) -> dict[str, NDArray[np.int64]]:
    """Beats of every peer that is installed, as sample indices in ascending order.

    lead_uv: shape (samples,); invalid samples are bridged by straight lines. No peer is asked
    about a lead that never changes, on which some fail: it has no beats. Raises EdgeError where
    a peer fails.
    """
    valid = np.isfinite(lead_uv)
    there = {name: d for name, (package, d) in PEERS.items() if find_spec(package) is not None}
    if not valid.any() or np.ptp(lead_uv[valid]) == 0:
        return {name: np.empty(0, np.int64) for name in there}
    lead_mv = _bridged(lead_uv.astype(np.float64), valid) / 1000.0
    return {name: _beats(name, detect, lead_mv, rate_hz) for name, detect in there.items()}


def _beats(
    name: str, detect: Detector, lead_mv: NDArray[np.float64], rate_hz: float
) -> NDArray[np.int64]:
    try:
        found = detect(lead_mv, rate_hz)
    except Exception as error:  # foreign code may raise anything
        raise EdgeError(f"--peers: {name} fails on this recording: {error}") from error
    return np.sort(np.asarray(found, np.int64))


def _bridged(lead_uv: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    at = np.arange(len(lead_uv))
    return np.interp(at, at[valid], lead_uv[valid])
