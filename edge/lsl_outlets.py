"""Streams of the Lab Streaming Layer, by the library mne-lsl, which the extra `lsl` installs."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from firmware_bridge.stream import StreamFormat

__all__ = ["GAP_FILLED_S", "Outlets", "require_lsl"]

GAP_FILLED_S = 10.0
"""Of a gap, so much is sent as NaN; over a longer one the timestamps jump."""


def require_lsl() -> Any:
    """The module `mne_lsl.lsl`. Raises ConfigError that says how to get it."""
    try:
        return importlib.import_module("mne_lsl.lsl")
    except ImportError:
        raise ConfigError(
            "config: [lsl] needs the package mne-lsl: pip install 'edge[lsl]'"
        ) from None
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"config: [lsl]: the library liblsl does not load: {error}") from None


class Outlets:
    """The two streams of one patient: ECG once its format is known, and markers.

    lsl: the module. Times are seconds of its `local_clock`.
    """

    def __init__(self, lsl: Any, name: str, patient: str, device: str) -> None:
        self._lsl = lsl
        self._name = f"{name} {patient}"
        self._id = f"{name}-{patient}-{device}"
        self._format: StreamFormat | None = None
        self._ecg: Any = None
        self._next_s = 0.0
        self._markers = self._marker_outlet()

    def samples(self, form: StreamFormat, samples_uv: NDArray[np.float32], time_s: float) -> None:
        """ECG in microvolts, (samples, leads), the first of them taken at `time_s`."""
        ecg = self._for_format(form)
        values = np.ascontiguousarray(samples_uv, np.float32)
        if len(values) == 1:  # of which the library asks not to make a chunk
            ecg.push_sample(values[0], time_s)
        else:
            ecg.push_chunk(values, time_s + np.arange(len(values)) / form.rate_hz)
        self._next_s = time_s + len(values) / form.rate_hz

    def gap(self, form: StreamFormat, length: int) -> None:
        """So many samples never came; before the first sample that is nothing to tell."""
        if self._ecg is None or form != self._format:
            return
        filled = min(length, round(GAP_FILLED_S * form.rate_hz))
        self.samples(form, np.full((filled, len(form.leads)), np.nan, np.float32), self._next_s)

    def marker(self, text: str, time_s: float) -> None:
        """An event in words."""
        self._markers.push_sample([text], time_s)

    def _for_format(self, form: StreamFormat) -> Any:
        """The ECG stream; one of another rate or other leads is another stream."""
        if form != self._format:
            self._ecg = None  # the old one ends before the new one has its id
            info = self._lsl.StreamInfo(
                self._name, "ECG", len(form.leads), form.rate_hz, "float32", self._id
            )
            info.set_channel_names(list(form.leads))
            info.set_channel_types("ecg")
            info.set_channel_units("microvolts")
            self._ecg, self._format = self._lsl.StreamOutlet(info), form
        return self._ecg

    def _marker_outlet(self) -> Any:
        info = self._lsl.StreamInfo(
            f"{self._name} markers", "Markers", 1, 0.0, "string", f"{self._id}-markers"
        )
        return self._lsl.StreamOutlet(info)
