"""The statements of the message table, to be run inside a transaction of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.outbox.messages import STRIP_PHASE, TELEMETRY_RANK, Key, OutboundMessage
from edge.outbox.rows import StoredRow, checksum, sealed, to_columns, to_message, unsealed
from edge.outbox.schema import DELIVERED, EVICTED, MESSAGE, PENDING


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that waits no more. size_bytes: of its payload. kept: in the log."""

    rank: int
    size_bytes: int
    kept: bool


class MessageTable:
    """Messages, their counters and the patients, over a connection that another closes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, row: StoredRow) -> bool:
        """Store a row unless one of its key is there; true where it is new."""
        columns = to_columns(row.message)
        added = self._db.execute(
            f"INSERT OR IGNORE INTO message ({MESSAGE}, crc, state, raised_utc_ns)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*columns, checksum(columns), row.state, row.raised_utc_ns),
        ).rowcount
        self.number(row.message.patient, row.message.seq)
        self.count(PENDING, added)
        return added > 0

    def settle(self, row: int, state: int, keep_strips: bool) -> Settled | None:
        """Give a waiting row its last state, None where it did not wait. Of telemetry at most
        strips are kept.
        """
        found = self._db.execute(
            f"SELECT rank, length(payload), phase FROM message WHERE row = ? AND state = {PENDING}",
            (row,),
        ).fetchone()
        if found is None:
            return None
        rank, size, phase = found
        kept = rank < TELEMETRY_RANK or (keep_strips and phase == STRIP_PHASE)
        if kept:
            self._db.execute("UPDATE message SET state = ? WHERE row = ?", (state, row))
        else:
            self._db.execute("DELETE FROM message WHERE row = ?", (row,))
        self.count(state, 1)
        return Settled(rank, size, kept)

    def pending(
        self, limit: int, without: Sequence[str] = ()
    ) -> tuple[list[OutboundMessage], list[int]]:
        """Messages that wait, most urgent first, oldest first among equals; and the row numbers
        of those whose checksum does not hold. without: topics to leave out.
        """
        but = f" AND topic NOT IN ({', '.join('?' * len(without))})" if without else ""
        found = self._db.execute(
            f"SELECT row, crc, {MESSAGE} FROM message WHERE state = {PENDING}{but}"
            " ORDER BY rank, row LIMIT ?",
            (*without, limit),
        ).fetchall()
        damaged = [row for row, crc, *columns in found if crc != checksum(columns)]
        sound = [columns for _, crc, *columns in found if crc == checksum(columns)]
        return [to_message(columns) for columns in sound], damaged

    def victim(self, least_rank: int = 0) -> int | None:
        """The oldest of the least urgent messages, where its rank is at least this."""
        found = self._db.execute(
            f"SELECT row FROM message WHERE state = {PENDING} AND rank ="
            f" (SELECT max(rank) FROM message WHERE state = {PENDING}) AND rank >= ?"
            " ORDER BY row LIMIT 1",
            (least_rank,),
        ).fetchone()
        return found[0] if found else None

    def row_of(self, key: Key) -> int | None:
        """Where a message is, None where it is not stored."""
        query = "SELECT row FROM message WHERE patient = ? AND id = ? AND phase = ? AND seq = ?"
        found = self._db.execute(query, key).fetchone()
        return found[0] if found else None

    def waiting(self) -> tuple[int, int]:
        """How many messages wait, and the bytes of their payloads."""
        query = f"SELECT count(*), total(length(payload)) FROM message WHERE state = {PENDING}"
        rows, size = self._db.execute(query).fetchone()
        return int(rows), int(size)

    def logged(self) -> int:
        """How many alerts the log holds that wait no more."""
        query = f"SELECT count(*) FROM message WHERE state <> {PENDING} AND rank < ?"
        return int(self._db.execute(query, (TELEMETRY_RANK,)).fetchone()[0])

    def strip_bytes(self) -> int:
        """Payload bytes of the strips in the log."""
        query = f"SELECT total(length(payload)) FROM message WHERE state <> {PENDING} AND rank >= ?"
        return int(self._db.execute(query, (TELEMETRY_RANK,)).fetchone()[0])

    def forget(self, rows: int) -> int:
        """Leave so many of the oldest out of the log; returns how many there were."""
        return self._db.execute(
            "DELETE FROM message WHERE row IN (SELECT row FROM message"
            f" WHERE state <> {PENDING} ORDER BY row LIMIT ?)",
            (rows,),
        ).rowcount

    def forget_strips(self, least_bytes: int) -> int:
        """Leave the oldest strips out of the log, until so many bytes are free; returns how many
        are.
        """
        found = self._db.execute(
            f"SELECT row, length(payload) FROM message WHERE state <> {PENDING} AND rank >= ?"
            " ORDER BY row",
            (TELEMETRY_RANK,),
        )
        gone, freed = [], 0
        for row, size in found:
            gone.append((row,))
            freed += size
            if freed >= least_bytes:
                break
        found.close()
        self._db.executemany("DELETE FROM message WHERE row = ?", gone)
        return freed

    def trim(self, kept: int) -> None:
        """Keep only the newest alerts in the log."""
        self._db.execute(
            "DELETE FROM message WHERE row IN (SELECT row FROM message"
            f" WHERE state <> {PENDING} AND rank < ? ORDER BY row DESC LIMIT -1 OFFSET ?)",
            (TELEMETRY_RANK, kept),
        )

    def count(self, state: int, added: int) -> None:
        """Add to one of the totals."""
        self._db.execute("UPDATE counter SET value = value + ? WHERE state = ?", (added, state))

    def totals(self) -> tuple[int, int, int]:
        """Messages ever raised, delivered and evicted."""
        values = dict(self._db.execute("SELECT state, value FROM counter"))
        return values[PENDING], values[DELIVERED], values[EVICTED]

    def number(self, patient: str, seq: int) -> None:
        """Note a patient's newest sequence number."""
        self._db.execute(
            "INSERT INTO patient (id, seq) VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET seq = max(seq, excluded.seq)",
            (patient, seq),
        )

    def number_all(self, numbers: Mapping[str, int]) -> None:
        """Note the newest sequence numbers of many."""
        for patient, seq in numbers.items():
            self.number(patient, seq)

    def sequences(self) -> dict[str, int]:
        """Highest sequence number stored, by patient."""
        return dict(self._db.execute("SELECT id, seq FROM patient"))

    def save(self, patient: str, snapshot: bytes) -> None:
        """Replace the snapshot of a patient who has a number."""
        blob = sealed(snapshot)
        self._db.execute("UPDATE patient SET snapshot = ? WHERE id = ?", (blob, patient))

    def load(self, patient: str) -> bytes | None:
        """The patient's newest snapshot, None where there is none that holds."""
        query = "SELECT snapshot FROM patient WHERE id = ?"
        found = self._db.execute(query, (patient,)).fetchone()
        return unsealed(found[0]) if found else None


__all__ = ["MessageTable", "Settled"]
