import numpy as np
import pytest

from edge.export import Request, export
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from firmware_bridge.records import read_record
from firmware_bridge.source import open_source
from firmware_bridge.stream import Chunk, Gap
from tests.edge.export.exported import RATE_HZ, START, make

wfdb = pytest.importorskip("wfdb")
GAPS = ((3 * RATE_HZ + 100, 4 * RATE_HZ), (9 * RATE_HZ, 30))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("wfdb")
    made = make(root / "recording", gaps=GAPS)
    made.path = root / "ecg"
    export(Request(made.recording), "wfdb", made.path)
    return made


def by_hand(path):
    """Header and format 16 by their specification."""
    first, *lines = path.with_suffix(".hea").read_text().splitlines()
    _, leads, rate, count, *_ = first.split()
    raw = np.fromfile(path.with_suffix(".dat"), "<i2").reshape(int(count), int(leads))
    gains = [float(line.split()[2].split("(")[0]) for line in lines[: int(leads)]]
    sums = [int(line.split()[6]) for line in lines[: int(leads)]]
    assert [int(np.int16(each)) for each in raw.sum(axis=0, dtype=np.int64).astype("<i2")] == sums
    assert [int(line.split()[5]) for line in lines[: int(leads)]] == raw[0].tolist()
    return float(rate), np.where(raw == -32768, np.nan, raw / np.array(gains) * 1000)


def assert_same(found, truth, step_uv=0.05):
    assert np.array_equal(np.isnan(found), np.isnan(truth))
    assert np.nanmax(np.abs(found - truth)) <= step_uv / 2 + 1e-3


def test_by_the_specification(made):
    rate_hz, found = by_hand(made.path)
    assert rate_hz == RATE_HZ
    assert_same(found, made.truth)


def test_with_wfdb_python(made):
    record = wfdb.rdrecord(str(made.path))
    assert (record.sig_name, record.fmt) == (["I", "II"], ["16", "16"])
    assert record.base_datetime == START.replace(tzinfo=None)
    assert_same(record.p_signal * 1000, made.truth)


def test_annotations_with_wfdb_python(made):
    marks = wfdb.rdann(str(made.path), "atr")
    told = list(zip(marks.sample.tolist(), marks.symbol, marks.aux_note, strict=True))
    beats = [(at, symbol) for at, symbol, _ in told if symbol in "NVSFQ"]
    assert beats == [(at, label.replace("U", "Q")) for at, label in made.beats]
    assert (made.beats[2][0] - 50, "+", "(AFIB") in told
    assert (made.alert_at, '"', "alert vt start high") in told
    assert [(at, s) for at, s, text in told if text == "gap loss"] == [(at, '"') for at, _ in GAPS]
    noisy = [k for k, symbol in enumerate(marks.symbol) if symbol == "~"]
    assert [int(marks.subtype[k]) for k in noisy] == [0b10, 0]
    assert {int(marks.chan[k]) for k, symbol in enumerate(marks.symbol) if symbol == "V"} == {1}


def test_long_waits_between_annotations(made, tmp_path):
    made = make(tmp_path / "r", seconds=12, gaps=((2 * RATE_HZ, 9 * RATE_HZ),))
    export(Request(made.recording), "wfdb", tmp_path / "x")
    marks = wfdb.rdann(str(tmp_path / "x"), "atr")
    found = [at for at, s in zip(marks.sample, marks.symbol, strict=True) if s in "NVSFQ"]
    assert found == [at for at, _ in made.beats]


def test_replayed_it_is_the_same_stream(made):
    assert_same(read_record(made.path).samples_uv(), made.truth)
    source = open_source(f"replay:{made.path}?speed=max")
    source.transport.open()
    pipeline = Pipeline(source.decoder, SilentAlarms(), SegmentSettings())
    events = []
    while True:
        try:
            packet = source.transport.read(1.0)
        except EOFError:
            break
        events += pipeline.push(packet).events if packet else ()
    events += pipeline.finish().events
    assert [(e.start, e.length) for e in events if isinstance(e, Gap)] == list(GAPS)
    found = np.concatenate([e.samples_uv for e in events if isinstance(e, Chunk)])
    truth = made.truth[~np.isnan(made.truth[:, 0])]
    assert np.abs(found - truth).max() <= 0.03


class SilentAlarms:
    active = ()

    def observe(self, observation):
        return ()


def test_wide_signals_take_32_bits(tmp_path):
    made = make(tmp_path / "r", seconds=5, offset_uv=300_000.0, gaps=((300, 100),))
    export(Request(made.recording), "wfdb", tmp_path / "x")
    record = wfdb.rdrecord(str(tmp_path / "x"))
    assert set(record.fmt) == {"32"}
    assert_same(record.p_signal * 1000, made.truth, step_uv=0.1)
    assert_same(read_record(tmp_path / "x").samples_uv(), made.truth, step_uv=0.2)
