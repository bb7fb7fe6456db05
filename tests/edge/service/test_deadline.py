"""An end that does not come by itself."""

from __future__ import annotations

import threading

from edge import runtime
from edge.service import closing, unit
from edge.service.deadline import ExitDeadline
from tests.patience import WAIT_S


def deadline(monkeypatch, leave_s):
    left, told, over = [], [], threading.Event()

    def leave(code):
        left.append(code)
        over.set()

    monkeypatch.setattr("edge.service.deadline.os._exit", leave)
    return ExitDeadline(lambda: told.append("stopping"), leave_s), left, told, over


def test_the_process_is_over_in_time_and_says_why(monkeypatch, caplog):
    leaving, left, told, over = deadline(monkeypatch, 0.01)
    leaving.begin(143)
    leaving.begin(130)
    assert over.wait(WAIT_S)
    assert left == [143]
    assert told == ["stopping"]
    assert "the outbox keeps what waits" in caplog.text


def test_an_end_in_time_is_no_such_end(monkeypatch):
    leaving, left, _, _ = deadline(monkeypatch, 3600.0)
    leaving.cancel()
    leaving.begin(143)
    leaving.cancel()
    leaving._timer.join(WAIT_S)
    assert not leaving._timer.is_alive()
    assert left == []


def test_the_process_ends_itself_before_systemd_does():
    assert closing.LINKS_S >= runtime.STOP_S
    assert unit.STOP_S > closing.LEAVE_S
