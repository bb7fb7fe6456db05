"""Parquet tables of samples and annotations, by pyarrow."""

from __future__ import annotations

import importlib
from typing import Any, BinaryIO

import numpy as np

from edge.errors import UsageError
from edge.export.parts import Part, without_noise
from edge.export.tables import mark_rows

__all__ = ["require_pyarrow", "write_marks_parquet", "write_samples_parquet"]

GROUP_SAMPLES = 1 << 16
"""Rows of a row group, about four minutes at 250 Hz."""


def require_pyarrow() -> tuple[Any, Any]:
    """pyarrow and its Parquet module. Raises UsageError that says how to get them."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "an export to Parquet needs the package pyarrow: pip install 'edge[parquet]'"
        ) from None


def write_samples_parquet(part: Part, file: BinaryIO) -> None:
    """Columns `time` (UTC), `sample` (index on the grid) and one of float32 a lead, in uV.

    Rows that are missing are samples that are missing; NaN is missing in that lead alone.
    """
    arrow, parquet = require_pyarrow()
    schema = arrow.schema(
        [
            ("time", arrow.timestamp("ns", tz="UTC")),
            ("sample", arrow.int64()),
            *((f"{lead}_uv", arrow.float32()) for lead in part.format.leads),
        ],
        metadata={"rate_hz": f"{part.format.rate_hz:.10g}"},
    )
    encoding = dict.fromkeys(("time", "sample"), "DELTA_BINARY_PACKED")
    encoding |= dict.fromkeys(schema.names[2:], "BYTE_STREAM_SPLIT")
    packed = {"use_dictionary": False, "compression": "zstd", "column_encoding": encoding}
    with parquet.ParquetWriter(file, schema, **packed) as writer:
        waiting: list[tuple[int, Any]] = []
        for placed in part.blocks():
            waiting.append((placed.position, without_noise(placed.block.samples_uv)))
            if sum(len(samples) for _, samples in waiting) >= GROUP_SAMPLES:
                writer.write_table(_table(arrow, schema, part, waiting))
                waiting = []
        if waiting:
            writer.write_table(_table(arrow, schema, part, waiting))


def write_marks_parquet(part: Part, file: BinaryIO) -> None:
    """The columns of the CSV table of annotations, `time` as a timestamp."""
    arrow, parquet = require_pyarrow()
    schema = arrow.schema(
        [
            ("time_s", arrow.float64()),
            ("time", arrow.timestamp("ms", tz="UTC")),
            ("kind", arrow.string()),
            ("text", arrow.string()),
            ("duration_s", arrow.float64()),
            ("leads", arrow.string()),
            ("confidence", arrow.float64()),
        ]
    )
    columns: list[Any] = [list(column) for column in zip(*mark_rows(part), strict=True)]
    columns = columns or [[] for _ in schema.names]
    columns[1] = [part.start_utc_ns // 1_000_000 + round(at_s * 1000) for at_s in columns[0]]
    arrays = [
        arrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)
    ]
    parquet.write_table(arrow.Table.from_arrays(arrays, schema=schema), file)


def _table(arrow: Any, schema: Any, part: Part, blocks: list[tuple[int, Any]]) -> Any:
    index = np.concatenate([np.arange(at, at + len(samples)) for at, samples in blocks])
    samples = np.concatenate([samples for _, samples in blocks])
    time_ns = part.start_utc_ns + np.rint(index / part.format.rate_hz * 1e9).astype(np.int64)
    columns = [time_ns, index, *np.ascontiguousarray(samples.T)]
    arrays = [arrow.array(each, field.type) for each, field in zip(columns, schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)
