"""CSV tables: one of samples, which `replay:` plays, and one of annotations.

    # rate_hz=250
    time_s,I_uv,II_uv
    0.000000,12.5,-3

Times are seconds since the first sample. Rows that are missing are samples that are missing; `nan`
is one that is missing in that lead alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.clock import rfc3339
from edge.export.parts import Part, without_noise

__all__ = ["MARK_COLUMNS", "mark_rows", "write_marks_csv", "write_samples_csv"]

MARK_COLUMNS = ("time_s", "time", "kind", "text", "duration_s", "leads", "confidence")


def write_samples_csv(part: Part, file: BinaryIO) -> None:
    """Write the samples, each to the last bit of its 32."""
    rate_hz = part.format.rate_hz
    names = ["time_s", *(f"{_plain(lead)}_uv" for lead in part.format.leads)]
    file.write(f"# rate_hz={rate_hz:.10g}\n{','.join(names)}\n".encode())
    for placed in part.blocks():
        samples = without_noise(placed.block.samples_uv)
        times = (np.arange(placed.position, placed.stop) / rate_hz).tolist()
        columns = [_shortest(samples[:, lead]) for lead in range(samples.shape[1])]
        rows = zip((f"{each:.6f}" for each in times), *columns, strict=True)
        file.write(("\n".join(map(",".join, rows)) + "\n").encode())


def write_marks_csv(part: Part, file: BinaryIO) -> None:
    """Write the annotations."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(MARK_COLUMNS)
    writer.writerows(mark_rows(part))
    text.detach()


def mark_rows(part: Part) -> Iterator[tuple[float, str, str, str, float, str, float | None]]:
    """The annotations as rows of `MARK_COLUMNS`."""
    rate_hz = part.format.rate_hz
    for mark in part.marks:
        at_s = round(mark.position / rate_hz, 6)
        leads = [lead for k, lead in enumerate(part.format.leads) if mark.leads >> k & 1]
        yield (
            at_s,
            rfc3339(part.start_utc_ns + round(at_s * 1e9)),
            mark.kind,
            mark.text,
            round(mark.length / rate_hz, 6),
            " ".join(leads),
            mark.confidence,
        )


def _shortest(samples: NDArray[np.float32]) -> list[str]:
    """The shortest decimals that give the same 32 bits again."""
    texts: list[str] = samples.astype("U16").tolist()
    return texts


def _plain(lead: str) -> str:
    return "".join("_" if each in ',"\n\r#' else each for each in lead)
