"""A real record, watched and recorded by `edge run`, reported on by `edge report`."""

import json
import subprocess
import sys

import numpy as np
import pytest

from edge.cli import main

RATE_HZ = 360
MINUTES = 2
BEATS = "NLRejaAJSVEF/fQ"


@pytest.fixture(scope="module")
def told(records_dir, tmp_path_factory):
    """Figures, and the reference annotations, of the first minutes of record 208."""
    wfdb = pytest.importorskip("wfdb")
    pytest.importorskip("onnxruntime")
    folder, count = tmp_path_factory.mktemp("record"), MINUTES * 60 * RATE_HZ
    whole = str(records_dir / "mitdb" / "208")
    cut = wfdb.rdrecord(whole, sampto=count, channels=[0])
    wfdb.wrsamp(
        "208",
        fs=RATE_HZ,
        units=cut.units,
        sig_name=cut.sig_name,
        p_signal=cut.p_signal,
        fmt=["212"],
        write_dir=str(folder),
    )
    source = f"replay:{folder / '208'}?speed=max"
    command = [sys.executable, "-m", "edge", "run", "--source", source, "--json"]
    ran = subprocess.run([*command, "--record", str(folder / "rec")], capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    reference = wfdb.rdann(whole, "atr", sampto=count)
    pairs = zip(reference.sample, reference.symbol, strict=True)
    return folder / "rec", [(at / RATE_HZ, symbol) for at, symbol in pairs if symbol in BEATS]


def figures(capsys, *words):
    capsys.readouterr()
    assert main(["report", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.records
def test_figures_agree_with_the_reference_annotations(told, capsys):
    recording, beats = told
    found = figures(capsys, recording)
    rr_s = np.diff([at for at, _ in beats])
    assert found["coverage"]["recorded_s"] == pytest.approx(MINUTES * 60, abs=1)
    assert sum(found["beats"].values()) == pytest.approx(len(beats), rel=0.02)
    assert found["heart_rate_bpm"]["mean"] == pytest.approx(60 / rr_s.mean(), rel=0.02)
    ventricular = sum(symbol == "V" for _, symbol in beats)
    assert found["beats"]["V"] == pytest.approx(ventricular, rel=0.15)


@pytest.mark.records
def test_a_part_has_the_beats_of_that_part(told, capsys, tmp_path):
    recording, beats = told
    page = tmp_path / "part.html"
    found = figures(capsys, recording, "--from", "60", "--until", "120", "--output", page)
    within = [at for at, _ in beats if 60 <= at < 120]
    assert found["coverage"]["duration_s"] == pytest.approx(60, abs=0.01)
    assert sum(found["beats"].values()) == pytest.approx(len(within), abs=3)
    assert "Ventricular beats" in page.read_text()
