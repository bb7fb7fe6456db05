"""Encoders on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import BundleError, ModelError
from models.manifest import Manifest, State
from models.onnx_session import open_session
from models.shared import shared
from models.streaming import StreamingEncoder, check_heads, check_leads, input_layout

__all__ = ["OnnxEncoder", "open_encoder"]

_DEVICES = {
    "auto": "CPUExecutionProvider",  # a hop is too little work for anything else
    "cpu": "CPUExecutionProvider",
    "onnxruntime": "CPUExecutionProvider",
}
_TENSOR_TYPES = {
    "uint8": "tensor(uint8)",
    "int8": "tensor(int8)",
    "float32": "tensor(float)",
}
Tensors = dict[str, NDArray[Any]]


class OnnxEncoder(StreamingEncoder):
    """A streaming encoder whose leads share one network: they are its batch."""

    def __init__(
        self,
        bundle: Bundle,
        leads: int,
        providers: tuple[str, ...] = ("CPUExecutionProvider",),
    ) -> None:
        check_leads(bundle.manifest, leads)
        super().__init__(bundle.manifest, leads, OnnxNetwork(bundle, leads, providers))


class OnnxNetwork:
    """A session whose tensors are bound once to memory of ours, as `models.streaming.Network`.

    The carried tensors lie in two sets of buffers, and each run reads the one and writes the
    other: no graph can then read a past that it has overwritten, and a run that fails leaves
    the past as it was.
    """

    def __init__(self, bundle: Bundle, leads: int, providers: tuple[str, ...]) -> None:
        manifest = bundle.manifest
        self._name = manifest.name
        self._shared = shared(
            bundle.model,
            ("onnxruntime", providers),
            lambda: open_session(bundle.model, str(bundle.path), providers),
        )
        self._session = self._shared.runtime
        self.providers = tuple(self._session.get_providers())
        _check_inputs(bundle, self._session)
        shape, kind = input_layout(manifest, leads)
        self.inputs = np.zeros(shape, kind)
        self.weights = np.ones((leads, 1), np.float32)
        self._initial = {s.name_in: _initial(s, leads) for s in manifest.states}
        self._pasts = [{n: t.copy() for n, t in self._initial.items()} for _ in range(2)]
        self._heads = _answers(bundle, self._session, self._feed(manifest), leads)
        self._bindings = [self._bind(manifest, now) for now in range(2)]
        self._now = 0

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The heads for `inputs`; the past moves on by a hop."""
        try:
            self._session.run_with_iobinding(self._bindings[self._now])
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(
                f"ONNX Runtime failed in a step of {self._name!r}: {error};"
                " reset the encoder, and verify the bundle if it happens again"
            ) from error
        self._now = 1 - self._now
        return self._heads

    def reset(self) -> None:
        """Forget the past."""
        for name, tensor in self._initial.items():
            self._pasts[self._now][name][:] = tensor

    def _feed(self, manifest: Manifest) -> Tensors:
        feed = {manifest.runtime.input: self.inputs, **self._pasts[0]}
        return feed | ({manifest.runtime.weights: self.weights} if manifest.runtime.weights else {})

    def _bind(self, manifest: Manifest, now: int) -> Any:
        """Everything that a run reads and writes, where the past lies in buffers `now`."""
        binding = self._session.io_binding()
        for name, tensor in (self._feed(manifest) | self._pasts[now]).items():
            binding.bind_input(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
        after = self._pasts[1 - now]
        written = {s.name_out: after[s.name_in] for s in manifest.states}
        heads = {o.name: t for o, t in zip(manifest.outputs, self._heads, strict=True)}
        for name, tensor in (heads | written).items():
            binding.bind_output(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
        return binding


def open_encoder(bundle: Bundle, leads: int, device: str) -> OnnxEncoder:
    """An encoder on `device`: "auto", "cpu" and "onnxruntime" are the CPU, other names those of
    execution providers.
    """
    return OnnxEncoder(bundle, leads, (_DEVICES.get(device, device),))


def _initial(state: State, leads: int) -> NDArray[Any]:
    return np.full((leads, *state.shape), state.initial, state.dtype)


def _check_inputs(bundle: Bundle, session: Any) -> None:
    """The graph must take the tensors that the manifest names, in the shapes that it gives."""
    runtime, states = bundle.manifest.runtime, bundle.manifest.states
    inputs = {tensor.name: tensor for tensor in session.get_inputs()}
    named = {runtime.input, *(state.name_in for state in states)}
    if inputs.keys() != named | ({runtime.weights} if runtime.weights else set()):
        raise BundleError(f"{bundle.path}: the model's inputs are not those of the manifest")
    for state in states:
        tensor = inputs[state.name_in]
        if tuple(tensor.shape[1:]) != state.shape or tensor.type != _TENSOR_TYPES[state.dtype]:
            raise BundleError(
                f"{bundle.path}: the state {state.name_in!r} is {tensor.type} {tensor.shape[1:]}"
                f" in the model, {state.dtype} {list(state.shape)} in the manifest"
            )


def _answers(bundle: Bundle, session: Any, feed: Tensors, leads: int) -> list[NDArray[np.float32]]:
    """Buffers for the heads, in the shapes that one run on silence gives them."""
    manifest, where = bundle.manifest, str(bundle.path)
    fetches = [o.name for o in manifest.outputs] + [s.name_out for s in manifest.states]
    missing = set(fetches) - {tensor.name for tensor in session.get_outputs()}
    if missing:
        raise BundleError(f"{where}: the model has no output {sorted(missing)[0]!r}")
    try:
        tensors = session.run(fetches, feed)
    except Exception as error:  # its exceptions share no base but Exception
        raise BundleError(
            f"{where}: the model fails on silence: {error}; export it again"
        ) from error
    heads, carried = tensors[: len(manifest.outputs)], tensors[len(manifest.outputs) :]
    check_heads(manifest, leads, heads, where)
    for state, tensor in zip(manifest.states, carried, strict=True):
        if tensor.shape != (leads, *state.shape) or tensor.dtype != state.dtype:
            raise BundleError(
                f"{where}: the state {state.name_out!r} is {tensor.dtype} {list(tensor.shape)} in"
                f" the model, {state.dtype} {[leads, *state.shape]} in the manifest"
            )
    return [np.array(head) for head in heads]
