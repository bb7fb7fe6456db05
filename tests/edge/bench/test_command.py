"""`edge bench` as a user meets it."""

import json
import os
import subprocess
import sys

import jsonschema
import msgspec
import pytest

from edge import schemas
from edge.bench import fresh_start
from edge.bench import run as bench_run
from edge.bench.cold_start import PARTS, cold_start
from edge.bench.model_facts import model_facts
from edge.bench.providers import provider_rows
from edge.bench.recording import record
from edge.bench.report import Report
from edge.bench.run import Options, bench
from edge.cli import main
from edge.clock import SystemClock
from edge.errors import EdgeError
from models.bundle import load_bundle
from models.devices import devices
from models.errors import ModelError
from tests.edge.bench.made_reports import report
from tests.patience import PROGRAM_S

CLOCK = SystemClock()


def test_a_whole_bench_reports_what_its_schema_says(tmp_path):
    page = tmp_path / "page.html"
    done = subprocess.run(
        [
            *[sys.executable, "-m", "edge", "bench", "--for", "1", "--streams", "2"],
            *["--json", "--html", str(page)],
        ],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        env={**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    jsonschema.validate(made, schemas.generate("bench"))
    told = msgspec.convert(made, Report)
    assert told.model.name == "tcn-s"
    assert told.command == "edge bench --for 1 --streams 2"
    assert (told.cold_start.rounds, told.paced.streams) == (1, 2)
    cold = told.cold_start
    assert cold.memory_mb > 10
    assert [part.name for part in cold.parts] == list(PARTS)
    assert sum(part.first_ms for part in cold.parts) == pytest.approx(cold.total_first_ms, abs=1)
    stages = ["decode", "timeline", "signal", "encoder", "beat stage", "alarm"]
    assert [stage.name for stage in told.unpaced.stages] == stages
    assert told.unpaced.packet_us.n >= 80
    assert told.delays.beat_ms.n > 5
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_bench_is_shown_to_people(monkeypatch, capsys):
    asked = []

    def measured(options, on_part):
        asked.append(options)
        on_part("nothing")
        return report(notes=["made up"])

    monkeypatch.setattr(bench_run, "bench", measured)
    arguments = ["bench", "--streams", "5", "--source", "sim:?token=secret", "--for", "7"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for part in ("Raspberry Pi 5", "last byte to PUBACK", "cold start", "note: made up"):
        assert part in shown
    assert (asked[0].streams, asked[0].for_s, asked[0].bundle) == (5, 7.0, "tcn-s")
    assert "secret" not in asked[0].command


def test_the_shipped_bundle_is_told_with_its_provider():
    model = model_facts("tcn-s", "cpu", 2)
    assert model.sha256 == load_bundle("tcn-s").sha256
    assert model.provider.used == ["CPUExecutionProvider"]
    assert model.provider.nodes["CPUExecutionProvider"] > 10
    assert model.provider.fallback == ""
    assert model_facts("none", "auto", 1) is None


def test_a_provider_that_runs_no_node_is_told_to_have_fallen_back():
    onnxruntime = pytest.importorskip("onnxruntime")
    if "AzureExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this build of ONNX Runtime has no provider that runs no node")
    use = model_facts("tcn-s", "AzureExecutionProvider", 1).provider
    assert "on CPUExecutionProvider" in use.fallback
    assert use.nodes == {"CPUExecutionProvider": sum(use.nodes.values())}


def test_all_providers_side_by_side(monkeypatch):
    recording = record("sim:", 8.0, CLOCK)
    there = devices(load_bundle("tcn-s"))
    monkeypatch.setattr("edge.bench.providers.devices", lambda _: (*there, "NoSuchProvider"))
    rows = provider_rows(recording, "tcn-s", 0.2, CLOCK)
    assert [row.provider.asked for row in rows] == [*there, "NoSuchProvider"]
    for row in rows[:-1]:
        assert row.step_us.n >= 5
        assert row.streams_a_core >= 1
        assert row.open_ms > 0
        assert row.error == ""
    assert "NoSuchProvider" in rows[-1].error
    assert rows[-1].step_us is None


def test_a_start_notes_its_parts_in_order():
    reached = fresh_start.main("tcn-s", "auto")
    assert list(reached) == list(PARTS)
    assert list(reached.values()) == sorted(reached.values())
    assert list(fresh_start.main("none", "auto")) == list(PARTS[:4])


def test_a_start_that_fails_says_why(monkeypatch):
    monkeypatch.setattr("edge.bench.cold_start.CHILD", "edge.bench.no_such_module")
    with pytest.raises(EdgeError, match=r"No module named .*no_such_module"):
        cold_start("none", "auto", 1, CLOCK)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--for", "0"], 2, "not a number above 0"),
        (["--for", "1e6"], 2, "at most 3600 s"),
        (["--streams", "0"], 2, "not a whole number from 1"),
        (["--streams", "many"], 2, "not a whole number from 1"),
        (["--html", "/no/such/folder/page.html"], 2, "there is no folder"),
        (["--provider", "all", "--bundle", "none"], 2, "name one with --bundle"),
        (["--mqtt", "ftp://x", "--for", "1"], 3, "expected mqtt://"),
        (["--source", "nonsense", "--for", "1"], 4, "no scheme"),
        (["--source", "replay:/no/such", "--for", "1"], 4, "/no/such"),
        (["--bundle", "no-such-bundle", "--for", "1"], 5, "no-such-bundle"),
        (["--provider", "Abacus", "--for", "1"], 5, "Abacus"),
        (["--mqtt", "mqtt://127.0.0.1:1", "--for", "1"], 6, "mqtt://127.0.0.1:1"),
    ],
)
def test_what_is_wrong_gets_one_clear_line(arguments, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        done = main(["bench", *arguments])
    except SystemExit as ended:
        done = ended.code
    message = capsys.readouterr().err
    assert done == code
    assert said in message.splitlines()[-1]


def test_a_bundle_that_is_none_is_found_out_before_the_work():
    with pytest.raises(ModelError, match="no-such-bundle"):
        bench(Options(bundle="no-such-bundle", for_s=600.0), CLOCK)
