"""Beat sequences of real patients: when the heart beat, from where, in which rhythm; no signal.

`python -m firmware_bridge.patch.beat_sequences --arrdb DIR --ltafdb DIR --out FILE.npz` writes
them for networks that learn rhythm from RR intervals: `<source>/<id>/beat_s` (float64, seconds),
`/beat_class` (int8, AAMI class: 0 N, 1 S, 2 V, 3 F, 4 Q, -100 unknown) and `/rhythm` (int8 a
beat: 0 sinus, 1 atrial fibrillation, 2 other, -100 unknown).

What the databases call a beat is not always its AAMI class (EC57, table of beat symbols):

- arrdb (VitalDB Arrhythmia Database) types nearly all beats of atrial fibrillation and flutter
  as S. They are conducted beats, N in EC57 and in mitdb; here, too.
- S beats of sinus node dysfunction and AV block that are not early are escape beats of the atria
  or the junction (`e`, `j`), which EC57 counts as N.
- "AFIB/AFL" is one label. Where RR intervals are steady it is taken for flutter with steady
  conduction ("other"), where they are not for fibrillation, in between for unknown. Flutter with
  changing conduction cannot be told from fibrillation by its beats and stays with it.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import require

__all__ = [
    "AF",
    "BEAT_CLASSES",
    "OTHER",
    "SINUS",
    "UNKNOWN",
    "BeatSequence",
    "local_median",
    "main",
    "read_arrdb",
    "read_arrdb_folder",
    "read_ltafdb",
    "rr_intervals_s",
    "save_sequences",
]

BEAT_CLASSES = ("N", "S", "V", "F", "Q")
UNKNOWN = -100
SINUS, AF, OTHER = 0, 1, 2

_EXIT_OK, _EXIT_SOURCE = 0, 4
_LTAFDB_RATE_HZ = 128.0
_FIBRILLATION = "AFIB/AFL"
_ESCAPING = ("SND", "AVB")
_EARLY = 0.9  # of the local median RR interval
_STEADY, _UNSTEADY = 0.04, 0.06  # median |difference of successive RR| over median RR
_WINDOW = 21  # beats

_ARRDB_FIELDS = ("time_second", "beat_type", "rhythm_label")
_ARRDB_MARK = "bad_signal_quality_label"
_ARRDB_TYPES = {"N": 0, "S": 1, "V": 2, "U": UNKNOWN, "P": UNKNOWN, "": UNKNOWN}
_ARRDB_MARKS = ("Start", "End")
_ARRDB_RHYTHMS = {"N": SINUS, _FIBRILLATION: AF} | dict.fromkeys(
    ("SVTA", "MAT", "SND", "AVB", "SR-mPAC-BT", "SR-mPVC-BT", "VT"), OTHER
)
_ARRDB_UNCLEAR = ("Unclassifiable", "Noise", "")

_WFDB_TYPES = {
    symbol: BEAT_CLASSES.index(aami)
    for aami, symbols in {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}.items()
    for symbol in symbols
}
_LTAFDB_RHYTHMS = {"N": SINUS, "AFIB": AF} | dict.fromkeys(
    ("AB", "AFL", "B", "BII", "IVR", "NOD", "SBR", "SVTA", "T", "VT"), OTHER
)


@dataclass(frozen=True, slots=True, eq=False)
class BeatSequence:
    """The beats of one patient; all arrays have shape (beats,).

    beat_s: seconds, growing. beat_class: index in BEAT_CLASSES or UNKNOWN. rhythm: SINUS, AF,
    OTHER or UNKNOWN. label: the rhythm in the database's own word. atrial: the database holds
    the beat for supraventricular (an escape beat where beat_class is N).
    """

    source: str
    name: str
    beat_s: NDArray[np.float64]
    beat_class: NDArray[np.int8]
    rhythm: NDArray[np.int8]
    label: NDArray[np.str_]
    atrial: NDArray[np.bool_]


def rr_intervals_s(beat_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interval before each beat in seconds, shape (beats,); NaN before the first."""
    return np.diff(beat_s, prepend=np.nan)


