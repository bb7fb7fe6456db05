"""Which recordings of a folder are to be judged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from edge.errors import UsageError
from edge.evaluate.reference import ANNOTATOR
from firmware_bridge.errors import SourceError
from models.training import splits

__all__ = ["CINC_LABELS_FILE", "PACED", "cinc_labels", "is_cinc", "record_names"]

CINC_LABELS_FILE = "REFERENCE-v3.csv"
PACED = ("102", "104", "107", "217")
"""Records of mitdb with paced beats, which EC57 leaves out of beat classification."""

GROUPS: dict[str, tuple[str, ...]] = {
    "ds1": splits.MITDB_DS1,
    "ds2": splits.MITDB_DS2,
    "vfdb-test": splits.VFDB_TEST,
}
"""Names of sets of records; `cinc-dev` beside them is decided by a rule."""


def is_cinc(folder: Path) -> bool:
    """Whether this is the training set of the CinC 2017 challenge."""
    return (folder / CINC_LABELS_FILE).is_file()


@lru_cache(maxsize=1)
def cinc_labels(folder: Path) -> Mapping[str, str]:
    """Recording to its label: N, A, O or ~ (noisy). Raises SourceError where it says no such."""
    try:
        lines = (folder / CINC_LABELS_FILE).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{folder / CINC_LABELS_FILE}: cannot be read: {error}") from error
    labels = dict(line.strip().split(",", 1) for line in lines if line.count(",") == 1)
    strange = sorted(set(labels.values()) - set(splits.CINC_LABELS))
    if strange or not labels:
        raise SourceError(
            f"{folder / CINC_LABELS_FILE}: expected lines like A00001,N with N, A, O or ~"
            + (f", found {', '.join(strange)}" if strange else "")
        )
    return MappingProxyType(labels)


def record_names(folder: Path, wanted: str | None) -> tuple[str, ...]:
    """The recordings to judge, sorted; all that have a reference where `wanted` is None.

    wanted: names and names of groups (ds1, ds2, vfdb-test, cinc-dev), separated by commas.
    Raises SourceError where the folder holds none, UsageError for a name that is not there.
    """
    there = _annotated(folder)
    if wanted is None:
        return there
    names = {name for word in wanted.split(",") for name in _expanded(word.strip(), there)}
    missing = sorted(names - set(there))
    if missing:
        raise UsageError(
            f"--records {missing[0]}: no such annotated recording in {folder}; "
            f"there are {', '.join(there[:4])} … ({len(there)})"
        )
    return tuple(sorted(names))


def _annotated(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder")
    if is_cinc(folder):
        found = [name for name in cinc_labels(folder) if (folder / f"{name}.mat").is_file()]
        beside = f"{CINC_LABELS_FILE} names none whose .mat file is there"
    else:
        found = [p.stem for p in folder.glob("*.hea") if p.with_suffix(f".{ANNOTATOR}").is_file()]
        beside = f"no NAME.hea with NAME.{ANNOTATOR} beside it, and no {CINC_LABELS_FILE}"
    if not found:
        raise SourceError(f"{folder}: no annotated recordings: {beside}")
    return tuple(sorted(found))


def _expanded(word: str, there: tuple[str, ...]) -> tuple[str, ...]:
    if word == "cinc-dev":
        return tuple(name for name in there if splits.is_cinc_dev(name))
    return GROUPS.get(word, (word,))
