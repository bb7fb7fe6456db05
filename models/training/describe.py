"""What the manifest of a trained bundle says: input, outputs, data, split, limits."""

from __future__ import annotations

import platform

from models.manifest import (
    BeatStage,
    Conditioning,
    Golden,
    Input,
    Manifest,
    Output,
    Runtime,
    State,
    Training,
)
from models.training import splits
from models.training.architecture import (
    HOP_SAMPLES,
    NORMALISATION,
    QRS_DELAY_S,
    QRS_THRESHOLD,
    RATE_HZ,
    Shape,
)
from models.training.data import HIGH_PASS_HZ, LOW_PASS_HZ
from models.training.graph import OPSET

__all__ = ["GOLDEN_NAME", "describe", "describe_training"]

GOLDEN_NAME = "golden.json"
_GOLDEN_TOLERANCE = 0.05

_LIMITS = (
    "VT and VF are told apart badly, since few patients with VF are known; that it is one of"
    " the two is far surer: an alarm should use their sum.",
    "Supraventricular ectopic beats are often missed in patients not seen in training.",
    "Q (paced, unclassifiable) was hardly taught: the paced records of mitdb were left out.",
    "Measured on ambulatory and hand-held recordings of adults with one seed, on no wearable"
    " patch and on no data of another hospital.",
    "Figures on the recordings set aside were seen for earlier networks; the last network is"
    " shipped, none was chosen by its figures.",
)


def outputs(shape: Shape) -> tuple[Output, ...]:
    """The heads, in the order in which the graph gives them."""
    return (
        Output(
            name="qrs",
            kind="qrs",
            shape=(HOP_SAMPLES,),
            frame_rate_hz=RATE_HZ,
            delay_ms=QRS_DELAY_S * 1000,
            threshold=QRS_THRESHOLD,
        ),
        Output(name="rhythm", kind="rhythm", labels=splits.RHYTHMS, shape=(4,), frame_rate_hz=1.0),
        Output(
            name="ventricular",
            kind="ventricular",
            labels=splits.VENTRICULAR[:2],
            rest=splits.VENTRICULAR[2],
            shape=(2,),
            frame_rate_hz=1.0,
        ),
        Output(
            name="quality", kind="quality", labels=splits.QUALITIES, shape=(3,), frame_rate_hz=1.0
        ),
        Output(name="embedding", kind="embedding", shape=(shape.embedding,), frame_rate_hz=1.0),
    )


def describe(
    name: str,
    version: str,
    shape: Shape,
    states: tuple[State, ...],
    formats: tuple[str, ...],
    parameters: int,
    training: Training,
    beat_stage: BeatStage | None,
) -> Manifest:
    """The manifest, but for files and figures."""
    return Manifest(
        schema=1,
        name=name,
        version=version,
        licence="Apache-2.0; trained on data under ODC-BY 1.0 (PhysioNet) and MIT (arrdb)",
        description=(
            "A causal convolution network that hears an ECG second by second: QRS complexes,"
            " rhythm, ventricular tachycardia and fibrillation, signal quality, and a"
            f" {shape.embedding}-d embedding. It hears one lead at a time; leads share the weights,"
            " and their logits are averaged."
            + (" A recurrent beat stage tells the AAMI class of each beat." if beat_stage else "")
        ),
        input=Input(
            rate_hz=RATE_HZ,
            hop_samples=HOP_SAMPLES,
            leads_min=1,
            leads_max=12,
            conditioning=Conditioning(
                high_pass_hz=HIGH_PASS_HZ,
                high_pass=f"causal Butterworth high-pass of order 2 at {HIGH_PASS_HZ:g} Hz",
                low_pass_hz=LOW_PASS_HZ,
                low_pass=f"causal Butterworth low-pass of order 2 at {LOW_PASS_HZ:g} Hz",
                notch_hz=(50.0, 60.0),
            ),
        ),
        normalisation=NORMALISATION,
        outputs=outputs(shape),
        states=states,
        beat_stage=beat_stage,
        files=(),
        runtime=Runtime(
            name="onnxruntime",
            opset=OPSET,
            formats=formats,
            input="samples",
            weights="weights",
            parameters=parameters,
        ),
        golden=Golden(file=GOLDEN_NAME, tolerance=_GOLDEN_TOLERANCE),
        training=training,
        limits=_LIMITS,
    )


def describe_training(command: str, facts: dict[str, float]) -> Training:
    """Where the weights come from. facts: `seed` and `wall_s` of the run."""
    return Training(
        data=(
            "CinC 2017 (ODC-BY 1.0), rhythm of whole recordings; QRS where two detectors agree",
            "MIT-BIH Arrhythmia Database (ODC-BY 1.0), beats, AF, VT",
            "MIT-BIH Malignant Ventricular Ectopy Database (ODC-BY 1.0), VT, VF, flutter; QRS"
            " where two detectors agree",
            "MIT-BIH Noise Stress Test Database (ODC-BY 1.0), first halves, as noise",
            "ECG rendered from beat sequences of the VitalDB Arrhythmia Database (MIT)",
            "made-up VT, flutter and VF that break into 20 % of the crops of the first two",
        ),
        split=(
            "CinC 2017 by recording, 15 % (crc32 of the name modulo 100 below 15) set aside;"
            " mitdb DS1 of de Chazal 2004 without 207 (in no use at all), DS2 and the paced"
            " records set aside;"
            f" vfdb without {', '.join(splits.VFDB_TEST)}, which are set aside. Nothing set aside"
            " served pre-training, training, early stopping, thresholds or calibration."
        ),
        command=command,
        seed=int(facts["seed"]),
        wall_s=round(facts["wall_s"]),
        machine=f"one {platform.machine()} core",
    )
