"""Data and training of the beat stage: labels go to the right beats, a stopped run goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("wfdb")
pytest.importorskip("scipy")

from models.beat_token import RR_WIDTH, TOKEN_WIDTH, tokens_of  # noqa: E402
from models.beat_window import WIDTH, window_of  # noqa: E402
from models.training import splits  # noqa: E402
from models.training.architecture import (  # noqa: E402
    RATE_HZ,
)
from models.training.beat_batches import LENGTH, BeatSampler  # noqa: E402
from models.training.beat_data import (  # noqa: E402
    BeatSequence,
    hear_all,
    load_sequences,
    save_sequences,
    timing_only,
)
from models.training.beat_features import Listener, nearest  # noqa: E402
from models.training.beat_train import finished_stage, train_stage  # noqa: E402
from models.training.beat_trial import FOLDS, beat_figures, fold_of  # noqa: E402
from models.training.data import Recording  # noqa: E402
from models.training.model import Encoder  # noqa: E402


def sequence(source: str, patient: str, beats: int, seed: int = 0) -> BeatSequence:
    rng = np.random.default_rng(seed)
    peak_s = np.cumsum(rng.uniform(0.5, 1.1, beats))
    timing_only = source in ("arrdb", "ltafdb")
    features = None if timing_only else rng.normal(0, 1, (beats, WIDTH)).astype(np.float32)
    return BeatSequence(
        source,
        patient,
        "clean" if timing_only else "0",
        tokens_of(peak_s, features).astype(np.float16),
        peak_s.astype(np.float32),
        rng.integers(0, 3, beats).astype(np.int8),
        rng.integers(0, 3, beats).astype(np.int8),
    )


def sequences() -> list[BeatSequence]:
    return [
        sequence("mitdb", "101", 300),
        sequence("cinc2017", "A00003", 30),
        sequence("arrdb", "12", 250),
    ]


def test_each_beat_found_gets_the_true_beat_that_is_mutually_nearest() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    found = np.array([0.5, 0.97, 1.1, 2.14, 3.2])
    assert list(nearest(found, truth)) == [-1, 0, -1, 1, -1]
    assert list(nearest(found, np.empty(0))) == [-1] * 5
    assert not len(nearest(np.empty(0), truth))


def test_each_beat_comes_with_the_signal_around_it() -> None:
    torch.manual_seed(0)
    trunk = Encoder("s")
    torch.nn.init.constant_(trunk.convs["peak"].bias, 0.5)  # so that it finds peaks
    signal = np.random.default_rng(0).normal(0, 200, 20 * RATE_HZ + 7).astype(np.float32)
    heard = Listener(trunk)(signal)
    assert len(heard.peak_s) > 5
    assert heard.windows_uv.shape == (len(heard.peak_s), WIDTH)
    for at_s, window in zip(heard.peak_s, heard.windows_uv, strict=True):
        np.testing.assert_array_equal(window, window_of(signal, at_s * RATE_HZ))


def test_nothing_that_is_set_aside_is_heard() -> None:
    trunk = Encoder("s")
    none = np.empty(0, np.int64)
    noise = [
        Recording("nstdb", n, np.ones((1, 90 * RATE_HZ), np.float32), np.empty(0), none, none, none)
        for n in ("bw", "em", "ma")
    ]
    quiet = replace(noise[0], rhythm=np.zeros(9, np.int64), ventricular=np.full(9, 2))
    aside = next(n for n in (f"A{k:05}" for k in range(1, 99)) if splits.is_cinc_dev(n))
    names = [("mitdb", n) for n in (*splits.MITDB_DS2, "207", "102")] + [("cinc2017", aside)]
    forbidden = [replace(quiet, source=source, name=name) for source, name in names]
    assert list(hear_all(noise + forbidden, Listener(trunk), 0)) == []


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    save_sequences(tmp_path / "beats.npz", sequences())
    for one, other in zip(sequences(), load_sequences(tmp_path / "beats.npz"), strict=True):
        assert (one.source, one.patient, one.variant) == (
            other.source,
            other.patient,
            other.variant,
        )
        for name in ("tokens", "peak_s", "beats", "rhythm"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_timing_keeps_each_beat_with_its_class(tmp_path: Path) -> None:
    peak_s = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.0, 400))
    classes = (np.arange(400) % 3).astype(np.int8)
    np.savez(
        tmp_path / "sequences.npz",
        **{
            "arrdb/7/beat_s": peak_s,
            "arrdb/7/beat_class": classes,
            "arrdb/7/rhythm": np.zeros(400, np.int8),
        },
    )
    clean, jittered = timing_only(tmp_path / "sequences.npz", 0)
    np.testing.assert_array_equal(clean.beats, classes)
    assert clean.tokens.shape == (400, RR_WIDTH)
    origin = nearest(jittered.peak_s.astype(np.float64), peak_s)
    np.testing.assert_array_equal(jittered.beats, classes[origin])


def test_a_batch_has_its_labels_beside_its_tokens() -> None:
    batch = BeatSampler(sequences(), 0).draw()
    assert batch.tokens.shape[1:] == (LENGTH, TOKEN_WIDTH)
    known = batch.beats != splits.IGNORE
    assert (batch.tokens[known] != 0).any(1).all()
    assert not (batch.rhythm[:, :8] != splits.IGNORE).any()
    mine = sequences()[0]
    row = next(k for k in range(12) if batch.tokens[k, :, RR_WIDTH:].any())
    at = np.flatnonzero((mine.tokens.astype(np.float32) == batch.tokens[row, 0]).all(1))[0]
    np.testing.assert_array_equal(batch.beats[row], mine.beats[at : at + LENGTH])


def test_a_patient_is_in_one_fold() -> None:
    assert fold_of(sequence("rendered", "12", 9)) == fold_of(sequence("arrdb", "12", 9))
    folds = [fold_of(sequence("mitdb", name, 9)) for name in splits.MITDB_TRAIN]
    assert set(folds) == set(range(FOLDS))


def test_figures_are_counted_as_ec57_does() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 3, 4])
    said = np.array([0, 1, 1, 0, 2, 0, 2, 1])
    figures = beat_figures(said, truth)
    assert figures["VEB"] == (50.0, 100.0)  # a fusion beat called V is no false VEB
    assert figures["SVEB"] == (50.0, 50.0)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    train_stage(sequences(), tmp_path, 2, 1)
    train_stage(sequences(), tmp_path, 3, 1)
    net, facts = finished_stage(tmp_path)
    assert facts["step"] == 3
    assert (net.scale > 0).all()
    again = train_stage(sequences(), tmp_path, 3, 1)  # nothing is left to do
    for one, other in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
