import json

from edge.cli import main
from firmware_bridge import scan
from firmware_bridge.errors import SourceError
from firmware_bridge.scan import Reachable

PORT = Reachable("serial:///dev/serial/by-id/usb-x", "dongle")
STRAP = Reachable("ble://AA:BB:CC:DD:EE:FF?device=polar_h10", "Polar H10 1", "polar_h10", -61)


def in_reach(monkeypatch, ports, straps):
    def ble(for_s):
        if isinstance(straps, SourceError):
            raise straps
        return straps

    monkeypatch.setattr(scan, "scan_serial", lambda: ports)
    monkeypatch.setattr(scan, "scan_ble", ble)


def test_what_is_in_reach_is_listed_as_uris(monkeypatch, capsys):
    in_reach(monkeypatch, (PORT,), (STRAP,))
    assert main(["scan"]) == 0
    told = capsys.readouterr().out
    assert f"{STRAP.uri}\n    Polar H10 1, device polar_h10, -61 dBm\n" in told
    assert PORT.uri in told
    assert "?device= one of:" in told
    assert "cyton" in told
    assert "polar_h10," not in told.partition("one of:")[2]


def test_json_is_one_object(monkeypatch, capsys):
    in_reach(monkeypatch, (), (STRAP,))
    assert main(["scan", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["devices"]
    assert found == {
        "uri": STRAP.uri, "name": STRAP.name, "device": "polar_h10", "rssi_dbm": -61
    }  # fmt: skip


def test_nothing_in_reach_says_what_to_do(monkeypatch, capsys):
    in_reach(monkeypatch, (), SourceError("no Bluetooth on this machine"))
    assert main(["scan"]) == 0
    out, err = capsys.readouterr()
    assert "advertises only on\nskin" in out
    assert "no Bluetooth on this machine" in err
