"""`edge scan`: serial ports and BLE devices in reach, as source URIs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from edge.cli.run import positive
from edge.errors import Exit


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
        return Exit.OK
    for each in found:
        strength = "" if each.rssi_dbm is None else f"  {each.rssi_dbm} dBm"
        print(f"{each.uri}\n    {each.name}{strength}")
    if not found:
        print("nothing in reach: plug a device in, or switch a Bluetooth device on and wear it")
    return Exit.OK
