"""What people ask of monitors is on record, with who asked and what came of it."""

from __future__ import annotations

import logging

import pytest

from edge.action_log import record
from edge.actions import Acknowledge, AskStrip, Outcome, PauseAudio, SetLimits
from tests.edge.alarm.attended import attended

LOG = "edge.action_log"


def recorded(caplog, action, outcome):
    record(action, outcome)
    (line,) = caplog.records
    assert (line.name, line.levelno) == (LOG, logging.INFO)
    return line.getMessage()


def test_a_moved_limit_is_told_from_where_and_by_whom(caplog):
    action = SetLimits("bed-3", {"tachy_bpm": 130.0}, "Jo (chief)")
    outcome, _ = attended(bounds={"tachy_bpm": (100.0, 150.0)}).act(action)
    line = recorded(caplog, action, outcome)
    assert line == "set_limits for bed-3 by 'Jo (chief)': tachy_bpm is 130, was 120"


def test_a_limit_that_was_not_moved_says_why(caplog):
    action = SetLimits("bed-3", {"tachy_bpm": 180.0}, "ward")
    outcome, _ = attended(bounds={"tachy_bpm": (100.0, 150.0)}).act(action)
    line = recorded(caplog, action, outcome)
    assert line.startswith("set_limits for bed-3 by 'ward': not done: limits not changed: tachy")


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        (Acknowledge("p", "a1", "page"), "acknowledge"),
        (PauseAudio("p", 60.0, "page"), "pause_audio"),
        (AskStrip("p", "page"), "ask_strip"),
    ],
)
def test_whatever_is_asked_is_told(caplog, action, verb):
    assert recorded(caplog, action, Outcome(True, "so")) == f"{verb} for p by 'page': so"


def test_a_name_neither_writes_other_lines_nor_a_long_one(caplog):
    line = recorded(caplog, AskStrip("p", "x\nERROR: forged" + "y" * 500), Outcome(True, "so"))
    assert "\n" not in line
    assert len(line) < 120
