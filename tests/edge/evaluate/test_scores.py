"""Rows and summaries of `qrs`, `beats`, `rhythm` and CinC 2017, from beats made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge.evaluate.beats import beats_row, beats_summary
from edge.evaluate.cinc import cinc_row, cinc_summary
from edge.evaluate.qrs import qrs_row, qrs_summary
from edge.evaluate.rhythm import rhythm_row, rhythm_summary
from tests.edge.evaluate.annotated import heard, reference

BEATS_S = 300.0 + np.arange(100)


def test_qrs_gross_adds_beats_and_average_means_records():
    one = qrs_row("a", reference(BEATS_S), heard(BEATS_S))
    two = qrs_row("b", reference(BEATS_S[:50]), heard(BEATS_S[25:75]))
    assert one == {"record": "a", "tp": 100, "fn": 0, "fp": 0, "se": 100.0, "ppv": 100.0}
    assert (two["tp"], two["fn"], two["fp"]) == (25, 25, 25)
    summary = qrs_summary([one, two])
    assert summary["gross"]["se"] == pytest.approx(100 * 125 / 150)
    assert summary["average"]["se"] == pytest.approx(75.0)


def test_beats_count_classes_and_take_unlabelled_for_q():
    truth = "N" * 90 + "V" * 8 + "SF"
    said = "N" * 89 + "V" + "V" * 6 + "NU" + "SV"
    row = beats_row("a", reference(BEATS_S, truth), heard(BEATS_S, said))
    assert row["confusion"]["V"] == {"N": 1, "S": 0, "V": 6, "F": 0, "Q": 1, "missed": 0}
    assert row["unlabelled"] == 1
    gross = beats_summary([row, row])["gross"]
    assert gross["veb"]["se"] == pytest.approx(100 * 6 / 8)
    assert gross["veb"]["ppv"] == pytest.approx(100 * 6 / 7)  # F called V is forgiven
    assert gross["veb"]["fpr"] == pytest.approx(100 * 1 / 91)
    assert (gross["sveb"]["tp"], gross["sveb"]["se"]) == (2, 100.0)


def test_beats_summary_is_the_sum_of_its_records():
    row = beats_row("a", reference(BEATS_S), heard(BEATS_S[:-1]))
    confusion = beats_summary([row, row, row])["confusion"]
    assert (confusion["N"]["N"], confusion["N"]["missed"]) == (297, 3)
    assert confusion["extra"]["N"] == 0


def test_beats_have_runs_and_the_summary_adds_them():
    truth = "N" * 50 + "VVNVVVN" + "SS" + "N" * 41
    said = "N" * 50 + "VVNVVNN" + "SS" + "N" * 41
    row = beats_row("a", reference(BEATS_S, truth), heard(BEATS_S, said))
    runs = beats_summary([row, row])["runs"]
    couplets = runs["veb"]["couplets"]
    assert [couplets[count] for count in ("tps", "fn", "tpp", "fp")] == [2, 0, 4, 0]
    assert couplets["se"] == couplets["ppv"] == 100.0
    assert (runs["veb"]["short"]["fn"], runs["veb"]["short"]["ppv"]) == (2, None)
    assert runs["sveb"]["couplets"]["se"] == 100.0


def test_fibrillation_is_a_run_by_the_reference_and_by_its_alarm():
    beats_s = BEATS_S[(BEATS_S < 370) | (BEATS_S > 382)]
    known = reference(beats_s, rhythms=[("AFIB", 320, 360)], fibrillation=[(370, 380)])
    alarms = [("af", 330, 360, 365), ("vf", 371, 374, 382)]
    runs = beats_row("a", known, heard(beats_s, alarms=alarms))["runs"]
    assert (runs["sveb"]["long"]["tps"], runs["veb"]["long"]["tps"]) == (1, 1)
    runs = beats_row("a", known, heard(beats_s))["runs"]
    assert (runs["sveb"]["long"]["fn"], runs["veb"]["long"]["fn"]) == (1, 1)


def test_rhythm_takes_alarms_as_episodes():
    known = reference(rhythms=[("AFIB", 400, 500), ("AFL", 600, 700)], fibrillation=[(800, 820)])
    said = heard(alarms=[("af", 410, 440, 510), ("af", 610, 640, 690), ("vt", 800, 803, 820)])
    row = rhythm_row("a", known, said)
    gross = rhythm_summary([row])["gross"]
    assert gross["af"]["episode_se"] == gross["af"]["episode_ppv"] == 100.0
    assert gross["af"]["duration_se"] == pytest.approx(90.0)
    assert gross["af"]["duration_ppv"] == pytest.approx(90.0)
    assert (gross["vf"]["episode_se"], gross["vf"]["episode_ppv"]) == (0.0, None)


def hop(normal=0.0, af=0.0, other=0.0, noise=0.0):
    return {"normal": normal, "af": af, "other": other, "noise": noise, "vt": 0.0, "vf": 0.0}


def test_cinc_decides_by_the_mean_from_the_ninth_second_on():
    early = [hop(af=1.0)] * 8
    assert cinc_row("x", "N", heard(rhythm=[*early, hop(normal=0.9, af=0.1)]))["said"] == "N"
    assert cinc_row("x", "N", heard(rhythm=[hop(other=1.0), hop(af=0.6, other=0.4)]))["said"] == "A"
    assert cinc_row("x", "N", heard())["said"] is None


def test_cinc_figures():
    said = {"N": hop(normal=0.8, af=0.1), "A": hop(af=0.9), "O": hop(other=0.7, af=0.2)}
    pairs = ["NN", "NN", "NA", "AA", "AO", "OO", "~N", "~A"]
    rows = [cinc_row(pair, pair[0], heard(rhythm=[said[pair[1]]])) for pair in pairs]
    summary = cinc_summary(rows)
    af = summary["gross"]["af"]
    assert (af["se"], af["ppv"], af["f1"]) == (50.0, 50.0, 0.5)
    assert af["sp"] == pytest.approx(100 * 3 / 4)
    assert af["auroc"] == pytest.approx((3.5 + 2.5) / 8)
    f1 = summary["gross"]["f1"]
    assert f1["N"] == pytest.approx(2 * 2 / (3 + 3))
    assert f1["mean"] == pytest.approx((f1["N"] + f1["A"] + f1["O"]) / 3)
    assert summary["confusion"]["~"] == {"N": 1, "A": 1, "O": 0, "~": 0}
