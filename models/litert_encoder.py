"""Encoders on LiteRT, formerly TensorFlow Lite: the only user of its interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.device_name import LITERT, Device, parse_device
from models.errors import BundleError, ModelError, RuntimeMissingError
from models.manifest import Manifest, RunningMeanAbs, State
from models.native_log import native_log_hushed
from models.shared import shared
from models.streaming import StreamingEncoder, check_heads, check_leads, input_layout

__all__ = ["LiteRTEncoder", "has_litert", "open_encoder", "open_interpreter"]

_PACKAGES = ("ai_edge_litert", "tflite_runtime")
_XNNPACK = "XNNPACK"
_PROCESSOR = Device(LITERT)
_UINT8_TO_INT8 = -128
Tensors = dict[str, NDArray[Any]]


class LiteRTEncoder(StreamingEncoder):
    """A streaming encoder whose leads share one network: they are its batch.

    It runs the bundle's file of role "litert", whose tensors have the names of the "model"
    file; what is uint8 there is int8 here, less 128.
    """

    def __init__(self, bundle: Bundle, leads: int, device: Device = _PROCESSOR) -> None:
        check_leads(bundle.manifest, leads)
        super().__init__(bundle.manifest, leads, LiteRTNetwork(bundle, leads, device))


class LiteRTNetwork:
    """An interpreter and the carried tensors, as `models.streaming.Network`."""

    def __init__(self, bundle: Bundle, leads: int, device: Device = _PROCESSOR) -> None:
        manifest, file = bundle.manifest, bundle.manifest.file("litert").name
        where = str(bundle.path / file)
        if not isinstance(manifest.normalisation, RunningMeanAbs):
            raise BundleError(f"{where}: LiteRT encoders hear samples, not tokens; use `cpu`")
        shape, _ = input_layout(manifest, leads)
        self.inputs = np.zeros(shape, np.float32)
        self.weights = np.ones((leads, 1), np.float32)
        delegate = (Path(device.delegate).name,) if device.delegate else ()
        self.providers: tuple[str, ...] = (*delegate, _XNNPACK)
        self._name = manifest.name
        self._initial = {s.name_in: _initial(s, leads) for s in manifest.states}
        self._past = list(self._initial.values())
        model, feed = bundle.files[file], self._feed(manifest)
        self.shared = shared(
            model, (device, leads), lambda: open_interpreter(model, where, feed, device)
        )
        self._bind(manifest, where)
        check_heads(manifest, leads, self.run(), where)
        self.reset()

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The heads for `inputs`; the past moves on by a hop."""
        try:
            with self.shared.lock:
                return self._step(self.shared.runtime)
        except Exception as error:  # the interpreter raises bare RuntimeError and ValueError
            raise ModelError(
                f"LiteRT failed in a step of {self._name!r}: {error};"
                " reset the encoder, and verify the bundle if it happens again"
            ) from error

    def reset(self) -> None:
        """Forget the past."""
        self._past = list(self._initial.values())

    def _step(self, runtime: Any) -> list[NDArray[np.float32]]:
        for index, tensor in self._fed:
            runtime.set_tensor(index, tensor)
        for index, tensor in zip(self._before, self._past, strict=True):
            runtime.set_tensor(index, tensor)
        runtime.invoke()
        heads = [runtime.get_tensor(index) for index in self._heads]
        self._past = [runtime.get_tensor(index) for index in self._after]
        return heads

    def _feed(self, manifest: Manifest) -> Tensors:
        feed = {manifest.runtime.input: self.inputs, **self._initial}
        return feed | ({manifest.runtime.weights: self.weights} if manifest.runtime.weights else {})

    def _bind(self, manifest: Manifest, where: str) -> None:
        """Where the interpreter has the tensors that the manifest names."""
        runtime = self.shared.runtime
        taken = {t["name"]: t["index"] for t in runtime.get_input_details()}
        given = {t["name"]: t for t in runtime.get_output_details()}
        for state in manifest.states:
            _check(state.name_out, self._initial[state.name_in], given, where)
        missing = {output.name for output in manifest.outputs} - given.keys()
        if missing:
            raise BundleError(f"{where}: the model has no output {sorted(missing)[0]!r}")
        feed = self._feed(manifest)
        self._fed = [(taken[n], t) for n, t in feed.items() if n not in self._initial]
        self._before = [taken[state.name_in] for state in manifest.states]
        self._after = [given[state.name_out]["index"] for state in manifest.states]
        self._heads = [given[output.name]["index"] for output in manifest.outputs]


