"""`auto`: the best device that was measured, and the next where one fails."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.device_name import EDGE_TPU, LITERT, parse_device
from models.device_record import ranking
from models.devices import runs_in_litert
from models.encoder import Encoder, Outputs
from models.errors import ModelError, StepError
from models.manifest import Manifest
from models.shared import SharedRuntime, shared_by

__all__ = ["FallbackEncoder", "auto_order", "open_automatically"]

log = logging.getLogger(__name__)
OpenOn = Callable[[Bundle, int, str], Encoder]
_Heard = tuple[NDArray[np.float32], tuple[float, ...] | None]

SETTLING_S = 4.0
"""Signal that an encoder hears again before it goes on for another."""

_failed: set[tuple[str, str]] = set()
"""Bundle and device of what failed in this process: left alone, and said once."""
_failing = threading.Lock()


def auto_order(bundle: Bundle) -> tuple[str, ...]:
    """The devices of a bundle of our own runtimes, in the order in which `auto` takes them.

    Those that were measured on this machine, the best first; then what is right without being
    measured: LiteRT where the bundle has a model for it and it is installed, and ONNX Runtime,
    both on the processor. Nothing is measured here.
    """
    best = [each.device for each in ranking(bundle.sha256)]
    unmeasured = [LITERT, "cpu"] if runs_in_litert(bundle) else ["cpu"]
    return tuple(dict.fromkeys((*filter(_may_be_opened, best), *unmeasured)))


def open_automatically(bundle: Bundle, leads: int, open_on: OpenOn) -> Encoder:
    """An encoder on the first device that can be opened; it goes on with another if that fails.

    open_on: opens an encoder on one device and self-tests it, or raises ModelError. Raises what
    the last device raises.
    """
    from models.streaming import check_leads  # Numba's compiler is loaded only for an encoder

    check_leads(bundle.manifest, leads)
    order = auto_order(bundle)
    left = [each for each in order if not _has_failed(bundle, each)] or list(order)
    return _first(bundle, leads, left, open_on)


def _first(bundle: Bundle, leads: int, order: Sequence[str], open_on: OpenOn) -> Encoder:
    device, *others = order
    try:
        encoder = open_on(bundle, leads, device)
    except ModelError as error:
        if not others:
            raise
        _leave_alone(bundle, device, others[0], error)
        return _first(bundle, leads, others, open_on)

    def instead(error: ModelError) -> Encoder:
        """Only on the processor, where opening takes no compiler: a stream is waiting."""
        near = [each for each in _others(bundle, device) if _on_processor(each)]
        if not near:
            raise error
        _leave_alone(bundle, device, near[0], error)
        return _first(bundle, leads, near, open_on)

    return FallbackEncoder(encoder, instead, check_finite=not _on_processor(device))


class FallbackEncoder:
    """An encoder (`models.encoder.Encoder`) that another replaces when its runtime fails.

    instead: opens the other one, or raises the error that it is given. It hears the last seconds
    again, then the hop that failed, so that no frame of the answers is missing: beats that are
    told late are still told, and RR intervals hold. check_finite: an answer that is no finite
    number is a failure.
    """

    def __init__(
        self,
        encoder: Encoder,
        instead: Callable[[ModelError], Encoder],
        check_finite: bool = False,
    ) -> None:
        self._encoder = encoder
        self._instead = instead
        self._check_finite = check_finite
        self._past: deque[_Heard] = deque(maxlen=_hops_kept(encoder.manifest))

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._encoder.manifest

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, as the runtime names them."""
        return self._encoder.providers

    @property
    def shared(self) -> SharedRuntime | None:
        """What computes the steps of other streams, too; None where nothing is shared."""
        return shared_by(self._encoder)

    def reset(self) -> None:
        """Forget the past, as after a gap."""
        self._past.clear()
        self._encoder.reset()

    def step(
        self, samples: NDArray[np.float32], lead_weights: Sequence[float] | None = None
    ) -> Outputs:
        """One hop, as `models.encoder.Encoder.step` says."""
        try:
            outputs = self._encoder.step(samples, lead_weights)
            if self._check_finite:
                _require_finite(outputs)
        except StepError:  # the caller's fault, and the same on any device
            raise
        except ModelError as error:
            self._replace(error)
            outputs = self._encoder.step(samples, lead_weights)
        weights = None if lead_weights is None else tuple(lead_weights)
        self._past.append((np.array(samples, np.float32), weights))
        return outputs

    def _replace(self, error: ModelError) -> None:
        self._encoder = self._instead(error)
        self._check_finite = False
        for samples, weights in self._past:
            self._encoder.step(samples, weights)


def _hops_kept(manifest: Manifest) -> int:
    """What an answer still tells of, and before that what lets a network settle."""
    late_s = max((output.delay_ms for output in manifest.outputs), default=0.0) / 1000
    return math.ceil((late_s + SETTLING_S) / manifest.hop_s)


def _require_finite(outputs: Outputs) -> None:
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ModelError(f"output {name!r} is not finite")


def _others(bundle: Bundle, device: str) -> Iterator[str]:
    for each in auto_order(bundle):
        if each != device and not _has_failed(bundle, each):
            yield each


def _on_processor(name: str) -> bool:
    device = parse_device(name)
    return device is not None and device.on_processor


def _may_be_opened(name: str) -> bool:
    """Whether a name that a file holds is one that opens no library of the file's choosing."""
    device = parse_device(name)
    return device is not None and device.delegate in ("", EDGE_TPU)


def _has_failed(bundle: Bundle, device: str) -> bool:
    return (bundle.sha256, device) in _failed


def _leave_alone(bundle: Bundle, device: str, instead: str, error: ModelError) -> None:
    with _failing:
        told = _has_failed(bundle, device)
        _failed.add((bundle.sha256, device))
    if not told:
        log.warning(
            "encoder %s: device %s is left alone until the next start, trying %s: %s",
            *(bundle.manifest.name, device, instead, error),
        )
