"""Rendered ECG: beats where the patient's were, waves where the rhythm has them, labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.patch import render as rendering
from firmware_bridge.patch.arrests import KINDS, with_arrest
from firmware_bridge.patch.atrial_activity import atrial_waves_uv, p_waves
from firmware_bridge.patch.beat_sequences import (
    AF,
    BEAT_CLASSES,
    OTHER,
    SINUS,
    UNKNOWN,
    BeatSequence,
)
from firmware_bridge.patch.patient_heart import NORMAL, RETROGRADE_P, draw_heart, draw_second_lead
from firmware_bridge.patch.render import RATE_HZ, Rendered, render, render_patient
from firmware_bridge.patch.second_labels import VF, VT, rhythm_by_second, ventricular_by_second
from firmware_bridge.patch.stretches import FLUTTER, Arrest, Stretch, pick_stretches

pytest.importorskip("scipy", reason="the extra records is not installed")

N, S, V = (BEAT_CLASSES.index(name) for name in "NSV")
SEEDS = st.integers(0, 2**32 - 1)


def sequence(
    kinds: str = "N",
    *,
    beats: int = 200,
    rr_s: float = 0.8,
    label: str = "N",
    rhythm: int = SINUS,
    spread: float = 0.0,
) -> BeatSequence:
    """Beats whose classes repeat `kinds`; ? is unknown and e an escape beat of the atria."""
    classes = {"N": N, "S": S, "V": V, "?": UNKNOWN, "e": N}
    pattern = (kinds * beats)[:beats]
    steps_s = rr_s * (1 + spread * np.random.default_rng(0).uniform(-1, 1, beats))
    return BeatSequence(
        source="arrdb",
        name="1",
        beat_s=100.0 + np.cumsum(steps_s),
        beat_class=np.array([classes[k] for k in pattern], np.int8),
        rhythm=np.full(beats, rhythm, np.int8),
        label=np.full(beats, label),
        atrial=np.array([k in "Se" for k in pattern]),
    )


def stretch(made: BeatSequence, seconds: float = 60.0) -> Stretch:
    """Seconds of a sequence from its 40th second on."""
    beats = replace(made, beat_s=made.beat_s - made.beat_s[0] - 40.0)
    return Stretch("1-0", beats, seconds)


def rendered(made: BeatSequence, seed: int = 0) -> Rendered:
    heart = draw_heart(np.random.default_rng(seed))
    return render(stretch(made), heart, np.random.default_rng([seed, 1]))


def peaks_s(found: Rendered) -> NDArray[np.float64]:
    """The largest deflection from the local median within 100 ms of each beat, first lead."""
    signal = found.signal[0].astype(float)
    places = np.rint(found.beat_s * RATE_HZ).astype(int)
    peaks = []
    for place in places[(places > 64) & (places < len(signal) - 64)]:
        level = np.median(signal[place - 64 : place + 64])
        near = np.abs(signal[place - 13 : place + 14] - level)
        peaks.append((place - 13 + int(np.argmax(near))) / RATE_HZ)
    return np.array(peaks)


@given(SEEDS, st.sampled_from(["N", "NNNV", "NNS", "NV", "NNVV"]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_qrs_peaks_within_20_ms_of_its_beat(seed: int, kinds: str) -> None:
    found = rendered(sequence(kinds), seed)
    inner = found.beat_s[(found.beat_s > 0.51) & (found.beat_s < 59.49)]
    peaks = peaks_s(found)
    nearest = np.abs(peaks[:, None] - inner).min(axis=1)
    assert len(peaks) >= len(inner) - 2
    assert nearest.max() <= 0.020


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_beats_and_classes_are_the_patients_own(seed: int) -> None:
    made = sequence("NNSN?V", spread=0.2)
    placed = stretch(made).beats
    inside = (placed.beat_s >= 0) & (placed.beat_s < 60)
    found = rendered(made, seed)
    np.testing.assert_array_equal(found.beat_s, placed.beat_s[inside])
    np.testing.assert_array_equal(found.beat_class, placed.beat_class[inside])
    assert found.signal.shape == (2, 60 * RATE_HZ)
    assert found.signal.dtype == np.int16
    assert len(found.rhythm) == len(found.ventricular) == 60


def test_the_same_seed_gives_the_same_ecg_and_another_one_does_not() -> None:
    made = sequence("NNNS", beats=400)
    one, same = (list(render_patient(made, minutes=2, seed=5)) for _ in range(2))
    other = list(render_patient(made, minutes=2, seed=6))
    assert len(one) == len(same) == len(other) == 1
    np.testing.assert_array_equal(one[0].signal, same[0].signal)
    assert (one[0].signal != other[0].signal).mean() > 0.9


@given(SEEDS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_hearts_are_plausible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heart = draw_heart(rng)
    time_s = np.arange(-0.3, 0.6, 0.001)
    seen = [np.abs(shape.at(time_s, heart.lead)) for shape in heart.qrs]
    assert 249 < seen[NORMAL].max() < 3501
    for height in seen:
        assert abs(time_s[np.argmax(height)]) < 0.0015
        assert (height > 0.1 * height.max()).sum() < 220  # milliseconds
    assert all(np.abs(p.at(time_s, heart.lead)).max() < 400 for p in heart.p)
    second = draw_second_lead(rng, heart)
    assert np.linalg.norm(second) == pytest.approx(1)
    assert np.abs(heart.qrs[NORMAL].at(time_s, second)).max() > 40


def p_peaks_s(made: BeatSequence, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    found = p_waves(
        stretch(made), draw_heart(np.random.default_rng(seed)), np.random.default_rng(1)
    )
    return found.peak_s, found.shape


def test_sinus_beats_have_a_p_wave_120_to_200_ms_before_them() -> None:
    made = sequence()
    peak_s, shape = p_peaks_s(made)
    ahead_s = stretch(made).beats.beat_s - np.sort(peak_s)
    assert (shape == 0).all()
    assert ahead_s.min() > 0.08
    assert ahead_s.max() < 0.23


@pytest.mark.parametrize("rhythm", [AF, OTHER, UNKNOWN])
def test_fibrillation_and_flutter_have_no_p_waves_but_atrial_ones(rhythm: int) -> None:
    made = sequence("NNV", label=FLUTTER, rhythm=rhythm)
    assert len(p_peaks_s(made)[0]) == 0
    time_s = np.arange(0, 60, 1 / RATE_HZ)
    heart = draw_heart(np.random.default_rng(3))
    waves = atrial_waves_uv(stretch(made), heart, time_s, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(waves)) ** 2
    hz = np.fft.rfftfreq(len(waves), 1 / RATE_HZ)
    assert 3.5 < hz[np.argmax(power)] < 9.0
    assert waves.std() > 5


def test_other_rhythms_have_no_fibrillatory_waves() -> None:
    time_s = np.arange(0, 60, 1 / RATE_HZ)
    heart = draw_heart(np.random.default_rng(3))
    assert not atrial_waves_uv(stretch(sequence()), heart, time_s, np.random.default_rng(1)).any()


def test_escape_beats_have_no_p_wave_or_a_retrograde_or_ectopic_one() -> None:
    peak_s, shape = p_peaks_s(sequence("e", label="SND", rhythm=OTHER))
    assert len(peak_s) <= 200
    assert (shape != 0).all()


def test_third_degree_block_parts_the_atria_from_the_ventricles() -> None:
    made = sequence(rr_s=1.6, label="AVB", rhythm=OTHER)
    peak_s, shape = p_peaks_s(made)
    assert len(peak_s) > 1.3 * len(made.beat_s)
    assert (shape != RETROGRADE_P).all()
    assert np.diff(np.sort(peak_s)).std() < 0.1


def test_second_degree_block_drops_beats_but_not_p_waves() -> None:
    made = sequence(label="AVB", rhythm=OTHER)
    kept = np.arange(200) % 4 != 3
    dropped = replace(
        made,
        **{
            f: getattr(made, f)[kept] for f in ("beat_s", "beat_class", "rhythm", "label", "atrial")
        },
    )
    assert len(p_peaks_s(dropped)[0]) == pytest.approx(200, abs=2)


def test_sinus_rhythm_without_ectopy_is_normal() -> None:
    assert set(rhythm_by_second(stretch(sequence())).tolist()) == {SINUS}


def test_ectopy_makes_sinus_rhythm_other_and_then_unknown() -> None:
    made = sequence(beats=300)
    made.beat_class[75] = S  # 60.8 s after the first beat: 20.8 s in the stretch
    labels = rhythm_by_second(stretch(made, 100.0)).tolist()
    at = 40.0 + stretch(made).beats.beat_s[75] - 40.0
    first = int(at)
    assert labels[:first] == [SINUS] * first
    assert labels[first : first + 10] == [OTHER] * 10
    assert labels[first + 11 : first + 29] == [UNKNOWN] * 18
    assert labels[first + 31 :] == [SINUS] * (100 - first - 31)


@pytest.mark.parametrize("rr_s", [0.5, 1.4])
def test_slow_and_fast_sinus_rhythm_is_not_taught_as_normal(rr_s: float) -> None:
    assert set(rhythm_by_second(stretch(sequence(rr_s=rr_s))).tolist()) == {UNKNOWN}


def test_change_of_rhythm_makes_its_second_unknown() -> None:
    made = sequence()
    made.rhythm[100:] = AF
    labels = rhythm_by_second(stretch(made)).tolist()
    change = int(stretch(made).beats.beat_s[100])
    assert labels[change] == UNKNOWN
    assert set(labels[: change - 1]) == {SINUS}
    assert set(labels[change + 1 :]) == {AF}


@pytest.mark.parametrize(
    ("kinds", "label", "rr_s", "expected"),
    [
        ("V", "VT", 0.4, {VT}),
        ("V", "VT", 0.8, {UNKNOWN}),  # slower than 100 a minute
        ("V", "N", 0.4, {UNKNOWN}),  # a run, in no rhythm of that name
        ("NV", "SR-mPVC-BT", 0.8, {2}),
        ("N", "N", 0.8, {2}),
    ],
)
def test_ventricular_labels(kinds: str, label: str, rr_s: float, expected: set[int]) -> None:
    made = sequence(kinds, beats=400, rr_s=rr_s, label=label, rhythm=OTHER)
    assert set(ventricular_by_second(stretch(made)).tolist()) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_an_arrest_comes_between_beats_and_changes_none(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = stretch(sequence(beats=300), 120.0)
    after = with_arrest(before, kind, rng)
    assert after is not None
    assert after.arrest is not None
    start_s, stop_s = after.arrest.start_s, after.arrest.stop_s
    beat_s = after.beats.beat_s
    made = (beat_s >= start_s) & (beat_s < stop_s)
    assert made.any() == (kind == "vt")
    resumed = beat_s[~made & (beat_s > start_s)] - (stop_s - start_s)
    np.testing.assert_allclose(
        np.concatenate([beat_s[beat_s < start_s], resumed]), before.beats.beat_s
    )
    assert (np.diff(beat_s) > 0.2).all()
    found = render(after, draw_heart(rng), rng)
    middle = int((start_s + stop_s) / 2)
    expected = {"vt": (VT, OTHER), "vf": (VF, OTHER), "vfl": (VF, OTHER)}
    assert (found.ventricular[middle], found.rhythm[middle]) == expected.get(kind, (2, UNKNOWN))


def test_no_arrest_where_there_is_no_sinus_rhythm() -> None:
    made = stretch(sequence(label=FLUTTER, rhythm=AF), 120.0)
    assert with_arrest(made, "vf", np.random.default_rng(0)) is None


def arrested(kind: str, seed: int) -> tuple[Stretch, Arrest]:
    rng = np.random.default_rng(seed)
    made = with_arrest(stretch(sequence(beats=300), 120.0), kind, rng)
    assert made is not None
    assert made.arrest is not None
    return made, made.arrest


@pytest.mark.parametrize("seed", range(5))
def test_asystole_is_flat(seed: int) -> None:
    made, arrest = arrested("asystole", seed)
    found = render(made, draw_heart(np.random.default_rng(seed)), np.random.default_rng(seed))
    inside = slice(int((arrest.start_s + 2) * RATE_HZ), int((arrest.stop_s - 0.5) * RATE_HZ))
    flat = found.signal[0, inside].astype(float)
    assert np.abs(flat - np.median(flat)).max() < 100


@pytest.mark.parametrize("kind", ["asystole", "standstill"])
@pytest.mark.parametrize("seed", range(5))
def test_only_in_standstill_do_the_atria_go_on(kind: str, seed: int) -> None:
    made, arrest = arrested(kind, seed)
    rng = np.random.default_rng(seed)
    peak_s = p_waves(made, draw_heart(rng), rng).peak_s
    inside = (peak_s > arrest.start_s) & (peak_s < arrest.stop_s - 0.25)
    assert (inside.sum() >= (arrest.stop_s - arrest.start_s) / 1.2 - 1) == (kind == "standstill")


def test_stretches_are_those_with_ectopy_and_do_not_overlap() -> None:
    made = sequence(beats=2000)
    made.beat_class[1000:1010] = S
    made.beat_class[300] = V
    picked = list(pick_stretches(made, 6.0))
    assert [s.name for s in picked] == ["1-0", "1-1", "1-2"]
    held = [
        s.beats.beat_class[(s.beats.beat_s >= 0) & (s.beats.beat_s < s.duration_s)] for s in picked
    ]
    assert (held[0] == S).sum() == 10
    assert (held[1] == V).sum() == 1


def test_holes_and_unknown_beats_are_left_out() -> None:
    made = sequence(beats=400)
    made.beat_class[::10] = UNKNOWN
    assert list(pick_stretches(made, 2.0)) == []
    holed = sequence(beats=300)
    holed.beat_s[150:] += 5.0
    assert list(pick_stretches(holed, 2.0)) == []
    assert list(pick_stretches(sequence(beats=20), 2.0)) == []


def write_patient(folder: Path, number: int, beats: int = 400) -> None:
    rows = [f"{5 + 0.8 * k},{'V' if k % 9 == 5 else 'N'},N,False," for k in range(beats)]
    header = "time_second,beat_type,rhythm_label,bad_signal_quality,bad_signal_quality_label"
    path = folder / f"Annotation_file_{number}.csv"
    path.write_text("\n".join([header, *rows]) + "\n")


def test_the_command_writes_the_layout_of_the_training_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (3, 4, 5):
        write_patient(tmp_path, number)
    out = tmp_path / "rendered.npz"
    arguments = ["--sequences", str(tmp_path), "--out", str(out), "--minutes", "1"]
    assert rendering.main([*arguments, "--patients", "2"]) == 0
    assert "recordings" in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as store:
        names = {key.rsplit("/", 1)[0] for key in store.files}
        kinds = {key.split("/")[2]: store[key].dtype.name for key in store.files}
    assert names == {"rendered/3-0", "rendered/3-0-vt", "rendered/4-0", "rendered/4-0-vf"}
    assert kinds == {
        "signal": "int16",
        "beat_s": "float64",
        "beat_class": "int8",
        "rhythm": "int8",
        "ventricular": "int8",
    }


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "rendered.npz")
    assert rendering.main(["--sequences", str(tmp_path), "--out", out]) == 4
    assert "give the folder of arrdb" in capsys.readouterr().err
    write_patient(tmp_path, 1, beats=5)
    assert rendering.main(["--sequences", str(tmp_path), "--out", out]) == 4
    assert "no stretch" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        rendering.main(["--sequences", str(tmp_path), "--out", out, "--minutes", "0"])
