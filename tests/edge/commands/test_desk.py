"""The desk: what it has done, what it answers, and where."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from edge.actions import Acknowledge, Outcome
from edge.clock import SystemClock
from edge.commands import desk as desk_module
from edge.commands.desk import Desk
from edge.commands.policy import MOST_A_MINUTE
from edge.messages import Topics
from tests.edge.commands.signing import SECRET, UTC_NS, WARD, StandIns, command, policy
from tests.edge.test_publish import until
from tests.patience import WAIT_S

TOPIC = "edge/bed-3/command"
ANSWERS = "edge/bed-3/command/response"


@pytest.fixture
def world() -> StandIns:
    return StandIns()


@pytest.fixture
def desk(world: StandIns) -> Iterator[Desk]:
    made = made_desk(world)
    made.start()
    yield made
    made.close(10.0)


def made_desk(world: Any) -> Desk:
    judge = policy("acknowledge")
    clock = SystemClock()
    made = Desk(judge, world.ask, world, world, Topics(), clock, lambda: UTC_NS)
    made.listen("bed-3", signed=True, button=True)
    return made


def answers(world: StandIns, count: int) -> list[tuple[str, dict[str, Any], bytes]]:
    until(lambda: len(world.replies) >= count)
    return world.replies


def refused(desk: Desk, reason: str, count: int = 1) -> Callable[[], bool]:
    return lambda: desk.counts.refused.get(reason, 0) >= count


def test_a_command_is_stored_done_and_answered(world: StandIns, desk: Desk) -> None:
    world.send(command(counter=7), correlation_data=b"c1")
    ((topic, answer, correlation),) = answers(world, 1)
    assert world.spent == [(WARD.counter_name, 7)]
    assert world.asked == [Acknowledge("bed-3", "", "ward")]
    assert (topic, correlation) == (ANSWERS, b"c1")
    assert answer["done"] is True
    assert (answer["id"], answer["verb"], answer["reason"]) == ("a1", "acknowledge", "")
    assert answer["text"] == "done so"
    assert WARD.signed("a1 done", answer["proof"])
    assert (desk.counts.done, desk.counts.refused) == (1, {})


def test_a_copy_is_not_done_again(world: StandIns, desk: Desk) -> None:
    world.send(command())
    world.send(command())
    (_, second) = answers(world, 2)
    assert second[1]["reason"] == "counter"
    assert len(world.asked) == 1


def test_nothing_is_done_that_the_disk_does_not_take(world: StandIns, desk: Desk) -> None:
    world.disk_takes = False
    world.send(command())
    ((_, answer, _),) = answers(world, 1)
    assert (answer["done"], answer["reason"]) == (False, "storage")
    assert world.asked == []


def test_what_the_monitor_cannot_do_is_said(world: StandIns, desk: Desk) -> None:
    world.outcome = Outcome(False, "no alarm is on")
    world.send(command())
    ((_, answer, _),) = answers(world, 1)
    assert (answer["reason"], answer["text"]) == ("not_possible", "no alarm is on")
    assert WARD.signed("a1 not_possible", answer["proof"])
    assert desk.counts.failed == 1


def test_a_monitor_that_does_not_answer_is_given_up(
    world: StandIns, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "ANSWER_S", 0.01)
    world.outcome = None
    world.send(command())
    ((_, answer, _),) = answers(world, 1)
    assert "nothing was done" in answer["text"]


def test_a_run_that_ends_is_said(world: StandIns, desk: Desk) -> None:
    world.outcome = CancelledError()
    world.send(command())
    ((_, answer, _),) = answers(world, 1)
    assert "has ended" in answer["text"]


def test_at_the_end_the_monitor_is_waited_for_no_more(
    world: StandIns, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "ANSWER_S", 3600.0)
    world.outcome = None
    world.send(command())
    until(lambda: desk._asked is not None)
    desk.close(WAIT_S)
    assert not desk._thread.is_alive()
    ((_, answer, _),) = world.replies
    assert "has ended" in answer["text"]


def test_a_defect_costs_one_command_only(
    world: StandIns, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    world.outcome = RuntimeError("a defect")
    world.send(command(counter=1))
    until(lambda: desk.counts.failed == 1)
    world.outcome = Outcome(True, "done")
    world.send(command(counter=2))
    answers(world, 1)
    assert "a command for bed-3 failed" in caplog.text


def test_a_button_is_answered_without_proof(world: StandIns, desk: Desk) -> None:
    world.send(b"acknowledge", "edge/bed-3/command/button")
    ((topic, answer, _),) = answers(world, 1)
    assert (topic, answer["done"], answer["verb"]) == (ANSWERS, True, "acknowledge")
    assert (answer["id"], answer["proof"]) == (None, "")
    assert world.spent == []


@pytest.mark.parametrize(
    "wanted",
    [
        "edge/bed-3/alert",
        "edge/status",
        "edge/bed-4/command/response",
        "edge/bed-3/command",
        "edge/bed-3/command/response/",
        "edge/bed-3/command/response/a/b",
        "edge/bed-3/command/response/#",
        "edge/bed-3/command/response/+",
        "edge/bed-3/command/response/\n",
        "edge/bed-3/command/response/a\n",
        "edge/bed-3/command/responses",
        "homeassistant/device/x/config",
        "$SYS/x",
        "",
    ],
)
def test_nobody_has_us_publish_on_another_topic(world: StandIns, desk: Desk, wanted: str) -> None:
    world.send(command(), response_topic=wanted)
    world.send(b"rubbish", response_topic=wanted)
    assert [topic for topic, _, _ in answers(world, 2)] == [ANSWERS, ANSWERS]


def test_an_own_topic_for_the_answer_is_honoured(world: StandIns, desk: Desk) -> None:
    world.send(command(), response_topic=f"{ANSWERS}/phone-7")
    assert answers(world, 1)[0][0] == f"{ANSWERS}/phone-7"


def test_a_retained_command_is_counted_and_not_answered(world: StandIns, desk: Desk) -> None:
    world.send(command(), retained=True)
    world.send(command())
    answers(world, 1)
    assert desk.counts.refused == {"retained": 1}
    assert len(world.asked) == 1


def test_a_refusal_gives_nothing_back_that_came(
    world: StandIns, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    world.send(command().replace(b"bed-3", b"canary"), correlation_data=b"mine")
    world.send(b"canary \x1b[31m")
    first, second = answers(world, 2)
    assert first[1]["reason"] == "signature"
    assert second[1]["reason"] == "malformed"
    assert first[2] == b"mine"
    assert "canary" not in f"{world.replies} {caplog.text}"
    assert "\x1b" not in caplog.text


def test_a_flood_is_counted_logged_once_and_answered_a_few_times(
    world: StandIns, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 21):
        for _ in range(50):
            world.send(b"{}")
        until(refused(desk, "malformed", 50 * number))
    assert len([each for each in caplog.records if "refused" in each.message]) == 1
    assert len(world.replies) == desk_module.REFUSALS_ANSWERED_A_MINUTE
    world.send(command())
    until(lambda: desk.counts.done == 1)
    assert len(world.replies) == desk_module.REFUSALS_ANSWERED_A_MINUTE + 1


def test_what_finds_no_room_is_counted_and_said(
    world: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    desk = made_desk(world)
    for _ in range(desk_module.WAITING + 5):
        world.send(b"{}")
    assert desk.counts.refused == {"busy": 5}
    with caplog.at_level(logging.WARNING, "edge.commands"):
        desk.start()
        until(refused(desk, "malformed", desk_module.WAITING))
        desk.close(10.0)
    assert desk.counts.refused["busy"] == 5
    assert "command for bed-3 refused: too many wait" in caplog.text


def test_closing_a_desk_whose_queue_is_full_does_not_hang(world: StandIns) -> None:
    desk = made_desk(world)
    for _ in range(desk_module.WAITING):
        world.send(command())
    desk.close(10.0)
    desk.start()
    desk.close(10.0)
    assert world.asked == []


def test_so_many_commands_a_minute_reach_the_monitor(world: StandIns, desk: Desk) -> None:
    for number in range(1, 31):
        world.send(command(counter=number))
    answers(world, 30)
    assert len(world.asked) == len(world.spent) == MOST_A_MINUTE
    assert desk.counts.refused == {"rate": 30 - MOST_A_MINUTE}


def test_who_asked_is_on_record_and_the_key_is_not(
    world: StandIns, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "edge.action_log"):
        world.send(command(by="Jo"))
        answers(world, 1)
    assert "acknowledge for bed-3 by 'Jo (ward)': done so" in caplog.text
    assert SECRET.decode() not in caplog.text + str(world.replies)


def test_a_desk_shows_signs_of_life_and_may_get_another_thread(world: StandIns) -> None:
    desk = made_desk(world)
    assert not desk.alive
    desk.restart()
    assert desk.alive
    beats, _ = desk.pulse.state
    world.send(command())
    answers(world, 1)
    until(lambda: desk.pulse.state[0] > beats + 1)
    desk.close(10.0)
    assert desk.alive
