"""`edge evaluate` end to end: on records written here, and on a real one where it is present."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy

import numpy as np
import pytest

from edge.cli import main
from edge.evaluate.job import Job
from edge.evaluate.noise import NoiseMix
from edge.evaluate.run import evaluate
from edge.evaluate.tables import show, tables
from tests.command_line import here
from tests.edge.evaluate.annotated import write_record
from tests.edge.synthetic_ecg import regular

wfdb = pytest.importorskip("wfdb")

DURATION_S = 330.0
PAUSE_S = (310.0, 318.0)


@pytest.fixture(scope="module")
def report(folder):
    """Of one process and rules alone."""
    return evaluate(Job("qrs", folder, "none"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two records: one regular, one with an asystole of 8 s and more."""
    made = tmp_path_factory.mktemp("records")
    beats_s = regular(72, DURATION_S)
    write_record(made, "r1", beats_s, DURATION_S)
    paused = beats_s[(beats_s < PAUSE_S[0]) | (beats_s > PAUSE_S[1])]
    write_record(made, "r2", paused, DURATION_S, seed=1)
    return made


def test_json_is_one_object_with_figures_and_where_they_come_from(folder):
    words = ("qrs", folder, "--bundle", "none", "--lead", 0, "--jobs", 1, "--json")
    done = here("evaluate", *words, NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["task"], report["folder"]) == ("qrs", folder.name)
    assert [row["record"] for row in report["records"]] == ["r1", "r2"]
    assert report["gross"]["se"] == report["gross"]["ppv"] == 100.0
    assert report["bundle"] is None
    assert report["commit"]
    assert report["machine"]["cores"] >= report["machine"]["jobs"] >= 1
    assert report["command"].startswith("edge evaluate qrs ")
    assert report["signal"] == {"lead": 0, "chunk_samples": 25, "noise": None}


