import json

import numpy as np
import pytest

from edge.export import Request, export
from firmware_bridge.records import read_record
from firmware_bridge.stream import StreamFormat
from tests.edge.export.exported import RATE_HZ, START, beats_of, make, parse_edf

GAPS = ((3 * RATE_HZ + 100, 4 * RATE_HZ), (9 * RATE_HZ, 30))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    made = make(root / "recording")
    made.files = export(Request(made.recording), "edf", root / "ecg.edf")
    return made


@pytest.fixture(scope="module")
def holed(tmp_path_factory):
    root = tmp_path_factory.mktemp("holed")
    made = make(root / "recording", gaps=GAPS)
    made.files = export(Request(made.recording), "edf", root / "ecg.edf")
    return made


def assert_same(found, truth, step_uv=0.05):
    assert found.shape == truth.shape
    assert np.array_equal(np.isnan(found), np.isnan(truth))
    assert np.nanmax(np.abs(found - truth)) <= step_uv / 2 + 1e-6


def test_by_the_specification(whole):
    (path,) = whole.files
    edf = parse_edf(path.read_bytes())
    assert (edf.kind, edf.start) == ("EDF+C", START.strftime("%d.%m.%y%H.%M.%S"))
    assert edf.labels == ["ECG I", "ECG II", "EDF Annotations"]
    assert_same(edf.physical, whole.truth)
    assert beats_of(edf.annotations) == whole.beats


def test_with_edfio(whole):
    edfio = pytest.importorskip("edfio")
    edf = edfio.read_edf(whole.files[0])
    assert edf.is_continuous
    assert edf.startdatetime == START.replace(tzinfo=None)
    assert_same(np.stack([each.data for each in edf.signals], axis=1), whole.truth)
    told = [(each.onset, each.duration or 0, each.text) for each in edf.annotations]
    assert beats_of(told) == whole.beats
    assert {"(AFIB", "alert vt start high", "quality II noisy"} <= {text for *_, text in told}


def test_with_pyedflib(whole):
    pyedflib = pytest.importorskip("pyedflib")
    with pyedflib.EdfReader(str(whole.files[0])) as edf:
        assert edf.getStartdatetime() == START.replace(tzinfo=None)
        found = np.stack([edf.readSignal(k) for k in range(2)], axis=1)
        told = list(zip(*edf.readAnnotations(), strict=True))
    assert_same(found, whole.truth)
    assert beats_of(told) == whole.beats


def test_with_mne(whole):
    mne = pytest.importorskip("mne")
    raw = mne.io.read_raw_edf(whole.files[0], verbose="error")
    assert_same(raw.get_data(units="uV").T, whole.truth)
    told = [(each["onset"], each["duration"], each["description"]) for each in raw.annotations]
    assert beats_of(told) == whole.beats


def test_with_the_bridges_own_reader(whole):
    pytest.importorskip("edfio")
    record = read_record(whole.files[0])
    assert_same(record.samples_uv(), whole.truth)


def test_gaps_are_left_out_and_told(holed):
    (path,) = holed.files
    edf = parse_edf(path.read_bytes())
    assert edf.kind == "EDF+D"
    assert_same(edf.physical[: len(holed.truth)], holed.truth)
    told = {
        (round(o * RATE_HZ), round(d * RATE_HZ)) for o, d, t in edf.annotations if t[:3] == "gap"
    }
    assert told == set(GAPS)
    assert beats_of(edf.annotations) == holed.beats
    assert len(path.read_bytes()) < 0.9 * (20 * RATE_HZ * 4 + 20 * 100)


def test_gaps_with_edfio(holed):
    edfio = pytest.importorskip("edfio")
    edf = edfio.read_edf(holed.files[0])
    assert not edf.is_continuous
    told = [(each.onset, each.duration or 0, each.text) for each in edf.annotations]
    assert beats_of(told) == holed.beats
    records = edf.signals[0].digital.reshape(-1, RATE_HZ)
    assert len(records) == 17  # seconds 4 to 6 hold nothing


def test_an_electrodes_offset_does_not_cost_resolution(tmp_path):
    made = make(tmp_path / "r", offset_uv=-300_000.0)
    (path,) = export(Request(made.recording), "edf", tmp_path / "x")
    assert_same(parse_edf(path.read_bytes()).physical, made.truth, step_uv=1.0)


@pytest.mark.parametrize("rate_hz", [130.0, 128.5, 1000 / 3, 249.87, 5000.0])
def test_odd_rates_keep_every_sample(tmp_path, rate_hz):
    made = make(tmp_path / "r", seconds=5, form=StreamFormat(rate_hz, ("ECG",)))
    (path,) = export(Request(made.recording), "edf", tmp_path / "x")
    edfio = pytest.importorskip("edfio")
    (found,) = edfio.read_edf(path).signals
    assert found.sampling_frequency == pytest.approx(rate_hz, rel=2e-6)
    assert np.abs(found.data[: len(made.truth)] - made.truth[:, 0]).max() <= 0.05


def test_nothing_is_overwritten_or_left_half_done(whole, tmp_path):
    from edge.cli import main

    (tmp_path / "x.edf").write_text("mine")
    command = ["export", str(whole.root), "--to", "edf", "--out", str(tmp_path / "x.edf")]
    assert main(command) == 1
    assert (tmp_path / "x.edf").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["x.edf"]


def test_the_command_says_which_files_it_wrote(whole, tmp_path, capsys, monkeypatch):
    from edge.cli import main

    monkeypatch.chdir(tmp_path)
    window = ["--from", "5", "--until", "00:00:08"]
    assert main(["export", str(whole.root), "--to", "edf", *window, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"patient": "p", "files": ["p.edf"]}
    assert_same(parse_edf((tmp_path / "p.edf").read_bytes()).physical, whole.truth[1250:2000])
    assert main(["export", str(whole.root), "--to", "csv", "--from", "yesterday"]) == 2
    assert main(["export", str(tmp_path / "none"), "--to", "csv"]) == 4
    assert main(["export", str(whole.root), "--to", "csv", "--from", "3000"]) == 4
