"""A bundle's model streamed as the runtime streams it, with tensors inside it in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import ModelError
from models.onnx_session import open_session
from models.quantisation.hops import Stretch
from models.streaming import StreamingEncoder, check_leads, input_layout

__all__ = ["watched"]

Tensors = dict[str, NDArray[Any]]


def watched(
    bundle: Bundle, model: bytes, tensors: Sequence[str], stretches: Sequence[Stretch]
) -> Iterator[Tensors]:
    """The named tensors after each hop. model: the bundle's, with them among its outputs."""
    session = open_session(model, str(bundle.path), ("CPUExecutionProvider",))
    for stretch in stretches:
        leads = len(stretch[0].samples_uv) if stretch else bundle.manifest.input.leads_min
        check_leads(bundle.manifest, leads)
        network = _WatchedNetwork(bundle, session, leads, tensors)
        encoder = StreamingEncoder(bundle.manifest, leads, network)
        for hop in stretch:
            encoder.step(hop.samples_uv, hop.lead_weights)
            if any(hop.lead_weights):  # what is not heard need not be represented
                yield network.seen


class _WatchedNetwork:
    """A `models.streaming.Network` that notes tensors. seen: those of the latest run."""

    def __init__(self, bundle: Bundle, session: Any, leads: int, tensors: Sequence[str]) -> None:
        shape, kind = input_layout(bundle.manifest, leads)
        self.inputs = np.zeros(shape, kind)
        self.weights = np.ones((leads, 1), np.float32)
        self.providers: tuple[str, ...] = tuple(session.get_providers())
        self.shared = None
        self.seen: Tensors = {}
        self._manifest, self._session = bundle.manifest, session
        self._heads = [output.name for output in bundle.manifest.outputs]
        self._initial: Tensors = {
            state.name_in: np.full((leads, *state.shape), state.initial, state.dtype)
            for state in bundle.manifest.states
        }
        self._states = self._initial
        fetched = [*self._heads, *(s.name_out for s in bundle.manifest.states), *tensors]
        fed = self._given() | self._states
        self._fetches = [name for name in dict.fromkeys(fetched) if name not in fed]

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The heads; the states move on by a hop."""
        feed = self._given() | self._states
        try:
            answers = self._session.run(self._fetches, feed)
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"ONNX Runtime failed in a step of the model: {error}") from error
        values = dict(zip(self._fetches, answers, strict=True))
        self.seen = feed | values
        self._states = {s.name_in: values[s.name_out] for s in self._manifest.states}
        return [values[name] for name in self._heads]

    def reset(self) -> None:
        """Forget the past."""
        self._states = self._initial

    def _given(self) -> Tensors:
        runtime = self._manifest.runtime
        given: Tensors = {runtime.input: self.inputs}
        return given | ({runtime.weights: self.weights} if runtime.weights else {})
