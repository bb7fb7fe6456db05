"""What a bundle of HeartGPT says of itself: its contract, its origin, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from models.importing.graph import OPSET
from models.importing.heartgpt_graph import AF_HEAD, CONTEXT, WIDTH, Weights
from models.manifest import (
    Conditioning,
    Golden,
    Input,
    Manifest,
    MinMaxTokens,
    Output,
    Runtime,
    Training,
)

__all__ = ["LEVELS", "manifest"]

LEVELS = 100
"""Tokens are whole numbers from 0 to this."""

_RATE_HZ = 100.0
_HOP_SAMPLES = 100
_VERSION = "1.0.0"
_TOLERANCE = 0.01  # of the largest number of an output: kernels differ between machines
_LICENCE = "MIT, Copyright (c) 2024 Harry Davies"
_SOURCE = "github.com/harryjdavies/HeartGPT, commit 3acd46822534dc90e2cfface43aa12347c9147d8"
_PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "1382ad535b4ee27907bac5e1b5542dea60e24cea7fb20e5b3bf1980d28710319": "ECGPT_560k_iters.pth",
        "7a6166b8aabbfffd0b8df68b93de3c0c2e39a1516f8b448af70a182cf577ffa0": "ECGPT_AF_1k_iters.pth",
    }
)
"""sha256 of the checkpoints, unzipped, and their names."""

_UNKNOWN_TRAINING = Training(
    data=("not known",),
    split="Not known.",
    command="not known",
    seed=0,
    wall_s=0.0,
    machine="a machine that is not known",
)


def manifest(weights: Weights, int8: bool, sha256: str) -> Manifest:
    """What the bundle says of itself; the files and their digests are added when it is written.

    sha256: of the checkpoint, which tells whether it is one of those that were published.
    """
    published = sha256 in _PUBLISHED
    af_head = f"{AF_HEAD}.weight" in weights
    return Manifest(
        schema=1,
        name="heartgpt" + ("-af" if af_head else "") + ("-int8" if int8 else ""),
        version=_VERSION,
        licence=_LICENCE if published else f"not known; of HeartGPT itself: {_LICENCE}",
        description=_description(af_head, int8, sha256),
        input=_input(),
        normalisation=MinMaxTokens(window_samples=CONTEXT, levels=LEVELS),
        outputs=_outputs(af_head),
        states=(),
        files=(),
        runtime=Runtime(
            name="onnxruntime",
            opset=OPSET,
            formats=("onnx",),
            input="tokens",
            parameters=sum(tensor.size for tensor in weights.values()),
        ),
        golden=Golden(file="golden.json", tolerance=_TOLERANCE),
        training=_training(af_head) if published else _UNKNOWN_TRAINING,
        limits=_limits(af_head, published),
    )


def _description(af_head: bool, int8: bool, sha256: str) -> str:
    named = _PUBLISHED.get(sha256, "a checkpoint that the authors did not publish")
    head = (
        " Its last block was tuned to tell atrial fibrillation."
        if af_head
        else " The head that foretells the next token is left out."
    )
    kept = (
        " The weights of its layers are 8-bit numbers in the file and become float32 at loading."
        if int8
        else ""
    )
    return (
        f"HeartGPT ECG-PT (Davies et al., arXiv:2407.20775), imported from {named}"
        f" (sha256 {sha256}; {_SOURCE}): a transformer of 8 layers that reads the last 5 s of one"
        f" lead, each second anew.{head}{kept} Leads share the weights."
    )


def _input() -> Input:
    return Input(
        rate_hz=_RATE_HZ,
        hop_samples=_HOP_SAMPLES,
        leads_min=1,
        leads_max=12,
        conditioning=Conditioning(
            high_pass_hz=0.5,
            high_pass="causal Butterworth high-pass of order 2 at 0.5 Hz",
            low_pass_hz=40.0,
            low_pass="causal Butterworth low-pass of order 4 at 40 Hz",
            notch_hz=(50.0, 60.0),
        ),
    )


def _outputs(af_head: bool) -> tuple[Output, ...]:
    hop_rate_hz = _RATE_HZ / _HOP_SAMPLES
    embedding = Output(
        name="embedding", kind="embedding", shape=(WIDTH,), frame_rate_hz=hop_rate_hz
    )
    rhythm = Output(
        name="rhythm",
        kind="rhythm",
        labels=("af",),
        rest="other",
        shape=(1,),
        frame_rate_hz=hop_rate_hz,
    )
    return (embedding, rhythm) if af_head else (embedding,)


def _training(af_head: bool) -> Training:
    """What the authors say of it; nothing was trained here."""
    tuned = "MIMIC PERform AF (ECG), the last block and the head"
    return Training(
        data=(
            "PhysioNet/CinC Challenge 2020 (cpsc_2018, cpsc_2018_extra, georgia, ptb-xl): the"
            " first lead, 10 s, resampled from 500 to 100 Hz, unfiltered",
            *([tuned] if af_head else []),
        ),
        split="The authors' (arXiv:2407.20775); the AF head leaves one subject out.",
        command="HeartGPT_pretraining.py, HeartGPT_finetuning.py of the authors",
        seed=0,
        wall_s=0.0,
        machine="a machine of the authors: seed and time are not published",
    )


def _limits(af_head: bool, published: bool) -> tuple[str, ...]:
    limits = (
        "The authors trained it on signals that were not filtered; here it hears them between"
        " 0.5 and 40 Hz, which moves its tokens.",
        "Each window is scaled by its own least and greatest sample: one artefact flattens all"
        " else, and amplitude in microvolts is lost. Silence or noise has tokens like any ECG.",
        "In training the scale was that of 10 s, of which a window is half.",
        "Nothing is known in the first 5 s after a start or a gap.",
        "It reads its whole window anew each second: nothing of the past is carried over.",
    )
    af_limits = (
        "The AF head was tuned on a few dozen critically ill patients, and hears 5 s: what it"
        " takes for AF is an irregular stretch, ectopic beats among them.",
    )
    unknown = ("Not a published checkpoint: nothing is known of how it was trained.",)
    return (() if published else unknown) + limits + (af_limits if af_head else ())
