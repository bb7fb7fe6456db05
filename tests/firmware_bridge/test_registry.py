"""The registry: names to decoders, lazily, with errors that say what would be right."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from firmware_bridge import devices
from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.native import NativeDecoder
from firmware_bridge.protocols import Decoder
from firmware_bridge.stream import DecodeCount, Packet


@pytest.mark.parametrize("name", decoder_names())
def test_every_name_gives_a_fresh_decoder_that_keeps_the_protocol(name: str) -> None:
    decoder, other = make_decoder(name), make_decoder(name)
    assert isinstance(decoder, Decoder)
    assert decoder is not other
    assert decoder.push(Packet(b"", 0)) == []
    assert isinstance(decoder.count, DecodeCount)
    assert decoder.count.frames == 0
    for commands in (decoder.start_commands(), decoder.stop_commands()):
        assert all(isinstance(command, bytes) for command in commands)


@pytest.mark.parametrize("name", decoder_names())
def test_every_decoder_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(type(make_decoder(name)))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(SourceUriError, match=r"'polar'.*native"):
        make_decoder("polar")


def test_an_unknown_option_lists_the_known() -> None:
    with pytest.raises(SourceUriError, match=r"native: no option gain; it has: leads"):
        make_decoder("native", gain="3")


def test_a_wrong_value_names_the_device() -> None:
    with pytest.raises(SourceUriError, match=r"native: leads must be"):
        make_decoder("native", leads="")


def test_options_reach_the_decoder_and_none_is_the_default() -> None:
    assert isinstance(make_decoder("native", leads="I,II"), NativeDecoder)
    assert isinstance(make_decoder("native", leads=None), NativeDecoder)


def third_party(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    found = EntryPoints(
        EntryPoint(name, value, devices.ENTRY_POINT_GROUP) for name, value in values.items()
    )
    monkeypatch.setattr(devices, "entry_points", lambda group: found.select(group=group))


def test_other_packages_add_devices_but_take_over_none(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "firmware_bridge.native:NativeDecoder"
    third_party(monkeypatch, mine=value, native="nowhere:Nothing")
    assert "mine" in decoder_names()
    assert isinstance(make_decoder("mine"), NativeDecoder)
    assert isinstance(make_decoder("native"), NativeDecoder)


def test_a_foreign_decoder_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    third_party(monkeypatch, broken="no_such_module:Decoder")
    with pytest.raises(SourceUriError, match=r"device broken: no_such_module:Decoder does not"):
        make_decoder("broken")


def test_the_registry_imports_no_decoder_before_it_is_asked() -> None:
    probe = (
        "import sys, firmware_bridge.devices as d; "
        "assert not [m for m in sys.modules if m.startswith(d.__name__ + '.')]; "
        "assert 'firmware_bridge.native' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
