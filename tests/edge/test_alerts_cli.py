"""`edge alerts`: list, show and export."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from edge.alarm_log.condition import AlarmCondition, LoggedStep, Selection, conditions
from edge.alert import AlarmState, Inactivation, Phase
from edge.cli import main
from edge.errors import Exit
from edge.messages import Topics, encode
from edge.outbox import Outbox, open_alert_log
from edge.sink import outbound, outbound_strip
from edge.strips.codec import decode
from tests.edge.strips.cutting import a_strip, ecg_uv, its_alert

ENDED = "5c7b3b0e-5f1d-5d0c-9a5e-0123456789ab"
STILL_ON = "0b1d0000-5f1d-5d0c-9a5e-0123456789ab"


def step(id_, phase, seq, **changes):
    return msgspec.structs.replace(its_alert(phase, seq, id_), **changes)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """One condition that ended, was acknowledged and has a strip; one that is on; held open, as
    by a running `edge run`."""
    monkeypatch.setenv("EDGE__STORAGE__DIRECTORY", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    outbox = Outbox(tmp_path / "outbox.sqlite")
    acknowledged = {"inactivation": Inactivation.ACKNOWLEDGED, "acknowledged_by": "nurse 7"}
    messages = [
        step(ENDED, Phase.START, 1),
        step(ENDED, Phase.UPDATE, 2, **acknowledged),
        step(
            STILL_ON,
            Phase.START,
            3,
            kind="lead_off",
            codes={},
            patient="p2",
            state=AlarmState.ACTIVE,
        ),
        step(ENDED, Phase.END, 4, time="2026-01-31T12:01:40.000Z", state=AlarmState.INACTIVE),
    ]
    for message in messages:
        outbox.put(outbound(message, Topics()))
    strip = a_strip(ecg_uv(17 * 250, 2), leads=("I", "II"), id=ENDED)
    outbox.put(outbound_strip(strip, Topics()))
    delivered = [outbound(each, Topics()).key for each in messages[:3]]
    outbox.delivered([*delivered, outbound_strip(strip, Topics()).key])
    yield strip
    outbox.close()


@pytest.fixture
def alerts(stored, capsys):
    def alerts(*arguments):
        code = main(["alerts", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return alerts


def test_list_has_one_line_a_condition(alerts):
    code, out, _ = alerts("list")
    assert code == Exit.OK
    first, second = sorted(out.splitlines(), key=lambda line: "p2" in line)
    for part in ("HIGH", "ventricular tachycardia", "p1", "acknowledged by nurse 7", "pending"):
        assert part in first
    assert ENDED[:8] in first
    assert " to " in first
    for part in ("lead off", "p2", "still on", "not acknowledged", "delivered"):
        assert part in second


def test_list_of_messages_has_every_one(alerts):
    _, out, _ = alerts("list", "--messages", "--json")
    rows = json.loads(out)["alerts"]
    assert [(row["seq"], row["phase"], row["delivery"]) for row in rows] == [
        *((1, "start", "delivered"), (2, "update", "delivered"), (3, "start", "delivered")),
        (4, "end", "pending"),
    ]
    assert rows[3]["state"] == "inactive"
    assert len(alerts("list", "--messages")[1].splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (("--patient", "p2"), {STILL_ON}),
        (("--kind", "vt"), {ENDED}),
        (("--kind", "vf"), set()),
        (("--since", "1h"), {ENDED, STILL_ON}),
        (("--since", "9999-01-01T00:00:00Z"), set()),
        (("--last", "1"), {ENDED}),
    ],
)
def test_list_selects(alerts, arguments, ids):
    _, out, _ = alerts("list", "--json", *arguments)
    assert {row["id"] for row in json.loads(out)["conditions"]} == ids


def test_since_selects_conditions_and_tells_them_whole(stored, tmp_path):
    with open_alert_log(tmp_path / "outbox.sqlite") as log:
        (newest, *_) = log.newest_first()
        (found,) = conditions(log, Selection(since_utc_ns=newest.raised_utc_ns))
    assert (found.began.phase, len(found.steps)) == (Phase.START, 3)


def test_an_alarm_that_waits_for_an_answer_again_is_not_acknowledged():
    answered = {"inactivation": Inactivation.ACKNOWLEDGED, "acknowledged_by": "Anna"}
    messages = [
        step(STILL_ON, Phase.START, 1),
        step(STILL_ON, Phase.UPDATE, 2, **answered),
        step(STILL_ON, Phase.UPDATE, 3),
        step(STILL_ON, Phase.END, 4, state=AlarmState.INACTIVE),
    ]
    steps = tuple(LoggedStep(each, "delivered") for each in messages)
    told = [AlarmCondition(steps[:count]) for count in (1, 2, 3, 4)]
    assert [each.acknowledged for each in told] == [False, True, False, True]
    assert [each.acknowledged_by for each in told] == ["", "Anna", "", "Anna"]


@pytest.mark.parametrize(
    "arguments",
    [("--since", "yesterday"), ("--since", "1 year"), ("--last", "0"), ("--last", "many")],
)
def test_a_selection_that_is_none_is_a_usage_error(alerts, capsys, arguments):
    with pytest.raises(SystemExit) as refusal:
        alerts("list", *arguments)
    assert refusal.value.code == Exit.USAGE
    assert arguments[1] in capsys.readouterr().err


def test_show_tells_all_steps_the_evidence_and_the_strip(alerts, monkeypatch):
    code, out, _ = alerts("show", ENDED[:6])
    assert code == Exit.OK
    for part in (
        "Ventricular tachycardia, high priority (physiological)",
        f"id        {ENDED}",
        "bundle    tcn-s (abab",
        "mdc 199832, snomed_ct 25569003",
        "acknowledged by nurse 7",
        "rate 171.4/min, limit 100/min",
        "10 s to a row",
    ):
        assert part in out
    assert len([line for line in out.splitlines() if line.startswith("II  ")]) == 2


def test_show_as_json_has_messages_and_strip(alerts, stored):
    told = json.loads(alerts("show", ENDED, "--json")[1])
    assert [each["phase"] for each in told["messages"]] == ["start", "update", "end"]
    assert [msgspec.convert(each, type(stored)) for each in told["strips"]] == [stored]


def test_of_several_strips_the_newest_is_shown_and_all_are_exported(alerts, tmp_path, stored):
    with closing(Outbox(tmp_path / "two" / "outbox.sqlite")) as again:
        returned = {"evidence": {"recurrences": 1}, "state": AlarmState.ACTIVE}
        again.put(outbound(step(ENDED, Phase.START, 1), Topics()))
        again.put(outbound(step(ENDED, Phase.UPDATE, 2, **returned), Topics()))
        for recurrence in (0, 1):
            strip = msgspec.structs.replace(stored, recurrence=recurrence)
            again.put(outbound_strip(strip, Topics()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGE__STORAGE__DIRECTORY", str(tmp_path / "two"))
            assert "the newest of 2 strips" in alerts("show", ENDED)[1]
            told = json.loads(alerts("show", ENDED, "--json")[1])
            alerts("export", "--format", "svg", "--output", tmp_path / "svg")
            bundle = json.loads(alerts("export", "--format", "fhir")[1])
    assert [each["recurrence"] for each in told["strips"]] == [0, 1]
    first, second = sorted((tmp_path / "svg").iterdir(), key=lambda path: path.stem)
    assert (first.stem + "-1", "recurrences 1" in second.read_text()) == (second.stem, True)
    assert len(bundle["entry"][-1]["resource"]["derivedFrom"]) == 2


def test_show_without_a_strip_says_so(alerts):
    assert "no strip on record" in alerts("show", STILL_ON)[1]


def test_show_of_nothing_or_of_several_is_a_usage_error(alerts):
    assert alerts("show", "ffffff")[::2] == (
        Exit.USAGE,
        "edge: no alert 'ffffff' on record; `edge alerts list` names them\n",
    )
    code, _, error = alerts("show", "")
    assert code == Exit.USAGE
    assert "no alert ''" in error


def test_csv_has_a_row_a_condition_or_a_message(alerts):
    rows = list(csv.DictReader(io.StringIO(alerts("export")[1])))
    assert {row["id"]: row["presence"] for row in rows} == {ENDED: "off", STILL_ON: "on"}
    (ended,) = (row for row in rows if row["id"] == ENDED)
    assert json.loads(ended["evidence"]) == {"rate_bpm": 171.4, "limit_bpm": 100.0}
    assert (ended["acknowledged_by"], ended["messages"]) == ("nurse 7", "3")
    messages = list(csv.DictReader(io.StringIO(alerts("export", "--messages")[1])))
    assert [row["seq"] for row in messages] == ["1", "2", "3", "4"]


def test_json_goes_to_a_file(alerts, tmp_path):
    path = tmp_path / "alerts.json"
    code, out, _ = alerts("export", "--format", "json", "--output", path)
    assert (code, out) == (Exit.OK, "")
    assert len(json.loads(path.read_text())["conditions"]) == 2


@pytest.fixture
def bundle(alerts):
    return json.loads(alerts("export", "--format", "fhir")[1])


def test_fhir_has_an_observation_a_condition_and_one_a_strip(bundle, stored):
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    by_url = {each["fullUrl"]: each["resource"] for each in bundle["entry"]}
    assert len(by_url) == 3
    assert {each["resourceType"] for each in by_url.values()} == {"Observation"}
    assert all(url == f"urn:uuid:{each['id']}" for url, each in by_url.items())
    alarms = {
        each["identifier"][0]["value"]: each for each in by_url.values() if "identifier" in each
    }
    vt = alarms[ENDED]
    assert {each["code"] for each in vt["code"]["coding"]} == {"199832", "25569003"}
    assert vt["effectivePeriod"] == {
        "start": "2026-01-31T12:00:10.000Z",
        "end": "2026-01-31T12:01:40.000Z",
    }
    assert vt["valueCodeableConcept"] == {"text": "alarm off"}
    assert vt["note"] == [{"text": "acknowledged by nurse 7"}]
    parts = {each["code"]["text"]: each for each in vt["component"]}
    assert parts["alarm priority"]["code"]["coding"][0]["code"] == "68484"
    assert parts["alarm priority"]["valueString"] == "high"
    quantity = {"value": 171.4, "unit": "/min", "system": "http://unitsofmeasure.org"}
    assert parts["rate_bpm"]["valueQuantity"] == quantity | {"code": "/min"}
    (reference,) = vt["derivedFrom"]
    assert_is_the_strip(by_url[reference["reference"]], stored)
    assert "derivedFrom" not in alarms[STILL_ON]
    assert "end" not in alarms[STILL_ON]["effectivePeriod"]


def assert_is_the_strip(observation, strip):
    codes = [each["code"]["coding"][0]["code"] for each in observation["component"]]
    assert codes == ["131329", "131330"]
    truth = decode(strip)
    for lead, component in enumerate(observation["component"]):
        data = component["valueSampledData"]
        values = [data["factor"] * int(word) for word in data["data"].split(" ")]
        assert np.allclose(values, truth[:, lead], atol=0.001)
        assert (data["period"], data["dimensions"]) == (4.0, 1)


def test_fhir_is_the_same_each_time_but_for_its_timestamp(alerts, bundle):
    again = json.loads(alerts("export", "--format", "fhir")[1])
    assert again["entry"] == bundle["entry"]


def test_fhir_is_valid_by_the_schema_of_the_library(bundle):
    resources = pytest.importorskip("fhir.resources.R4B.bundle")
    resources.Bundle.model_validate(bundle)


def test_svg_of_one_is_a_file_and_of_all_a_folder(alerts, tmp_path):
    path, folder = tmp_path / "one.svg", tmp_path / "strips"
    assert alerts("export", "--format", "svg", "--output", path)[0] == Exit.OK
    ElementTree.parse(path)
    code, out, _ = alerts("export", "--format", "svg", "--id", ENDED[:4], "--output", folder)
    assert code == Exit.OK
    (drawn,) = folder.iterdir()
    assert drawn.name == "p1-20260131T120000Z-vt-1.svg"
    assert out.strip() == str(drawn)


def test_png_is_one(alerts, tmp_path):
    pytest.importorskip("PIL.Image")
    path = tmp_path / "one.png"
    assert alerts("export", "--format", "png", "--output", path)[0] == Exit.OK
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "svg"), "--output PATH"),
        (("--format", "fhir", "--messages"), "--messages goes with csv and json"),
        (("--format", "svg", "--output", "x", "--kind", "lead_off"), "none of the 1 alarm"),
    ],
)
def test_what_cannot_be_exported_is_a_usage_error(alerts, arguments, words):
    code, _, error = alerts("export", *arguments)
    assert code == Exit.USAGE
    assert words in error


def test_several_strips_and_one_file_is_a_usage_error(alerts, tmp_path):
    with_two = Outbox(tmp_path / "two" / "outbox.sqlite")
    for number in (1, 2):
        alert = step(f"id-{number}", Phase.START, number)
        with_two.put(outbound(alert, Topics()))
        with_two.put(outbound_strip(a_strip(ecg_uv(500, 1), id=alert.id), Topics()))
    config = tmp_path / "two.toml"
    config.write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE__STORAGE__DIRECTORY", str(tmp_path / "two"))
        code, _, error = alerts("export", config, "--format", "svg", "--output", tmp_path / "a.svg")
        assert (code, "2 strips, and one file" in error) == (Exit.USAGE, True)
        assert alerts("show", "id-", config)[0] == Exit.USAGE
    with_two.close()


def test_where_there_is_no_log_it_is_said_what_keeps_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGE__STORAGE__DIRECTORY", str(tmp_path / "nowhere"))
    for action in (("list",), ("show", "x"), ("export",)):
        assert main(["alerts", *action]) == Exit.FAILURE
        error = capsys.readouterr().err
        assert "does not exist" in error
        assert "[mqtt]" in error


def test_a_message_of_another_version_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGE__STORAGE__DIRECTORY", str(tmp_path))
    outbox = Outbox(tmp_path / "outbox.sqlite")
    good = outbound(step("id-1", Phase.START, 1), Topics())
    outbox.put(good)
    outbox.put(replace(good, id="id-2", seq=2, payload=b'{"id": "id-2"}'))
    outbox.put(replace(good, id="id-3", seq=3, payload=b"\xff"))
    outbox.put(replace(outbound_strip(a_strip([[1.0]]), Topics()), id="id-1", payload=b"{}"))
    assert main(["alerts", "show", "id-1", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["messages"][0]["id"], told["strips"]) == ("id-1", [])
    assert main(["alerts", "list"]) == Exit.OK
    assert len(capsys.readouterr().out.splitlines()) == 1
    outbox.close()


def test_the_strip_that_is_stored_is_the_one_that_was_made(stored):
    assert msgspec.json.decode(encode(stored), type=type(stored)) == stored
