"""Home Assistant's own code on a broker: what it makes of what it hears, as JSON.

    python judge.py PORT FOLDER

Run by a Python that has `homeassistant`; imports nothing of ours. Reads commands from standard
input, a line each, until that closes, and answers each with a line of JSON: `look` with devices,
entities and their states, events that fired, and whatever Home Assistant complained of;
`press ENTITY` presses a button.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.components import mqtt
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.helpers import device_registry, entity_registry


class Complaints(logging.Handler):
    """Remembers warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, unless Home Assistant complains of its own code."""
        if record.name == "homeassistant.helpers.frame":
            return
        why = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.lines.append(f"{record.name}: {record.getMessage()}{why}")


async def judge(port: int, folder: Path) -> None:
    """Serve commands until standard input closes."""
    (folder / "configuration.yaml").touch()
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    loader.async_setup(hass)
    await bootstrap.async_load_base_functionality(hass)
    hass.config.components.update({"http", "file_upload"})
    hass.http = Mock()  # nobody looks at pictures here
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    fired: list[dict[str, Any]] = []

    @core.callback
    def changed(event: core.Event) -> None:
        new = event.data["new_state"]
        told = new and new.entity_id.startswith("event.") and "event_type" in new.attributes
        if told and new.attributes["event_type"] is not None:
            fired.append(dict(new.attributes))

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    await hass.async_start()
    await hass.config_entries.async_add(_entry(port))
    while line := (await hass.loop.run_in_executor(None, sys.stdin.readline)).strip():
        command, _, entity = line.partition(" ")
        if command == "press":
            await hass.services.async_call("button", "press", {"entity_id": entity}, blocking=True)
        await hass.async_block_till_done()
        answer = {**_seen(hass), "fired": fired, "complaints": complaints.lines}
        print(json.dumps(answer, default=str), flush=True)
    await hass.async_stop(force=True)


def _entry(port: int) -> config_entries.ConfigEntry:
    return config_entries.ConfigEntry(
        data={"broker": "127.0.0.1", "port": port},
        discovery_keys=MappingProxyType({}),
        domain=mqtt.DOMAIN,
        entry_id="edge",
        minor_version=mqtt.CONFIG_ENTRY_MINOR_VERSION,
        options={},
        source=config_entries.SOURCE_USER,
        subentries_data=(),
        title="broker",
        unique_id=None,
        version=mqtt.CONFIG_ENTRY_VERSION,
    )


def _seen(hass: core.HomeAssistant) -> dict[str, Any]:
    states = {state.entity_id: state for state in hass.states.async_all()}
    return {
        "devices": [
            {"name": each.name, "model": each.model, "sw": each.sw_version}
            for each in device_registry.async_get(hass).devices.values()
        ],
        "entities": {
            each.entity_id: {
                "unique_id": each.unique_id,
                "disabled": each.disabled,
                "state": getattr(states.get(each.entity_id), "state", None),
                "attributes": dict(getattr(states.get(each.entity_id), "attributes", {})),
            }
            for each in entity_registry.async_get(hass).entities.values()
        },
    }


if __name__ == "__main__":
    asyncio.run(judge(int(sys.argv[1]), Path(sys.argv[2])))
