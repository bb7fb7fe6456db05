"""What a viewer is told of a patient: trend, strips, requests."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actions import Acknowledge, AskStrip, PauseAudio
from edge.config import Signal
from edge.view.bedside import ALERTS_KEPT, STRIPS_KEPT, Bedside, Who
from edge.view.reader import read_message
from edge.view.requests import (
    REQUEST_BYTES_MAX,
    FetchStrip,
    Request,
    action_of,
    parse_request,
)
from edge.view.trend import POINTS_MAX, Trend
from firmware_bridge.bridge_protocol import MESSAGE_BYTES_MAX
from tests.edge.view.served import alert_of, state_of, strip_of

MINUTE_MS = 60_000


def test_minutes_are_means_of_what_was_known():
    trend = Trend()
    for second, rate_bpm in enumerate([60.0, 70.0, None]):
        assert trend.take(state_of("p", heart_rate_bpm=rate_bpm), 1000.0 * second) is None
    trend.count(["N", "V", "N", "S"])
    done = trend.take(state_of("p"), MINUTE_MS + 1.0)
    assert (done.utc_ms, done.heart_rate_bpm, done.rmssd_ms, done.pvc_percent) == (0, 65, 33, 25)
    assert list(trend.points) == [done]


def test_a_minute_that_knows_nothing_says_so():
    trend = Trend()
    trend.take(state_of("p", heart_rate_bpm=None, rmssd_ms=None), 0.0)
    done = trend.take(state_of("p"), MINUTE_MS)
    assert (done.heart_rate_bpm, done.rmssd_ms, done.pvc_percent) == (None, None, None)


def test_a_day_is_kept_and_no_more():
    trend = Trend()
    for minute in range(POINTS_MAX + 10):
        trend.take(state_of("p"), float(minute * MINUTE_MS))
    assert (len(trend.points), trend.points[0].utc_ms) == (POINTS_MAX, 9 * MINUTE_MS)


def test_picture_is_bounded_and_whole():
    bedside = Bedside(Who(0, "p1", "patch"), Signal())
    for minute in range(POINTS_MAX + 1):
        bedside.state(
            state_of("p1", heart_rate_bpm=177.7, rmssd_ms=177.7), 1.7e12 + minute * MINUTE_MS
        )
    for number in range(3 * ALERTS_KEPT):
        bedside.alert(alert_of("p1", id=f"a{number}", seq=number + 1))
        bedside.strip(strip_of("p1"))
    bedside.state(state_of("p1"), 1.8e12)
    told = [read_message(each) for each in bedside.picture()]
    kinds = [each["type"] for each in told]
    assert kinds[0] == "patient"
    assert told[0]["state"]["heart_rate_bpm"] == 71.6
    assert kinds.count("alert") == ALERTS_KEPT
    assert kinds.count("strip_ready") == STRIPS_KEPT
    newest = told[-1]["number"]
    assert max(len(each) for each in bedside.picture()) <= MESSAGE_BYTES_MAX
    assert read_message(bedside.strip_document(newest))["strip"]["kind"] == "vt"
    assert bedside.strip_document(newest - STRIPS_KEPT) is None


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (
            '{"do":"acknowledge","request":1,"patient":"p","alert_id":"a"}',
            Acknowledge("p", "a", "page"),
        ),
        (
            '{"do":"pause_audio","request":1,"patient":"p","for_s":120}',
            PauseAudio("p", 120, "page"),
        ),
        ('{"do":"make_strip","request":1,"patient":"p"}', AskStrip("p", "page")),
    ],
)
def test_requests_become_actions(text, action):
    assert action_of(parse_request(text)) == action


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{" * 900,
        '{"do":"set_limits","request":1,"patient":"p"}',
        '{"do":"pause_audio","request":1,"patient":"p","for_s":121}',
        '{"do":"pause_audio","request":1,"patient":"p","for_s":-1}',
        '{"do":"acknowledge","request":1,"patient":"../etc"}',
        '{"do":"acknowledge","request":1,"patient":"p","by":"somebody else"}',
        '{"do":"acknowledge","request":1,"patient":"p","alert_id":"' + "a" * 129 + '"}',
        '{"do":"acknowledge","request":1,"patient":"p"}' + " " * REQUEST_BYTES_MAX,
    ],
)
def test_what_is_no_request_is_nothing(text):
    assert parse_request(text) is None


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_nonsense_is_no_request(text):
    assert parse_request(text) is None or isinstance(parse_request(text), get_args(Request))


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_strips_are_fetched_by_number(request, number):
    text = msgspec.json.encode(
        {"do": "fetch_strip", "request": request, "patient": "p", "number": number}
    )
    assert parse_request(text) == FetchStrip(request, "p", number)
