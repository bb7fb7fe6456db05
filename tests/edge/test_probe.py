import json

import numpy as np
import pytest
from msgspec.structs import replace

from edge.cli import main
from edge.clock import SystemClock
from edge.probe import probe
from edge.probe_verdict import verdicts
from firmware_bridge.errors import SourceError
from firmware_bridge.native import NativeDecoder, encode_frame
from firmware_bridge.source import Source
from firmware_bridge.stream import Packet


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


def test_bytes_of_another_device_are_named(tmp_path, capsys):
    from firmware_bridge.capture import CaptureHeader, CaptureWriter
    from tests.firmware_bridge.specimens import specimens

    path = tmp_path / "cyton.cap"
    writer = CaptureWriter(path, CaptureHeader("native"))
    cyton = next(each for each in specimens() if each.device == "cyton")
    for packet in cyton.packets * 50:
        writer.write(replace(packet, host_time_ns=0))
    writer.close()
    assert main(["probe", f"replay:{path}?speed=max"]) == 4
    assert "look like device=cyton" in capsys.readouterr().err


class Stub:
    """A device that says who it is and sends what it was given, at an even pace."""

    name = "stub"

    def __init__(self, packets, about=()):
        self.packets, self.facts = list(packets), dict(about)
        self.closed = False

    def open(self):
        pass

    def about(self):
        return self.facts

    def read(self, timeout_s):
        if not self.packets:
            raise EOFError
        return self.packets.pop(0)

    def write(self, data):
        pass

    def close(self):
        self.closed = True


def probed(decoder, packets, about=()):
    transport = Stub(packets, about)
    source = Source("stub:", transport, decoder, True, "a stub")
    report = probe(source, 3600, SystemClock())
    assert transport.closed
    return report


def native(k, rate_hz=250.0, **options):
    samples = np.zeros((25, 1), np.int32)
    wire = encode_frame(
        samples, rate_hz=rate_hz, scale_nv=1, sequence=25 * k, device_time_us=k * 10**5, **options
    )
    return Packet(wire, k * 10**8)


def test_a_device_that_does_well_is_told_so():
    report = probed(NativeDecoder(), [native(k) for k in range(50)], {"model": "P1"})
    assert report.about == {"model": "P1"}
    assert report.measured_rate_hz == pytest.approx(250)
    assert report.jitter_ms == pytest.approx(0, abs=1e-3)
    assert [line.partition(":")[0] for line in verdicts(report)] == ["good"] * 3


def test_each_ill_is_named():
    packets = [native(k, rate_hz=200.0, lead_off=1, battery_percent=7) for k in range(50)]
    del packets[20:23]
    packets[5] = replace(packets[5], data=packets[5].data[:-5] + b"12345")
    report = probed(NativeDecoder(), packets, {"MTU": "23 bytes"})
    said = " ".join(verdicts(report))
    assert "25.0% faster than the 200 Hz announced" in said
    assert "100 samples" in said
    assert "in 2 gaps" in said
    assert "no skin contact at lead1" in said
    assert "battery is at 7 %" in said
    assert "the MTU is 23 bytes" in said
    assert report.contact is False


def test_a_heart_rate_strap_tells_readings_and_no_ecg():
    from firmware_bridge.devices.heart_rate import HeartRateDecoder

    report = probed(HeartRateDecoder(), [Packet(b"\x16\x48\x40\x03", k) for k in range(3)])
    (told,) = report.readings
    assert (told.kind, told.count) == ("heart rate", 3)
    assert told.newest == "72 bpm, RR 812 ms"
    assert report.contact is True
    assert "no ECG" in verdicts(report)[0]


def test_a_device_that_refuses_is_told_in_its_words():
    from firmware_bridge.devices.polar_h10 import PolarH10Decoder
    from tests.firmware_bridge.virtual_straps import PMD_CONTROL

    refusal = Packet(b"\xf0\x02\x00\x0d\x00", 0, PMD_CONTROL)
    with pytest.raises(SourceError, match="charger"):
        probed(PolarH10Decoder(), [refusal])


def test_the_text_shows_what_was_found(capsys):
    assert main(["probe", "sim:?leads=2", "--for", "1"]) == 0
    told = capsys.readouterr().out
    assert "I, II" in told
    assert "good: no sample was lost" in told
