"""What the engine leaves for the page: bounded, and never in its way."""

from __future__ import annotations

from edge.alert import Phase
from edge.clock import SystemClock
from edge.config import Signal
from edge.monitor import LinkReport
from edge.view.reader import read_message
from edge.view.ward import PATIENTS_MAX, TOLD_MAX, WAITING_MAX, Ward
from tests.edge.view.served import Bed, state_of


class Behind:
    """What `Bed` needs of a page."""

    def __init__(self):
        self.ward = Ward(Signal(), SystemClock())


def test_what_nobody_picks_up_is_bounded_and_counted():
    view = Behind()
    bed = Bed(view, "p1")
    view.ward.admit([bed])
    for _ in range(WAITING_MAX + 10):
        bed.samples(1)
    assert (view.ward.waiting, view.ward.lost) == (WAITING_MAX, 10)
    while view.ward.waiting:
        view.ward.take()
    assert view.ward.take() == ([], [])


def test_what_is_no_signal_outlives_any_flood_and_the_loss_is_said(caplog):
    view = Behind()
    bed = Bed(view, "p1")
    view.ward.admit([bed])
    for number in range(WAITING_MAX + 10):
        bed.samples(1)
        bed.state(heart_rate_bpm=float(number))
    for number in range(TOLD_MAX + 1):
        bed.alert(id=f"a{number}")
    bed.alert(id="last", phase=Phase.END)
    told = [read_message(each) for each in view.ward.take().documents]
    states = [each["state"] for each in told if each["type"] == "state"]
    assert [each["heart_rate_bpm"] for each in states] == [WAITING_MAX + 9]
    assert [each["active"]["alerts"] for each in told if each["type"] == "active"] == [[]]
    alerts = [each["alert"]["id"] for each in told if each["type"] == "alert"]
    assert (len(alerts), alerts[-1]) == (TOLD_MAX, "last")
    assert "12 steps were not shown" in caplog.text
    view.ward.take()
    assert caplog.text.count("not shown") == 1


def test_more_patients_than_have_a_number_are_not_shown():
    view = Behind()
    beds = [Bed(view, f"p{k}") for k in range(PATIENTS_MAX + 1)]
    view.ward.admit(beds)
    for bed in (beds[0], beds[-1]):
        bed.samples(10)
        bed.state()
    news = view.ward.take()
    told = [read_message(each) for each in news.documents]
    assert {each["state"]["patient"] for each in told if each["type"] == "state"} == {"p0"}
    assert len(news.signal) == 1


def test_changes_of_the_link_are_told_with_their_reason():
    view = Behind()
    bed = Bed(view, "p1")
    view.ward.admit([bed])
    view.ward.link_changed(bed, LinkReport("lost", "out of reach"))
    view.ward.state(state_of("p1"))
    first, *_ = view.ward.take().documents
    link = read_message(first)
    assert (link["type"], link["link"], link["reason"]) == ("link", "lost", "out of reach")
