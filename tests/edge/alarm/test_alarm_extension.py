from importlib.metadata import EntryPoint

import msgspec
import numpy as np
import pytest

from edge.alarm import extension
from edge.alarm.extension import ExtendedAlarms, installed_rules
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alert import Priority
from edge.errors import ConfigError
from edge.events import Beat, LeadQuality, Quality
from firmware_bridge.stream import NS_PER_S


class SlowHeart:
    """A rule of another package: RR above 1.5 s."""

    kind = "slow_heart"
    priority = Priority.LOW

    def observe(self, observation):
        if isinstance(observation, Beat) and (observation.rr_ms or 0) > 1500:
            self._evidence = {"rr_ms": observation.rr_ms}
        elif isinstance(observation, Beat):
            self._evidence = None
        return self._evidence

    _evidence = None


def alarms(*rules):
    return ExtendedAlarms(AlarmMachine(AlarmLimits(), "s"), rules, "s")


def beat(second, rr_ms):
    time_ns = second * NS_PER_S
    return Beat(second, time_ns, time_ns, 0, rr_ms, 1000.0)


def test_a_rule_starts_and_ends_an_alert_of_its_own_with_one_id():
    both = alarms(SlowHeart())
    assert both.observe(beat(1, 800.0)) == ()
    (start,) = both.observe(beat(3, 1800.0))
    assert (start.kind, start.phase, start.evidence) == ("slow_heart", "start", {"rr_ms": 1800.0})
    assert both.active == (start,)
    assert both.observe(beat(5, 1900.0)) == ()
    (end,) = both.observe(beat(6, 800.0))
    assert (end.id, end.phase, end.onset_ns) == (start.id, "end", start.onset_ns)
    assert both.active == ()


def test_a_technical_alarm_holds_it_back():
    both = alarms(SlowHeart())
    for second in range(1, 8):
        both.observe(Quality(second * NS_PER_S, (LeadQuality(0.0, lead_off=True),)))
    assert [alert.kind for alert in both.active] == ["lead_off"]
    assert both.observe(beat(8, 1800.0)) == ()


@pytest.mark.parametrize("kind", ["asystole", "Slow Heart", "", "a/b"])
def test_a_kind_that_is_taken_or_malformed_is_refused(kind):
    rule = SlowHeart()
    rule.kind = kind
    with pytest.raises(ConfigError, match="a word of its own"):
        alarms(rule)


def test_a_rule_that_raises_is_switched_off_and_the_others_go_on():
    broken = SlowHeart()
    broken.kind, broken.observe = "broken", lambda _: 1 / 0
    both = alarms(broken, SlowHeart())
    assert [alert.kind for alert in both.observe(beat(3, 1800.0))] == ["slow_heart"]


def test_rules_are_found_by_entry_point(monkeypatch):
    point = EntryPoint("slow", f"{__name__}:make", extension.GROUP)
    monkeypatch.setattr(extension, "entry_points", lambda group: [point])
    (rule,) = installed_rules(AlarmLimits(brady_bpm=45))
    assert rule.kind == "slow_heart"
    assert rule.limits.brady_bpm == 45


def make(limits):
    rule = SlowHeart()
    rule.limits = limits
    return rule


class OddNumbers:
    """A rule that answers with what numeric packages give."""

    kind = "odd_numbers"
    priority = Priority.LOW

    def observe(self, observation):
        numbers = {"nan": float("nan"), "inf": np.float64("inf"), "half": np.float32(0.5)}
        return {**numbers, "count": np.int64(3), "on": True, "huge": 2**80, "word": "w", "x": [1]}


def test_odd_numbers_of_a_rule_leave_a_state_that_can_be_restored():
    watched = alarms(OddNumbers())
    (alert,) = watched.observe(beat(1, 800.0))
    assert alert.evidence == {"half": 0.5, "count": 3, "on": 1, "huge": 2.0**80, "word": "w"}
    stored = msgspec.json.decode(msgspec.json.encode(watched.snapshot()))
    assert ExtendedAlarms.restore(stored, AlarmLimits(), []).active == (alert,)
