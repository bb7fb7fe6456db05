"""What is done and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.actions import Acknowledge, AskStrip, PauseAudio, SetLimits
from edge.commands.keys import CommandKey
from edge.commands.policy import MOST_A_MINUTE, Accepted, Policy, Refused
from edge.commands.wire import MAX_COMMAND_BYTES, MAX_COUNTER
from tests.edge.commands.signing import (
    CHIEF,
    NOW_NS,
    UTC_NS,
    WARD,
    command,
    delivery,
    policy,
    sealed,
    text,
)

SECOND_NS = 1_000_000_000


def reason(payload: bytes, judged_by: Policy | None = None, **changes: Any) -> str:
    """Why a message is refused; empty where it is accepted."""
    verdict = (judged_by or policy()).judge(delivery(payload, **changes))
    return verdict.reason if isinstance(verdict, Refused) else ""


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        ({}, Acknowledge("bed-3", "", "ward")),
        ({"alert": "x-7", "by": "Jo"}, Acknowledge("bed-3", "x-7", "Jo (ward)")),
        ({"verb": "pause_audio", "for_s": 0}, PauseAudio("bed-3", 0.0, "ward")),
        ({"verb": "pause_audio", "for_s": 120}, PauseAudio("bed-3", 120.0, "ward")),
        ({"verb": "ask_strip"}, AskStrip("bed-3", "ward")),
    ],
)
def test_a_command_becomes_its_action(fields: dict[str, Any], action: object) -> None:
    verdict = policy().judge(delivery(command(**fields)))
    assert isinstance(verdict, Accepted)
    assert verdict.action == action
    assert verdict.signed is not None
    assert (verdict.signed.id, verdict.signed.counter) == ("a1", 1)


def test_limits_need_a_key_with_that_right() -> None:
    fields = {"verb": "set_limits", "limits": {"tachy_bpm": 130}}
    assert reason(command(WARD, **fields)) == "right"
    verdict = policy().judge(delivery(command(CHIEF, **fields)))
    assert isinstance(verdict, Accepted)
    assert verdict.action == SetLimits("bed-3", {"tachy_bpm": 130.0}, "chief")


def test_without_a_key_nothing_is_accepted() -> None:
    assert reason(command(), Policy([], (), lambda _: 0)) == "signature"


def test_every_flip_of_every_bit_is_refused() -> None:
    judge, payload = policy(), command(by="Jo")
    for at in range(len(payload)):
        for bit in range(8):
            changed = bytearray(payload)
            changed[at] ^= 1 << bit
            assert reason(bytes(changed), judge), (at, bit)
    assert not reason(payload, judge)


@given(st.data())
def test_no_edit_of_a_command_says_anything_else(data: st.DataObject) -> None:
    payload = command(by="Jo")
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(start + 8, len(payload))))
    edited = payload[:start] + data.draw(st.binary(max_size=8)) + payload[end:]
    if not reason(edited):
        # White space between the parts of the envelope is all that may differ.
        assert json.loads(edited) == json.loads(payload)


@given(st.binary(max_size=600) | st.text(max_size=300).map(str.encode))
def test_nothing_unsigned_is_accepted_and_nothing_raises(payload: bytes) -> None:
    assert reason(payload) in ("malformed", "signature")
    assert reason(payload, policy("acknowledge"), button=True) in (
        ("malformed", "too_large") if payload != b"acknowledge" else ("",)
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.sampled_from(["command", "key", "signature"]), json_values)
def test_an_envelope_with_other_values_is_refused(field: str, value: Any) -> None:
    envelope = {**json.loads(command()), field: value}
    assert reason(json.dumps(envelope).encode()) in ("malformed", "signature", "too_large")


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["verb", "id", "patient", "counter", "expires", "by", "alert", "for_s"])
        | st.text(max_size=9),
        json_values,
        max_size=9,
    )
)
def test_even_signed_nonsense_raises_nothing(fields: dict[str, Any]) -> None:
    assert reason(sealed(json.dumps(fields))) == "malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"verb": "disable_alarm"},
        {"verb": "shell"},
        {"verb": None},
        {"id": ""},
        {"id": "x" * 37},
        {"id": "a b"},
        {"patient": "bed/3"},
        {"patient": "#"},
        {"counter": 0},
        {"counter": -1},
        {"counter": 1.5},
        {"counter": "1"},
        {"counter": MAX_COUNTER + 1},
        {"counter": None},
        {"expires": None},
        {"expires": "tomorrow"},
        {"expires": "2026-01-31T12:00:30"},
        {"expires": "2026-02-30T12:00:30Z"},
        {"by": "x" * 29},
        {"by": "a\nWARNING: b"},
        {"by": "\u202eoJ"},
        {"path": "/etc/passwd"},
        {"url": "http://example.org"},
        {"for_s": 1},
        {"alert": "x" * 129},
        {"alert": ["x"]},
        {"verb": "pause_audio"},
        {"verb": "pause_audio", "for_s": 121},
        {"verb": "pause_audio", "for_s": -1},
        {"verb": "pause_audio", "for_s": float("nan")},
        {"verb": "pause_audio", "for_s": float("inf")},
        {"verb": "set_limits", "limits": {}},
        {"verb": "set_limits", "limits": {"../x": 1}},
        {"verb": "set_limits", "limits": {"tachy_bpm": "130"}},
        {"verb": "set_limits", "limits": {"tachy_bpm": {"deep": {"deeper": 1}}}},
        {"verb": "set_limits", "limits": {"tachy_bpm": -1}},
        {"verb": "set_limits", "limits": {f"l{n}": 1 for n in range(33)}},
    ],
)
def test_even_the_holder_of_a_key_says_only_what_is_on_the_list(changes: dict[str, Any]) -> None:
    assert reason(command(CHIEF, **changes)) == "malformed"


@pytest.mark.parametrize("depth", [5, 500, 1900])
def test_deep_nesting_is_refused(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    assert reason(nested.encode()) == "malformed"
    assert reason(f'{{"x":{nested},"verb":"acknowledge"}}'.encode()) == "malformed"
    assert reason(sealed(f'{{"x":{nested},"verb":"acknowledge"}}')) == "malformed"
    assert reason(sealed(nested)) == "malformed"


def test_a_command_may_be_so_large_and_no_larger() -> None:
    spare = MAX_COMMAND_BYTES - len(sealed(text()))
    assert reason(sealed(text() + " " * spare)) == ""
    assert reason(sealed(text() + " " * (spare + 1))) == "too_large"


def test_a_retained_command_is_refused() -> None:
    assert reason(command(), retained=True) == "retained"
    pressed = delivery(b"acknowledge", retained=True, button=True)
    assert policy("acknowledge").judge(pressed) == Refused("retained")


def test_a_command_for_another_patient_is_refused_and_still_good_on_its_own_topic() -> None:
    judge = policy()
    assert reason(command(), judge, patient="bed-4") == "patient"
    assert reason(command(), judge) == ""


def test_a_key_does_not_sign_for_another() -> None:
    assert reason(sealed(text(), WARD, key="chief")) == "signature"
    assert reason(sealed(text(), WARD, key="nobody")) == "signature"
    impostor = CommandKey("ward", b"x" * 32)
    assert reason(command(impostor)) == "signature"


@pytest.mark.parametrize(
    ("later_s", "expected"),
    [(-31, "too_far_ahead"), (-30, ""), (0, ""), (29, ""), (30, "expired"), (3600, "expired")],
)
def test_expiry_by_a_clock_that_is_right(later_s: int, expected: str) -> None:
    assert reason(command(), utc_ns=UTC_NS + later_s * SECOND_NS) == expected


@pytest.mark.parametrize("expires", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_a_clock_that_may_be_wrong_judges_nothing(expires: str) -> None:
    assert reason(command(expires=expires), utc_ns=None) == ""
    assert reason(command(expires=expires)) in ("expired", "too_far_ahead")


def test_a_copy_is_refused() -> None:
    judge = policy()
    assert reason(command(counter=7), judge) == ""
    assert reason(command(counter=7), judge) == "counter"
    assert reason(command(counter=6), judge) == "counter"
    assert reason(command(counter=8), judge) == ""
    assert reason(command(CHIEF, counter=1), judge) == ""


def test_a_copy_is_refused_after_a_restart() -> None:
    assert reason(command(counter=7), policy(newest=7)) == "counter"
    assert reason(command(counter=8), policy(newest=7)) == ""


@given(st.lists(st.integers(1, 50), min_size=1, max_size=MOST_A_MINUTE))
def test_counters_only_rise(counters: list[int]) -> None:
    judge = policy()
    accepted = [each for each in counters if not reason(command(counter=each), judge)]
    assert accepted == sorted(set(accepted))
    assert max(accepted) == max(counters)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_so_many_a_minute(gaps_s: list[int]) -> None:
    judge, now_ns = policy(), NOW_NS
    accepted: list[int] = []
    for number, gap_s in enumerate(gaps_s, 1):
        now_ns += gap_s * SECOND_NS
        recent = [at for at in accepted if now_ns - at < 60 * SECOND_NS]
        expected = "rate" if len(recent) >= MOST_A_MINUTE else ""
        assert reason(command(counter=number), judge, now_ns=now_ns) == expected
        if not expected:
            accepted.append(now_ns)


def test_a_rate_is_a_keys_own() -> None:
    judge = policy("acknowledge")
    for number in range(1, MOST_A_MINUTE + 1):
        assert reason(command(counter=number), judge) == ""
    assert reason(command(counter=99), judge) == "rate"
    assert reason(command(CHIEF), judge) == ""
    for patient in ("bed-3", "bed-4"):
        for _ in range(MOST_A_MINUTE):
            assert reason(b"acknowledge", judge, button=True, patient=patient) == ""
        assert reason(b"acknowledge", judge, button=True, patient=patient) == "rate"


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ("acknowledge", Acknowledge("bed-3", by="button")),
        ("pause_audio", PauseAudio("bed-3", 120.0, by="button")),
        ("ask_strip", AskStrip("bed-3", by="button")),
    ],
)
def test_a_button_presses_what_is_allowed(verb: Any, action: object) -> None:
    verdict = policy(verb).judge(delivery(verb.encode(), button=True))
    assert verdict == Accepted(action, verb)
    assert policy().judge(delivery(verb.encode(), button=True)) == Refused("malformed")


def test_no_button_sets_limits_and_no_signature_counts_there() -> None:
    judge = policy("acknowledge", "pause_audio", "ask_strip")
    assert reason(b"set_limits", judge, button=True) == "malformed"
    assert reason(command(), judge, button=True) == "malformed"
