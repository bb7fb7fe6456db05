"""`python -m firmware_bridge.patch` gives a port that any serial program can open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import serial

from firmware_bridge.native import NativeDecoder
from firmware_bridge.patch.__main__ import main
from firmware_bridge.stream import Frame, Packet
from tests.patience import WAIT_S


def test_streams_on_the_port_that_it_prints(tmp_path: Path) -> None:
    link = tmp_path / "patch-tty"
    command = [sys.executable, "-m", "firmware_bridge.patch", "--scenario", "vf", "--speed", "20"]
    command += ["--link", str(link), "leads=3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(link)
            with serial.Serial(str(link), timeout=WAIT_S) as port:
                frames = _read_frames(port, 20)
        finally:
            process.terminate()
    assert process.returncode == 143
    assert not link.is_symlink()
    assert {frame.samples_uv.shape for frame in frames} == {(25, 3)}


def _read_frames(port: serial.Serial, wanted: int) -> list[Frame]:
    decoder = NativeDecoder()
    frames: list[Frame] = []
    while len(frames) < wanted:
        data = port.read(64)
        assert data, "the port fell silent"
        frames += decoder.push(Packet(data, 0))
    return frames


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "nope"], "scenario=nope is unknown"),
        (["colour=red"], "no option colour"),
        (["--speed", "0"], "speed=0"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert message in written.err
    assert written.err.count("\n") == 1
    assert written.out == ""


def test_a_link_that_cannot_be_made_is_a_source_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert main(["--link", str(taken)]) == 4
    assert "cannot make the link" in capsys.readouterr().err
    assert taken.read_text() == "mine"
