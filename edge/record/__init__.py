"""Continuous recording of all patients, safe against crashes, and its reading.

`Recorder` writes beside a running engine; `open_recording` reads. The format: docs/recordings.md.
"""

from edge.record.content import Block, Header, Lost
from edge.record.notes import Note, Notes
from edge.record.recording import Entry, Recording, RecordingError, open_recording
from edge.record_settings import RecordSettings

__all__ = [
    "Block",
    "Entry",
    "Header",
    "Lost",
    "Note",
    "Notes",
    "RecordSettings",
    "Recording",
    "RecordingError",
    "open_recording",
]
