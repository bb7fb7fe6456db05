"""A CinC challenge `.mat` file without its header: one MATLAB level 4 matrix of int16."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import Record

__all__ = ["read_mat"]

HEADER = struct.Struct("<5i")
INT16_LITTLE_ENDIAN = 30
NAME = b"val\0"
INVALID = -(1 << 15)
RATE_HZ = 300.0
SCALE_NV = 1000.0
"""What the headers of the CinC 2017 challenge say of every recording: 300 Hz, 1000 steps a mV."""


def read_mat(path: Path) -> Record:
    """Read a single-lead recording of the CinC 2017 challenge; others need their `.hea`."""
    content = path.read_bytes()
    body = content[HEADER.size + len(NAME) :]
    kind, leads, samples, imaginary, _ = HEADER.unpack(content[: HEADER.size].ljust(20, b"\0"))
    named = content[HEADER.size :].startswith(NAME)
    if kind != INT16_LITTLE_ENDIAN or imaginary or not named:
        raise SourceError(
            f"{path}: not a CinC .mat file (a level 4 matrix val of int16), and no .hea beside it"
        )
    if leads != 1:
        raise SourceError(f"{path}: {leads} leads of unknown scale; put its .hea file beside it")
    if samples < 1:
        raise SourceError(f"{path}: damaged: its header announces {samples} samples")
    if len(body) < 2 * samples:
        raise SourceError(f"{path}: truncated: {len(body) // 2} of {samples} samples")
    signal = np.frombuffer(body, "<i2", samples).reshape(-1, 1)
    valid = signal != INVALID
    return Record(
        name=path.stem,
        rate_hz=RATE_HZ,
        leads=("ECG",),
        digital=np.where(valid, signal, 0).astype(np.int32),
        scale_nv=(SCALE_NV,),
        valid=None if valid.all() else valid,
    )
