"""Run-by-run comparison on sequences worked out by hand from the rules of rxr."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluate.runs import LENGTHS, Beats, compare_runs, sum_runs

RATE_HZ = 100.0
FIRST = 30_000
RR = 80
NOTHING = (0, 0, 0, 0)


def beats(classes, first=FIRST, **spans):
    """One beat each 0.8 s from the end of the learning period on; `.` is no beat."""
    placed = [(first + RR * k, label) for k, label in enumerate(classes) if label != "."]
    return Beats([at for at, _ in placed], [label for _, label in placed], **spans)


def counts(reference, test, kind="veb"):
    """(tps, fn, tpp, fp) of every class of runs that has any."""
    scores = compare_runs(reference, test, RATE_HZ, kind)
    found = {name: (s.tps, s.fn, s.tpp, s.fp) for name, s in scores.items()}
    return {name: each for name, each in found.items() if each != NOTHING}


@pytest.mark.parametrize(
    ("reference", "test", "expected"),
    [
        ("NVVN", "NVVN", {"couplets": (1, 0, 1, 0)}),
        ("NVN", "NVN", {}),  # single beats are no runs
        ("NVVN", "NVNN", {"couplets": (0, 1, 0, 0)}),
        ("NVNN", "NVVN", {"couplets": (0, 0, 0, 1)}),
        # a longer run in its place finds a couplet; what lies outside the window does not count
        ("NNVVNN", "NVVVVN", {"couplets": (1, 0, 0, 0), "short": (0, 0, 0, 1)}),
        ("NVVVVN", "NNVVNN", {"couplets": (0, 0, 1, 0), "short": (0, 1, 0, 0)}),
        # three of four beats are a short run still
        ("NVVVVN", "NVVVNN", {"short": (1, 0, 1, 0)}),
        ("NVVVVVVN", "NVVVVVNN", {"long": (0, 1, 0, 0), "short": (0, 0, 1, 0)}),
        ("NVVVVVVVVN", "NVVVVVVVVN", {"long": (1, 0, 1, 0)}),
        # a break makes two runs of one, and neither is long
        (
            "NVVVVVVN",
            "NVVVNVVN",
            {"long": (0, 1, 0, 0), "short": (0, 0, 1, 0)} | {"couplets": (0, 0, 1, 0)},
        ),
        ("NVFN", "NFVN", {"couplets": (1, 0, 1, 0)}),  # a fusion beat goes on with a run
        ("NVQVN", "NVVVN", {"short": (0, 0, 0, 1)}),
        # the test's couplet is longer and holds the reference's, not the other way round
        ("NVV.N", "NV.VN", {"couplets": (0, 1, 1, 0)}),
        ("NVV", "NVV", {}),  # the end of the recording cuts them off
        ("NSSN", "NVVN", {"couplets": (0, 0, 0, 1)}),
    ],
)
def test_ventricular_runs(reference, test, expected):
    assert counts(beats(reference), beats(test)) == expected


def test_supraventricular_runs_are_of_s_alone():
    assert counts(beats("NSSN"), beats("NSSN"), "sveb") == {"couplets": (1, 0, 1, 0)}
    assert counts(beats("NSSVSSSN"), beats("NNNNSSSN"), "sveb") == {
        "couplets": (0, 1, 0, 0),
        "short": (1, 0, 1, 0),
    }


def test_a_beat_is_found_within_150_ms():
    late = beats("NVVN", first=FIRST + 15)
    later = beats("NVVN", first=FIRST + 16)
    assert counts(beats("NVVN"), late) == {"couplets": (1, 0, 1, 0)}
    assert counts(beats("NVVN"), later) == {"couplets": (0, 1, 0, 1)}


def test_the_learning_period_is_not_scored_and_cuts_a_run():
    early = beats("NVVN", first=FIRST - 4 * RR)
    assert counts(early, early) == {}
    across = beats("NVVVVN", first=FIRST - 3 * RR)  # two of four beats are scored
    assert counts(across, across) == {"couplets": (1, 0, 1, 0)}


def test_ventricular_fibrillation_is_a_long_run():
    span = (FIRST + 2 * RR, FIRST + 12 * RR)
    reference = beats("NN..........NN", ventricular=[span])
    assert counts(reference, beats("NNVVVVVVVV..NN")) == {"long": (1, 0, 1, 0)}
    assert counts(reference, beats("NNVVV.......NN")) == {
        "long": (0, 1, 0, 0),
        "short": (0, 0, 1, 0),
    }
    assert counts(reference, beats("NN..........NN", ventricular=[span])) == {"long": (1, 0, 1, 0)}


def test_fibrillation_that_began_in_the_learning_period_counts():
    reference = beats("....NN", ventricular=[(FIRST - 500, FIRST + 3 * RR)])
    assert counts(reference, beats("VNNNNN", first=FIRST)) == {"long": (0, 1, 0, 0)}
    assert counts(reference, reference) == {"long": (1, 0, 1, 0)}


def test_normal_beats_in_atrial_fibrillation_are_supraventricular():
    span = [(FIRST + RR, FIRST + 4 * RR - 10)]
    reference = beats("NNNNNN", atrial=span)
    assert counts(reference, beats("NSSSNN"), "sveb") == {
        "long": (0, 1, 0, 0),
        "short": (0, 0, 1, 0),
    }
    assert counts(reference, beats("NNNNNN", atrial=span), "sveb") == {"long": (1, 0, 1, 0)}
    assert counts(reference, beats("NNNNNN")) == {}


labels = st.text(alphabet="NSVFQ", max_size=40)


@given(labels, st.sampled_from(["veb", "sveb"]))
def test_a_record_against_itself_is_perfect(classes, kind):
    same = beats(classes)
    for score in compare_runs(same, same, RATE_HZ, kind).values():
        assert score.fn == score.fp == 0
        assert score.tps == score.tpp


@given(labels, labels, st.sampled_from(["veb", "sveb"]))
def test_sides_swap_and_scores_add_up(one, other, kind):
    here = compare_runs(beats(one), beats(other), RATE_HZ, kind)
    there = compare_runs(beats(other), beats(one), RATE_HZ, kind)
    for name in LENGTHS:
        assert (here[name].tps, here[name].fn) == (there[name].tpp, there[name].fp)
    rows = [{name: score.fields for name, score in each.items()} for each in (here, there)]
    sums = sum_runs(rows)
    for name in LENGTHS:
        assert sums[name].tps == here[name].tps + there[name].tps == sums[name].tpp
