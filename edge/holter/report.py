"""A recording to a report: two readings of it, then one file or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import StorageError, UsageError
from edge.holter.disclosure import Disclosure
from edge.holter.document import Document
from edge.holter.excerpts import choose
from edge.holter.findings import Findings, findings
from edge.holter.placing import Window
from edge.holter.samples import read_samples
from edge.holter.survey import survey
from edge.holter.times import Times, times_in

__all__ = ["KINDS", "Analysed", "analyse", "check_targets", "write"]

KINDS = (".html", ".pdf")
UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """The figures of a recording, and how its moments are written."""

    window: Window
    findings: Findings
    times: Times


def analyse(window: Window, zone: str = "UTC") -> Analysed:
    """Read the window once and tell its figures.

    zone: an IANA name. Raises RecordingError where there is nothing to report on, UsageError for
    a zone that is unknown.
    """
    times_in(zone, 0, 0.0)  # before the long work
    read = survey(window)
    times = times_in(zone, read.start_ns, read.duration_s)
    return Analysed(window, findings(read, times.offset_s), times)


def check_targets(paths: Sequence[Path]) -> None:
    """Before the long work: can these be written? Raises UsageError."""
    for path in paths:
        if path.suffix.lower() not in KINDS:
            raise UsageError(f"--output {path}: end its name with {' or '.join(KINDS)}")
        if path.is_dir():
            raise UsageError(f"--output {path}: is a folder; name a file")
        if not path.parent.is_dir():
            raise UsageError(f"--output {path}: there is no folder {path.parent}")
        if path.suffix.lower() == ".pdf":
            from edge.holter.pdf import require_matplotlib

            require_matplotlib()


def write(analysed: Analysed, paths: Sequence[Path]) -> None:
    """Read the samples that the report shows, and write each file, whole or not at all.

    Raises StorageError, RecordingError, UsageError.
    """
    check_targets(paths)
    found, times = analysed.findings, analysed.times
    disclosure = Disclosure(found.survey) if found.has_ecg else None
    strips = read_samples(analysed.window, choose(found, times), disclosure)
    document = Document(found, times, strips, disclosure)
    for path in paths:
        _write_whole(document, path)


def _write_whole(document: Document, path: Path) -> None:
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        if path.suffix.lower() == ".pdf":
            from edge.holter.pdf import write_pdf

            write_pdf(document, unfinished)
        else:
            from edge.holter.page import page

            with unfinished.open("w", encoding="utf-8") as file:
                file.writelines(page(document))
        unfinished.rename(path)
    except OSError as error:
        why = error.strerror or error
        raise StorageError(f"{path}: cannot be written: {why}") from None
    finally:
        unfinished.unlink(missing_ok=True)
