"""Sinks of other packages, and what the MQTT sink makes of an alert."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from edge import sink
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.errors import ConfigError, Exit
from edge.messages import MessageContext, Topics, alert_message, encode
from edge.sink import load_sink, outbound


def installed(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(sink, "entry_points", lambda group: EntryPoints(points).select(group=group))


def test_a_sink_of_another_package_is_loaded_with_its_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, EntryPoint("plain", "types:SimpleNamespace", sink.GROUP))
    assert load_sink("plain", {"colour": "red"}).colour == "red"  # type: ignore[attr-defined]


def test_an_unknown_sink_is_a_config_error_that_lists_the_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, EntryPoint("plain", "types:SimpleNamespace", sink.GROUP))
    with pytest.raises(ConfigError, match="known: plain") as refusal:
        load_sink("fancy", {})
    assert refusal.value.exit_code == Exit.CONFIG
    installed(monkeypatch)
    with pytest.raises(ConfigError, match="none installed"):
        load_sink("fancy", {})


@pytest.mark.parametrize(("priority", "rank"), [(each, each.rank) for each in Priority])
def test_an_alert_goes_out_under_its_own_name_and_urgency(priority: Priority, rank: int) -> None:
    alert = Alert("id-1", AlarmKind.VT, AlarmType.PHYSIOLOGICAL, priority, Phase.UPDATE, 0, 0)
    context = MessageContext("p1", "patch", "", lambda stream_ns: stream_ns)
    made = alert_message(alert, 7, context)
    stored = outbound(made, Topics("ward"))
    assert stored.key == ("p1", "id-1", "update", 7)
    assert (stored.topic, stored.rank, stored.qos) == ("ward/p1/alert", rank, 1)
    assert stored.payload == encode(made)
