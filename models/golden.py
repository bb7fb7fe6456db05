"""The self-test of a bundle: a fixed input and the answers it must give."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct

from models.bundle import Bundle
from models.encoder import Encoder
from models.errors import BundleError

__all__ = ["GoldenVector", "check_golden", "golden_hops", "golden_leads", "record_golden"]


class GoldenVector(Struct, frozen=True, forbid_unknown_fields=True):
    """hops: (hops, leads, hop_samples) in microvolts. outputs: name to (hops, elements)."""

    hops: list[list[list[float]]]
    outputs: dict[str, list[list[float]]]


def _decode(bundle: Bundle) -> GoldenVector:
    name = bundle.manifest.golden.file
    try:
        vector = msgspec.json.decode(bundle.files[name], type=GoldenVector)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BundleError(f"{bundle.path / name}: {error}; export the bundle again") from None
    if not _is_whole(vector, bundle.manifest.input.hop_samples):
        raise BundleError(f"{bundle.path / name}: hops or answers are missing or cut; export again")
    return vector


def _is_whole(vector: GoldenVector, hop_samples: int) -> bool:
    """There are hops, all of one shape, and each output answers each of them at one length."""
    shapes = {tuple(len(lead) for lead in hop) for hop in vector.hops}
    return (
        len(shapes) == 1
        and set(*shapes) == {hop_samples}
        and all(len(rows) == len(vector.hops) for rows in vector.outputs.values())
        and all(len({len(row) for row in rows}) == 1 for rows in vector.outputs.values())
    )


def golden_leads(bundle: Bundle) -> int:
    """With how many leads an encoder must be opened for the self-test."""
    return len(_decode(bundle).hops[0])


def golden_hops(bundle: Bundle) -> list[list[list[float]]]:
    """The input of the self-test: (hops, leads, hop_samples) in microvolts."""
    return _decode(bundle).hops


def record_golden(encoder: Encoder, hops: list[list[list[float]]]) -> GoldenVector:
    """The answers of a trusted encoder to `hops`, from a reset on."""
    encoder.reset()
    outputs: dict[str, list[list[float]]] = {}
    for hop in hops:
        for name, value in encoder.step(np.asarray(hop, np.float32)).items():
            outputs.setdefault(name, []).append([round(float(v), 5) for v in value.ravel()])
    encoder.reset()
    return GoldenVector(hops, outputs)


def check_golden(bundle: Bundle, encoder: Encoder) -> float:
    """Refuse an encoder that does not answer as the bundle promises; leaves it reset.

    Returns the largest deviation, as a fraction of max(1, largest expected magnitude).
    """
    expected = _decode(bundle)
    answered = record_golden(encoder, expected.hops)
    if expected.outputs.keys() != answered.outputs.keys():
        raise BundleError(_refusal(bundle, "its outputs are not those of the self-test"))
    worst = 0.0
    for name, rows in expected.outputs.items():
        want, got = np.array(rows), np.array(answered.outputs[name])
        if want.shape != got.shape:
            raise BundleError(_refusal(bundle, f"output {name!r} has another shape"))
        deviation = np.abs(want - got).max() / max(1.0, np.abs(want).max())
        if not deviation <= bundle.manifest.golden.tolerance:  # a NaN is refused too
            raise BundleError(_refusal(bundle, f"output {name!r} deviates by {deviation:.3g}"))
        worst = max(worst, float(deviation))
    return worst


def _refusal(bundle: Bundle, what: str) -> str:
    return (
        f"bundle {bundle.manifest.name!r} fails its self-test: {what}"
        f" (tolerance {bundle.manifest.golden.tolerance:g}); the model is not the one that was"
        " exported, or the runtime is broken: fetch the bundle again, run `edge models verify`"
    )
