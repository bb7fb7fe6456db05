"""ECG from real beat sequences: random hearts that beat as 482 patients did.

`python -m firmware_bridge.patch.render --sequences DIR --out FILE.npz` picks the stretches with
most ectopy and arrhythmia of each patient of arrdb, gives each patient a heart, and writes what
two leads would see, conditioned as recordings are before training: `rendered/<id>/signal` (int16
microvolts, shape (2, samples), 128 Hz), `/beat_s` (float64, R peaks in seconds), `/beat_class`
(int8), `/rhythm` and `/ventricular` (int8 a second; see `second_labels`). Beat times, classes
and rhythms are the patient's own, as `beat_sequences` reads them; only stretches named after an
arrest (`-vt`, `-vf`, `-vfl`, `-asystole`, `-standstill`) have one made up in their middle.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.patch.arrests import KINDS, with_arrest
from firmware_bridge.patch.atrial_activity import atrial_waves_uv, p_waves
from firmware_bridge.patch.beat_sequences import (
    BEAT_CLASSES,
    BeatSequence,
    local_median,
    read_arrdb_folder,
    rr_intervals_s,
)
from firmware_bridge.patch.patient_heart import (
    ABERRANT,
    FOCI,
    NORMAL,
    Heart,
    Shape,
    draw_heart,
    draw_second_lead,
)
from firmware_bridge.patch.second_labels import rhythm_by_second, ventricular_by_second
from firmware_bridge.patch.stretches import Stretch, pick_stretches
from firmware_bridge.patch.textures import TEXTURES
from firmware_bridge.records.record import require

__all__ = ["RATE_HZ", "Rendered", "main", "render", "render_patient", "save_rendered"]

RATE_HZ = 128
_HIGH_PASS_HZ, _LOW_PASS_HZ = 0.5, 40.0
_LEAD_IN = 4 * RATE_HZ  # samples: filters settle on them
_EXIT_OK, _EXIT_SOURCE = 0, 4
_REACH = 4.5  # standard deviations
_RR_RANGE_S = (0.3, 1.6)
_QT_MEMORY_BEATS, _QT_MEMORY = 16, 0.7
_ASHMAN = 0.6  # of the usual interval: the bundle branches may not have recovered
_WANDER_UV, _NOISE_UV = (10.0, 50.0), (1.5, 5.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A stretch as ECG.

    signal: int16 microvolts, shape (2, samples) at RATE_HZ. beat_s: R peaks in seconds;
    beat_class: their AAMI class, -100 unknown. rhythm, ventricular: a label a second.
    """

    name: str
    signal: NDArray[np.int16]
    beat_s: Floats
    beat_class: NDArray[np.int8]
    rhythm: NDArray[np.int8]
    ventricular: NDArray[np.int8]


def render_patient(
    sequence: BeatSequence, *, minutes: float, seed: int, arrest: str | None = None
) -> Iterator[Rendered]:
    """Stretches of one patient, `minutes` in all, the same for the same seed and name.

    arrest: one of `arrests.KINDS`: its first stretch comes once more, with that arrest in it.
    """
    key = [seed, zlib.crc32(sequence.name.encode())]
    heart = draw_heart(np.random.default_rng(key))
    for number, stretch in enumerate(pick_stretches(sequence, minutes)):
        yield render(stretch, heart, np.random.default_rng([*key, number]))
        if arrest and number == 0:
            rng = np.random.default_rng([*key, number, KINDS.index(arrest)])
            arrested = with_arrest(stretch, arrest, rng)
            if arrested:
                yield render(arrested, heart, rng)


