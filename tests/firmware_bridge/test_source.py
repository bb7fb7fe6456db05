"""Source URIs: their parts, their faults, and the plugins behind them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge import source_uri
from firmware_bridge.errors import BridgeError, SourceError, SourceUriError
from firmware_bridge.native import NativeDecoder
from firmware_bridge.pacing import PacedTransport
from firmware_bridge.source import Source, SourceUri, open_source, parse_uri, redact
from firmware_bridge.stream import Packet


@pytest.mark.parametrize(
    ("text", "scheme", "target", "options"),
    [
        ("serial:///dev/ttyACM0?device=native&baud=921600", "serial", "/dev/ttyACM0",
         {"device": "native", "baud": "921600"}),
        ("serial:///dev/serial/by-id/usb-x_y-if00", "serial", "/dev/serial/by-id/usb-x_y-if00", {}),
        ("serial://COM3", "serial", "COM3", {}),
        ("ble://AA:BB:CC:DD:EE:FF?device=polar_h10", "ble", "AA:BB:CC:DD:EE:FF",
         {"device": "polar_h10"}),
        ("ble://?name=Polar*", "ble", "", {"name": "Polar*"}),
        ("ble://?name=My%20Strap", "ble", "", {"name": "My Strap"}),
        ("replay:mitdb/100?speed=max&via=serial&lead=0,1", "replay", "mitdb/100",
         {"speed": "max", "via": "serial", "lead": "0,1"}),
        ("replay:/data/a%3Fb.csv", "replay", "/data/a?b.csv", {}),
        ("SIM:?scenario=af&leads=1&fs=250&seed=1", "sim", "",
         {"scenario": "af", "leads": "1", "fs": "250", "seed": "1"}),
    ],
)  # fmt: skip
def test_uri_is_taken_apart(text: str, scheme: str, target: str, options: dict[str, str]) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.target, dict(uri.options)) == (scheme, target, options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no scheme"),
        ("mitdb/100", "such as replay:mitdb/100"),
        ("/dev/ttyACM0", r"did you mean serial:///dev/ttyACM0\?"),
        ("COM3", r"did you mean serial://COM3\?"),
        ("AA:BB:CC:DD:EE:FF", r"did you mean ble://AA:BB:CC:DD:EE:FF\?"),
        ("reply:100", r"no scheme 'reply': there are serial, .*sim.*mean replay\?"),
        ("replay:100?sped=2", r"no option 'sped': replay takes speed, via, lead .*mean speed\?"),
        ("replay:100?colour=red", "no option 'colour': replay takes speed, via, lead"),
        ("replay:100?speed=0", "takes max or a number above 0"),
        ("replay:100?speed=nan", "takes max or a number above 0"),
        ("replay:100?via=seriel", r"allowed are serial \(did you mean serial\?\)"),
        ("replay:100?lead=", "must not be empty"),
        ("replay:100?speed", "option 'speed' has no =value"),
        ("replay:100?speed=1&speed=2", "'speed' is given twice"),
        ("replay:a%00b", "NUL"),
    ],
)
def test_wrong_uri_is_named_with_what_is_allowed(text: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        parse_uri(text)


@given(st.text(max_size=60))
def test_any_text_is_either_understood_or_refused(text: str) -> None:
    with contextlib.suppress(SourceUriError):
        assert parse_uri(text).scheme in source_uri.SCHEMES


@pytest.mark.parametrize(
    "text",
    [
        "tcp://user:hunter2@host:9000?device=native",
        "ws://host?token=hunter2",
        "wss://host?Password=hunter2&x=1",
        "host?secret=hunter2",
    ],
)
def test_secrets_are_not_echoed(text: str) -> None:
    assert "hunter2" not in redact(text)
    with pytest.raises(SourceUriError) as caught:
        open_source(text)
    assert "hunter2" not in str(caught.value)


def packets_of(opened: Source) -> list[Packet]:
    packets: list[Packet] = []
    with contextlib.suppress(EOFError):
        while packet := opened.transport.read(0):
            packets.append(packet)
    return packets


def test_virtual_patch_opens_and_streams() -> None:
    patch = open_source("sim:?scenario=af&leads=2&fs=250&seed=1&speed=max&duration_s=2")
    assert patch.finite
    patch.transport.open()
    frames = [frame for packet in packets_of(patch) for frame in patch.decoder.push(packet)]
    assert {frame.format.leads for frame in frames} == {("I", "II")}
    assert sum(len(frame.samples_uv) for frame in frames) == 500


def test_endless_virtual_patch_is_not_finite() -> None:
    assert not open_source("sim:").finite


@pytest.mark.parametrize(
    ("uri", "words"),
    [("sim:x", "write it as sim:"), ("sim:?scenario=sleep", "sleep"), ("sim:?nois=1", "nois")],
)
def test_wrong_virtual_patch_is_refused(uri: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        open_source(uri)


def open_plugin(uri: SourceUri) -> Source:
    transport = PacedTransport(uri.target, [])
    return Source("plug:", transport, NativeDecoder(), True, f"plugin {uri.target}")


def open_nothing(uri: SourceUri) -> str:
    return uri.target


def test_plugin_adds_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(group: str) -> list[EntryPoint]:
        assert group == "edge.sources"
        plugins = {"plug": open_plugin, "void": open_nothing}
        return [EntryPoint(k, f"{__name__}:{v.__name__}", group) for k, v in plugins.items()]

    monkeypatch.setattr(source_uri, "entry_points", points)
    assert open_source("plug://there?anything=1").description == "plugin there"
    with pytest.raises(SourceError, match="its plugin returned no Source"):
        open_source("void://there")
    with pytest.raises(SourceUriError, match=r"plug, void \(did you mean plug\?\)"):
        open_source("plugg://there")


def test_parsing_imports_no_transport() -> None:
    heavy = ("serial", "bleak", "wfdb", "edfio", "asyncio")
    code = (
        "import sys; from firmware_bridge.source import parse_uri; parse_uri('ble://?name=x');"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_source_errors_share_one_base() -> None:
    assert issubclass(SourceUriError, SourceError)
    assert issubclass(SourceError, BridgeError)


def test_uri_cannot_be_changed() -> None:
    uri = parse_uri("replay:100?speed=2")
    with pytest.raises(TypeError):
        uri.options["speed"] = "3"  # type: ignore[index]
    assert replace(uri, target="101").get("speed", "1") == "2"
