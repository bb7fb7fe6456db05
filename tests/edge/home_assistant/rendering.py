"""Templates rendered as Home Assistant does: sandboxed Jinja2, the result a text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

jinja2 = pytest.importorskip("jinja2", reason="needs Jinja2 to render templates")
sandbox = pytest.importorskip("jinja2.sandbox")

ENVIRONMENT = sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)


def render(template: str, payload: bytes) -> str:
    """What a template makes of a message; a field that is not there raises."""
    value: Any = msgspec.json.decode(payload)
    rendered = ENVIRONMENT.from_string(template).render(value_json=value)
    return str(rendered).strip()
