"""What docs/home-assistant.md and docs/brokers.md show to write is accepted and complete."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from edge.commands.settings import UnsignedVerb
from edge.config import check
from edge.home_assistant.discovery import Extras, Watched, discovery
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import Topics

DOCS = Path(__file__).resolve().parents[3] / "docs"


def blocks(name: str) -> list[str]:
    indented = re.findall(r"```toml\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in indented]


@pytest.mark.parametrize("name", ["home-assistant.md", "brokers.md"])
def test_the_examples_hold(name: str) -> None:
    assert blocks(name)
    for block in blocks(name):
        tree = {"mqtt": {"url": "mqtts://broker.example"}, **tomllib.loads(block)}
        check(tree)


def test_every_entity_and_every_setting_is_described() -> None:
    text = (DOCS / "home-assistant.md").read_text()
    extras = Extras(get_args(UnsignedVerb), picture=True)
    told = msgspec.json.decode(discovery(Watched("p", "d"), Topics(), "1", extras))
    names = {entity["name"] for entity in told["cmps"].values()}
    assert {name for name in names if name not in text} == set()
    settings = HomeAssistantSettings.__struct_fields__
    assert {name for name in settings if f"| `{name}` |" not in text} == set()
