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
from models.registry import verify_bundle  # noqa: E402
from models.training import splits  # noqa: E402
from models.training.batches import Sampler  # noqa: E402
from models.training.data import Recording, condition, load_cache, save_cache  # noqa: E402
from models.training.evaluate import bundle_listener, float_listener  # noqa: E402
from models.training.export import export  # noqa: E402
from models.training.model import Encoder  # noqa: E402
from models.training.train import finished_model, train  # noqa: E402


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
    made_up("nstdb", "em", 90, 8),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache") / "training.npz"
    save_cache(path, RECORDINGS)
    return path


@pytest.fixture(scope="module")
def stopped_run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(cache, folder, steps=2, seed=1)
    return folder


def test_the_cache_keeps_everything(cache: Path) -> None:
    for before, after in zip(RECORDINGS, load_cache(cache), strict=True):
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
    sampler = Sampler(marked, 16, 0.5, seed=0)
    for _ in range(5):
        assert np.isfinite(sampler.draw(20).signal).all()


def test_batches_repeat_with_their_seed_and_have_labels_in_range() -> None:
    one, other = (Sampler(RECORDINGS, 16, 0.5, seed=4).draw(20) for _ in range(2))
    np.testing.assert_array_equal(one.signal, other.signal)
    assert one.signal.shape == (32, 2560)
    assert one.beats.shape == (32, 320)
    for labels, count in ((one.rhythm, 4), (one.ventricular, 3), (one.beats, 5)):
        assert set(np.unique(labels)) <= {splits.IGNORE, *range(count)}
    assert (one.valid.sum(axis=1)[:16] <= 14).all()  # 12 s recordings, stretched, then padding
    assert (one.beats[~one.has_beats] == splits.IGNORE).all()


def test_conditioning_removes_offset_and_keeps_the_qrs_band() -> None:
    seconds = np.arange(300 * 20) / 300
    tone = 100 * np.sin(2 * np.pi * 10 * seconds)
    clean = condition(tone[None] + 5000, 300)
    assert clean.shape == (1, 128 * 20)
    assert np.abs(clean[0, 256:]).max() == pytest.approx(100, rel=0.1)


def test_a_stopped_run_goes_on(cache: Path, stopped_run: Path) -> None:
    before, progress = finished_model(stopped_run, RECORDINGS)
    assert progress["step"] == 2
    train(cache, stopped_run, steps=3, seed=1)
    after, progress = finished_model(stopped_run, RECORDINGS)
    assert progress["step"] == 3
    moved = [
        not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert all(moved)


def test_an_exported_run_is_a_bundle_that_hears_as_the_run_does(
    cache: Path, stopped_run: Path, tmp_path: Path
) -> None:
    export(stopped_run, cache, tmp_path / "toy", "0.0.1", "two steps")
    bundle, deviation = verify_bundle(tmp_path / "toy")
    assert deviation == 0
    assert bundle.manifest.runtime.parameters <= 150_000
    model, _ = finished_model(stopped_run, RECORDINGS)
    lead = RECORDINGS[3].signal[0, : 128 * 40]
    from models.registry import open_encoder

    heard = bundle_listener(open_encoder(load_bundle(tmp_path / "toy"), 1))(lead)
    wanted = float_listener(model)(lead)
    assert np.abs(heard.rhythm - wanted.rhythm).mean() < 0.03
    assert np.abs(heard.ventricular - wanted.ventricular).mean() < 0.03
    assert np.abs(heard.beats - wanted.beats).mean() < 0.03


def test_the_network_is_causal() -> None:
    model = Encoder().eval()
    signal = torch.from_numpy(RECORDINGS[3].signal[:, : 128 * 8])
    later = signal.clone()
    later[:, 128 * 5 :] = 0
    with torch.no_grad():
        one, other = model(signal), model(later)
    torch.testing.assert_close(one.rhythm[:, :5], other.rhythm[:, :5])
    torch.testing.assert_close(one.beats[:, : 16 * 5], other.beats[:, : 16 * 5])
    assert not torch.allclose(one.beats[:, 16 * 5 :], other.beats[:, 16 * 5 :])
