"""Beat sequences from files: classes by EC57, rhythms, and malformed tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.patch import beat_sequences
from firmware_bridge.patch.beat_sequences import AF, BEAT_CLASSES, OTHER, SINUS, UNKNOWN

HEADER = "time_second,beat_type,rhythm_label,bad_signal_quality,bad_signal_quality_label"
N, S, V = (BEAT_CLASSES.index(name) for name in "NSV")


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "Annotation_file_7.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
    return path


def rows(beat_s: NDArray[np.float64], kind: str, label: str) -> list[str]:
    return [f"{at!r},{kind},{label},False," for at in beat_s.tolist()]


def test_times_types_and_rhythms_are_kept(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "10.5,N,N,False,",
        "11.25,S,N,False,",
        "12.0,V,SR-mPVC-BT,False,",
        "13.0,U,SVTA,True,",
        "14.0,N,Unclassifiable,False,",
        "15.0,,Noise,True,",
    )
    read = beat_sequences.read_arrdb(path)
    assert (read.source, read.name) == ("arrdb", "7")
    assert read.beat_s.tolist() == [10.5, 11.25, 12.0, 13.0, 14.0, 15.0]
    assert read.beat_class.tolist() == [N, S, V, UNKNOWN, UNKNOWN, UNKNOWN]
    assert read.rhythm.tolist() == [SINUS, SINUS, OTHER, OTHER, UNKNOWN, UNKNOWN]


def test_marks_of_bad_signal_are_no_beats_and_a_typed_beat_wins_over_its_double(
    tmp_path: Path,
) -> None:
    path = table(
        tmp_path,
        "1.0,N,N,False,",
        "1.2,,N,True,Start1",
        "1.3,Start,N,True,",
        "2.0,,,True,",
        "2.0,V,N,False,",
        "2.4,,N,False,End1",
    )
    read = beat_sequences.read_arrdb(path)
    assert read.beat_s.tolist() == [1.0, 2.0]
    assert read.beat_class.tolist() == [N, V]


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    path = table(
        tmp_path, "3,V,1.5,N,FALSE", header="caseid,beat_type,time_second,rhythm_label,bad"
    )
    assert beat_sequences.read_arrdb(path).beat_s.tolist() == [1.5]


def test_conducted_beats_of_fibrillation_are_normal_beats(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    beat_s = np.cumsum(rng.uniform(0.4, 1.1, 60))
    read = beat_sequences.read_arrdb(table(tmp_path, *rows(beat_s, "S", "AFIB/AFL")))
    assert set(read.beat_class.tolist()) == {N}
    assert set(read.rhythm[5:-5].tolist()) == {AF}
    assert read.atrial.all()


def test_steady_conduction_is_flutter(tmp_path: Path) -> None:
    beat_s = np.arange(60) * 0.4
    read = beat_sequences.read_arrdb(table(tmp_path, *rows(beat_s, "S", "AFIB/AFL")))
    assert set(read.beat_class.tolist()) == {N}
    assert set(read.rhythm.tolist()) == {OTHER}


@pytest.mark.parametrize(("label", "expected"), [("SND", N), ("AVB", N), ("SVTA", S), ("N", S)])
def test_late_atrial_beats_are_escape_beats_only_where_the_sinus_fails(
    tmp_path: Path, label: str, expected: int
) -> None:
    read = beat_sequences.read_arrdb(table(tmp_path, *rows(np.arange(40.0), "S", label)))
    assert set(read.beat_class.tolist()) == {expected}


def test_early_atrial_beats_stay_ectopic_where_the_sinus_fails(tmp_path: Path) -> None:
    beat_s = np.arange(40.0)
    beat_s[20] -= 0.4
    read = beat_sequences.read_arrdb(table(tmp_path, *rows(beat_s, "S", "SND")))
    assert np.flatnonzero(read.beat_class == S).tolist() == [20]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("soon,N,N,False,", r"line 3: time_second 'soon' is not a number of seconds"),
        ("nan,N,N,False,", r"line 3: time_second 'nan' is not a number"),
        ("0.5,N,N,False,", r"line 3: time_second goes back"),
        ("2.0,X,N,False,", r"line 3: beat_type 'X' is not one of N, S, V, U"),
        ("2.0,N,?,False,", r"line 3: rhythm_label '\?' is not one of N, AFIB/AFL"),
        ("2.0,N", r"line 3: not 5 fields"),
        ("2.0,N,N,False,,1", r"line 3: not 5 fields"),
        ('2.0,"N', r"not a CSV table"),
    ],
)
def test_malformed_rows_are_named_with_file_and_line(tmp_path: Path, row: str, said: str) -> None:
    path = table(tmp_path, "1.0,N,N,False,", row)
    with pytest.raises(SourceError, match=said) as caught:
        beat_sequences.read_arrdb(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 1: no column rhythm_label, time_second"):
        beat_sequences.read_arrdb(table(tmp_path, header="beat_type"))
    with pytest.raises(SourceError, match="no beats in it"):
        beat_sequences.read_arrdb(table(tmp_path))
    binary = tmp_path / "Annotation_file_8.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SourceError, match="not a CSV table"):
        beat_sequences.read_arrdb(binary)
    with pytest.raises(SourceError, match="cannot be read"):
        beat_sequences.read_arrdb(tmp_path / "none.csv")
    with pytest.raises(SourceError, match=r"no Annotation_file_\*\.csv in it"):
        beat_sequences.read_arrdb_folder(tmp_path / "nowhere")


@given(st.lists(st.floats(0.2, 3.0) | st.just(np.nan), max_size=60))
def test_local_median_is_that_of_21_beats(values: list[float]) -> None:
    array = np.array(values)
    found = beat_sequences.local_median(array)
    for k in range(len(array)):
        window = array[max(0, k - 10) : k + 11]
        if np.isnan(window).all():
            assert np.isnan(found[k])
        else:
            assert found[k] == pytest.approx(np.nanmedian(window))


def test_wfdb_annotations(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb", reason="the extra records is not installed")
    sample = np.array([10, 100, 200, 300, 350, 420, 500, 560])
    symbol = ["N", "+", "A", "+", '"', "A", "V", "Q"]
    notes = ["", "(N", "", "(AFIB", "PSE", "", "", ""]
    wfdb.wrann("7", "atr", sample, symbol=symbol, aux_note=notes, write_dir=str(tmp_path))
    read = beat_sequences.read_ltafdb(tmp_path / "7.atr")
    assert read.beat_s.tolist() == [10 / 128, 200 / 128, 420 / 128, 500 / 128, 560 / 128]
    assert read.beat_class.tolist() == [N, S, N, V, BEAT_CLASSES.index("Q")]
    assert read.rhythm.tolist() == [UNKNOWN, SINUS, AF, AF, AF]


def test_damaged_annotations_are_named(tmp_path: Path) -> None:
    pytest.importorskip("wfdb", reason="the extra records is not installed")
    with pytest.raises(SourceError, match="cannot be read"):
        beat_sequences.read_ltafdb(tmp_path / "none.atr")
    (tmp_path / "cut.atr").write_bytes(b"\x01")
    with pytest.raises(SourceError, match=r"cut\.atr: (damaged|no beats)"):
        beat_sequences.read_ltafdb(tmp_path / "cut.atr")


def test_the_command_writes_plain_arrays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(tmp_path, "1.0,N,N,False,", "2.0,V,N,False,")
    out = tmp_path / "new" / "sequences.npz"
    assert beat_sequences.main(["--arrdb", str(tmp_path), "--out", str(out)]) == 0
    assert "1 patients, 2 beats (N 1, V 1)" in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as store:
        assert set(store.files) == {f"arrdb/7/{k}" for k in ("beat_s", "beat_class", "rhythm")}
        kinds = {key.split("/")[2]: store[key].dtype for key in store.files}
    assert kinds == {"beat_s": np.float64, "beat_class": np.int8, "rhythm": np.int8}
    assert beat_sequences.main(["--out", str(out)]) == 4
    assert "give --arrdb" in capsys.readouterr().err


def test_day_long_records(records_dir: Path) -> None:
    pytest.importorskip("wfdb", reason="the extra records is not installed")
    path = records_dir / "ltafdb_atr" / "05.atr"
    if not path.is_file():
        pytest.skip("no ltafdb_atr among the recordings")
    read = beat_sequences.read_ltafdb(path)
    assert len(read.beat_s) == 110925 + 1993 + 4 + 7  # N, A, V and Q of its annotations
    assert (np.diff(read.beat_s) > 0).all()
    assert set(read.rhythm.tolist()) == {SINUS, AF, OTHER}
