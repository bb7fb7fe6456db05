import json

import numpy as np
import pytest

from edge.cli import main
from edge.export import Request, export
from tests.edge.export.exported import RATE_HZ, START, UTC_NS, make

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
