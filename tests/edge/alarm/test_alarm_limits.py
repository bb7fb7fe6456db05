"""Limits: ranges, contradictions, what cannot be switched off; codes."""

from __future__ import annotations

import msgspec
import pytest

from edge.alarm import CODES, AlarmLimits, AlarmMachine
from edge.alert import AlarmKind, Priority


def test_defaults_are_valid_and_those_of_cinc_2015() -> None:
    limits = AlarmLimits().checked()
    assert limits == AlarmLimits()
    assert (limits.asystole_s, limits.vf_s) == (4.0, 4)
    assert (limits.extreme_brady_bpm, limits.extreme_brady_beats) == (40.0, 5)
    assert (limits.extreme_tachy_bpm, limits.extreme_tachy_beats) == (140.0, 17)
    assert (limits.vt_beats, limits.vt_bpm) == (5, 100.0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"asystole_s": 60}, "asystole_s"),
        ({"ventricular_probability": 1.0}, "ventricular_probability"),
        ({"vt_beats": 2}, "vt_beats"),
        ({"asystol_s": 4}, "asystol_s"),
        ({"tachy_bpm": "fast"}, "tachy_bpm"),
        ({"disabled": ["vf"]}, "vf cannot be disabled"),
        ({"disabled": ["asystole", "pause"]}, "asystole cannot be disabled"),
        ({"disabled": ["everything"]}, "everything"),
        ({"priorities": {"vt": "low"}}, "priority of vt must stay high"),
        ({"pause_s": 5.0}, r"pause_s \(5.0\) must be below asystole_s"),
        ({"brady_bpm": 35}, "extreme_brady_bpm"),
        ({"tachy_bpm": 150}, "extreme_tachy_bpm"),
    ],
)
def test_a_wrong_limit_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(given, AlarmLimits)


def test_limits_made_in_code_are_checked_by_the_machine() -> None:
    with pytest.raises(msgspec.ValidationError, match="end_s"):
        AlarmMachine(AlarmLimits(end_s=-1.0), "test")


def test_priorities_may_be_overridden() -> None:
    limits = msgspec.convert({"priorities": {"af": "medium"}}, AlarmLimits)
    assert limits.priority(AlarmKind.AF) is Priority.MEDIUM
    assert limits.priority(AlarmKind.PVC_RUN) is Priority.LOW


def test_every_kind_has_a_priority_and_an_entry_of_codes() -> None:
    limits = AlarmLimits()
    assert {kind: limits.priority(kind) for kind in AlarmKind}.keys() == CODES.keys()


def test_codes_are_events_of_partition_three_or_concept_ids() -> None:
    assert CODES[AlarmKind.ASYSTOLE] == {"mdc": 199684, "snomed_ct": "397829000"}
    assert "mdc" not in CODES[AlarmKind.VF]
    for codes in CODES.values():
        assert set(codes) <= {"mdc", "snomed_ct"}
        assert int(codes.get("mdc", 3 << 16)) >> 16 == 3
        assert str(codes.get("snomed_ct", "0")).isdigit()
