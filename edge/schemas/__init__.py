"""JSON Schemas of messages and reports, generated from the structs, shipped beside this file.

`python -m edge.schemas` writes them anew after a struct has changed.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from edge.bench.report import Report
from edge.commands.wire import Command, CommandResponse, Envelope
from edge.health.message import HealthMessage
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StatusMessage,
    StripMessage,
)

MESSAGES: dict[str, Any] = {
    "alert": AlertMessage,
    "active": ActiveAlerts,
    "state": StateMessage,
    "status": StatusMessage,
    "availability": AvailabilityMessage,
    "strip": StripMessage,
    "command_envelope": Envelope,
    "command": Command,
    "command_response": CommandResponse,
    "health": HealthMessage,
    "bench": Report,
}
FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generate(name: str) -> dict[str, Any]:
    """The schema of one message, by its name in MESSAGES."""
    schema: dict[str, Any] = _dedented(msgspec.json.schema(MESSAGES[name]))
    return {"$schema": DIALECT, **schema}


def _dedented(node: Any) -> Any:
    """Docstrings without their indentation, as newer versions of Python keep them."""
    if isinstance(node, dict):
        return {key: _dedented(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_dedented(value) for value in node]
    return inspect.cleandoc(node) if isinstance(node, str) else node


def text(name: str) -> str:
    """The schema as it stands in its file."""
    encoded = msgspec.json.format(msgspec.json.encode(generate(name)), indent=2)
    return encoded.decode() + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every schema to `<folder>/<name>.json`; returns the paths."""
    paths = [folder / f"{name}.json" for name in MESSAGES]
    for name, path in zip(MESSAGES, paths, strict=True):
        path.write_text(text(name), encoding="utf-8")
    return paths


__all__ = ["FOLDER", "MESSAGES", "generate", "text", "write"]
