"""Recordings in every format: values, scales, invalid samples, and damaged files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.errors import SourceError
from firmware_bridge.records import Record, read_record
from firmware_bridge.records.record import distinct, quantise

wfdb = pytest.importorskip("wfdb", reason="the extra records is not installed")
edfio = pytest.importorskip("edfio", reason="the extra records is not installed")

RAMP = np.arange(-500, 500, dtype=np.int64)


def write_wfdb(
    folder: Path,
    signal: np.ndarray,
    *,
    name: str = "rec",
    units: tuple[str, ...] = ("mV", "mV"),
    gain: tuple[float, ...] = (200.0, 1000.0),
    baseline: tuple[int, ...] = (0, 100),
) -> Path:
    count = signal.shape[1]
    wfdb.wrsamp(
        name,
        fs=250,
        units=list(units[:count]),
        sig_name=["MLII", "V5", "resp"][:count],
        d_signal=signal,
        fmt=["16"] * count,
        adc_gain=list(gain[:count]),
        baseline=list(baseline[:count]),
        write_dir=str(folder),
    )
    return folder / name


def write_edf(path: Path, *, labels: tuple[str, ...], units: tuple[str, ...]) -> list[np.ndarray]:
    waves = [np.round(np.sin(np.arange(1000) / 20 + k) * 800, 1) for k in range(len(labels))]
    signals = [
        edfio.EdfSignal(
            wave, 250, label=label, physical_dimension=unit, physical_range=(-3276.8, 3276.7)
        )
        for wave, label, unit in zip(waves, labels, units, strict=True)
    ]
    edfio.Edf(signals).write(path)
    return waves


def test_wfdb_keeps_digital_values_and_steps(tmp_path: Path) -> None:
    signal = np.stack([RAMP, RAMP + 100], axis=1)
    record = read_record(write_wfdb(tmp_path, signal))
    assert (record.name, record.rate_hz, record.leads) == ("rec", 250.0, ("MLII", "V5"))
    assert np.array_equal(record.digital, np.stack([RAMP, RAMP], axis=1))
    assert record.scale_nv == (5000.0, 1000.0)
    assert record.valid is None
    assert record.duration_s == 4.0


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_wfdb_record_goes_by_any_of_its_names(tmp_path: Path, suffix: str) -> None:
    path = write_wfdb(tmp_path, RAMP.reshape(-1, 1))
    assert len(read_record(f"{path}{suffix}").digital) == 1000


def test_wfdb_marks_invalid_samples(tmp_path: Path) -> None:
    signal = np.stack([RAMP, RAMP], axis=1)
    signal[10:20, 0] = -32768
    record = read_record(write_wfdb(tmp_path, signal))
    assert record.valid is not None
    assert np.flatnonzero(~record.valid[:, 0]).tolist() == list(range(10, 20))
    assert record.valid[:, 1].all()
    assert np.isnan(record.samples_uv()[10:20, 0]).all()


def test_wfdb_leaves_out_what_is_not_a_voltage(tmp_path: Path) -> None:
    signal = np.stack([RAMP, RAMP], axis=1)
    path = write_wfdb(tmp_path, signal, units=("mmHg", "uV"), gain=(1.0, 2.0))
    record = read_record(path)
    assert record.leads == ("V5",)
    assert record.scale_nv == (500.0,)
    only_pressure = write_wfdb(tmp_path, signal[:, :1], name="bp", units=("mmHg",))
    with pytest.raises(SourceError, match=r"bp.hea: no signal in volts, only mmHg"):
        read_record(only_pressure)


@pytest.mark.parametrize("second_gain", [200.0, 100.0], ids=["same gain", "other gain"])
def test_wfdb_segments_are_joined_and_pauses_are_invalid(
    tmp_path: Path, second_gain: float
) -> None:
    for name, gain in (("one", 200.0), ("two", second_gain)):
        write_wfdb(tmp_path, RAMP.reshape(-1, 1), name=name, gain=(gain,), baseline=(0,))
    (tmp_path / "lay.hea").write_text("lay 1 250 0\n~ 16 200/mV 16 0 0 0 0 MLII\n")
    (tmp_path / "all.hea").write_text("all/4 1 250 2500\nlay 0\none 1000\n~ 500\ntwo 1000\n")
    record = read_record(tmp_path / "all")
    assert record.valid is not None
    assert np.flatnonzero(~record.valid[:, 0]).tolist() == list(range(1000, 1500))
    samples_uv = record.samples_uv()[:, 0]
    assert np.array_equal(samples_uv[:1000], RAMP * 5.0)
    assert np.array_equal(samples_uv[1500:], RAMP * 1000 / second_gain)


def test_real_record_equals_the_reference_reader(records_dir: Path) -> None:
    record = read_record(records_dir / "mitdb" / "100")
    reference = wfdb.rdrecord(str(records_dir / "mitdb" / "100"), sampto=5000)
    assert record.leads == ("MLII", "V5")
    assert record.digital.shape == (650_000, 2)
    assert np.allclose(record.samples_uv()[:5000], reference.p_signal * 1000, atol=1e-3)


def test_missing_and_damaged_wfdb_files_are_named(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path, np.stack([RAMP, RAMP], axis=1))
    data = (tmp_path / "rec.dat").read_bytes()
    (tmp_path / "rec.dat").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"rec\.hea: damaged or truncated"):
        read_record(path)
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(SourceError, match=r"rec\.hea: its signal file cannot be read.*rec\.dat"):
        read_record(path)
    (tmp_path / "rec.hea").write_bytes(b"\xff\xfe nonsense")
    with pytest.raises(SourceError, match=r"rec\.hea: damaged"):
        read_record(path)
    with pytest.raises(SourceError, match=r"other: no such recording: .* nor other\.hea"):
        read_record(tmp_path / "other")


def test_file_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match=r"notes\.txt: not a recording"):
        read_record(tmp_path / "notes.txt")


def test_edf_takes_the_ecg_signals(tmp_path: Path) -> None:
    path = tmp_path / "sleep.edf"
    waves = write_edf(path, labels=("EEG C3", "ECG II", "ECG V1"), units=("uV", "uV", "uV"))
    record = read_record(path)
    assert record.leads == ("ECG II", "ECG V1")
    assert record.rate_hz == 250.0
    assert record.scale_nv == pytest.approx((100.0, 100.0))
    assert np.allclose(record.samples_uv(), np.stack(waves[1:], axis=1), atol=0.06)


def test_edf_without_ecg_labels_takes_all_voltages(tmp_path: Path) -> None:
    path = tmp_path / "any.edf"
    waves = write_edf(path, labels=("one", "temp", "two"), units=("mV", "degC", "mV"))
    record = read_record(path)
    assert record.leads == ("one", "two")
    assert np.allclose(record.samples_uv()[:, 1], waves[2] * 1000, atol=60)


def test_damaged_edf_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.edf"
    path.write_bytes(b"0       " + b"x" * 100)
    with pytest.raises(SourceError, match=r"bad\.edf: damaged"):
        read_record(path)
    with pytest.raises(SourceError, match=r"none\.edf: cannot be read: No such file"):
        read_record(tmp_path / "none.edf")
    write_edf(path, labels=("temp",), units=("degC",))
    with pytest.raises(SourceError, match=r"bad\.edf: no signal in volts"):
        read_record(path)


def csv(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_csv_with_a_rate_and_both_units(tmp_path: Path) -> None:
    record = read_record(csv(tmp_path, "# rate_hz=250\nI_uv,II_mv\n12.5,-0.003\n-3,1\n"))
    assert (record.rate_hz, record.leads) == (250.0, ("I", "II"))
    assert record.samples_uv().tolist() == [[12.5, -3.0], [-3.0, 1000.0]]
    assert record.valid is None


def test_csv_rate_comes_from_rounded_times(tmp_path: Path) -> None:
    rows = "".join(f"{k / 360:.3f},{k % 7}\n" for k in range(720))
    record = read_record(csv(tmp_path, "time_s,ecg_uv\n" + rows))
    assert record.rate_hz == pytest.approx(360, rel=1e-3)
    assert len(record.digital) == 720


def test_csv_holes_and_empty_fields_are_invalid(tmp_path: Path) -> None:
    rows = [(k / 100, k) for k in range(50) if not 20 <= k < 25]
    text = "time_s,a_uv\n" + "".join(f"{t:.2f},{'' if v == 10 else v}\n" for t, v in rows)
    record = read_record(csv(tmp_path, text))
    assert record.rate_hz == pytest.approx(100)
    assert record.valid is not None
    assert np.flatnonzero(~record.valid[:, 0]).tolist() == [10, 20, 21, 22, 23, 24]
    assert np.nanmax(record.samples_uv()) == 49


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the table is empty"),
        ("time_s\n1\n2\n", "no column for a lead"),
        ("ecg\n1\n", "name it ecg_uv or ecg_mv"),
        ("a_uv,a_uv\n1,2\n", "same name"),
        ("a_uv\n1\n2\n", "no rate: add a column time_s"),
        ("# rate_hz=250\na_uv\n", "empty: no samples"),
        ("# rate_hz=250\na_uv\nnan\nnan\n", "no valid sample"),
        ("# rate_hz=250\na_uv,b_uv\n1,2\n3\n", "line 4: 1 fields where the header has 2"),
        ("# rate_hz=250\na_uv\n1\nx\n", "line 4: could not convert"),
        ("# rate_hz=1.2.3\na_uv\n1\n", "rate_hz=1.2.3 is not a number"),
        ("# rate_hz=0\na_uv\n1\n", "rate of 0.0 Hz makes no sense"),
        ("time_s,a_uv\n0,1\n2,1\n1,1\n", "time_s does not grow"),
        ("time_s,a_uv\n0,1\n0.004,1\n0.008,1\n9e9,1\n", "leaps too far"),
    ],
)
def test_wrong_csv_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=rf"table\.csv: .*{words}"):
        read_record(csv(tmp_path, text))


def test_binary_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SourceError, match=r"table\.csv: not a text file"):
        read_record(tmp_path / "table.csv")


def mat(signal: np.ndarray) -> bytes:
    rows = np.array([30, signal.shape[0], signal.shape[1], 0, 4], "<i4").tobytes()
    return rows + b"val\0" + signal.astype("<i2").tobytes(order="F")


def test_mat_without_header_is_read_as_of_the_challenge(tmp_path: Path) -> None:
    path = tmp_path / "A1.mat"
    path.write_bytes(mat(RAMP.reshape(1, -1)))
    record = read_record(path)
    assert (record.rate_hz, record.leads, record.scale_nv) == (300.0, ("ECG",), (1000.0,))
    assert record.digital[:, 0].tolist() == RAMP.tolist()


def test_mat_with_header_is_read_by_it(tmp_path: Path) -> None:
    (tmp_path / "B1.mat").write_bytes(mat(np.stack([RAMP, -RAMP])))
    lines = [f"B1.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in ("I", "II")]
    (tmp_path / "B1.hea").write_text("\n".join(["B1 2 500 1000", *lines]) + "\n")
    record = read_record(tmp_path / "B1.mat")
    assert (record.rate_hz, record.leads) == (500.0, ("I", "II"))
    assert record.digital[:, 1].tolist() == (-RAMP).tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a CinC .mat file"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "not a CinC .mat file"),
        (mat(RAMP.reshape(1, -1))[:-10], "truncated: 995 of 1000"),
        (mat(np.stack([RAMP, RAMP])), "2 leads of unknown scale"),
    ],
    ids=["empty", "level 5", "truncated", "two leads"],
)
def test_wrong_mat_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "A1.mat").write_bytes(content)
    with pytest.raises(SourceError, match=rf"A1\.mat: .*{words}"):
        read_record(tmp_path / "A1.mat")


def two_leads() -> Record:
    digital = np.stack([RAMP, -RAMP], axis=1).astype(np.int32)
    return Record("two", 250.0, ("MLII", "V5"), digital, (5000.0, 1000.0))


@pytest.mark.parametrize(
    ("wanted", "leads"), [("0", ("MLII",)), ("V5", ("V5",)), ("1, MLII", ("V5", "MLII"))]
)
def test_leads_are_chosen_by_name_or_index(wanted: str, leads: tuple[str, ...]) -> None:
    record = two_leads().select(wanted)
    assert record.leads == leads
    assert len(record.scale_nv) == record.digital.shape[1] == len(leads)


@pytest.mark.parametrize("wanted", ["2", "v9", "", "-1", "0,"])
def test_unknown_lead_lists_those_there_are(wanted: str) -> None:
    with pytest.raises(SourceError, match=r"two: no lead .*0 \(MLII\), 1 \(V5\)"):
        two_leads().select(wanted)


def test_lead_chosen_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="names a lead twice"):
        two_leads().select("0,MLII")


@settings(max_examples=50)
@given(
    st.lists(
        st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf]), min_size=1, max_size=50
    )
)
def test_quantised_values_stay_within_half_a_step(values: list[float]) -> None:
    values_uv = np.array(values).reshape(-1, 1)
    digital, step_nv, valid = quantise(values_uv)
    finite = np.isfinite(values_uv)
    assert (finite if valid is None else valid).tolist() == finite.tolist()
    assert np.abs(digital).max() < 1 << 23
    error_uv = np.abs(digital * step_nv / 1000 - values_uv)[finite]
    assert (error_uv <= step_nv / 2000 * 1.001).all()


@given(st.lists(st.text(max_size=4), max_size=12))
def test_lead_names_become_distinct(names: list[str]) -> None:
    found = distinct(names)
    assert len(set(found)) == len(found) == len(names)
    assert all(name and "," not in name for name in found)


@pytest.mark.parametrize(
    ("name", "package"), [("rec", "wfdb"), ("rec.edf", "edfio")], ids=["wfdb", "edf"]
)
def test_missing_extra_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    (tmp_path / "rec.hea").write_text("rec 0 250 0\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SourceError, match=rf"needs the package {package}: pip install 'edge\[rec"):
        read_record(tmp_path / name)
