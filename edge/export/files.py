"""Which files an export makes, and that they are whole or not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from edge.errors import StorageError
from edge.export.edf import write_edf
from edge.export.fhir import write_fhir
from edge.export.parquet import require_pyarrow, write_marks_parquet, write_samples_parquet
from edge.export.parts import Part, Request, survey
from edge.export.tables import write_marks_csv, write_samples_csv
from edge.export.wfdb import record_name, write_wfdb

__all__ = ["KINDS", "export"]

SUFFIXES = {
    "edf": (".edf",),
    "wfdb": (".hea", ".dat", ".atr"),
    "csv": (".csv", ".annotations.csv"),
    "parquet": (".parquet", ".annotations.parquet"),
    "fhir": (".json",),
}
KINDS = tuple(SUFFIXES)
UNFINISHED = ".unfinished"

Write = Callable[[list[Part], Sequence[BinaryIO], Path], None]


def export(request: Request, kind: str, out: Path | None = None) -> list[Path]:
    """Write what is asked for; returns the files.

    kind: one of `KINDS`. out: path of the first file, with or without its suffix; by default the
    patient's id in the current directory. A recording that changes its format, or rests for more
    than a day, goes into several, `-2`, `-3` and so on. No file is overwritten, and none is left
    half written. Raises RecordingError, UsageError, StorageError.
    """
    if kind == "parquet":
        require_pyarrow()
    stem = _stem(out or Path(request.recording.patient), kind)
    parts = survey(request)
    groups = [parts] if kind == "fhir" else [[part] for part in parts]
    stems = [_numbered(stem, number) for number in range(1, len(groups) + 1)]
    targets = [[_with(each, suffix) for suffix in SUFFIXES[kind]] for each in stems]
    made = [path for paths in targets for path in paths]
    for path in made:
        if path.exists():
            raise StorageError(f"{path} exists; an export overwrites nothing: name another --out")
    for group, paths in zip(groups, targets, strict=True):
        with _whole(paths) as files:
            _WRITE[kind](group, files, paths[0])
    return made


def _edf(parts: list[Part], files: Sequence[BinaryIO], _: Path) -> None:
    write_edf(parts[0], files[0])


def _wfdb(parts: list[Part], files: Sequence[BinaryIO], path: Path) -> None:
    write_wfdb(parts[0], path.stem, *files)


def _csv(parts: list[Part], files: Sequence[BinaryIO], _: Path) -> None:
    write_samples_csv(parts[0], files[0])
    write_marks_csv(parts[0], files[1])


def _parquet(parts: list[Part], files: Sequence[BinaryIO], _: Path) -> None:
    write_samples_parquet(parts[0], files[0])
    write_marks_parquet(parts[0], files[1])


def _fhir(parts: list[Part], files: Sequence[BinaryIO], _: Path) -> None:
    write_fhir(parts, files[0])


_WRITE: dict[str, Write] = {
    "edf": _edf,
    "wfdb": _wfdb,
    "csv": _csv,
    "parquet": _parquet,
    "fhir": _fhir,
}


def _stem(out: Path, kind: str) -> Path:
    """The path without the suffix that it has, if it has one; for WFDB a name it allows."""
    suffix = next((each for each in SUFFIXES[kind] if out.name.lower().endswith(each)), "")
    stem = out.with_name(out.name[: len(out.name) - len(suffix)] or "recording")
    return stem.with_name(record_name(stem.name)) if kind == "wfdb" else stem


def _numbered(stem: Path, number: int) -> Path:
    return stem if number == 1 else stem.with_name(f"{stem.name}-{number}")


def _with(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


@contextmanager
def _whole(paths: Iterable[Path]) -> Iterator[list[BinaryIO]]:
    """Files that get their names once all are written; none is left where that fails."""
    unfinished = [(_with(path, UNFINISHED), path) for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(each.open("wb")) for each, _ in unfinished]
        for each, path in unfinished:
            each.rename(path)
    except OSError as error:
        where = error.filename or unfinished[0][1]
        raise StorageError(f"{where}: cannot be written: {error.strerror}") from None
    finally:
        for each, _ in unfinished:
            each.unlink(missing_ok=True)
