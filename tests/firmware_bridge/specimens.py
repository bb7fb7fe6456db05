"""The specimens of all devices, and decoders that have been through the opening of theirs."""

from __future__ import annotations

import importlib
from pathlib import Path

from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.protocols import Conversing, Decoder
from tests.firmware_bridge import devices
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["converse", "specimens", "start", "started", "title"]

ROUNDS_MAX = 32


def specimens() -> list[Specimen]:
    """What the wire modules supply of devices in the registry."""
    folder = Path(devices.__file__).parent
    names = sorted(path.stem for path in folder.glob("*_wire.py"))
    modules = [importlib.import_module(f"{devices.__name__}.{name}") for name in names]
    known = decoder_names()
    return [each for module in modules for each in module.SPECIMENS if each.device in known]


def title(specimen: Specimen) -> str:
    """For the names of tests."""
    options = "-".join(f"{name}={value}" for name, value in specimen.options.items())
    return f"{specimen.device}-{options}" if options else specimen.device


def started(specimen: Specimen) -> Decoder:
    """A decoder that has been through the opening of its device."""
    decoder = make_decoder(specimen.device, **specimen.options)
    start(decoder, specimen)
    return decoder


def start(decoder: Decoder, specimen: Specimen) -> None:
    """Tell the device to start, and answer it until it has no more to say."""
    converse(decoder, specimen, decoder.start_commands())


def converse(decoder: Decoder, specimen: Specimen, commands: tuple[bytes, ...]) -> None:
    """Hand the device's answers to these commands to the decoder, and its replies back."""
    for _ in range(ROUNDS_MAX):
        for command in commands:
            for packet in specimen.answer(command):
                decoder.push(packet)
        commands = decoder.replies() if isinstance(decoder, Conversing) else ()
        if not commands:
            return
    raise AssertionError("the conversation of the opening has no end")
