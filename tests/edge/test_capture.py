import json

from edge.cli import main
from firmware_bridge.capture import read_capture


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_a_capture_replays_to_the_same_frames(tmp_path, capsys):
    first, second = tmp_path / "a.cap", tmp_path / "b.cap"
    source = "sim:?scenario=vt&speed=max&duration_s=5&drop=0.1&corrupt=0.1"
    assert main(["capture", source, str(first), "--json"]) == 0
    once = told(capsys)
    assert main(["capture", f"replay:{first}?speed=max", str(second), "--json"]) == 0
    again = told(capsys)
    assert {**once, "file": ""} == {**again, "file": ""}
    assert once["bad_frames"] > 0
    assert [p.data for p in read_capture(first)[1]] == [p.data for p in read_capture(second)[1]]


def test_an_existing_file_is_left_alone(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    assert main(["capture", "sim:", str(path), "--for", "1"]) == 4
    assert path.read_text() == "mine"
    assert "never overwrite" in capsys.readouterr().err


def test_the_header_keeps_what_the_decoder_needs_and_no_secret(tmp_path, monkeypatch, capsys):
    path = tmp_path / "a.cap"
    monkeypatch.setattr("edge.capture.packets", lambda *_, **__: (x for x in ()))
    uri = "serial:///dev/ttyACM0?device=native&leads=I,II&baud=115200"
    assert main(["capture", uri, str(path)]) == 0
    header, _ = read_capture(path)
    assert (header.device, header.options) == ("native", {"leads": "I,II"})
