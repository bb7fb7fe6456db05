"""Encoders on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bound_session import BoundSession, Tensors
from models.bundle import Bundle
from models.device_name import CPU, ONNX_RUNTIME, Device, parse_device
from models.errors import BundleError, ModelError
from models.manifest import State
from models.onnx_session import open_session
from models.shared import shared
from models.streaming import StreamingEncoder, check_heads, check_leads, input_layout

__all__ = ["OnnxEncoder", "open_encoder"]

_PROCESSOR = Device(ONNX_RUNTIME, CPU)
_TENSOR_TYPES = {
    "uint8": "tensor(uint8)",
    "int8": "tensor(int8)",
    "float32": "tensor(float)",
}


class OnnxEncoder(StreamingEncoder):
    """A streaming encoder whose leads share one network: they are its batch."""

    def __init__(
        self,
        bundle: Bundle,
        leads: int,
        providers: tuple[str, ...] = (CPU,),
        threads: int = 1,
    ) -> None:
        check_leads(bundle.manifest, leads)
        super().__init__(bundle.manifest, leads, OnnxNetwork(bundle, leads, providers, threads))


class OnnxNetwork:
    """A session bound to memory of ours, as `models.streaming.Network`."""

    def __init__(
        self, bundle: Bundle, leads: int, providers: tuple[str, ...], threads: int = 1
    ) -> None:
        manifest = bundle.manifest
        self._name = manifest.name
        self.shared = shared(
            bundle.model,
            (ONNX_RUNTIME, providers, threads),
            lambda: open_session(bundle.model, str(bundle.path), providers, threads=threads),
        )
        session = self.shared.runtime
        self.providers = tuple(session.get_providers())
        _check_inputs(bundle, session)
        shape, kind = input_layout(manifest, leads)
        self.inputs = np.zeros(shape, kind)
        self.weights = np.ones((leads, 1), np.float32)
        weighed = {manifest.runtime.weights: self.weights} if manifest.runtime.weights else {}
        heard = {manifest.runtime.input: self.inputs, **weighed}
        initial = {s.name_in: _initial(s, leads) for s in manifest.states}
        self._heads = _answers(bundle, session, {**heard, **initial}, leads)
        heads = {o.name: t for o, t in zip(manifest.outputs, self._heads, strict=True)}
        try:
            self._bound = BoundSession(session, manifest.states, initial, heard, heads)
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(
                f"ONNX Runtime cannot bind the tensors of {self._name!r} with"
                f" {', '.join(self.providers)}: {error}; choose another device"
            ) from error

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The heads for `inputs`; the past moves on by a hop."""
        try:
            self._bound.run()
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(
                f"ONNX Runtime failed in a step of {self._name!r}: {error};"
                " reset the encoder, and verify the bundle if it happens again"
            ) from error
        return self._heads

    def reset(self) -> None:
        """Forget the past."""
        self._bound.reset()


def open_encoder(bundle: Bundle, leads: int, device: str) -> OnnxEncoder:
    """An encoder on `device`, as `models.device_name` has it; on the processor where it is none."""
    named = parse_device(device) or _PROCESSOR
    return OnnxEncoder(bundle, leads, (named.provider,), named.threads)


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
