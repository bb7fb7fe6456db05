"""Beats of recordings without beat annotations, where two independent detectors agree.

`python -m models.training.consensus --data DIR --cinc DIR --out FILE` runs sleepecg and xqrs of
wfdb over the training parts of CinC 2017 and vfdb. What both find within 100 ms is taught as a
beat; within 200 ms of what only one finds, nothing is taught. Neither detector knows these
recordings' annotations, and none of them is set aside for measuring.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray
from sleepecg.heartbeats import detect_heartbeats
from wfdb.processing import XQRS

from models.training import splits

__all__ = ["agreed", "main"]

_MATCH_S = 0.1
_CINC_RATE_HZ = 300

Seconds = NDArray[np.float64]


def agreed(one: Seconds, other: Seconds) -> tuple[Seconds, Seconds]:
    """Times that both lists hold within 100 ms (the first's), and times that only one holds."""
    both = _near(one, other)
    alone = np.concatenate([one[~both], other[~_near(other, one)]])
    return one[both], np.sort(alone)


def _near(times: Seconds, others: Seconds) -> NDArray[np.bool_]:
    if not len(others):
        return np.zeros(len(times), bool)
    at = np.searchsorted(others, times)
    before = np.abs(times - others[np.maximum(at - 1, 0)])
    after = np.abs(times - others[np.minimum(at, len(others) - 1)])
    return np.asarray(np.minimum(before, after) <= _MATCH_S)


def detect(signal_mv: NDArray[np.float64], rate_hz: int) -> tuple[Seconds, Seconds]:
    """Agreed and doubtful beats of one signal, in seconds."""
    if signal_mv.std() < 1e-6:
        return np.empty(0), np.empty(0)
    first = detect_heartbeats(signal_mv, rate_hz) / rate_hz
    finder = XQRS(signal_mv, rate_hz)
    finder.detect(verbose=False)
    return agreed(np.asarray(first, float), np.asarray(finder.qrs_inds, float) / rate_hz)


def _cinc(folder: Path, name: str) -> tuple[str, Seconds, Seconds]:
    raw = np.fromfile(folder / f"{name}.mat", "<i2", offset=24) / 1000.0
    return (f"cinc2017/{name}", *detect(raw, _CINC_RATE_HZ))


def _vfdb(folder: Path, name: str) -> tuple[str, Seconds, Seconds]:
    record = wfdb.rdrecord(str(folder / name))
    return (f"vfdb/{name}", *detect(np.nan_to_num(record.p_signal[:, 0]), round(record.fs)))


def _all(data: Path, cinc: Path, jobs: int) -> Iterator[tuple[str, Seconds, Seconds]]:
    rows = (cinc / "REFERENCE-v3.csv").read_text().split()
    names = [row.split(",")[0] for row in rows]
    with Pool(jobs) as pool:
        yield from pool.imap(partial(_vfdb, data / "vfdb"), splits.VFDB_TRAIN)
        kept = [name for name in names if not splits.is_cinc_dev(name)]
        yield from pool.imap(partial(_cinc, cinc), kept, chunksize=16)


def main(argv: list[str] | None = None) -> None:
    """Find the beats and write them into one file of plain arrays."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.consensus", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with vfdb")
    parser.add_argument("--cinc", type=Path, required=True, help="folder with CinC 2017")
    parser.add_argument("--out", type=Path, default=Path(".data/consensus.npz"))
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(argv)
    arrays: dict[str, Seconds] = {}
    for name, both, alone in _all(options.data, options.cinc, options.jobs):
        arrays |= {f"{name}/both": both, f"{name}/alone": alone}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.out, **arrays)  # type: ignore[arg-type]
    total = sum(len(times) for key, times in arrays.items() if key.endswith("both"))
    print(f"{len(arrays) // 2} recordings, {total} beats in {options.out}")


if __name__ == "__main__":
    main()