def render(stretch: Stretch, heart: Heart, rng: np.random.Generator) -> Rendered:
    """The ECG of a stretch in the heart's own lead and in another, with its labels."""
    samples = int(stretch.duration_s) * RATE_HZ
    time_s = np.arange(-_LEAD_IN, samples) / RATE_HZ
    leads = np.stack([heart.lead, draw_second_lead(rng, heart)])
    ecg = np.zeros((2, len(time_s)))
    _add_beats(ecg, stretch, heart, leads, rng)
    atria = p_waves(stretch, heart, rng)
    gain = _gains(atria.peak_s, heart, rng)
    _add(ecg, heart.p, leads, _Events(atria.peak_s, atria.shape, np.ones(len(gain)), gain))
    f_waves = atrial_waves_uv(stretch, heart, time_s, rng)
    ecg += rng.uniform(0.5, 1.4, (2, 1)) * f_waves
    _add_arrest(ecg, stretch, time_s, rng)
    ecg += _baseline(time_s, heart, rng)
    signal = _conditioned(ecg)[:, _LEAD_IN:]
    beats = stretch.beats
    inside = (beats.beat_s >= 0) & (beats.beat_s < samples / RATE_HZ)
    return Rendered(
        name=stretch.name,
        signal=np.rint(np.clip(signal, -30_000, 30_000)).astype(np.int16),
        beat_s=beats.beat_s[inside],
        beat_class=beats.beat_class[inside],
        rhythm=rhythm_by_second(stretch),
        ventricular=ventricular_by_second(stretch),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """Waves to draw: time (s), index of their shape, stretch in time, gain a lead (n, 2)."""

    time_s: Floats
    shape: NDArray[np.int64]
    stretch: Floats
    gain: Floats


def _add_beats(
    ecg: Floats, stretch: Stretch, heart: Heart, leads: Floats, rng: np.random.Generator
) -> None:
    """QRS complexes and T waves of all beats, those of the context included."""
    beat_s = stretch.beats.beat_s
    rr_s = rr_intervals_s(beat_s)
    shape = _shapes(stretch, heart, rr_s, rng)
    gain = _gains(beat_s, heart, rng)
    _add(ecg, heart.qrs, leads, _Events(beat_s, shape, np.ones(len(beat_s)), gain))
    in_turn = heart.alternans * (-1.0) ** np.arange(len(beat_s))
    drift = 0.12 * np.sin(2 * np.pi * beat_s / rng.uniform(40, 200) + rng.uniform(0, 6.28))
    t_gain = gain * (1 + in_turn + drift)[:, None]
    late = np.clip(_adapted_rr_s(rr_s), *_RR_RANGE_S) ** heart.qt_exponent
    _add(ecg, heart.t, leads, _Events(beat_s, shape, late, t_gain))


def _shapes(
    stretch: Stretch, heart: Heart, rr_s: Floats, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Index in `Heart.qrs` of each beat: early atrial ones may find a bundle branch refractory."""
    beats = stretch.beats
    chance = rng.random(len(rr_s))
    early = rr_s < _ASHMAN * local_median(rr_s)
    likely = np.minimum(heart.aberrant_share * np.where(early, 2.0, 1.0), 0.8)
    shape = np.full(len(rr_s), NORMAL)
    shape[(beats.beat_class == BEAT_CLASSES.index("S")) & (chance < likely)] = ABERRANT
    second = (chance < heart.second_focus_share) & (beats.label != "VT")
    ventricular = beats.beat_class == BEAT_CLASSES.index("V")
    return np.where(ventricular, np.where(second, FOCI[1], FOCI[0]), shape)


def _adapted_rr_s(rr_s: Floats) -> Floats:
    """What the QT interval follows: mostly the mean of the last 16 intervals."""
    filled = np.where(np.isnan(rr_s), np.nanmedian(rr_s), rr_s)
    total = np.concatenate([[0.0], np.cumsum(filled)])
    last = np.arange(1, len(filled) + 1)
    first = np.maximum(0, last - _QT_MEMORY_BEATS)
    mean = (total[last] - total[first]) / (last - first)
    return np.asarray(_QT_MEMORY * mean + (1 - _QT_MEMORY) * filled)


def _gains(time_s: Floats, heart: Heart, rng: np.random.Generator) -> Floats:
    """Amplitude of waves at given times, shape (n, 2): breath, slow drift and chance."""
    breath = np.sin(2 * np.pi * heart.respiration_hz * time_s[:, None] + rng.uniform(0, 6.28, 2))
    drift = np.sin(2 * np.pi * time_s[:, None] / rng.uniform(60, 300) + rng.uniform(0, 6.28, 2))
    chance = rng.normal(0, heart.beat_spread, (len(time_s), 1))
    return np.asarray(1 + heart.respiration_gain * breath + 0.05 * drift + chance)


def _add(ecg: Floats, shapes: Sequence[Shape], leads: Floats, events: _Events) -> None:
    """Draw events into `ecg`, shape (leads, samples), which begins with the lead-in."""
    for index, shape in enumerate(shapes):
        chosen = events.shape == index
        if not chosen.any():
            continue
        seen_uv = shape.dipole_uv @ leads.T
        stretch = events.stretch[chosen]
        for wave, uv in enumerate(seen_uv):
            centre_s = events.time_s[chosen] + shape.centre_s[wave] * stretch
            before_s, after_s = shape.before_s[wave] * stretch, shape.after_s[wave] * stretch
            _add_gaussians(ecg, centre_s, before_s, after_s, events.gain[chosen] * uv)


def _add_gaussians(
    ecg: Floats, centre_s: Floats, before_s: Floats, after_s: Floats, peak_uv: Floats
) -> None:
    samples = ecg.shape[1]
    reach = int(np.ceil(_REACH * max(before_s.max(), after_s.max()) * RATE_HZ))
    near = np.rint(centre_s * RATE_HZ).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    distance_s = near / RATE_HZ - centre_s[:, None]
    width_s = np.where(distance_s < 0, before_s[:, None], after_s[:, None])
    value = np.exp(-0.5 * (distance_s / width_s) ** 2)
    place = near + _LEAD_IN
    place = np.where((place >= 0) & (place < samples), place, samples)  # the last bin is dropped
    for lead in range(len(ecg)):
        weights = (value * peak_uv[:, lead, None]).ravel()
        ecg[lead] += np.bincount(place.ravel(), weights, samples + 1)[:samples]


def _add_arrest(ecg: Floats, stretch: Stretch, time_s: Floats, rng: np.random.Generator) -> None:
    """Ventricular fibrillation or flutter of the virtual patch, of any size, within its arrest."""
    arrest = stretch.arrest
    if arrest is None or arrest.kind not in ("vf", "vfl"):
        return
    inside = (time_s >= arrest.start_s) & (time_s < arrest.stop_s)
    texture = TEXTURES[arrest.kind](rng, ("II", "I"))
    ecg[:, inside] += rng.uniform(0.3, 1.3) * texture(time_s[inside] - arrest.start_s).T


def _baseline(time_s: Floats, heart: Heart, rng: np.random.Generator) -> Floats:
    """A little wander (breath and slower) and noise: training adds real ones."""
    hz = np.append(rng.uniform(0.03, 0.15, 3), heart.respiration_hz)
    waves = np.cos(2 * np.pi * hz * time_s[:, None] + rng.uniform(0, 6.28, 4))
    wander = rng.normal(0, rng.uniform(*_WANDER_UV) / 2, (2, 4)) @ waves.T
    return np.asarray(wander + rng.normal(0, rng.uniform(*_NOISE_UV), (2, len(time_s))))


def _conditioned(ecg: Floats) -> Floats:
    """Causal 0.5 Hz high-pass and 40 Hz low-pass (Butterworth, order 2), as for recordings."""
    signal = require("scipy.signal", Path("render"))
    sos = np.vstack(
        [
            signal.butter(2, _HIGH_PASS_HZ, "highpass", fs=RATE_HZ, output="sos"),
            signal.butter(2, _LOW_PASS_HZ, "lowpass", fs=RATE_HZ, output="sos"),
        ]
    )
    start = signal.sosfilt_zi(sos)[:, None, :] * ecg[None, :, :1]
    return np.asarray(signal.sosfilt(sos, ecg, axis=1, zi=start)[0])


def save_rendered(path: Path, recordings: Sequence[Rendered]) -> None:
    """Write all recordings into one file of plain arrays, as the module describes it."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for r in recordings:
        key = f"rendered/{r.name}/"
        arrays[key + "signal"] = r.signal
        arrays[key + "beat_s"] = r.beat_s
        arrays[key + "beat_class"] = r.beat_class
        arrays[key + "rhythm"] = r.rhythm
        arrays[key + "ventricular"] = r.ventricular
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> int:
    """Render the patients of a folder; returns the exit code."""
    options = _parser().parse_args(argv)
    recordings: list[Rendered] = []
    try:
        for number, sequence in enumerate(
            islice(read_arrdb_folder(options.sequences), options.patients)
        ):
            arrest = KINDS[number % len(KINDS)]
            recordings += render_patient(
                sequence, minutes=options.minutes, seed=options.seed, arrest=arrest
            )
        if not recordings:
            raise SourceError(
                f"{options.sequences}: no stretch of {options.minutes:g} minutes in it"
            )
        save_rendered(options.out, recordings)
    except (SourceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_SOURCE
    print(_summary(recordings, options.out))
    return _EXIT_OK


def _summary(recordings: Sequence[Rendered], out: Path) -> str:
    classes = Counter(int(k) for r in recordings for k in r.beat_class)
    beats = ", ".join(f"{name} {classes[k]}" for k, name in enumerate(BEAT_CLASSES) if classes[k])
    hours = sum(len(r.rhythm) for r in recordings) / 3600
    return f"{len(recordings)} recordings, {hours:.1f} h, beats {beats} in {out}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.patch.render",
        description="ECG rendered from the real beat sequences of arrdb.",
    )
    parser.add_argument("--sequences", type=Path, required=True, help="folder of arrdb")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--patients", type=int, help="the first so many (default: all)")
    parser.add_argument("--minutes", type=_minutes, default=6.0, help="of each patient (6)")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0.5 <= minutes <= 60:
        raise argparse.ArgumentTypeError(f"{text}: give 0.5 to 60 minutes")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
