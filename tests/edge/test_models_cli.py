"""`edge models` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cli import main
from tests.models.rebundle import NAME, copy_to

pytest.importorskip("onnx")
pytest.importorskip("wfdb")

import wfdb

from edge.cli.models import change, quantising
from edge.cli.models.calibration import calibration
from edge.cli.models.change import Change, changes
from edge.cli.models.judgement import Judgement, judgement_argument
from firmware_bridge.errors import SourceError
from models.bundle import Bundle, load_bundle
from models.errors import ModelError
from models.quantisation import Comparison
from tests.models.float_bundle import write_float_bundle

RATE_HZ = 250


def record(folder: Path, name: str, signal_mv: np.ndarray, rate_hz: float = RATE_HZ) -> None:
    """A WFDB record. signal_mv: (samples, leads)."""
    leads = signal_mv.shape[1]
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["mV"] * leads,
        sig_name=["MLII", "V5", "V1"][:leads],
        p_signal=signal_mv,
        fmt=["16"] * leads,
        adc_gain=[200.0] * leads,
        baseline=[0] * leads,
        write_dir=str(folder),
    )


def heart(seconds: int, leads: int = 1, seed: int = 0, rate_hz: float = RATE_HZ) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    beat = np.exp(-((((t % 0.8) - 0.4) / 0.012) ** 2) / 2)
    return (beat[:, None] + rng.normal(0, 0.03, (len(t), leads))).astype(np.float64)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_float_bundle(tmp_path_factory.mktemp("bundle") / "float-test")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    record(folder, "a1", heart(15, leads=2))
    record(folder, "a2", heart(15, seed=1))
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    captured = capsys.readouterr()
    return json.loads(captured.out or "{}"), captured.err


def test_show_tells_where_nodes_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", NAME, "--json"]) == 0
    report, _ = said(capsys)
    assert report["name"] == NAME
    assert report["placement"][0]["in_use"] == ["CPUExecutionProvider"]
    assert report["placement"][0]["nodes"]["CPUExecutionProvider"]["QLinearConv"] > 0
    assert main(["models", "show", NAME]) == 0
    assert "in use CPUExecutionProvider" in capsys.readouterr().out


def test_list_and_verify_report_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    assert NAME in [row["name"] for row in said(capsys)[0]["bundles"]]
    assert main(["models", "verify", NAME, "--json"]) == 0
    assert said(capsys)[0] == {"ok": True, "bundle": NAME, "sha256": load_bundle(NAME).sha256}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["show"], 2, "name a bundle"),
        (["verify", "nope"], 5, "no bundle 'nope'"),
        (["show", NAME, "--provider", "Nope"], 5, "has no Nope here"),
        (["import", "nope", "x", "--out", "{new}"], 5, "no encoder 'nope'"),
        (["import", "heartgpt", "x", "--out", "{used}"], 2, "is there already"),
        (["quantize", NAME, "--data", "{data}", "--out", "{used}"], 2, "is there already"),
        (["quantize", NAME, "--data", "{data}", "--out", "{new}"], 5, "quantised already"),
        (["quantize", "{bundle}", "--data", "{new}", "--out", "{new}"], 4, "no such folder"),
        (["quantize", "{bundle}", "--data", "{bundle}", "--out", "{new}"], 4, "no recordings"),
        (
            ["quantize", "{bundle}", "--data", "{data}", "--records", "zz", "--out", "{new}"],
            2,
            "--records zz",
        ),
    ],
)
def test_what_is_wrong_gets_one_line_and_its_exit_code(
    arguments: list[str],
    code: int,
    text: str,
    source: Bundle,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    used = copy_to(tmp_path)
    places = {"new": tmp_path / "new", "used": used, "data": data, "bundle": source.path}
    assert main(["models", *(word.format(**places) for word in arguments)]) == code
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert text in err
    assert not (tmp_path / "new").exists()


def quantize(source: Bundle, data: Path, out: Path, *more: str) -> int:
    return main(
        ["models", "quantize", str(source.path), "--data", str(data), "--out", str(out), *more]
    )


@pytest.mark.parametrize(("step_us", "code"), [((90.0, 45.0), 0), ((90.0, 99.0), 10)])
def test_a_slower_model_is_refused_unless_told(
    step_us: tuple[float, float],
    code: int,
    source: Bundle,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(quantising, "compare", lambda *_: Comparison(9, (), step_us))
    assert quantize(source, data, tmp_path / "a", "--json") == code
    report, _ = said(capsys)
    assert report["ok"] is (code == 0)
    assert (tmp_path / "a").exists() is (code == 0)
    assert report["calibration"]["records"] == ["a1", "a2"]
    assert report["states"] == {"integer": 3, "of": 5}
    assert quantize(source, data, tmp_path / "b", "--force") == 0
    capsys.readouterr()
    limits = " ".join(load_bundle(tmp_path / "b").manifest.limits)
    assert "not compared" in limits
    assert ("Written although" in limits) is (code == 10)


def test_a_worse_figure_is_refused_and_told(
    source: Bundle,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = Judgement("qrs", tmp_path, None)
    found = [Change(asked, "gross.se", 99.0, 98.5), Change(asked, "gross.ppv", 97.0, 97.1)]
    monkeypatch.setattr(quantising, "changes", lambda *_: found)
    monkeypatch.setattr(quantising, "compare", lambda *_: Comparison(9, (), (2.0, 1.0)))
    assert quantize(source, data, tmp_path / "a", "--json") == 10
    assert "gross.se" in said(capsys)[0]["refused"][0]
    assert quantize(source, data, tmp_path / "b", "--bound", "0.5") == 0
    figures = load_bundle(tmp_path / "b").manifest.figures
    assert [(f.name, f.value, f.precision) for f in figures] == [
        ("qrs gross.se", 98.5, "int8"),
        ("qrs gross.ppv", 97.1, "int8"),
    ]


def test_calibration_hears_what_the_runtime_hears(source: Bundle, data: Path) -> None:
    heard = calibration(source.manifest, data, None)
    assert heard.records == ("a1", "a2")
    assert [len(stretch[0].samples_uv) for stretch in heard.stretches] == [2, 1]
    hop = heard.stretches[1][4].samples_uv
    assert hop.shape == (1, 128)
    assert 400 < np.abs(hop).max() < 1500  # microvolts
    assert abs(hop.mean()) < 100  # without the baseline


@pytest.mark.parametrize("rate_hz", [100, 360, 1000])
def test_other_rates_are_resampled(source: Bundle, tmp_path: Path, rate_hz: int) -> None:
    record(tmp_path / "d", "r", heart(15, rate_hz=rate_hz), rate_hz)
    heard = calibration(source.manifest, tmp_path / "d", None)
    assert heard.hops in (14, 15)


def test_a_rate_that_no_ecg_has_is_named(source: Bundle, tmp_path: Path) -> None:
    record(tmp_path / "d", "slow", heart(60, rate_hz=20), 20)
    with pytest.raises(SourceError, match="20 Hz"):
        calibration(source.manifest, tmp_path / "d", None)


def test_gaps_cut_stretches(source: Bundle, tmp_path: Path) -> None:
    signal = heart(30)
    signal[3000:4000] = np.nan
    record(tmp_path / "d", "gap", signal)
    heard = calibration(source.manifest, tmp_path / "d", None)
    assert len(heard.stretches) == 2
    assert all(np.isfinite(hop.samples_uv).all() for each in heard.stretches for hop in each)


@pytest.mark.parametrize("level_mv", [0.0, 1.0, np.nan])
def test_data_that_say_nothing_are_refused(
    source: Bundle, tmp_path: Path, level_mv: float, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "d", "flat", np.full((5000, 1), level_mv))
    assert quantize(source, tmp_path / "d", tmp_path / "out") in (4, 5)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_too_few_leads_are_named(source: Bundle, data: Path) -> None:
    import msgspec

    needs = msgspec.structs.replace(source.manifest.input, leads_min=2)
    manifest = msgspec.structs.replace(source.manifest, input=needs)
    with pytest.raises(ModelError, match=r"a2.*needs 2"):
        calibration(manifest, data, None)


def test_recordings_set_aside_for_judging_are_left_out(source: Bundle, tmp_path: Path) -> None:
    for name in ("100", "101", "207"):
        record(tmp_path / "d", name, heart(12))
    heard = calibration(source.manifest, tmp_path / "d", None)
    assert (heard.records, heard.set_aside) == (("101",), ())
    heard = calibration(source.manifest, tmp_path / "d", "100,101")
    assert heard.set_aside == ("100",)


def test_the_same_recording_does_not_calibrate_and_judge(
    source: Bundle, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a1", "a2"):
        symbols = wfdb.Annotation(name, "atr", np.array([100]), symbol=["N"])
        wfdb.wrann(name, "atr", symbols.sample, symbols.symbol, write_dir=str(data))
    assert quantize(source, data, tmp_path / "o", "--judge", f"qrs={data}") == 2
    assert "a1 is calibrated on as well" in capsys.readouterr().err


def test_judgements_are_read_or_explained() -> None:
    assert judgement_argument("beats=x/mitdb@ds2") == Judgement("beats", Path("x/mitdb"), "ds2")
    assert judgement_argument("qrs=x").records is None
    for wrong in ("", "qrs", "qrs=", "dance=x", "alarms=x"):
        with pytest.raises(Exception, match="TASK=DIR"):
            judgement_argument(wrong)


def test_both_bundles_are_judged_and_only_shares_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = {
        "old": {"gross": {"se": 99.0, "fn": 5, "veb": {"fpr": 1.0}, "af": {"auroc": 0.99}}},
        "new": {"gross": {"se": None, "fn": 9, "veb": {"fpr": 1.5}, "af": {"auroc": 0.98}}},
    }
    monkeypatch.setattr(change, "evaluate", lambda job, *_: reports[job.bundle])
    found = list(changes("old", "new", [Judgement("beats", Path("x"), None)], 1))
    points = {each.figure.rpartition(".")[2]: each.points for each in found}
    assert points == {"se": None, "fpr": -0.5, "auroc": -1.0}
    assert [each.is_worse(0.7) for each in found] == [True, False, True]
