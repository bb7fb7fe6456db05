"""Whatever ends a command, the device is told to rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from firmware_bridge.pseudo_terminal import PseudoTerminal
from tests.patience import WAIT_S

RESET, STOP = b"v", b"s"
"""Of an OpenBCI Cyton: what it is told first, and last."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["run", "probe", "capture"])
def test_stream_is_stopped_by_a_signal(
    command: str, number: signal.Signals, tmp_path: Path
) -> None:
    with PseudoTerminal() as terminal:
        uri = f"serial://{terminal.path}?device=cyton"
        arguments = {
            "run": ["run", "--source", uri, "--bundle", "none"],
            "probe": ["probe", uri, "--for", "600"],
            "capture": ["capture", uri, str(tmp_path / "x.cap")],
        }[command]
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            # A shell's background job ignores SIGINT, and so would its children.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        try:
            heard = b""
            while not heard.endswith(RESET):
                commanded = terminal.commands(WAIT_S)
                assert commanded, "it was never told to start"
                heard += commanded
            process.send_signal(number)
            while not heard.endswith(STOP):
                commanded = terminal.commands(WAIT_S)
                assert commanded, "it was never told to stop"
                heard += commanded
            process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
            process.communicate()
    expected = 0 if (command, number) == ("capture", signal.SIGINT) else 128 + number
    assert process.returncode == expected
