"""An encoder and a beat stage of a few lines, with the protocols of the real ones."""

from __future__ import annotations

import numpy as np

from edge.networks import Networks
from models.beat_stage import BeatJudgement
from models.errors import StepError
from models.manifest import (
    BeatStage,
    BundleFile,
    Conditioning,
    Golden,
    Input,
    Manifest,
    Output,
    RunningMeanAbs,
    Runtime,
    Training,
)

RATE_HZ = 128
QRS_DELAY_FRAMES = 24
RHYTHMS = ("normal", "af", "other", "noise")
CLASSES = ("N", "S", "V", "F", "Q")
HOP_RHYTHM = (0.6, 0.2, 0.1, 0.1)
STAGE_RHYTHM = (0.2, 0.6, 0.1, 0.1)
WAIT_S = 2.0
EARLY = 0.7
"""Ratio of an interval to the one before it, below which the fake calls a beat V."""


def manifest(stage: bool = True) -> Manifest:
    """Of the fakes; without `stage` there is no beat stage."""
    empty = "0" * 64
    outputs = [
        Output(
            name="qrs",
            kind="qrs",
            shape=(128,),
            frame_rate_hz=128,
            delay_ms=QRS_DELAY_FRAMES / 0.128,
        ),
        Output(name="rhythm", kind="rhythm", labels=RHYTHMS, shape=(4,), frame_rate_hz=1),
        Output(
            name="vent",
            kind="ventricular",
            labels=("vt", "vf"),
            rest="other",
            shape=(2,),
            frame_rate_hz=1,
        ),
    ]
    return Manifest(
        schema=1,
        name="fake",
        version="1",
        licence="none",
        description="a fake",
        input=Input(
            rate_hz=RATE_HZ,
            hop_samples=128,
            leads_max=3,
            conditioning=Conditioning(
                high_pass_hz=0.5, high_pass="any", low_pass_hz=40, low_pass="any"
            ),
        ),
        normalisation=RunningMeanAbs(tau_s=4, prior_uv=150, prior_s=0.5, floor_uv=20, clip=15),
        outputs=tuple(outputs),
        states=(),
        beat_stage=_stage_facts() if stage else None,
        files=(BundleFile(name="model.onnx", role="model", size=0, sha256=empty),),
        runtime=Runtime(name="fake", opset=17, formats=("fake",), input="x", parameters=1),
        golden=Golden(file="golden.json", tolerance=0.0),
        training=Training(data=(), split="none", command="none", seed=0, wall_s=0, machine="none"),
    )


def _stage_facts() -> BeatStage:
    return BeatStage(
        input="token",
        width=1,
        states=(),
        outputs=(
            Output(name="class", kind="beats", labels=CLASSES, shape=(5,), frame_rate_hz=1),
            Output(name="rhythm", kind="rhythm", labels=RHYTHMS, shape=(4,), frame_rate_hz=1),
        ),
        wait_ms=WAIT_S * 1000,
    )


FAILURE = StepError("the fake fails")


class FakeEncoder:
    """Takes the size of the signal for the probability of an R peak: half for 0.5 mV, near 1 for
    1 mV. fails_at: number of the step that raises `fails_with`; blind_at: of one that gives NaN."""

    providers = ("fake",)

    def __init__(self, stage=True, fails_at=None, blind_at=None, fails_with=FAILURE):
        self.manifest = manifest(stage)
        self.fails_with = fails_with
        self.fails_at, self.blind_at = fails_at, blind_at
        self.steps = 0
        self.resets = 0
        self.reset()

    def reset(self):
        self.resets += 1
        self._past = np.zeros(QRS_DELAY_FRAMES)

    def step(self, samples, lead_weights=None):
        self.steps += 1
        if self.steps == self.fails_at:
            raise self.fails_with
        weights = np.ones(len(samples)) if lead_weights is None else np.array(lead_weights)
        heard = weights @ samples / weights.sum() if weights.any() else np.zeros(128)
        late = np.concatenate([self._past, heard])
        self._past = late[-QRS_DELAY_FRAMES:]
        probability = (1 - np.exp(-((late[:128] / 600.0) ** 2))).astype(np.float32)
        if self.steps == self.blind_at:
            probability[5] = np.nan
        outputs = {
            "qrs": probability,
            "rhythm": np.array(HOP_RHYTHM, np.float32),
            "vent": np.array([0.1, 0.2], np.float32),
        }
        return {output.name: outputs[output.name] for output in self.manifest.outputs}


class FakeBeatStage:
    """Judges a beat when the next one has come, or cannot come any more within two seconds; calls
    it V where it came much earlier than the one before. windows_uv: all that it was given."""

    def __init__(self):
        self.windows_uv = []
        self.reset()

    def reset(self):
        self._peaks_s = []
        self._waiting = False

    def push(self, peak_s, window_uv, lead=0):
        assert not self._peaks_s or peak_s > self._peaks_s[-1]
        self.windows_uv.append(window_uv)
        judged = self.flush()
        self._peaks_s.append(peak_s)
        self._waiting = True
        return judged

    def expire(self, now_s):
        late = self._waiting and now_s - self._peaks_s[-1] >= WAIT_S
        return self.flush() if late else []

    def flush(self):
        if not self._waiting:
            return []
        self._waiting = False
        intervals = np.diff(self._peaks_s[-3:])
        early = len(intervals) == 2 and intervals[1] < EARLY * intervals[0]
        beats = np.array([0.1, 0, 0.9, 0, 0] if early else [0.8, 0.1, 0.1, 0, 0], np.float32)
        rhythm = np.array(STAGE_RHYTHM, np.float32)
        return [BeatJudgement(self._peaks_s[-1], beats, rhythm)]


def fake_networks(stage=True, **faults) -> Networks:
    """An encoder with a QRS head, and a beat stage."""
    return Networks(FakeEncoder(stage, **faults), FakeBeatStage() if stage else None)