def open_encoder(bundle: Bundle, leads: int, device: str) -> LiteRTEncoder:
    """An encoder on `device`, as `models.device_name` has it; on the processor where it is none."""
    return LiteRTEncoder(bundle, leads, parse_device(device) or _PROCESSOR)


def has_litert() -> bool:
    """Whether LiteRT is installed and loads."""
    try:
        _interpreters()
    except RuntimeMissingError:
        return False
    return True


def open_interpreter(model: bytes, where: str, feed: Tensors, device: Device = _PROCESSOR) -> Any:
    """An interpreter, its inputs resized to those of `feed`.

    model: bytes that `models.litert_scan` let through, as those of every loaded bundle; others
    may crash the interpreter. where: names the model in errors. feed: example of every input.
    RuntimeMissingError: no LiteRT, or no such delegate. BundleError: LiteRT or the delegate
    refuses the model, or it takes other inputs.
    """
    there = _interpreters()
    delegates = [_delegate(there, device.delegate)] if device.delegate else None
    try:
        with native_log_hushed():
            interpreter = there.Interpreter(
                model_content=model,
                num_threads=device.threads,
                experimental_delegates=delegates,
            )
            _check_taken(interpreter, device)
        taken = {t["name"]: t for t in interpreter.get_input_details()}
        for name, tensor in feed.items():
            _check(name, tensor, taken, where)
            interpreter.resize_tensor_input(taken[name]["index"], tensor.shape)
        with native_log_hushed():
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BundleError(
            f"{where}: LiteRT refuses the model: {error}; export it again, or upgrade LiteRT"
        ) from error
    if taken.keys() != feed.keys():
        raise BundleError(f"{where}: the model's inputs are not those of the manifest")
    return interpreter


def _delegate(there: Any, library: str) -> Any:
    """Looked into beforehand: LiteRT's own refusal of a file that is none is more than one line."""
    try:
        with native_log_hushed():
            _ = ctypes.CDLL(library).tflite_plugin_create_delegate
            return there.load_delegate(library)
    except Exception as error:  # whatever the dynamic linker or the library has to say
        raise RuntimeMissingError(
            f"LiteRT's delegate {library} cannot be loaded: {error}; install it and connect its"
            " device, or choose the device `litert`"
        ) from error


def _check_taken(interpreter: Any, device: Device) -> None:
    """BundleError where an external delegate took no operator: all would run on the processor.

    To be called before tensors are allocated, when XNNPACK takes what is left.
    """
    if device.delegate and not any(
        each["op_name"] == "DELEGATE" for each in interpreter._get_ops_details()
    ):
        raise BundleError(
            f"LiteRT's delegate {device.delegate} takes no operator of the model, which would run"
            " on the processor: choose the device `litert`, or a model compiled for the delegate"
        )


def _interpreters() -> Any:
    """The first module of interpreters that is installed and loads."""
    complaints = []
    for package in _PACKAGES:
        try:
            return import_module(f"{package}.interpreter")
        except Exception as error:  # a broken native library raises more than ImportError
            complaints.append(f"{package}: {error}")
    raise RuntimeMissingError(
        f"LiteRT cannot be used ({'; '.join(complaints)}); install it: pip install"
        " ai-edge-litert, or choose the device `cpu`"
    )


def _initial(state: State, leads: int) -> NDArray[Any]:
    """The state after a reset; int8 where ONNX Runtime has uint8."""
    shape = (leads, *state.shape)
    if state.dtype == "uint8":
        return np.full(shape, state.initial + _UINT8_TO_INT8, np.int8)
    return np.full(shape, state.initial, state.dtype)


def _check(name: str, expected: NDArray[Any], there: dict[str, dict[str, Any]], where: str) -> None:
    """BundleError unless the model has this tensor, alike but for the leads."""
    if name not in there:
        raise BundleError(f"{where}: the model has no tensor {name!r}, which the manifest names")
    shape, dtype = tuple(there[name]["shape"].tolist()), np.dtype(there[name]["dtype"])
    if (shape[1:], dtype) != (expected.shape[1:], expected.dtype):
        raise BundleError(
            f"{where}: the tensor {name!r} is {dtype} {list(shape[1:])} in the model, the"
            f" manifest makes it {expected.dtype} {list(expected.shape[1:])}"
        )
