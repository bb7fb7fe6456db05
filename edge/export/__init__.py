"""Recordings to files that other programs read: EDF+, WFDB, CSV, Parquet and FHIR R4."""

from edge.export.files import KINDS, export
from edge.export.parts import Request

__all__ = ["KINDS", "Request", "export"]
