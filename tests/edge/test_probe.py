import json

import pytest

from edge.cli import main


def test_a_patch_is_measured(capsys):
    assert main(["probe", "sim:?leads=3&fs=500", "--for", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["format"] == {"rate_hz": 500.0, "leads": ["I", "II", "III"]}
    assert report["measured_rate_hz"] == pytest.approx(500, rel=0.05)
    assert report["decoded"]["bad_frames"] == 0
    assert report["samples"]["received"] == report["samples"]["delivered"] > 0


def test_a_device_that_speaks_otherwise_is_named(tmp_path, capsys):
    from firmware_bridge.capture import CaptureHeader, CaptureWriter
    from firmware_bridge.stream import Packet

    path = tmp_path / "text.cap"
    writer = CaptureWriter(path, CaptureHeader("native"))
    writer.write(Packet(b"512\r\n513\r\n" * 50, 0))
    writer.close()
    assert main(["probe", f"replay:{path}?speed=max", "--for", "5"]) == 4
    assert "500 bytes came and no frame decodes" in capsys.readouterr().err


def test_silence_is_named(tmp_path, capsys):
    from firmware_bridge.capture import CaptureHeader, CaptureWriter

    path = tmp_path / "silent.cap"
    CaptureWriter(path, CaptureHeader("native")).close()
    assert main(["probe", f"replay:{path}"]) == 4
    assert "no bytes came" in capsys.readouterr().err
