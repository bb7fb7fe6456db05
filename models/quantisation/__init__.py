"""Static int8 quantisation of float bundles, calibrated on streamed signals.

`quantise` gives the model, `write_quantised` the bundle, `compare` says what it cost and gained.
Needs the package `onnx`: the extra `quantize`.
"""

from __future__ import annotations

from models.errors import RuntimeMissingError

try:
    import onnx as _onnx  # noqa: F401
except ImportError as error:
    raise RuntimeMissingError(
        f"quantising needs the package onnx ({error}); install it: pip install 'edge[quantize]'"
    ) from error

from models.quantisation.compare import Agreement, Comparison, compare
from models.quantisation.hops import Hop, Stretch
from models.quantisation.package import write_quantised
from models.quantisation.quantise import Quantised, quantise

__all__ = [
    "Agreement",
    "Comparison",
    "Hop",
    "Quantised",
    "Stretch",
    "compare",
    "quantise",
    "write_quantised",
]
