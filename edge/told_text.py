"""Texts of errors, as they may leave the machine."""

from __future__ import annotations

import re

__all__ = ["LONGEST_TEXT", "without_folders"]

LONGEST_TEXT = 300
"""Characters."""

_FOLDERS = re.compile(r"(?<![\w:/.~])~?(?:/[^/\s'\";:,]+)+/")


def without_folders(text: str) -> str:
    """The text with file names in the place of paths, and bounded."""
    return _FOLDERS.sub("", text)[:LONGEST_TEXT]
