"""The part of the TFLite schema that an encoder may use: fields and operators.

Numbers are those of `tensorflow/lite/schema/schema.fbs`, version 3. No custom operators, no
buffers outside the file, no control flow, no variables: there are no fields for them here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.flatbuffer import Field

__all__ = ["IDENTIFIER", "OPERATORS", "TABLES", "TENSOR_TYPES", "VERSION", "Operator"]

IDENTIFIER = b"TFL3"
VERSION = 3
TENSOR_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype(np.float32),
    2: np.dtype(np.int32),
    9: np.dtype(np.int8),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """name, number of inputs, greatest version, number of its options in the union."""

    name: str
    inputs: int
    version: int = 1
    options: int = 0


OPERATORS = {
    0: Operator("ADD", 2, 2, 11),
    2: Operator("CONCATENATION", 2, 2, 10),
    3: Operator("CONV_2D", 3, 3, 1),
    6: Operator("DEQUANTIZE", 1, 2),
    9: Operator("FULLY_CONNECTED", 3, 1, 8),
    18: Operator("MUL", 2, 1, 21),
    22: Operator("RESHAPE", 2, 1, 17),
    40: Operator("MEAN", 2, 1, 27),
    42: Operator("DIV", 2, 1, 29),
    45: Operator("STRIDED_SLICE", 4, 2, 32),
    82: Operator("REDUCE_MAX", 2, 1, 27),
    114: Operator("QUANTIZE", 1),
}

TABLES: dict[str, dict[int, Field]] = {
    "Model": {
        0: Field("version", "I"),
        1: Field("operator_codes", "[T", "OperatorCode"),
        2: Field("subgraphs", "[T", "SubGraph"),
        3: Field("description", "s"),
        4: Field("buffers", "[T", "Buffer"),
    },
    "OperatorCode": {
        0: Field("deprecated_builtin_code", "b"),
        2: Field("version", "i", default=1),
        3: Field("builtin_code", "i"),
    },
    "SubGraph": {
        0: Field("tensors", "[T", "Tensor"),
        1: Field("inputs", "[i"),
        2: Field("outputs", "[i"),
        3: Field("operators", "[T", "Operator"),
        4: Field("name", "s"),
    },
    "Tensor": {
        0: Field("shape", "[i"),
        1: Field("type", "b"),
        2: Field("buffer", "I"),
        3: Field("name", "s"),
        4: Field("quantization", "T", "Quantization"),
        8: Field("has_rank", "?"),
    },
    "Quantization": {2: Field("scale", "[f"), 3: Field("zero_point", "[q")},
    "Operator": {
        0: Field("opcode_index", "I"),
        1: Field("inputs", "[i"),
        2: Field("outputs", "[i"),
        3: Field("options_type", "B"),
        4: Field("options", "U", "options_type"),
    },
    "Buffer": {0: Field("data", "[B")},
    "options:1": {  # Conv2DOptions
        0: Field("padding", "b"),
        1: Field("stride_w", "i"),
        2: Field("stride_h", "i"),
        4: Field("dilation_w", "i", default=1),
        5: Field("dilation_h", "i", default=1),
    },
    "options:8": {},  # FullyConnectedOptions
    "options:10": {0: Field("axis", "i")},  # ConcatenationOptions
    "options:11": {},  # AddOptions
    "options:17": {0: Field("new_shape", "[i")},  # ReshapeOptions
    "options:21": {},  # MulOptions
    "options:27": {0: Field("keep_dims", "?")},  # ReducerOptions
    "options:29": {},  # DivOptions
    "options:32": {0: Field("begin_mask", "i"), 1: Field("end_mask", "i")},  # StridedSliceOptions
}
