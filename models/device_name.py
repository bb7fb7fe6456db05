"""What may be written as `encoder.device`: names of runtimes, providers and delegates, as data.

auto                      the best that was measured here, else LiteRT, else ONNX Runtime
cpu, onnxruntime          ONNX Runtime on the processor
litert                    LiteRT on the processor, through its XNNPACK delegate
cpu:THREADS, litert:THREADS  the same with so many threads
edgetpu                   LiteRT with the delegate of an Edge TPU, `libedgetpu.so.1`
delegate:LIBRARY          LiteRT with an external delegate, by file name or path
openvino, tensorrt, ...   an execution provider of ONNX Runtime, in short or by its full name
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from models.errors import ModelError

__all__ = [
    "CPU",
    "EDGE_TPU",
    "LITERT",
    "ONNX_RUNTIME",
    "PROVIDERS",
    "Device",
    "parse_device",
    "unknown_device",
]

ONNX_RUNTIME, LITERT = "onnxruntime", "litert"
CPU = "CPUExecutionProvider"
EDGE_TPU = "libedgetpu.so.1"
"""As the packages of its makers install it on Linux."""
MOST_THREADS = 64
PROVIDERS = {
    "cpu": CPU,
    "onnxruntime": CPU,
    "xnnpack": "XnnpackExecutionProvider",
    "acl": "ACLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "nnapi": "NnapiExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""Short names to ONNX Runtime's own."""
_SHORT = {full: short for short, full in reversed(PROVIDERS.items())}
_THREADED = frozenset({"cpu", "onnxruntime", LITERT, CPU})
_FULL_NAME = re.compile(r"[A-Za-z0-9_]+ExecutionProvider")


@dataclass(frozen=True, slots=True)
class Device:
    """runtime: `onnxruntime` or `litert`. provider: ONNX Runtime's name of it, empty for LiteRT.
    threads: of one step. delegate: the library of an external delegate of LiteRT, else empty."""

    runtime: str
    provider: str = ""
    threads: int = 1
    delegate: str = ""

    def __str__(self) -> str:
        """The shortest name that means it."""
        if self.delegate:
            return "edgetpu" if self.delegate == EDGE_TPU else f"delegate:{self.delegate}"
        name = LITERT if self.runtime == LITERT else _SHORT.get(self.provider, self.provider)
        return name if self.threads == 1 else f"{name}:{self.threads}"

    @property
    def on_processor(self) -> bool:
        """Whether it is sure to open nothing but the processor, which needs no compiler."""
        return not self.delegate and self.provider in ("", CPU)


def parse_device(text: str) -> Device | None:
    """The device that a name means, be it here or not; None where none is called so, as `auto`.

    Raises ModelError for a number of threads that is none.
    """
    name, colon, rest = text.partition(":")
    if name == "delegate" and rest and "\0" not in rest:
        return Device(LITERT, delegate=rest)
    if text == "edgetpu":
        return Device(LITERT, delegate=EDGE_TPU)
    threads = _threads(text, rest) if colon and name in _THREADED else 1
    if name == LITERT:
        return Device(LITERT, threads=threads)
    if name in _THREADED or (not colon and (name in PROVIDERS or _FULL_NAME.fullmatch(name))):
        return Device(ONNX_RUNTIME, PROVIDERS.get(name, name), threads)
    return None


def unknown_device(text: str, here: Iterable[str]) -> ModelError:
    """The refusal of a name. here: names of the devices that there are."""
    there = ("auto", *here)
    near = get_close_matches(text, (*there, LITERT, "edgetpu", *PROVIDERS, *PROVIDERS.values()), 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return ModelError(f"no device is called {text!r}{hint}; here there are: {', '.join(there)}")


def _threads(text: str, number: str) -> int:
    if not number.isdecimal() or not 1 <= int(number) <= MOST_THREADS:
        raise ModelError(f"device {text!r}: threads are a whole number from 1 to {MOST_THREADS}")
    return int(number)