def local_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the 10 beats on either side and the beat itself, of those that are not NaN."""
    if not len(values):
        return values
    padded = np.pad(values, _WINDOW // 2, constant_values=np.nan)
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)  # NaN sorts to the end
    rows = np.arange(len(values))
    middle = ordered[rows, np.maximum(known - 1, 0) // 2] + ordered[rows, known // 2]
    return np.asarray(np.where(known > 0, middle / 2, np.nan))


def read_arrdb_folder(folder: Path) -> Iterator[BeatSequence]:
    """Patients of arrdb in the order of their numbers. Raises SourceError where there is none."""
    paths = sorted(folder.glob("Annotation_file_*.csv"), key=lambda p: (len(p.name), p.name))
    if not paths:
        raise SourceError(f"{folder}: no Annotation_file_*.csv in it: give the folder of arrdb")
    return map(read_arrdb, paths)


def read_arrdb(path: Path) -> BeatSequence:
    """One patient of arrdb.

    path: a table with columns time_second, beat_type (N, S, V; U, P and empty are unknown) and
    rhythm_label. Rows that mark the start or end of bad signal are no beats. Raises SourceError
    with file and line where a row is malformed, and where there is no beat.
    """
    try:
        rows = list(_arrdb_rows(path))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: not a CSV table: {error}") from error
    if not rows:
        raise SourceError(f"{path}: no beats in it")
    time_s, types, labels = zip(*rows, strict=True)
    name = path.stem.removeprefix("Annotation_file_")
    return _arrdb_sequence(name, np.array(time_s), np.array(types), np.array(labels))


def _arrdb_rows(path: Path) -> Iterator[tuple[float, str, str]]:
    """Beats by time; where two rows share a moment, the one that names a type."""
    held: tuple[float, str, str] | None = None
    for line, row in _arrdb_table(path):
        beat = _arrdb_row(f"{path}: line {line}", row)
        if held and beat[0] < held[0]:
            raise SourceError(f"{path}: line {line}: time_second goes back; sort the rows by it")
        if row.get(_ARRDB_MARK) or beat[1] in _ARRDB_MARKS:
            continue
        if held and beat[0] == held[0]:
            held = beat if beat[1] and not held[1] else held
            continue
        if held:
            yield held
        held = beat
    if held:
        yield held


def _arrdb_table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines, strict=True)
        missing = set(_ARRDB_FIELDS) - set(table.fieldnames or ())
        if missing:
            raise SourceError(f"{path}: line 1: no column {', '.join(sorted(missing))}")
        for row in table:
            if None in row or None in row.values():
                fields = len(table.fieldnames or ())
                raise SourceError(f"{path}: line {table.line_num}: not {fields} fields")
            yield table.line_num, row


def _arrdb_row(where: str, row: dict[str, str]) -> tuple[float, str, str]:
    time, kind, label = (row[field].strip() for field in _ARRDB_FIELDS)
    try:
        time_s = float(time)
    except ValueError:
        time_s = math.nan
    if not math.isfinite(time_s):
        raise SourceError(f"{where}: time_second {time!r} is not a number of seconds")
    if kind not in _ARRDB_TYPES and kind not in _ARRDB_MARKS:
        raise SourceError(f"{where}: beat_type {kind!r} is not one of N, S, V, U")
    if label not in _ARRDB_RHYTHMS and label not in _ARRDB_UNCLEAR:
        known = ", ".join(_ARRDB_RHYTHMS)
        raise SourceError(f"{where}: rhythm_label {label!r} is not one of {known}")
    return time_s, kind, label


def _arrdb_sequence(
    name: str,
    beat_s: NDArray[np.float64],
    types: NDArray[np.str_],
    label: NDArray[np.str_],
) -> BeatSequence:
    beat_class = np.array([_ARRDB_TYPES[kind] for kind in types], np.int8)
    rhythm = np.array([_ARRDB_RHYTHMS.get(word, UNKNOWN) for word in label], np.int8)
    rr_s = rr_intervals_s(beat_s)
    typical_s = local_median(rr_s)
    late = ~(rr_s < _EARLY * typical_s)
    atrial = types == "S"
    conducted = (label == _FIBRILLATION) | (np.isin(label, _ESCAPING) & late)
    beat_class[atrial & conducted] = BEAT_CLASSES.index("N")
    beat_class[rhythm == UNKNOWN] = UNKNOWN
    unsteady = local_median(np.abs(np.diff(rr_s, prepend=np.nan))) / typical_s
    fibrillates = rhythm == AF
    rhythm[fibrillates & ~(unsteady >= _UNSTEADY)] = UNKNOWN
    rhythm[fibrillates & (unsteady < _STEADY)] = OTHER
    return BeatSequence("arrdb", name, beat_s, beat_class, rhythm, label, atrial)


def read_ltafdb(path: Path) -> BeatSequence:
    """One record of ltafdb from its `.atr` file (WFDB annotations at 128 Hz).

    Raises SourceError where it cannot be read, and where it holds no beats.
    """
    wfdb = require("wfdb", path)
    try:
        notes = wfdb.rdann(str(path.with_suffix("")), "atr")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise SourceError(f"{path}: damaged, not readable as WFDB annotations: {error}") from error
    kinds = np.array([_WFDB_TYPES.get(symbol, -1) for symbol in notes.symbol], np.int8)
    beats = kinds >= 0
    if not beats.any():
        raise SourceError(f"{path}: no beats in it")
    labels = _ltafdb_labels(notes.aux_note)[beats]
    rhythm = np.array([_LTAFDB_RHYTHMS.get(word, UNKNOWN) for word in labels], np.int8)
    beat_s = np.asarray(notes.sample, np.float64)[beats] / _LTAFDB_RATE_HZ
    beat_class = kinds[beats]
    atrial = beat_class == BEAT_CLASSES.index("S")
    beat_class[atrial & (rhythm == AF)] = BEAT_CLASSES.index("N")
    return BeatSequence("ltafdb", path.stem, beat_s, beat_class, rhythm, labels, atrial)


def _ltafdb_labels(notes: Sequence[str]) -> NDArray[np.str_]:
    """The rhythm at each annotation: that of the last change at or before it."""
    labels, now = [], ""
    for note in notes:
        word = note.strip("\x00").strip()
        now = word[1:] if word.startswith("(") else now
        labels.append(now)
    return np.array(labels, np.str_)


def save_sequences(path: Path, sequences: Sequence[BeatSequence]) -> None:
    """Write all sequences into one file of plain arrays, as the module describes it."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for s in sequences:
        key = f"{s.source}/{s.name}/"
        arrays[key + "beat_s"] = s.beat_s
        arrays[key + "beat_class"] = s.beat_class
        arrays[key + "rhythm"] = s.rhythm
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> int:
    """Read the folders given and write the file; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        sequences = list(read_arrdb_folder(options.arrdb)) if options.arrdb else []
        if options.ltafdb:
            sequences += [read_ltafdb(path) for path in sorted(options.ltafdb.glob("*.atr"))]
        if not sequences:
            raise SourceError("no sequences: give --arrdb, or --ltafdb with .atr files in it")
        save_sequences(options.out, sequences)
    except (SourceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_SOURCE
    print(f"{len(sequences)} patients, {_beats(sequences)} in {options.out}")
    return _EXIT_OK


def _beats(sequences: Sequence[BeatSequence]) -> str:
    classes = np.concatenate([s.beat_class for s in sequences])
    counted = {name: int((classes == k).sum()) for k, name in enumerate(BEAT_CLASSES)}
    return f"{len(classes)} beats (" + ", ".join(f"{k} {n}" for k, n in counted.items() if n) + ")"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.patch.beat_sequences",
        description="Beat times, classes and rhythms of real patients in one file of arrays.",
    )
    parser.add_argument("--arrdb", type=Path, help="folder with Annotation_file_*.csv")
    parser.add_argument("--ltafdb", type=Path, help="folder with the .atr files of ltafdb")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    return parser


if __name__ == "__main__":
    sys.exit(main())
