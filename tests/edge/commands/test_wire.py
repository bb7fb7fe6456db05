"""The wire format of commands: golden vectors and schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest

from edge import schemas
from edge.commands.policy import Accepted
from edge.commands.wire import (
    MAX_COMMAND_BYTES,
    CommandResponse,
    checked,
    encoded,
    expires_utc_ns,
    proof_text,
)
from tests.edge.commands.signing import CHIEF, UTC_NS, WARD, delivery, policy

GOLDEN = [
    (
        '{"verb":"acknowledge","id":"a1","patient":"bed-3","counter":1,'
        '"expires":"2026-01-31T12:00:30Z"}',
        "44f632e903aea8e757c50d0e3abfff3dedb602ce76cab2fe84e83bd3f9659492",
    ),
    (
        '{"verb":"set_limits","id":"a2","patient":"bed-3","counter":2,'
        '"expires":"2026-01-31T12:00:30Z","by":"Jo","limits":{"tachy_bpm":130}}',
        "245d78ce0368315c22fccc47a60d5b73494f4567a0883d1420ff1ecf80c47a2e",
    ),
    (
        '{"verb":"pause_audio","id":"a3","patient":"bed-3","counter":3,'
        '"expires":"2026-01-31T12:00:30Z","for_s":60}',
        "b63878e538bbf936da6b101bdb8a93a2b1055e36b965241f005f750d66deb726",
    ),
    (
        '{"verb":"ask_strip","id":"a4","patient":"bed-3","counter":4,'
        '"expires":"2026-01-31T12:00:30Z"}',
        "5a63831e98d4758e045f5ec19a7d1be2ddeadda3ab741fe7778bce22d4d236ff",
    ),
]
"""Text and signature under the key `0001…1f` in hexadecimal, by `openssl dgst -sha256 -hmac`."""
PROOF = "d5ff33b0264f0d3b5af4d03d3b6d815dc07db0aea7582008210c9d84d1637f3e"


@pytest.mark.parametrize(("text", "signature"), GOLDEN)
def test_golden_commands_are_signed_so_and_accepted(text: str, signature: str) -> None:
    assert WARD.sign(text) == signature
    name = "chief" if "set_limits" in text else "ward"
    key = CHIEF if name == "chief" else WARD
    envelope = {"command": text, "key": name, "signature": key.sign(text)}
    jsonschema.validate(envelope, schemas.generate("command_envelope"))
    jsonschema.validate(json.loads(text), schemas.generate("command"))
    verdict = policy().judge(delivery(json.dumps(envelope).encode()))
    assert isinstance(verdict, Accepted)
    assert verdict.verb == json.loads(text)["verb"]
    assert verdict.action.patient == "bed-3"


def test_the_golden_proof_of_an_answer() -> None:
    assert WARD.sign(proof_text("a1", "")) == PROOF
    assert proof_text("a1", "rate") == "a1 rate"


def test_what_we_encode_is_what_we_accept() -> None:
    fields = json.loads(GOLDEN[1][0])
    payload = encoded(checked(fields), CHIEF)
    assert len(payload) < MAX_COMMAND_BYTES
    verdict = policy().judge(delivery(payload))
    assert isinstance(verdict, Accepted)
    assert verdict.action.by == "Jo (chief)"


def test_an_answer_fits_its_schema() -> None:
    answer = CommandResponse(
        patient="bed-3",
        time="2026-01-31T12:00:00.250Z",
        id=None,
        verb=None,
        done=False,
        reason="signature",
        text="no key that is known here signed it",
    )
    schema = schemas.generate("command_response")
    jsonschema.validate(json.loads(msgspec.json.encode(answer)), schema)


@pytest.mark.parametrize(
    "expires",
    ["2026-01-31T12:00:30Z", "2026-01-31T13:00:30+01:00", "2026-01-31T12:00:30.000000Z"],
)
def test_any_way_to_write_a_time_is_read(expires: str) -> None:
    command = checked({**json.loads(GOLDEN[0][0]), "expires": expires})
    assert expires_utc_ns(command) == UTC_NS + 30_000_000_000


def test_the_sender_of_the_documentation_is_heard(tmp_path: Path) -> None:
    """Its clock is this machine's, so the time is not looked at here."""
    page = Path(__file__).parents[3] / "docs" / "commands.md"
    found = re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    (tmp_path / "ward.key").write_bytes(WARD.secret + b"\n")
    names: dict = {}
    exec(found[1], names)
    payload = names["signed"](tmp_path / "ward.key", "ward", verb="acknowledge", patient="bed-3")
    verdict = policy().judge(delivery(payload.encode(), utc_ns=None))
    assert isinstance(verdict, Accepted)
