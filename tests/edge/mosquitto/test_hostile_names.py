"""Fifty names that would reach another topic, a file or a broker's rule: none gets in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge.config import check
from edge.errors import ConfigError
from edge.messages import Topics
from edge.mqtt_settings import MqttSettings

HOSTILE = [
    *("#", "+", "/", "a/b", "a/#", "+/alert", "#/", "/#", "a+", "a#", "+a", "#a", "bed-3/#"),
    *("../edge", "..", ".", "a/../b", "./a", "/etc/passwd", "a\\b", "~", "~/a"),
    *("$SYS", "$SYS/#", "$share/g/edge", "$share", "$", "%u", "%c", "%25u", "a%2Fb", "a%23"),
    *("", " ", "a b", " a", "a ", "\t", "a\n", "\na", "a\r\nb", "a\x00", "\x00", "\x7f", "\ufeffa"),
    *("bed\u20113", "b\u00e9d", "\u0430", "\uff03", "\uff0b", "\u2215", "a\u202eb", "\ud800"),
    *("x" * 33, "x" * 70_000, "{{ 7 * 7 }}", "{%x%}", "<b>", "'", '"', "`id`", ";id", "a,b", "*"),
]


def test_there_are_fifty_of_them_and_each_once() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 50


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_hostile_name_becomes_part_of_a_topic(name: str) -> None:
    with pytest.raises(ConfigError, match="id"):
        check({"patient": [{"id": name, "source": "sim:"}]})
    for topic in ("alert", "state", "command", "availability", "image"):
        with pytest.raises(ValueError, match="patient id"):
            getattr(Topics(), topic)(name)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "a/b"], ids=ascii)
def test_no_hostile_name_becomes_part_of_a_base_or_a_prefix(name: str) -> None:
    """Of them all only `a/b` is a base like any other."""
    with pytest.raises(ValueError, match="base topic"):
        MqttSettings(base=name)
    for key in ("prefix", "birth_topic"):
        with pytest.raises(ConfigError, match=key):
            check({"home_assistant": {key: name}})


@pytest.mark.parametrize("name", [name for name in HOSTILE if name], ids=ascii)
def test_no_hostile_name_becomes_a_node(name: str) -> None:
    with pytest.raises(ConfigError, match="node"):
        check({"home_assistant": {"node": name}})


@pytest.mark.parametrize("value", [None, 7, True, ["a"], {"a": 1}, 1.5])
def test_a_name_is_a_text(value: Any) -> None:
    with pytest.raises((ConfigError, msgspec.ValidationError), match="id"):
        check({"patient": [{"id": value, "source": "sim:"}]})
