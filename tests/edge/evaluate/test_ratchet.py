"""Bounds tighten, never loosen unasked, and a damaged file is one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError, StorageError, UsageError
from edge.evaluate.job import Job
from edge.evaluate.noise import NoiseMix
from edge.evaluate.ratchet import compare, figures_of, open_gate, tightened
from edge.evaluate.ratchet_file import (
    Bound,
    Entry,
    Evaluation,
    MixedNoise,
    Ratchet,
    evaluation_of,
    load,
    save,
)
from edge.evaluate.run import evaluate
from tests.conftest import ROOT

SHIPPED = ROOT / "benchmarks" / "ratchet.json"
EVALUATION = Evaluation("qrs", "mitdb", "all", 48, 0, MixedNoise("em", 6.0, "nst", "half"), "none")
BOUNDS = {"se": Bound(99.0, "higher", 0.1), "fn": Bound(20.0, "lower", 1.0)}


def said(figures):
    return {each.figure: each.said for each in compare(BOUNDS, figures)}


@pytest.mark.parametrize(
    ("se", "fn", "expected"),
    [
        (99.0, 20, {"se": "held", "fn": "held"}),
        (98.9, 21, {"se": "held", "fn": "held"}),
        (98.89, 22, {"se": "worse", "fn": "worse"}),
        (99.01, 19, {"se": "better", "fn": "better"}),
    ],
)
def test_worse_is_what_passes_the_tolerance(se, fn, expected):
    assert said({"se": se, "fn": fn}) == expected


def test_a_figure_that_went_away_is_told_and_so_is_a_new_one():
    assert said({"se": 99.0, "ppv": 50.0}) == {"se": "held", "fn": "gone", "ppv": "new"}


values = st.floats(0, 100)


@given(values, values)
def test_bounds_tighten_and_never_loosen(se, fn):
    new = tightened(BOUNDS, {"se": se, "fn": fn})
    assert new["se"].value == max(99.0, se)
    assert new["fn"].value == min(20.0, fn)
    assert [each.tolerance for each in new.values()] == [0.1, 1.0]


@given(values, values)
def test_loosened_bounds_are_the_figures(se, fn):
    new = tightened(BOUNDS, {"se": se, "fn": fn}, loosen=True)
    assert (new["se"].value, new["fn"].value) == (se, fn)


def test_a_figure_without_a_value_keeps_its_bound_unless_loosened():
    assert tightened(BOUNDS, {"se": 99.0}) == BOUNDS
    assert set(tightened(BOUNDS, {"se": 99.0}, loosen=True)) == {"se"}


def test_figures_of_a_report_are_named_by_their_place():
    gross = {"veb": {"se": 90.0, "tp": 9, "fn": 1}, "sveb": {"se": None}}
    assert figures_of({"gross": gross}) == {"veb.se": 90.0, "veb.fn": 1}
    alarms = {"true": 3, "missed": 0, "false": 2, "excused": 1, "delay_s": {"p50": 4.0}}
    report = {"gross": alarms, "priorities": {"high": alarms}}
    assert set(figures_of(report)) == {
        *("true", "missed", "false", "delay_s.p50"),
        *("high.true", "high.missed", "high.false", "high.delay_s.p50"),
    }


def report(se, fn):
    return {"gross": {"se": se, "fn": fn}}


def test_a_gate_opens_on_an_update_and_closes_on_worse_figures(tmp_path):
    file = tmp_path / "ratchet.json"
    made = open_gate(file, EVALUATION, update=True).judge(report(99.0, 20))
    assert (made["ok"], [row["verdict"] for row in made["figures"]]) == (True, ["new", "new"])
    assert open_gate(file, EVALUATION).judge(report(99.0, 20))["ok"]
    assert not open_gate(file, EVALUATION).judge(report(98.0, 20))["ok"]


def test_an_update_takes_what_is_better_and_still_fails_on_what_is_worse(tmp_path):
    file = tmp_path / "ratchet.json"
    open_gate(file, EVALUATION, update=True).judge(report(99.0, 20))
    mixed = open_gate(file, EVALUATION, update=True).judge(report(98.0, 10))
    assert not mixed["ok"]
    bounds = load(file).bounds(EVALUATION)
    assert (bounds["se"].value, bounds["fn"].value) == (99.0, 10.0)
    assert open_gate(file, EVALUATION, update=True, loosen=True).judge(report(98.0, 12))["ok"]
    bounds = load(file).bounds(EVALUATION)
    assert (bounds["se"].value, bounds["fn"].value) == (98.0, 12.0)


def test_judging_alone_leaves_the_file_as_it_is(tmp_path):
    file = tmp_path / "ratchet.json"
    open_gate(file, EVALUATION, update=True).judge(report(99.0, 20))
    before = file.read_bytes()
    open_gate(file, EVALUATION).judge(report(99.9, 1))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_evaluations_lie_side_by_side_in_one_file(tmp_path):
    file = tmp_path / "ratchet.json"
    other = Evaluation("qrs", "mitdb", "all", 47, 0, None, "none")
    for evaluation in (EVALUATION, other, EVALUATION):
        open_gate(file, evaluation, update=True).judge(report(99.0, 20))
    assert [entry.evaluation for entry in load(file).entries] == [EVALUATION, other]


def test_an_evaluation_that_is_not_held_is_named():
    with pytest.raises(UsageError, match=r"qrs, mitdb, records all \(48\), lead 0.*--update"):
        open_gate(SHIPPED, EVALUATION)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"entries": [{"evaluation": {}, "bounds": {}}]}', "missing required field `task`"),
        ('{"entries": [], "more": 1}', "more"),
        ("\x00" * 100, "damaged"),
        (" " * 1_000_001, "longer than"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(text, words, tmp_path):
    file = tmp_path / "ratchet.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"ratchet\.json") as error:
        load(file)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("better", "more"), ("tolerance", -1), ("value", "many"), ("value", None)],
)
def test_a_bound_that_makes_no_sense_is_refused(field, value, tmp_path):
    file = tmp_path / "ratchet.json"
    save(Ratchet((Entry(EVALUATION, BOUNDS),)), file)
    raw = json.loads(file.read_text())
    raw["entries"][0]["bounds"]["se"][field] = value
    file.write_text(json.dumps(raw))
    with pytest.raises(ConfigError, match=rf"{field}"):
        load(file)


def test_two_entries_for_one_evaluation_are_refused(tmp_path):
    file = tmp_path / "ratchet.json"
    save(Ratchet((Entry(EVALUATION, BOUNDS), Entry(EVALUATION, {}))), file)
    with pytest.raises(ConfigError, match="two entries for qrs, mitdb"):
        load(file)


def test_no_file_is_made_only_by_an_update(tmp_path):
    with pytest.raises(UsageError, match="--update"):
        load(tmp_path / "no.json")
    assert load(tmp_path / "no.json", make=True) == Ratchet()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"no/ratchet\.json"):
        save(Ratchet(), tmp_path / "no" / "ratchet.json")


def test_the_file_reads_back_as_written(tmp_path):
    file = tmp_path / "ratchet.json"
    ratchet = Ratchet((Entry(EVALUATION, BOUNDS),))
    save(ratchet, file)
    assert load(file) == ratchet
    assert '"from": "half"' in file.read_text()


def shipped():
    """Entries of the repository's ratchet that take seconds: those of one recording."""
    entries = load(SHIPPED).entries
    return [entry.evaluation for entry in entries if entry.evaluation.recordings == 1]


def _job(evaluation: Evaluation, folder: Path) -> Job:
    mixed = evaluation.noise
    noise = mixed and NoiseMix(
        folder / "nstdb" / mixed.record, mixed.snr_db, mixed.start, mixed.method
    )
    return Job(
        evaluation.task, folder / evaluation.folder, evaluation.bundle, evaluation.lead, noise
    )


@pytest.mark.records
@pytest.mark.parametrize("evaluation", shipped(), ids=str)
def test_no_figure_of_a_real_record_got_worse(evaluation, records_dir):
    job = _job(evaluation, records_dir)
    assert evaluation_of(job, evaluation.records) == evaluation
    verdicts = open_gate(SHIPPED, evaluation).judge(evaluate(job, evaluation.records))
    assert [row for row in verdicts["figures"] if row["verdict"] in ("worse", "gone")] == []


def test_the_shipped_ratchet_has_an_entry_for_the_test_above():
    assert shipped()
