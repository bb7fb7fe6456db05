"""Recordings from files: WFDB, EDF, CSV and the `.mat` files of the CinC challenges."""

from __future__ import annotations

from pathlib import Path

from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import Record

__all__ = ["Record", "read_record"]


def read_record(path: str | Path) -> Record:
    """Read a whole recording, as the ADC gave it.

    path: a WFDB record (`100`, `100.hea` or `100.dat`), an `.edf`, `.csv` or `.mat` file.
    Raises SourceError, naming the file, where it is missing, damaged, empty, of another kind, or
    needs a package that is not installed.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    try:
        if suffix == ".edf":
            from firmware_bridge.records.edf import read_edf

            record = read_edf(path)
        elif suffix == ".csv":
            from firmware_bridge.records.csv_table import read_csv

            record = read_csv(path)
        elif suffix == ".mat" and not path.with_suffix(".hea").exists():
            from firmware_bridge.records.cinc_mat import read_mat

            record = read_mat(path)
        else:
            from firmware_bridge.records.wfdb_record import read_wfdb

            record = read_wfdb(_header_of(path))
    except OSError as error:
        name = error.filename or path
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error
    return record.checked(path)


def _header_of(path: Path) -> Path:
    if path.suffix.lower() in (".hea", ".dat", ".mat"):
        header = path.with_suffix(".hea")
    else:
        header = path.with_name(path.name + ".hea")
    if header.is_file():
        return header
    if path.is_file():
        raise SourceError(
            f"{path}: not a recording that can be read: give a WFDB record with its .hea file, "
            f"or an .edf, .csv or .mat file"
        )
    raise SourceError(f"{path}: no such recording: there is neither this file nor {header.name}")
