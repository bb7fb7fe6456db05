"""`edge scan`: serial ports and BLE devices in reach, as source URIs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge.cli.run import positive
from edge.errors import Exit

if TYPE_CHECKING:
    from firmware_bridge.scan import Reachable

NOTHING = """\
nothing in reach. A Bluetooth device must be switched on, worn (a chest strap advertises only on
skin) and not connected to a phone or watch; a serial device must be plugged in, with a cable that
carries data."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--for", dest="for_s", type=positive, default=5.0, metavar="SECONDS", help="of the BLE scan"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """List what is in reach; a machine without Bluetooth lists its serial ports."""
    from firmware_bridge.errors import SourceError
    from firmware_bridge.scan import scan_ble, scan_serial

    found = scan_serial()
    try:
        found += scan_ble(options.for_s)
    except SourceError as error:
        print(f"edge: Bluetooth: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps({"devices": [asdict(each) for each in found]}))
    else:
        _show(found)
    return Exit.OK


def _show(found: tuple[Reachable, ...]) -> None:
    from firmware_bridge.scan import serial_devices

    for each in found:
        strength = "" if each.rssi_dbm is None else f", {each.rssi_dbm} dBm"
        fits = f", device {each.device}" if each.device else ""
        print(f"{each.uri}\n    {each.name or 'no name'}{fits}{strength}")
    if not found:
        print(NOTHING)
    if any(each.uri.startswith("serial:") for each in found):
        print(f"a serial port needs ?device= one of: {', '.join(serial_devices())}")
