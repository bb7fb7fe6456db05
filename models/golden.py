"""The self-test of a bundle: a fixed input and the answers it must give."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct

from models.bundle import Bundle
from models.encoder import Encoder
from models.errors import BundleError, SelfTestError, StepError

__all__ = [
    "BeatVector",
    "GoldenVector",
    "check_golden",
    "golden_beats",
    "golden_hops",
    "golden_leads",
    "judge_beats",
    "record_golden",
]


class BeatVector(Struct, frozen=True, forbid_unknown_fields=True):
    """Beats for the beat stage: peaks_s (beats,), windows_uv (beats, samples). judged: the
    probabilities of each beat's class, then of the rhythm, the last beat flushed."""

    peaks_s: list[float]
    windows_uv: list[list[float]]
    judged: list[list[float]]


class GoldenVector(Struct, frozen=True, forbid_unknown_fields=True):
    """hops: (hops, leads, hop_samples) in microvolts. outputs: name to (hops, elements).

    beats: for a bundle with a beat stage.
    """

    hops: list[list[list[float]]]
    outputs: dict[str, list[list[float]]]
    beats: BeatVector | None = None


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


def golden_beats(bundle: Bundle) -> BeatVector | None:
    """The self-test of the beat stage, None where the bundle has none."""
    return _decode(bundle).beats


def judge_beats(
    bundle: Bundle, peaks_s: list[float], windows_uv: list[list[float]]
) -> list[list[float]]:
    """What the bundle's beat stage says of these beats, as `BeatVector.judged`."""
    from models.beat_stage import BeatStage  # Numba's compiler is loaded only for it

    stage = BeatStage(bundle)
    pairs = zip(peaks_s, windows_uv, strict=True)
    judged = [j for at_s, row in pairs for j in stage.push(at_s, np.asarray(row, np.float32))]
    rows = [[*j.beats, *(() if j.rhythm is None else j.rhythm)] for j in judged + stage.flush()]
    return [[round(float(value), 5) for value in row] for row in rows]


def record_golden(encoder: Encoder, hops: list[list[list[float]]]) -> GoldenVector:
    """The answers of a trusted encoder to `hops`, from a reset on."""
    encoder.reset()
    outputs: dict[str, list[list[float]]] = {}
    for hop in hops:
        for name, value in encoder.step(np.asarray(hop, np.float32)).items():
            outputs.setdefault(name, []).append([round(float(v), 5) for v in value.ravel()])
    encoder.reset()
    return GoldenVector(hops, outputs)


def check_golden(bundle: Bundle, encoder: Encoder, copies: int = 1) -> float:
    """Refuse an encoder that does not answer as the bundle promises; leaves it reset.

    copies: the encoder was opened for so many times `golden_leads`, and hears each lead so often:
    where leads share a network, those that are alike answer as one.
    Returns the largest deviation, as a fraction of max(1, largest expected magnitude).
    """
    expected = _decode(bundle)
    answered = record_golden(encoder, [hop * copies for hop in expected.hops])
    if expected.outputs.keys() != answered.outputs.keys():
        raise SelfTestError(_refusal(bundle, "its outputs are not those of the self-test"))
    worst = 0.0
    for name, rows in expected.outputs.items():
        want, got = np.array(rows), np.array(answered.outputs[name])
        if want.shape != got.shape:
            raise SelfTestError(_refusal(bundle, f"output {name!r} has another shape"))
        deviation = np.abs(want - got).max() / max(1.0, np.abs(want).max())
        if not deviation <= bundle.manifest.golden.tolerance:  # a NaN is refused too
            raise SelfTestError(_refusal(bundle, f"output {name!r} deviates by {deviation:.3g}"))
        worst = max(worst, float(deviation))
    return max(worst, _check_beats(bundle, expected.beats))


def _check_beats(bundle: Bundle, vector: BeatVector | None) -> float:
    """Likewise for the beat stage; 0 where there is none."""
    if bundle.manifest.beat_stage is None:
        return 0.0
    if vector is None or not vector.judged:
        raise SelfTestError(_refusal(bundle, "the beat stage has no answers to compare with"))
    try:
        got = np.array(judge_beats(bundle, vector.peaks_s, vector.windows_uv))
        deviation = float(np.abs(np.array(vector.judged) - got).max())
    except (StepError, ValueError) as error:  # of other numbers of beats, or of other widths
        raise SelfTestError(_refusal(bundle, f"the beats of the self-test: {error}")) from None
    if not deviation <= bundle.manifest.golden.tolerance:
        raise SelfTestError(_refusal(bundle, f"the beat stage deviates by {deviation:.3g}"))
    return deviation


def _refusal(bundle: Bundle, what: str) -> str:
    return (
        f"bundle {bundle.manifest.name!r} fails its self-test: {what}"
        f" (tolerance {bundle.manifest.golden.tolerance:g}); the model is not the one that was"
        " exported, or the runtime is broken: fetch the bundle again, run `edge models verify`"
    )
