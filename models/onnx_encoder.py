"""Encoders on ONNX Runtime: the only user of `onnxruntime`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import BundleError, ModelError, RuntimeMissingError, StepError
from models.fusion import fuse, nothing_known
from models.manifest import Manifest, State
from models.normalise import Normaliser

if TYPE_CHECKING:
    from models.encoder import Outputs

__all__ = ["OnnxEncoder", "open_encoder"]

_DEVICES = {
    "auto": "CPUExecutionProvider",  # a hop is too little work for anything else
    "cpu": "CPUExecutionProvider",
}
_TENSOR_TYPES = {
    "uint8": "tensor(uint8)",
    "int8": "tensor(int8)",
    "float32": "tensor(float)",
}


class OnnxEncoder:
    """A streaming encoder whose leads share one network: they are its batch.

    Runs on one thread, and is to be used from one thread at a time.
    """

    def __init__(
        self,
        bundle: Bundle,
        leads: int,
        providers: tuple[str, ...] = ("CPUExecutionProvider",),
    ) -> None:
        facts = bundle.manifest.input
        if not facts.leads_min <= leads <= facts.leads_max:
            raise ModelError(
                f"bundle {bundle.manifest.name!r} takes {facts.leads_min} to {facts.leads_max}"
                f" leads, not {leads}; choose the leads to analyse"
            )
        self._manifest = bundle.manifest
        self._leads = leads
        self._session = _session(bundle, providers)
        self._providers = tuple(self._session.get_providers())
        self._normaliser = Normaliser(bundle.manifest, leads)
        self._names = [output.name for output in bundle.manifest.outputs]
        self._fetches = self._names + [state.name_out for state in bundle.manifest.states]
        _check_graph(bundle, self._session, self._fetches)
        self._trust_all = np.ones(leads)
        self.reset()

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._manifest

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, as ONNX Runtime names them."""
        return self._providers

    def reset(self) -> None:
        """Forget the past, as after a gap."""
        self._states = {s.name_in: _initial(s, self._leads) for s in self._manifest.states}
        self._normaliser.reset()

    def step(
        self, samples: NDArray[np.float32], lead_weights: Sequence[float] | None = None
    ) -> Outputs:
        """One hop, as `models.encoder.Encoder.step` says.

        StepError: another shape, or samples or weights that are not finite; nothing is
        forgotten or learnt then.
        """
        weights = self._checked_weights(lead_weights)
        self._check_samples(samples)
        feed = self._states | {
            self._manifest.runtime.input: self._normaliser.step(samples, weights)[:, None, :, None]
        }
        if self._manifest.runtime.weights is not None:
            feed[self._manifest.runtime.weights] = weights[:, None].astype(np.float32)
        tensors = self._run(feed)
        heads = len(self._names)
        for state, tensor in zip(self._manifest.states, tensors[heads:], strict=True):
            self._states[state.name_in] = tensor
        if not weights.any():
            return {output.name: nothing_known(output) for output in self._manifest.outputs}
        return {
            output.name: fuse(output, tensor, weights)
            for output, tensor in zip(self._manifest.outputs, tensors[:heads], strict=True)
        }

    def _run(self, feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return cast("list[NDArray[Any]]", self._session.run(self._fetches, feed))
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(
                f"ONNX Runtime failed in a step of {self._manifest.name!r}: {error};"
                " reset the encoder, and verify the bundle if it happens again"
            ) from error

    def _check_samples(self, samples: NDArray[np.float32]) -> None:
        expected = (self._leads, self._manifest.input.hop_samples)
        if samples.shape != expected:
            raise StepError(f"a hop has shape {samples.shape}, expected {expected}: leads, samples")
        if not np.isfinite(samples).all():
            raise StepError("a hop holds samples that are not finite; fill gaps before the encoder")

    def _checked_weights(self, lead_weights: Sequence[float] | None) -> NDArray[np.float64]:
        if lead_weights is None:
            return self._trust_all
        weights = np.asarray(lead_weights, np.float64)
        if weights.shape != (self._leads,) or not ((weights >= 0) & (weights <= 1)).all():
            raise StepError(f"lead weights {lead_weights}: expected {self._leads} numbers, 0 to 1")
        return weights


def open_encoder(bundle: Bundle, leads: int, device: str) -> OnnxEncoder:
    """An encoder on `device`: "auto", "cpu", or the name of an execution provider."""
    return OnnxEncoder(bundle, leads, (_DEVICES.get(device, device),))


def _initial(state: State, leads: int) -> NDArray[Any]:
    return np.full((leads, *state.shape), state.initial, state.dtype)


def _runtime(providers: tuple[str, ...]) -> Any:
    """The onnxruntime module, once it is known to work and to have these providers."""
    try:
        import onnxruntime as ort

        available = ort.get_available_providers()
    except Exception as error:  # a broken native library raises more than ImportError
        raise RuntimeMissingError(
            f"ONNX Runtime cannot be used ({error}); install it: pip install onnxruntime"
        ) from error
    unknown = set(providers) - set(available)
    if unknown:
        raise RuntimeMissingError(
            f"ONNX Runtime has no {', '.join(sorted(unknown))} here; available:"
            f" {', '.join(available)}; choose the device `cpu` or install another build of it"
        )
    return ort


def _session(bundle: Bundle, providers: tuple[str, ...]) -> Any:
    """A session made from the verified bytes, with exactly the providers asked for."""
    ort = _runtime(providers)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions
    try:
        return ort.InferenceSession(bundle.model, options, providers=list(providers))
    except Exception as error:  # its exceptions share no base but Exception
        raise BundleError(
            f"{bundle.path}: ONNX Runtime {ort.__version__} refuses the model: {error};"
            " fetch the bundle again, or upgrade onnxruntime"
        ) from error


def _check_graph(bundle: Bundle, session: Any, fetches: list[str]) -> None:
    """The graph must have the tensors that the manifest names, in the shapes that it gives."""
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
    missing = set(fetches) - {tensor.name for tensor in session.get_outputs()}
    if missing:
        raise BundleError(f"{bundle.path}: the model has no output {sorted(missing)[0]!r}")
