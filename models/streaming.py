"""What all runtimes share of a step: checks, normalisation, fusion of the leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError, ModelError, StepError
from models.fusion import Fusion, nothing_known, per_lead_size
from models.manifest import Manifest, RunningMeanAbs
from models.normalise import Normaliser
from models.shared import SharedRuntime, distrust
from models.tokens import Tokeniser

if TYPE_CHECKING:
    from models.encoder import Outputs

__all__ = ["Network", "StreamingEncoder", "check_heads", "check_leads", "input_layout"]


class Network(Protocol):
    """One network in one runtime, with its carried past.

    inputs: what `run` hears, of the shape and type of `input_layout`; to be filled before it.
    weights: float32 (leads, 1), the trust in each lead; likewise.
    """

    inputs: NDArray[Any]
    weights: NDArray[np.float32]
    providers: tuple[str, ...]

    @property
    def shared(self) -> SharedRuntime | None:
        """What computes the steps of others, too; None where it is the network's own."""

    def run(self) -> Sequence[NDArray[np.float32]]:
        """The tensors (leads, ...) of the manifest's outputs, good until the next run.

        ModelError where the runtime fails; the past is then as before.
        """

    def reset(self) -> None:
        """Forget the past."""


def input_layout(manifest: Manifest, leads: int) -> tuple[tuple[int, ...], type[Any]]:
    """Shape and type of the network's input: samples (leads, 1, hop_samples, 1) as float32,
    or tokens (leads, window_samples) as int64."""
    if isinstance(manifest.normalisation, RunningMeanAbs):
        return (leads, 1, manifest.input.hop_samples, 1), np.float32
    return (leads, manifest.normalisation.window_samples), np.int64


def check_leads(manifest: Manifest, leads: int) -> None:
    """ModelError where the bundle does not take so many leads."""
    facts = manifest.input
    if not facts.leads_min <= leads <= facts.leads_max:
        raise ModelError(
            f"bundle {manifest.name!r} takes {facts.leads_min} to {facts.leads_max}"
            f" leads, not {leads}; choose the leads to analyse"
        )


class StreamingEncoder:
    """An encoder (`models.encoder.Encoder`) on any network.

    Runs on one thread, and is to be used from one thread at a time.
    """

    def __init__(self, manifest: Manifest, leads: int, network: Network) -> None:
        facts = manifest.input
        self._manifest = manifest
        self._network = network
        self._hop = np.zeros((leads, facts.hop_samples), np.float32)
        self._heard = network.inputs.reshape(leads, -1)
        self._trust = np.ones(leads)
        self._trusting = True
        self._fusion = Fusion(manifest.outputs, leads)
        self._preparation: Normaliser | Tokeniser
        if isinstance(manifest.normalisation, RunningMeanAbs):
            self._preparation = Normaliser(
                manifest.normalisation, facts.rate_hz, facts.hop_samples, leads
            )
        else:
            self._preparation = Tokeniser(manifest.normalisation, leads)

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._manifest

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, as the runtime names them."""
        return self._network.providers

    @property
    def shared(self) -> SharedRuntime | None:
        """What computes the steps of other streams, too; None where nothing is shared."""
        return self._network.shared

    def reset(self) -> None:
        """Forget the past, as after a gap."""
        self._network.reset()
        self._preparation.reset()

    def step(
        self, samples: NDArray[np.float32], lead_weights: Sequence[float] | None = None
    ) -> Outputs:
        """One hop, as `models.encoder.Encoder.step` says.

        StepError: another shape, or samples or weights that are not finite; nothing is
        forgotten or learnt then.
        """
        self._take_weights(lead_weights)
        self._take_samples(samples)
        tensors = self._answered()
        if self._trusting and self._preparation.full:
            return self._fusion(tensors, self._trust)
        return {output.name: nothing_known(output) for output in self._manifest.outputs}

    def _answered(self) -> Sequence[NDArray[np.float32]]:
        try:
            return self._network.run()
        except ModelError:
            distrust(self)
            raise

    def _take_samples(self, samples: NDArray[np.float32]) -> None:
        if samples.shape != self._hop.shape:
            raise StepError(
                f"a hop has shape {samples.shape}, expected {self._hop.shape}: leads, samples"
            )
        self._hop[:] = samples
        if not self._preparation.step(self._hop, self._trust, self._heard):
            raise StepError("a hop holds samples that are not finite; fill gaps before the encoder")

    def _take_weights(self, lead_weights: Sequence[float] | None) -> None:
        leads = len(self._trust)
        given = (1.0,) * leads if lead_weights is None else lead_weights
        if len(given) != leads or not all(0 <= weight <= 1 for weight in given):
            raise StepError(f"lead weights {lead_weights}: expected {leads} numbers, 0 to 1")
        self._trusting = any(given)
        self._trust[:] = given
        self._network.weights[:, 0] = given


def check_heads(
    manifest: Manifest, leads: int, tensors: Sequence[NDArray[Any]], where: str
) -> None:
    """BundleError where the network's answers are not what the manifest's outputs are made of."""
    for output, tensor in zip(manifest.outputs, tensors, strict=True):
        if tensor.dtype != np.float32 or tensor.size != leads * per_lead_size(output):
            raise BundleError(
                f"{where}: the output {output.name!r} is {tensor.dtype} {list(tensor.shape)} in"
                f" the model, float32 of {per_lead_size(output)} a lead in the manifest"
            )
