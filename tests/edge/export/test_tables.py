import csv

import numpy as np
import pytest

from edge.cli import main
from edge.export import Request, export
from edge.pipeline import Step
from firmware_bridge.records import read_record
from firmware_bridge.stream import NS_PER_S, StreamFormat
from tests.edge.export.exported import RATE_HZ, make
from tests.edge.record.recorded import UTC_NS, ManualClock, Stream, record

GAPS = ((3 * RATE_HZ + 100, 4 * RATE_HZ), (9 * RATE_HZ, 30))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("tables")
    made = make(root / "recording", gaps=GAPS)
    made.path = root / "ecg.csv"
    export(Request(made.recording), "csv", made.path)
    return made


def placed(time_s, values, truth):
    grid = np.full_like(truth, np.nan)
    grid[np.rint(np.asarray(time_s) * RATE_HZ).astype(int)] = values
    return grid


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_csv_by_hand_is_exact(made):
    table = rows(made.path)
    values = [[np.float32(row["I_uv"]), np.float32(row["II_uv"])] for row in table]
    found = placed([float(row["time_s"]) for row in table], values, made.truth)
    assert np.array_equal(found, made.truth, equal_nan=True)


def test_csv_with_numpy(made):
    table = np.loadtxt(made.path, delimiter=",", skiprows=2, dtype=np.float64)
    found = placed(table[:, 0], table[:, 1:].astype(np.float32), made.truth)
    assert np.array_equal(found, made.truth, equal_nan=True)


def test_csv_with_pandas(made):
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(made.path, comment="#")
    values = table[["I_uv", "II_uv"]].to_numpy(np.float32)
    assert np.array_equal(placed(table.time_s, values, made.truth), made.truth, equal_nan=True)


def test_csv_with_the_bridges_own_reader(made):
    record = read_record(made.path)
    assert np.nanmax(np.abs(record.samples_uv() - made.truth)) <= 0.051
    assert np.array_equal(np.isnan(record.samples_uv()), np.isnan(made.truth))


def test_annotations_in_csv(made):
    told = rows(made.path.with_suffix(".annotations.csv"))
    beats = [(round(float(r["time_s"]) * RATE_HZ), r["text"]) for r in told if r["kind"] == "beat"]
    assert beats == made.beats
    assert {row["confidence"] for row in told if row["text"] in tuple("NVSFQ")} == {"0.75"}
    gaps = [row for row in told if row["kind"] == "gap"]
    spans = [(float(r["time_s"]) * RATE_HZ, float(r["duration_s"]) * RATE_HZ) for r in gaps]
    assert spans == [pytest.approx(each) for each in GAPS]


def test_parquet_is_exact(made, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    samples, marks = export(Request(made.recording), "parquet", tmp_path / "ecg.parquet")
    table = parquet.read_table(samples).to_pydict()
    values = np.array([table["I_uv"], table["II_uv"]], np.float32).T
    found = np.full_like(made.truth, np.nan)
    found[table["sample"]] = values
    assert np.array_equal(found, made.truth, equal_nan=True)
    assert table["time"][0].value == UTC_NS
    told = parquet.read_table(marks).to_pydict()
    beats = [t for kind, t in zip(told["kind"], told["text"], strict=True) if kind == "beat"]
    assert beats == [label for _, label in made.beats]


def test_parquet_with_pandas_and_numpy(made, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    samples, _ = export(Request(made.recording), "parquet", tmp_path / "ecg")
    table = pandas.read_parquet(samples)
    assert len(table) == np.sum(~np.isnan(made.truth[:, 0]))
    assert str(table.time.dtype) == "datetime64[ns, UTC]"


def test_without_pyarrow_it_is_said_what_to_install(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    command = ["export", str(made.root), "--to", "parquet", "--out", str(tmp_path / "x")]
    assert main(command) == 2
    assert "pip install 'edge[parquet]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_another_format_goes_into_another_file(tmp_path):
    stream = Stream(ManualClock())
    first = stream.chunk([[1.0]] * 250)
    stream.change(StreamFormat(500.0, ("I", "II")))
    second = stream.chunk([[2.0, 3.0]] * 500)
    record(tmp_path / "r", Step((first,)), Step((second,)), clock=stream.clock, stream=stream)
    from edge.record import open_recording

    files = export(Request(open_recording(tmp_path / "r")), "csv", tmp_path / "x")
    assert [path.name for path in files[::2]] == ["x.csv", "x-2.csv"]
    assert [len(rows(path)) for path in files[::2]] == [250, 500]
    assert rows(files[2])[0] == {"time_s": "0.000000", "I_uv": "2.0", "II_uv": "3.0"}


@pytest.mark.parametrize(("away_s", "files"), [(60, 1), (3 * 86_400, 2)])
def test_runs_are_placed_by_the_hosts_clock(tmp_path, away_s, files):
    from edge.record import open_recording

    for utc_ns in (UTC_NS, UTC_NS + away_s * NS_PER_S):
        stream = Stream(ManualClock(utc_ns=utc_ns))
        chunk = stream.chunk([[1.0]] * 250)
        record(tmp_path / "r", Step((chunk,)), clock=stream.clock, stream=stream)
    made = export(Request(open_recording(tmp_path / "r")), "csv", tmp_path / "x")
    assert len(made) == 2 * files
    if files == 1:
        assert rows(made[0])[250]["time_s"] == "60.000000"
        (gap,) = [row for row in rows(made[1]) if row["kind"] == "gap"]
        assert (gap["text"], float(gap["duration_s"])) == ("gap stopped", 59.0)
