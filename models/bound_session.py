"""A recurrent network in ONNX Runtime whose tensors are bound once to memory of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import State

__all__ = ["BoundSession", "Tensors"]

Tensors = Mapping[str, NDArray[Any]]


class BoundSession:
    """Runs a session on the same buffers again and again, and carries its states.

    The carried tensors lie in two sets of buffers, and each run reads the one and writes the
    other: no graph can then read a past that it has overwritten, and a run that fails leaves
    the past as it was.

    inputs, outputs: by name, C-contiguous; every run reads and writes them in place. initial:
    by name of the input, what each of `states` is after a `reset`. Raises what ONNX Runtime
    raises where it cannot bind them.
    """

    def __init__(
        self,
        session: Any,
        states: Sequence[State],
        initial: Tensors,
        inputs: Tensors,
        outputs: Tensors,
    ) -> None:
        self._session = session
        self._initial = initial
        self._bound = (inputs, outputs)  # the runtime has their addresses, nothing more
        self._pasts = [{name: t.copy() for name, t in initial.items()} for _ in range(2)]
        self._bindings = [self._bind(states, now) for now in range(2)]
        self._now = 0

    def run(self) -> None:
        """One step. Raises what ONNX Runtime raises."""
        self._session.run_with_iobinding(self._bindings[self._now])
        self._now = 1 - self._now

    def reset(self) -> None:
        """Forget the past."""
        for name, tensor in self._initial.items():
            np.copyto(self._pasts[self._now][name], tensor)

    def _bind(self, states: Sequence[State], now: int) -> Any:
        """Everything that a run reads and writes, where the past lies in buffers `now`."""
        inputs, outputs = self._bound
        after = self._pasts[1 - now]
        written = {state.name_out: after[state.name_in] for state in states}
        binding = self._session.io_binding()
        for name, tensor in {**inputs, **self._pasts[now]}.items():
            binding.bind_input(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
        for name, tensor in {**outputs, **written}.items():
            binding.bind_output(name, "cpu", 0, tensor.dtype, tensor.shape, tensor.ctypes.data)
        return binding
