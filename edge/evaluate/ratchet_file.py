"""The ratchet file: for each evaluation held in it, a bound for each of its gross figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.errors import ConfigError, StorageError, UsageError
from edge.evaluate.job import Job, Task, chosen
from edge.evaluate.noise import Method
from edge.evaluate.report import bundle_facts

__all__ = [
    "Better",
    "Bound",
    "Entry",
    "Evaluation",
    "MixedNoise",
    "Ratchet",
    "evaluation_of",
    "load",
    "save",
]

Better = Literal["higher", "lower"]
NO_BUNDLE = "none"
ALL = "all"
MAX_BYTES = 1_000_000


class MixedNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """The noise of an evaluation. start: seconds into the noise record, or half of it."""

    record: str
    snr_db: float
    method: Method
    start: float | Literal["half"]


class Evaluation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes two evaluations comparable.

    folder: its name, without the way there. records: what --records said, `all` without it.
    recordings: how many that were. lead: index or name, None for all. bundle: name of the
    encoder bundle, `none` for rules alone; its version is left out, as it is what changes.
    """

    task: Task
    folder: str
    records: str
    recordings: Annotated[int, msgspec.Meta(ge=1)]
    lead: int | str | None
    noise: MixedNoise | None
    bundle: str

    def __str__(self) -> str:
        words = [self.task, self.folder, f"records {self.records} ({self.recordings})"]
        words += [] if self.lead is None else [f"lead {self.lead}"]
        if self.noise is not None:
            mixed = self.noise
            words.append(f"{mixed.record} at {mixed.snr_db:g} dB ({mixed.method}, {mixed.start})")
        return ", ".join([*words, f"bundle {self.bundle}"])


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The best value so far. tolerance: by how much a figure may be worse, in its own unit."""

    value: float
    better: Better
    tolerance: Annotated[float, msgspec.Meta(ge=0.0)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One evaluation and its bounds, by the name of the figure (`veb.se`)."""

    evaluation: Evaluation
    bounds: dict[str, Bound]


class Ratchet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file, one entry an evaluation."""

    entries: tuple[Entry, ...] = ()

    def bounds(self, evaluation: Evaluation) -> dict[str, Bound] | None:
        """Those of an evaluation, None where it is not held."""
        found = (entry.bounds for entry in self.entries if entry.evaluation == evaluation)
        return next(found, None)

    def replacing(self, entry: Entry) -> Ratchet:
        """With this entry in the place of that of the same evaluation, else at the end."""
        known = [each.evaluation for each in self.entries]
        if entry.evaluation not in known:
            return Ratchet((*self.entries, entry))
        at = known.index(entry.evaluation)
        return Ratchet((*self.entries[:at], entry, *self.entries[at + 1 :]))


def evaluation_of(job: Job, records: str | None) -> Evaluation:
    """What an evaluation is known by. Raises UsageError, SourceError and ModelError."""
    facts = bundle_facts(job.bundle)
    mix = job.noise
    return Evaluation(
        task=job.task,
        folder=job.folder_name,
        records=ALL
        if records is None
        else ",".join(sorted({w.strip() for w in records.split(",")})),
        recordings=len(chosen(job, records)[0]),
        lead=job.lead,
        noise=None if mix is None else MixedNoise(mix.path.name, mix.snr_db, mix.method, mix.start),
        bundle=NO_BUNDLE if facts is None else facts["name"],
    )


def load(path: Path, *, make: bool = False) -> Ratchet:
    """The file's content; an empty one where `make` is set and there is no file.

    Raises UsageError where it is missing, ConfigError where it is damaged.
    """
    if make and not path.exists():
        return Ratchet()
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"--ratchet {path}: {why}; --update makes a new file") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: no ratchet file: longer than {MAX_BYTES} bytes")
    return _decoded(raw, path)


def save(ratchet: Ratchet, path: Path) -> None:
    """Write it in one step, indented for review. Raises StorageError."""
    text = msgspec.json.format(msgspec.json.encode(ratchet), indent=2) + b"\n"
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(text)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"--ratchet {path}: cannot be written: {error.strerror}") from error


def _decoded(raw: bytes, path: Path) -> Ratchet:
    try:
        ratchet = msgspec.json.decode(raw, type=Ratchet)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{path}: damaged ratchet file: {error}; mend it, or take it from version control"
        ) from error
    known = [entry.evaluation for entry in ratchet.entries]
    twice = next((each for k, each in enumerate(known) if each in known[:k]), None)
    if twice is not None:
        raise ConfigError(f"{path}: two entries for {twice}; keep one of them")
    return ratchet
