"""Native chatter is hushed, and only meanwhile."""

from __future__ import annotations

import os

import pytest

from models.native_log import native_log_hushed


def test_what_is_written_meanwhile_is_gone(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with native_log_hushed():
        os.write(2, b"meanwhile ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_exception_passes_and_the_log_is_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="mine"), native_log_hushed():
        raise ValueError("mine")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
