"""`edge evaluate` end to end: on records written here, and on a real one where it is present."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edge.cli import main
from edge.evaluate.run import Job, evaluate
from edge.evaluate.table import tables
from tests.edge.evaluate.annotated import write_record
from tests.edge.synthetic_ecg import regular

wfdb = pytest.importorskip("wfdb")

DURATION_S = 330.0
PAUSE_S = (310.0, 318.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two records: one regular, one with an asystole of 8 s and more."""
    made = tmp_path_factory.mktemp("records")
    beats_s = regular(72, DURATION_S)
    write_record(made, "r1", beats_s, DURATION_S)
    paused = beats_s[(beats_s < PAUSE_S[0]) | (beats_s > PAUSE_S[1])]
    write_record(made, "r2", paused, DURATION_S, seed=1)
    return made


def edge(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "edge", "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_json_is_one_object_with_figures_and_where_they_come_from(folder):
    done = edge("qrs", folder, "--bundle", "none", "--lead", 0, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["task"] == "qrs"
    assert [row["record"] for row in report["records"]] == ["r1", "r2"]
    assert report["gross"]["se"] == report["gross"]["ppv"] == 100.0
    assert report["bundle"] is None
    assert report["commit"]
    assert report["machine"]["cores"] >= report["machine"]["jobs"] >= 1
    assert report["command"].startswith("edge evaluate qrs ")
    assert report["signal"] == {"lead": 0, "chunk_samples": 25, "noise": None}


def test_people_get_a_plain_table(folder):
    done = edge("alarms", folder, "--bundle", "none")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    (asystole,) = (line for line in done.stdout.splitlines() if line.startswith("asystole"))
    assert asystole.split()[1:5] == ["1", "0", "0", "0"]
    assert "rules alone" in done.stdout


def test_the_number_of_processes_changes_nothing(folder):
    job = Job("alarms", folder, "tcn-s")
    alone, together = evaluate(job, jobs=1), evaluate(job, jobs=2)
    assert alone["machine"]["jobs"] != together["machine"]["jobs"]
    for key in ("records", "gross", "kinds"):
        assert alone[key] == together[key]


def test_a_report_says_which_bundle_and_how_it_was_trained(folder):
    report = evaluate(Job("beats", folder, "tcn-s"), "r1")
    assert report["bundle"]["name"] == "tcn-s"
    assert "DS2" in report["bundle"]["training"]["split"]
    assert set(report["gross"]) == {"veb", "sveb"}


def test_progress_is_told_record_by_record(folder):
    told = []
    evaluate(Job("qrs", folder, "none"), on_record=lambda *numbers: told.append(numbers))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_noise_makes_detection_harder(folder, tmp_path):
    wave = np.random.default_rng(1).normal(0, 1, (80_000, 1))
    wfdb.wrsamp(
        "em", fs=250, units=["mV"], sig_name=["n"], p_signal=wave, fmt=["16"], write_dir=tmp_path
    )
    report = evaluate(Job("qrs", folder, "none", 0, tmp_path / "em", -12.0), "r1")
    assert report["gross"]["se"] < 90
    assert report["signal"]["noise"] == {"record": "em", "snr_db": -12.0}


def test_peers_hear_the_same_samples(folder):
    report = evaluate(Job("qrs", folder, "none", 0, peers=True), "r1")
    assert report["peers"]["wfdb xqrs"]["gross"]["se"] > 90
    assert "wfdb xqrs" in [row[0] for row in tables(report)[1].rows]


@pytest.mark.parametrize("task", ["qrs", "beats", "rhythm", "alarms"])
def test_every_task_has_tables(folder, task):
    report = evaluate(Job(task, folder, "none"), "r2")
    for table in tables(report):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_a_folder_of_cinc_2017(tmp_path):
    pytest.importorskip("scipy")
    from scipy.io import savemat

    beats_s = regular(72, 20.0)
    for name in ("A00001", "A00002"):
        write_record(tmp_path, name, beats_s, 20.0)
        savemat(tmp_path / f"{name}.mat", {"val": np.zeros((1, 10), np.int16)}, format="4")
    (tmp_path / "REFERENCE-v3.csv").write_text("A00001,N\nA00002,A\nA00009,O\n")
    report = evaluate(Job("rhythm", tmp_path, "tcn-s"))
    assert [row["record"] for row in report["records"]] == ["A00001", "A00002"]
    assert report["gross"]["af"]["auroc"] == 0.5
    assert sum(map(sum, (row.values() for row in report["confusion"].values()))) == 2
    assert len(tables(report)) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("qrs", "/no/such"), 4, "no such folder"),
        (("qrs", "EMPTY"), 4, "no annotated recordings"),
        (("qrs", "GOOD", "--records", "r9"), 2, "--records r9"),
        (
            ("qrs", "GOOD", "--lead", "7", "--jobs", "2"),
            2,
            "--lead 7: record r1 has leads 0 (MLII), 1 (V1)",
        ),
        (("qrs", "GOOD", "--lead", "-1"), 2, "not a whole number"),
        (("qrs", "GOOD", "--snr", "6"), 2, "go together"),
        (("qrs", "GOOD", "--noise", "/no/em", "--snr", "6"), 4, "/no/em"),
        (("qrs", "GOOD", "--jobs", "0"), 2, "--jobs 0"),
        (("beats", "GOOD", "--peers"), 2, "--peers"),
        (("beats", "GOOD", "--bundle", "no-such"), 5, "no-such"),
        (("beats", "NOBEATS"), 4, "no beats are annotated"),
        (("rhythm", "BROKEN"), 4, "r1.atr"),
        (("rhythm", "CINC"), 4, "REFERENCE-v3.csv: expected lines like A00001,N"),
    ],
)
def test_what_is_wrong_gets_one_clear_line_and_its_exit_code(
    arguments, code, said, folder, tmp_path, capsys
):
    places = {
        "GOOD": folder,
        "EMPTY": tmp_path,
        "NOBEATS": tmp_path,
        "BROKEN": tmp_path,
        "CINC": tmp_path,
    }
    if "NOBEATS" in arguments:
        write_record(tmp_path, "r1", [], 5.0)
    if "BROKEN" in arguments:
        write_record(tmp_path, "r1", [1.0, 2.0], 5.0)
        (tmp_path / "r1.atr").write_bytes(b"\xff\xff\xff")
    if "CINC" in arguments:
        (tmp_path / "REFERENCE-v3.csv").write_text("A00001,X")
    try:
        returned = main(["evaluate", *(str(places.get(word, word)) for word in arguments)])
    except SystemExit as exit:
        returned = exit.code
    printed = capsys.readouterr()
    assert (returned, printed.out) == (code, "")
    assert said in printed.err
    assert len(printed.err.strip().splitlines()) == 1


@pytest.mark.records
def test_a_real_record_is_heard_well(records_dir):
    report = evaluate(Job("qrs", records_dir / "mitdb", "none", lead=0), "100")
    assert report["gross"]["tp"] > 1890
    assert report["gross"]["fn"] + report["gross"]["fp"] <= 5
