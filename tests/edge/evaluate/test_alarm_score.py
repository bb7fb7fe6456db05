from __future__ import annotations

import pytest

from edge.evaluate.alarms import alarm_rows, alarms_summary
from tests.edge.evaluate.annotated import heard, reference

VT = [("VT", 100, 110), ("N", 110, 200), ("VT", 200, 202)]


def rows(rhythms=(), alarms=(), fibrillation=(), duration_s=1800.0):
    known = reference(rhythms=rhythms, fibrillation=fibrillation, duration_s=duration_s)
    return alarm_rows("r", known, heard(alarms=alarms))


def counts(kind, some):
    (row,) = (row for row in some if row["kind"] == kind)
    return tuple(row[name] for name in ("true", "missed", "false", "excused"))


@pytest.mark.parametrize(
    ("alarm", "expected"),
    [
        (("vt", 100, 104, 116), (1, 0, 0, 0)),
        (("vt", 111.5, 113, 119), (1, 0, 0, 0)),  # within the tolerance
        (("vt", 113, 115, 119), (0, 1, 1, 0)),
        (("vt", 201, 205, 211), (0, 1, 0, 1)),  # the reference has 2 s of VT there
        (("vf", 100, 104, 116), (0, 1, 0, 0)),  # another kind
    ],
)
def test_an_alarm_meets_a_condition_of_its_kind(alarm, expected):
    assert counts("vt", rows(VT, [alarm])) == expected


def test_either_alarm_serves_for_vt_or_vf():
    found = rows(VT, [("vf", 100, 104, 116)])
    assert counts("vt_or_vf", found) == (1, 0, 0, 0)
    assert counts("vf", found) == (0, 0, 1, 0)


def test_two_alarms_in_one_condition_are_one_hit_and_no_error():
    found = rows(VT, [("vt", 100, 103, 105), ("vt", 106, 107, 112)])
    assert counts("vt", found) == (1, 0, 0, 0)


def test_delay_counts_from_the_onset_to_the_first_alert():
    (row,) = (r for r in rows(VT, [("vt", 101, 104.5, 116)]) if r["kind"] == "vt")
    assert row["delays_s"] == [4.5]


def test_an_alarm_that_was_on_before_has_no_delay():
    (row,) = (r for r in rows(VT, [("vt", 50, 55, 116)]) if r["kind"] == "vt")
    assert row["delays_s"] == [0.0]


def test_gross_counts_every_kind_once_and_scales_to_a_day():
    alarms = [("vt", 100, 104, 116), ("af", 500, 530, 600), ("vf", 900, 905, 910)]
    summary = alarms_summary(rows(VT, alarms, duration_s=3600.0))
    gross = summary["gross"]
    assert (gross["true"], gross["missed"], gross["false"]) == (1, 0, 2)
    assert gross["false_per_24h"] == pytest.approx(48.0)
    assert gross["delay_s"] == {"p50": 4.0, "p90": 4.0, "max": 4.0}
    assert summary["kinds"]["vt_or_vf"]["false"] == 1


def test_priorities_share_out_the_gross_figures():
    alarms = [("vt", 100, 104, 116), ("af", 500, 530, 600), ("vf", 900, 905, 910)]
    summary = alarms_summary(rows(VT, alarms, duration_s=3600.0))
    assert {name: row["false"] for name, row in summary["priorities"].items()} == {
        "high": 1,
        "medium": 0,
        "low": 1,
    }
    assert summary["priorities"]["high"]["true"] == 1
    assert summary["priorities"]["high"]["false_per_24h"] == pytest.approx(24.0)


def test_kinds_that_cannot_be_judged_have_no_row():
    kinds = {row["kind"] for row in rows(VT, [("extreme_tachy", 10, 12, 20)])}
    assert kinds == {"vf", "asystole", "vt", "af", "vt_or_vf"}
