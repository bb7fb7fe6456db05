"""From recordings to a bundle, in miniature: batches, a stopped and resumed run, the export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")
pytest.importorskip("wfdb")
pytest.importorskip("onnx")

from models.bundle import load_bundle  # noqa: E402
from models.registry import open_encoder, verify_bundle  # noqa: E402
from models.training import export, pretrain, splits, train  # noqa: E402
from models.training.architecture import QRS_DELAY_S  # noqa: E402
from models.training.batches import Sampler  # noqa: E402
from models.training.consensus import agreed  # noqa: E402
from models.training.data import Recording, condition, load_cache, save_cache  # noqa: E402
from models.training.disturb import Disturber, signal_power  # noqa: E402
from models.training.evaluate import bundle_listener, float_listener  # noqa: E402
from models.training.model import Encoder  # noqa: E402
from models.training.train import finished_model  # noqa: E402


def made_up(source: str, name: str, seconds: int, seed: int) -> Recording:
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 30, (1, seconds * 128))
    beat_s = np.arange(0.5, seconds - 1, 0.8)
    for at_s in beat_s:
        at = int(at_s * 128)
        signal[0, at : at + 5] += 800
    whole = np.arange(seconds)
    return Recording(
        source=source,
        name=name,
        signal=np.round(signal).astype(np.float32),
        beat_s=beat_s if source == "mitdb" else np.empty(0),
        beat_class=rng.integers(0, 5, len(beat_s) if source == "mitdb" else 0),
        rhythm=whole % 4,
        ventricular=whole // 10 % 3,
    )


TRAINED = next(name for name in ("A00001", "A00002", "A00003") if not splits.is_cinc_dev(name))
HELD = next(f"A{k:05d}" for k in range(1, 99) if splits.is_cinc_dev(f"A{k:05d}"))
RECORDINGS = [
    made_up("cinc2017", TRAINED, 12, 1),
    made_up("cinc2017", HELD, 12, 2),
    made_up("mitdb", "101", 90, 3),
    made_up("mitdb", "100", 90, 4),
    made_up("mitdb", "207", 90, 5),
    made_up("vfdb", "426", 90, 6),
    made_up("vfdb", "422", 90, 7),
    *(made_up("nstdb", name, 90, seed) for seed, name in enumerate(("em", "ma", "bw"), 8)),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    save_cache(folder / "training.npz", RECORDINGS)
    beats = {
        f"cinc2017/{TRAINED}/both": np.array([1.0, 2.0]),
        f"cinc2017/{TRAINED}/alone": np.array([3.0]),
    }
    np.savez(folder / "consensus.npz", **beats)
    return folder


@pytest.fixture(scope="module")
def stopped_run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train.main(["--cache", str(cache), "--run", str(folder), "--steps", "2"])
    return folder


def test_the_cache_keeps_everything(cache: Path) -> None:
    for before, after in zip(RECORDINGS, load_cache(cache / "training.npz"), strict=True):
        assert (before.source, before.name) == (after.source, after.name)
        for field in ("signal", "beat_s", "beat_class", "rhythm", "ventricular"):
            np.testing.assert_array_equal(getattr(before, field), getattr(after, field))


def test_batches_hold_nothing_that_is_set_aside() -> None:
    marked = [
        r
        if r.name not in (HELD, "100", "207", "422")
        else Recording(
            r.source, r.name, r.signal * np.nan, r.beat_s, r.beat_class, r.rhythm, r.ventricular
        )
        for r in RECORDINGS
    ]
    sampler = Sampler(marked, seed=0)
    for _ in range(5):
        assert np.isfinite(sampler.draw(20).signal).all()


def test_batches_repeat_with_their_seed_and_have_labels_in_range() -> None:
    one, other = (Sampler(RECORDINGS, seed=4).draw(20) for _ in range(2))
    np.testing.assert_array_equal(one.signal, other.signal)
    crops = len(one.signal)
    assert one.signal.shape == one.qrs.shape == one.qrs_weight.shape == (crops, 2560)
    for labels, count in ((one.rhythm, 4), (one.ventricular, 3), (one.quality, 3)):
        assert labels.shape == (crops, 20)
        assert set(np.unique(labels)) <= {splits.IGNORE, *range(count)}
    assert (one.valid.sum(axis=1)[:11] <= 15).all()  # 12 s recordings, stretched, then padding
    assert set(np.unique(one.qrs_weight)) <= {0.0, 1.0}
    assert one.qrs.max() == pytest.approx(1, abs=0.05)


def test_a_bump_follows_each_beat_by_the_stated_delay() -> None:
    from models.training.batches import _qrs_of

    recording = made_up("mitdb", "101", 20, 3)
    qrs, weight = _qrs_of(recording, 0.0, 1.0, 20)
    tops = np.flatnonzero((qrs[1:-1] > qrs[:-2]) & (qrs[1:-1] >= qrs[2:])) + 1
    np.testing.assert_allclose(tops / 128, recording.beat_s + QRS_DELAY_S, atol=0.5 / 128)
    assert weight.all()


def test_two_detectors_agree_only_on_what_both_found() -> None:
    both, alone = agreed(np.array([1.0, 2.0, 3.0]), np.array([1.05, 3.2, 4.0]))
    assert both.tolist() == [1.0]
    assert alone.tolist() == [2.0, 3.0, 3.2, 4.0]
    assert agreed(np.array([1.0]), np.empty(0))[1].tolist() == [1.0]


def test_disturbance_is_as_loud_as_it_says() -> None:
    noise = {r.name: r.signal for r in RECORDINGS if r.source == "nstdb"}
    signal = RECORDINGS[2].signal[0, : 128 * 20]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        disturbed, snr_db = Disturber(noise, rng)(signal.copy())
        assert disturbed.shape == signal.shape
        assert np.isfinite(disturbed).all()
        assert snr_db.shape == (20,)
        assert snr_db.min() > -60
    assert signal_power(np.tile(np.float32([0, 0, 0, 2]), 99)) == pytest.approx(0.5)


@pytest.mark.parametrize("method", pretrain.METHODS)
def test_pretraining_gives_weights_that_training_starts_from(
    cache: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "_PERSONS", 3)
    arguments = ["--cache", str(cache), "--run", str(tmp_path), "--method", method]
    pretrain.main([*arguments, "--steps", "1"])
    weights, facts = pretrain_weights(tmp_path / "encoder")
    assert facts["step"] == 1
    Encoder("s").load_state_dict(weights)


def pretrain_weights(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    from models.training.run import averaged_weights

    return averaged_weights(folder)


def test_conditioning_removes_offset_and_keeps_the_qrs_band() -> None:
    seconds = np.arange(300 * 20) / 300
    tone = 100 * np.sin(2 * np.pi * 10 * seconds)
    clean = condition(tone[None] + 5000, 300)
    assert clean.shape == (1, 128 * 20)
    assert np.abs(clean[0, 256:]).max() == pytest.approx(100, rel=0.1)


def test_a_stopped_run_goes_on(cache: Path, stopped_run: Path) -> None:
    before, progress = finished_model(stopped_run, "s")
    assert progress["step"] == 2
    train.main(["--cache", str(cache), "--run", str(stopped_run), "--steps", "3"])
    after, progress = finished_model(stopped_run, "s")
    assert progress["step"] == 3
    moved = [
        not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(moved)


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_an_exported_run_is_a_bundle_that_hears_as_the_run_does(
    cache: Path, stopped_run: Path, tmp_path: Path, precision: str
) -> None:
    where = ["--run", str(stopped_run), "--cache", str(cache), "--bundle", str(tmp_path / "toy")]
    export.main([*where, "--precision", precision])
    bundle, deviation = verify_bundle(tmp_path / "toy")
    assert deviation < bundle.manifest.golden.tolerance
    assert bundle.manifest.runtime.parameters <= 150_000
    model, _ = finished_model(stopped_run, "s")
    lead = RECORDINGS[3].signal[0, : 128 * 40]
    heard = bundle_listener(open_encoder(load_bundle(tmp_path / "toy"), 1, "cpu"))(lead)
    wanted = float_listener(model)(lead)
    limit = {"int8": 0.03, "float32": 1e-5}[precision]
    assert np.abs(heard.rhythm - wanted.rhythm).mean() < limit
    assert np.abs(heard.ventricular - wanted.ventricular).mean() < limit
    assert np.abs(heard.qrs - wanted.qrs).mean() < limit


@pytest.mark.parametrize("size", ["s", "m"])
def test_the_network_is_causal_and_within_its_size(size: str) -> None:
    model = Encoder(size).eval()
    assert sum(p.numel() for p in model.parameters()) <= {"s": 150_000, "m": 1_500_000}[size]
    assert model.shape.embedding == 128
    signal = torch.from_numpy(RECORDINGS[3].signal[:, : 128 * 8])
    later = signal.clone()
    later[:, 128 * 5 :] = 0
    with torch.no_grad():
        one, other = model(signal), model(later)
    torch.testing.assert_close(one.rhythm[:, :5], other.rhythm[:, :5])
    torch.testing.assert_close(one.qrs[:, : 128 * 5], other.qrs[:, : 128 * 5])
    assert not torch.allclose(one.qrs[:, 128 * 5 :], other.qrs[:, 128 * 5 :])
