"""What a bundle says of itself: the schema of `manifest.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from models.errors import BundleError

__all__ = [
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "BeatStage",
    "BundleFile",
    "Conditioning",
    "Figure",
    "Golden",
    "Input",
    "Manifest",
    "MinMaxTokens",
    "Normalisation",
    "Output",
    "RunningMeanAbs",
    "Runtime",
    "State",
    "Training",
    "decode_manifest",
    "encode_manifest",
]

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1
_STATE_LIMIT = 16 * 1024 * 1024
_STAGE_RATE_HZ = 128  # of `models.beat_window`
_WITHOUT_LABELS = ("qrs", "features", "embedding")

Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Positive = Annotated[float, Meta(gt=0.0, le=1e9)]
NonNegative = Annotated[float, Meta(ge=0.0, le=1e9)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Leads = Annotated[int, Meta(ge=1, le=64)]


class Conditioning(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Filters that the signal must have passed, causally, before it reaches the encoder.

    Cut-offs in Hz. `notch`: mains notches that may be on without harm, in Hz.
    """

    high_pass_hz: Positive
    high_pass: Text
    low_pass_hz: Positive
    low_pass: Text
    notch_hz: tuple[Positive, ...] = ()


class Input(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one step takes: float32 (leads, hop_samples) at `rate_hz`, in microvolts."""

    rate_hz: Positive
    hop_samples: Count
    leads_min: Leads = 1
    leads_max: Leads = 1
    unit: Literal["uV"] = "uV"
    conditioning: Conditioning


class RunningMeanAbs(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="kind",
    tag="running-mean-abs",
):
    """Amplitude normalisation, a lead at a time, inside the encoder's step.

    Each hop updates a running mean of |x| with time constant `tau_s`, which starts as
    `prior_uv` with the weight of `prior_s` seconds. The samples are divided by it (never by
    less than `floor_uv`), ramping linearly over the hop, and clipped to +-`clip`.
    """

    tau_s: Positive
    prior_uv: Positive
    prior_s: Positive
    floor_uv: Positive
    clip: Positive


class MinMaxTokens(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="kind",
    tag="min-max-tokens",
):
    """A window of samples as whole numbers, a lead at a time, inside the encoder's step.

    The last `window_samples` samples, newest last, become round(levels * (x - min) / (max -
    min)), int64 from 0 to `levels`; a constant window is all 0. Until so many samples have
    come, nothing is known.
    """

    window_samples: Count
    levels: Annotated[int, Meta(ge=1, le=65_535)]


Normalisation = RunningMeanAbs | MinMaxTokens


class Output(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One named output of a step, float32.

    kind "rhythm": probabilities (labels), of the rhythm up to the end of the hop, sum 1.
    kind "ventricular": probabilities (labels) that the hop is VT or VF; they and an
        implicit `rest` label sum to 1.
    kind "quality": probabilities (labels) of the signal quality of the hop, sum 1.
    kind "qrs": probabilities (frames_per_hop) that an R peak lies `delay_ms` before the frame.
    kind "beats": probabilities (labels), sum 1, of the AAMI class of the beat that a step of the
        beat stage was about; an encoder has no such output.
    kind "features": (frames_per_hop, width), a vector of each frame.
    kind "embedding": a vector (width) without labels.

    threshold: of kind "qrs", the least probability of a peak that is a beat, smoothed as
    `models.peaks` does; 0.5 where it is None.

    Frame i of a hop covers [i, i + 1) / frame_rate_hz seconds from the start of that hop.
    """

    name: Name
    kind: Literal["rhythm", "ventricular", "quality", "qrs", "beats", "features", "embedding"]
    labels: tuple[Name, ...] = ()
    rest: Name | None = None
    shape: tuple[Count, ...]
    frame_rate_hz: Positive
    delay_ms: NonNegative = 0.0
    threshold: Annotated[float, Meta(gt=0.0, lt=1.0)] | None = None

    def frame_of(self, peak_s: float) -> int:
        """The frame, counted from the start of the stream, that speaks of a peak at `peak_s`.

        peak_s: seconds since the encoder's first sample after `reset`. The frame is in hop
        `frame // frames_per_hop`, and known when that hop has been pushed.
        """
        return int((peak_s + self.delay_ms / 1000) * self.frame_rate_hz)


class State(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One carried tensor: `name_out` of a step is `name_in` of the next.

    shape: without the leading batch axis, which is the number of leads.
    initial: value of every element after `reset` (the zero point, where quantised).
    """

    name_in: Name
    name_out: Name
    shape: tuple[Count, ...]
    dtype: Literal["uint8", "int8", "float32"]
    initial: float = 0.0


class BundleFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of the bundle, next to the manifest. size in bytes."""

    name: Name
    role: Literal["model", "litert", "beat-stage", "golden", "card"]
    size: Annotated[int, Meta(ge=1, le=64 * 1024 * 1024)]
    sha256: Sha256


class BeatStage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A second, small model that is stepped once a beat, one beat late: file role "beat-stage".

    input: name of its input tensor (1, width), float32: a beat token of `models.beat_token`,
    of `width` numbers. states: carried from beat to beat, float32. outputs: of kind "beats"
    (the AAMI class of the beat) and "rhythm" (of the rhythm up to the beat), as logits.
    wait_ms: a beat whose successor has not come by then is judged without it.
    """

    input: Name
    width: Count
    states: tuple[State, ...]
    outputs: tuple[Output, ...]
    wait_ms: Positive

    def output(self, kind: str) -> Output | None:
        """The output of this kind, None where there is no such head."""
        return next((o for o in self.outputs if o.kind == kind), None)


class Golden(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Self-test: the answers to a fixed input, and by how much they may differ.

    tolerance: greatest absolute difference of any output element.
    """

    file: Name
    tolerance: NonNegative


class Training(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the weights came to be. split: which recordings were used for what."""

    data: tuple[Text, ...]
    split: Text
    command: Text
    seed: int
    wall_s: NonNegative
    machine: Text


class Figure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measured number. split: the data, and that it was not used in training."""

    name: Text
    value: float
    unit: str = ""
    precision: Literal["float32", "int8"]
    split: Text
    command: Text


class Runtime(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What runs the model. `input`, `weights`: names of the graph's input tensors."""

    name: Name
    opset: Count
    formats: tuple[Name, ...]
    input: Name
    weights: Name | None = None
    parameters: Annotated[int, Meta(ge=1, le=10_000_000_000)]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bundle's account of itself.

    limits: what it cannot do, or was not tried on. figures: measured, by the command they name.
    """

    schema: Literal[1]
    name: Name
    version: Name
    licence: Text
    description: Text
    input: Input
    normalisation: Normalisation
    outputs: tuple[Output, ...]
    states: tuple[State, ...]
    beat_stage: BeatStage | None = None
    files: tuple[BundleFile, ...]
    runtime: Runtime
    golden: Golden
    training: Training
    limits: tuple[Text, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def hop_s(self) -> float:
        """Seconds of signal in one step."""
        return self.input.hop_samples / self.input.rate_hz

    def output(self, kind: str) -> Output | None:
        """The output of this kind, None where the bundle has no such head."""
        return next((o for o in self.outputs if o.kind == kind), None)

    def file(self, role: str) -> BundleFile:
        """The file with this role; BundleError where there is none."""
        for entry in self.files:
            if entry.role == role:
                return entry
        raise BundleError(
            f"{MANIFEST_NAME} of bundle {self.name!r}: `files` has no file with role {role!r};"
            " export the bundle again"
        )


def decode_manifest(data: bytes, where: str = MANIFEST_NAME) -> Manifest:
    """Parse and check a manifest; `where` names the file in errors."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError as error:
        raise BundleError(f"{where}: {error}; correct the field or export again") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{where} is not valid JSON: {error}; fetch the bundle again") from None
    for complaint in _complaints(manifest):
        raise BundleError(f"{where}: {complaint}; correct the field or export again")
    return manifest


def _complaints(manifest: Manifest) -> Iterator[str]:
    """What the types alone cannot say: parts that contradict each other."""
    if manifest.input.leads_min > manifest.input.leads_max:
        yield "`$.input.leads_min` is above `leads_max`"
    if not any(entry.role == "model" for entry in manifest.files):
        yield "`$.files` has no file with role 'model'"
    yield from _stage_complaints(manifest)
    yield from _repeats("$.files", [entry.name for entry in manifest.files])
    yield from _repeats("$.outputs", [output.name for output in manifest.outputs])
    yield from _repeats("$.outputs[...].kind", [output.kind for output in manifest.outputs])
    yield from _repeats("$.states", [s.name_in for s in manifest.states])
    if manifest.golden.file not in [entry.name for entry in manifest.files]:
        yield f"`$.golden.file` {manifest.golden.file!r} is not in `$.files`"
    for output in manifest.outputs:
        yield from _output_complaints(output, manifest.hop_s)
    if sum(prod(state.shape) for state in manifest.states) > _STATE_LIMIT:
        yield f"`$.states` hold more than {_STATE_LIMIT} elements"


def _stage_complaints(manifest: Manifest) -> Iterator[str]:
    stage = manifest.beat_stage
    if stage is None:
        return
    if not any(entry.role == "beat-stage" for entry in manifest.files):
        yield "`$.files` has no file with role 'beat-stage'"
    if manifest.output("qrs") is None:
        yield "`$.beat_stage` needs an output of kind 'qrs'"
    if manifest.input.rate_hz != _STAGE_RATE_HZ:
        yield f"`$.beat_stage` needs an input at {_STAGE_RATE_HZ} Hz"
    for output in stage.outputs:
        if output.kind not in ("beats", "rhythm") or output.shape != (len(output.labels),):
            yield f"`$.beat_stage.outputs` {output.name!r}: expected beats or rhythm, one row"


def _repeats(field: str, names: Sequence[str]) -> Iterator[str]:
    if len(set(names)) != len(names):
        yield f"`{field}` has the same name twice"


def _output_complaints(output: Output, hop_s: float) -> Iterator[str]:
    if output.kind == "beats":
        yield f"`$.outputs` {output.name!r}: only a beat stage classifies beats"
        return
    frames = round(output.frame_rate_hz * hop_s)
    expected: dict[str, tuple[int, ...]] = {
        "rhythm": (len(output.labels),),
        "ventricular": (len(output.labels),),
        "quality": (len(output.labels),),
        "qrs": (frames,),
        "features": (frames, *output.shape[1:2]),
        "embedding": output.shape[:1],
    }
    if output.shape != expected[output.kind]:
        yield (
            f"`$.outputs` {output.name!r} has shape {list(output.shape)}, its labels and"
            f" frame rate make {list(expected[output.kind])}"
        )
    if bool(output.labels) == (output.kind in _WITHOUT_LABELS):
        kinds = ", ".join(_WITHOUT_LABELS)
        yield f"`$.outputs` {output.name!r}: {kinds} have no labels, everything else has some"


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
