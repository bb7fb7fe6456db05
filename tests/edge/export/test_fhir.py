import json
from dataclasses import replace

import numpy as np
import pytest

from edge.alert import AlarmState, Phase
from edge.cli import main
from edge.export import Request, export
from edge.export.parts import survey
from edge.pipeline import Step
from edge.record import open_recording
from firmware_bridge.stream import NS_PER_S
from tests.edge.export.exported import FORM, RATE_HZ, START, UTC_NS, Made, alert, make, signal
from tests.edge.record.recorded import ManualClock, Stream, monitor, recorder_in
from tests.patience import WAIT_S

GAPS = ((9 * RATE_HZ, 30),)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("fhir") / "recording", gaps=GAPS)


def bundle(made, path, **times):
    (file,) = export(Request(made.recording, **times), "fhir", path)
    return json.loads(file.read_text())


def values(component):
    data = component["valueSampledData"]
    scale, origin = data["factor"], data["origin"]["value"]
    words = data["data"].split(" ")
    assert data["period"] == 4.0
    assert data["dimensions"] == 1
    return np.array([np.nan if w in "EUL" else origin + scale * int(w) for w in words])


def test_each_alert_has_its_strip(made, tmp_path):
    found = bundle(made, tmp_path / "x")
    assert (found["resourceType"], found["type"]) == ("Bundle", "collection")
    strip, alert = (entry["resource"] for entry in found["entry"])
    assert strip["effectivePeriod"]["start"] == START.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    codes = [each["code"]["coding"][0]["code"] for each in strip["component"]]
    assert codes == ["131329", "131330"]
    ecg = np.stack([values(each) for each in strip["component"]], axis=1)
    assert np.array_equal(np.isnan(ecg), np.isnan(made.truth))
    assert np.nanmax(np.abs(ecg - made.truth)) <= 0.026
    assert alert["code"]["text"] == "vt"
    assert {each["code"] for each in alert["code"]["coding"]} == {"199832", "25569003"}
    assert alert["derivedFrom"] == [{"reference": found["entry"][0]["fullUrl"]}]
    assert strip["status"] == alert["status"] == "preliminary"


def test_a_time_span_is_cut_into_minutes(made, tmp_path):
    found = bundle(made, tmp_path / "x", from_ns=UTC_NS + 10**9, to_ns=UTC_NS + 4 * 10**9)
    (strip,) = (entry["resource"] for entry in found["entry"])
    ecg = np.stack([values(each) for each in strip["component"]], axis=1)
    assert np.abs(ecg - made.truth[250:1000]).max() <= 0.026


def test_it_is_valid_by_the_schema_of_the_library(made, tmp_path):
    resources = pytest.importorskip("fhir.resources.R4B.bundle")
    resources.Bundle.model_validate(bundle(made, tmp_path / "x"))


def test_without_an_alert_a_time_must_be_said(tmp_path, capsys):
    made = make(tmp_path / "r", seconds=5)  # the alert lies behind the end
    assert main(["export", str(made.root), "--to", "fhir", "--out", str(tmp_path / "x")]) == 4
    assert "--from" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def recurring(root):
    """VT that latches and returns twice; nobody acknowledges it before the end."""
    stream = Stream(ManualClock(), FORM)
    recorder = recorder_in(root, stream.clock)
    for _ in range(20):
        step = Step((stream.chunk(signal(RATE_HZ)),), ())
        recorder.stepped(monitor(stream, step), step)
    states = {4: "active", 6: "latched", 9: "active", 11: "latched", 12: "latched", 14: "active"}
    begun = replace(
        alert(Made(root, None), Phase.START), onset_ns=3 * NS_PER_S, time_ns=3 * NS_PER_S
    )
    updates = [
        replace(begun, phase=Phase.UPDATE, time_ns=at * NS_PER_S, state=AlarmState(state))
        for at, state in states.items()
    ]
    latched = replace(updates[1], time_ns=16 * NS_PER_S)
    end = replace(begun, phase=Phase.END, time_ns=18 * NS_PER_S, state=AlarmState.INACTIVE)
    last = Step((), (), (begun, *updates, latched, end))
    recorder.stepped(monitor(stream), last)
    recorder.close(WAIT_S)
    return open_recording(root)


def test_a_condition_that_returns_while_it_is_latched_starts_and_ends_each_time(tmp_path):
    request = Request(recurring(tmp_path / "r"))
    (file,) = export(request, "fhir", tmp_path / "x")
    alerts = [
        each["resource"]["effectiveDateTime"][17:19]
        for each in json.loads(file.read_text())["entry"]
        if "derivedFrom" in each["resource"]
    ]
    begun_s = START.second
    assert alerts == [f"{begun_s + at:02}" for at in (3, 9, 14)]
    (marks,) = [part.marks for part in survey(request)]
    assert [(each.position // RATE_HZ, each.text.split()[2]) for each in marks] == [
        *((3, "start"), (4, "update"), (6, "end"), (9, "start"), (11, "end")),
        *((14, "start"), (16, "end")),
    ]