def test_people_get_a_plain_table(folder):
    done = here("evaluate", "alarms", folder, "--bundle", "none", "--jobs", 1, NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    (asystole,) = (line for line in done.stdout.splitlines() if line.startswith("asystole"))
    assert asystole.split()[1:5] == ["1", "0", "0", "0"]
    assert "rules alone" in done.stdout


def test_the_number_of_processes_changes_nothing(folder, report):
    together = evaluate(Job("qrs", folder, "none"), jobs=2)
    assert report["machine"]["jobs"] != together["machine"]["jobs"]
    for key in ("records", "gross"):
        assert report[key] == together[key]


def test_a_report_says_which_bundle_and_how_it_was_trained(tmp_path):
    write_record(tmp_path, "r1", regular(72, 20.0), 20.0)
    report = evaluate(Job("beats", tmp_path, "tcn-s"), "r1")
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
    report = evaluate(Job("qrs", folder, "none", 0, NoiseMix(tmp_path / "em", -12.0)), "r1")
    assert report["gross"]["se"] < 90
    assert report["signal"]["noise"] == {
        "record": "em",
        "snr_db": -12.0,
        "method": "nst",
        "from": 0.0,
    }


def test_the_command_of_a_report_says_how_noise_was_mixed(folder, tmp_path, capsys):
    wave = np.random.default_rng(1).normal(0, 1, (10_000, 1))
    wfdb.wrsamp(
        "em", fs=250, units=["mV"], sig_name=["n"], p_signal=wave, fmt=["16"], write_dir=tmp_path
    )
    said = f"--noise {tmp_path}/em --snr 6 --noise-from half --noise-method whole"
    words = f"evaluate qrs {folder} --bundle none --records r1 --jobs 1 {said}".split()
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["signal"]["noise"] == {
        "record": "em",
        "snr_db": 6.0,
        "method": "whole",
        "from": "half",
    }
    assert report["command"].endswith(said)


def test_a_lead_may_be_named(folder):
    by_index, by_name = (evaluate(Job("qrs", folder, "none", lead), "r1") for lead in (1, "V1"))
    assert by_name["records"] == by_index["records"]
    assert by_name["signal"]["lead"] == "V1"


def write_leads(folder, name, leads_mv, sig_name):
    """A record with these leads beside the annotations of regular beats."""
    wfdb.wrsamp(
        name,
        fs=250,
        units=["mV"] * len(sig_name),
        sig_name=sig_name,
        p_signal=leads_mv,
        adc_gain=[200.0] * len(sig_name),
        baseline=[0] * len(sig_name),
        fmt=["16"] * len(sig_name),
        write_dir=str(folder),
    )


def write_odd(folder, duration_s):
    """Records with a lead of an unheard-of name, a constant one, and one with invalid samples."""
    beats_s = regular(72, duration_s)
    write_record(folder, "named", beats_s, duration_s)
    for name in ("flat", "holes"):
        shutil.copy(folder / "named.atr", folder / f"{name}.atr")
    sound = wfdb.rdrecord(str(folder / "named")).p_signal
    write_leads(folder, "named", sound, ["Zwölf?", ""])
    write_leads(folder, "flat", np.full_like(sound, 0.5), ["MLII", "V1"])
    sound[: len(sound) // 4, 1] = np.nan
    write_leads(folder, "holes", sound, ["MLII", "V1"])


@pytest.mark.parametrize("task", ["qrs", "beats", "rhythm", "alarms"])
@pytest.mark.parametrize("bundle", ["none", "tcn-s"])
def test_odd_signals_make_marked_rows(task, bundle, tmp_path):
    write_odd(tmp_path, 20.0)
    report = evaluate(Job(task, tmp_path, bundle))
    remarks = {row["record"]: row.get("remarks") for row in report["records"]}
    assert remarks == {
        "named": None,
        "flat": ["lead MLII is constant", "lead V1 is constant"],
        "holes": ["lead V1 has 25 % invalid samples"],
    }


def test_a_constant_lead_has_no_beats_and_an_unheard_of_name_changes_nothing(tmp_path, capsys):
    write_odd(tmp_path, DURATION_S)
    report = evaluate(Job("qrs", tmp_path, "none", 0), "flat,named")
    flat, named = report["records"]
    assert (flat["tp"], flat["fp"], flat["se"]) == (0, 0, 0.0)
    assert (named["se"], named["ppv"]) == (100.0, 100.0)
    show({**report, "command": ""})
    assert "flat: lead MLII is constant" in capsys.readouterr().out.splitlines()


def test_a_ratchet_lets_nothing_get_worse(folder, report, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge.evaluate.run.evaluate", lambda *_, **__: deepcopy(report))
    file = tmp_path / "ratchet.json"
    words = ["evaluate", "qrs", str(folder), "--bundle", "none"]
    words += ["--ratchet", str(file)]
    assert main(words) == 2
    assert "--update makes" in capsys.readouterr().err
    assert main([*words, "--update"]) == 0
    assert main(words) == 0
    raised = file.read_text().replace('"value": 0.0', '"value": -5.0')
    file.write_text(raised)
    capsys.readouterr()
    assert main(words) == 10
    shown = capsys.readouterr()
    assert "worse" in shown.out
    assert "worse: fn, fp" in shown.err
    assert main([*words, "--update"]) == 10
    assert main([*words, "--update", "--loosen", "--json"]) == 0
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ratchet"]["ok"] is True


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
        (("rhythm", "SIGNALS"), 4, "no annotated recordings: no NAME.hea with NAME.atr"),
        (("qrs", "INVALID"), 4, "holds no valid sample"),
        (("qrs", "GOOD", "--records", "r9"), 2, "--records r9"),
        (
            ("qrs", "GOOD", "--lead", "7", "--jobs", "2"),
            2,
            "--lead 7: record r1 has leads 0 (MLII), 1 (V1)",
        ),
        (("qrs", "GOOD", "--lead", "aVF"), 2, "--lead aVF: record r1 has leads 0 (MLII), 1 (V1)"),
        (("qrs", "GOOD", "--lead", "-1"), 2, "--lead -1: record r1 has leads"),
        (("qrs", "GOOD", "--snr", "6"), 2, "go together"),
        (("qrs", "GOOD", "--noise", "/no/em", "--snr", "6"), 4, "/no/em"),
        (("qrs", "GOOD", "--noise-from", "half"), 2, "give it"),
        (("qrs", "GOOD", "--noise-method", "whole"), 2, "give it"),
        (("qrs", "GOOD", "--noise", "e", "--snr", "6", "--noise-from", "-1"), 2, "nor half"),
        (("qrs", "GOOD", "--noise", "e", "--snr", "6", "--noise-from", "inf"), 2, "nor half"),
        (("qrs", "GOOD", "--update"), 2, "--ratchet FILE"),
        (("qrs", "GOOD", "--ratchet", "/no/r.json", "--loosen"), 2, "give both"),
        (("qrs", "GOOD", "--ratchet", "/no/r.json"), 2, "/no/r.json"),
        (("qrs", "GOOD", "--records", "r1", "--ratchet", "GOOD"), 2, "Is a directory"),
        (("qrs", "GOOD", "--plot", "a.jpg"), 2, "a.jpg: expected a name that ends in .png"),
        (("qrs", "GOOD", "--plot", "/no/such/a.png"), 2, "there is no folder /no/such"),
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
        "SIGNALS": tmp_path,
        "INVALID": tmp_path,
    }
    if "SIGNALS" in arguments:
        write_record(tmp_path, "r1", [1.0], 5.0)
        (tmp_path / "r1.atr").unlink()
    if "INVALID" in arguments:
        write_record(tmp_path, "r1", [1.0], 5.0)
        write_leads(tmp_path, "r1", np.full((1250, 1), np.nan), ["MLII"])
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
