"""Encoders on LiteRT, formerly TensorFlow Lite: the only user of its interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import BundleError, ModelError, RuntimeMissingError
from models.manifest import Manifest, RunningMeanAbs, State
from models.native_log import native_log_hushed
from models.shared import shared
from models.streaming import StreamingEncoder, check_heads, check_leads, input_layout

__all__ = ["LiteRTEncoder", "has_litert", "open_encoder", "open_interpreter"]

_PACKAGES = ("ai_edge_litert", "tflite_runtime")
_UINT8_TO_INT8 = -128
Tensors = dict[str, NDArray[Any]]


class LiteRTEncoder(StreamingEncoder):
    """A streaming encoder whose leads share one network: they are its batch.

    It runs the bundle's file of role "litert", whose tensors have the names of the "model"
    file; what is uint8 there is int8 here, less 128.
    """

    def __init__(self, bundle: Bundle, leads: int) -> None:
        check_leads(bundle.manifest, leads)
        super().__init__(bundle.manifest, leads, LiteRTNetwork(bundle, leads))


class LiteRTNetwork:
    """An interpreter and the carried tensors, as `models.streaming.Network`."""

    providers: tuple[str, ...] = ("XNNPACK",)

    def __init__(self, bundle: Bundle, leads: int) -> None:
        manifest, file = bundle.manifest, bundle.manifest.file("litert").name
        where = str(bundle.path / file)
        if not isinstance(manifest.normalisation, RunningMeanAbs):
            raise BundleError(f"{where}: LiteRT encoders hear samples, not tokens; use `cpu`")
        shape, _ = input_layout(manifest, leads)
        self.inputs = np.zeros(shape, np.float32)
        self.weights = np.ones((leads, 1), np.float32)
        self._name = manifest.name
        self._initial = {s.name_in: _initial(s, leads) for s in manifest.states}
        self._past = list(self._initial.values())
        model, feed = bundle.files[file], self._feed(manifest)
        self._shared = shared(
            model, ("litert", leads), lambda: open_interpreter(model, where, feed)
        )
        self._bind(manifest, where)
        check_heads(manifest, leads, self.run(), where)
        self.reset()

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The heads for `inputs`; the past moves on by a hop."""
        try:
            with self._shared.lock:
                return self._step(self._shared.runtime)
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
        runtime = self._shared.runtime
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


def open_encoder(bundle: Bundle, leads: int, _device: str) -> LiteRTEncoder:
    """An encoder on the CPU, whatever the device is called: LiteRT has no other here."""
    return LiteRTEncoder(bundle, leads)


def has_litert() -> bool:
    """Whether LiteRT is installed and loads."""
    try:
        _interpreter_class()
    except RuntimeMissingError:
        return False
    return True


def open_interpreter(model: bytes, where: str, feed: Tensors) -> Any:
    """An interpreter on one thread, its inputs resized to those of `feed`.

    model: bytes that `models.litert_scan` let through, as those of every loaded bundle; others
    may crash the interpreter. where: names the model in errors. feed: example of every input.
    RuntimeMissingError: no LiteRT. BundleError: LiteRT refuses the model, or it takes other
    inputs.
    """
    make = _interpreter_class()
    try:
        with native_log_hushed():
            interpreter = make(model_content=model, num_threads=1)
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


def _interpreter_class() -> Any:
    """The first interpreter that is installed and loads."""
    complaints = []
    for package in _PACKAGES:
        try:
            return import_module(f"{package}.interpreter").Interpreter
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
