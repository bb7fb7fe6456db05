"""Forged, damaged and spliced commands: none is accepted, none raises."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable

import pytest

from edge.commands.policy import Refused
from tests.edge.commands.signing import CHIEF, WARD, command, delivery, policy, sealed, text
from tests.reliability.strace import FULL

COUNT = 1_000_000 if FULL else 20_000
SPENT = 1000
SIGNED = [
    command(counter=7),
    command(counter=8, by="Jo", alert="x-7"),
    command(counter=9, verb="pause_audio", for_s=60),
    command(CHIEF, counter=10, verb="set_limits", limits={"tachy_bpm": 130, "brady_bpm": 45}),
    command(counter=11, verb="ask_strip"),
]
"""What anybody on the broker may have seen: signed, and done before."""
TOKENS = [b'"command"', b'"key"', b'"signature"', b'"ward"', b"{", b"}", b"[", b"]", b":", b","]
TOKENS += [b'\\"', b"null", b"1e999", b"-0", b"\\u0000", b"\\ud800", b"\xff", b"\x00", b'"' * 9]


def anything(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(300))


def tokens(chance: random.Random) -> bytes:
    return b"".join(chance.choices(TOKENS, k=chance.randrange(1, 40)))


def damaged(chance: random.Random) -> bytes:
    changed = bytearray(chance.choice(SIGNED))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(changed))
        match chance.randrange(3):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randrange(1, 9)]
            case _:
                changed[at:at] = chance.choice(TOKENS)
    return bytes(changed)


def spliced(chance: random.Random) -> bytes:
    one, other = chance.choice(SIGNED), chance.choice(SIGNED)
    return one[: chance.randrange(len(one))] + other[chance.randrange(len(other)) :]


def forged(chance: random.Random) -> bytes:
    """A fresh counter under an old, a made-up or a truncated signature."""
    old = json.loads(chance.choice(SIGNED))["signature"]
    made_up = chance.randbytes(32).hex()
    signature = chance.choice([old, made_up, old[:-1], old.upper(), "", "0" * 64, None, 0, [old]])
    fresh = text(counter=chance.randrange(SPENT, 1 << 48))
    name = chance.choice(["ward", "chief", "nobody", "", "Ward", "ward\0", None])
    return sealed(fresh, key=name, signature=signature)


def replayed(chance: random.Random) -> bytes:
    return chance.choice(SIGNED)


def moved(chance: random.Random) -> bytes:
    """One key's signature in another's name."""
    return sealed(text(counter=SPENT + 1), WARD, key="chief")


def oversized(chance: random.Random) -> bytes:
    return chance.choice(SIGNED) + b" " * chance.randrange(3700, 8000)


def deep(chance: random.Random) -> bytes:
    depth = chance.randrange(5, 2000)
    return b'{"command":' * chance.randrange(2) + b"[" * depth + b"]" * depth


MAKERS: list[Callable[[random.Random], bytes]] = [
    *(anything, tokens, damaged, damaged, damaged, spliced, spliced, forged, forged),
    *(replayed, moved, oversized, deep),
]


@pytest.mark.timeout(1800)
def test_no_fuzzed_command_is_accepted_and_none_raises() -> None:
    chance = random.Random(5)
    judge = policy("acknowledge", newest=SPENT)
    reasons: Counter[str] = Counter()
    for _ in range(COUNT):
        payload = chance.choice(MAKERS)(chance)
        verdict = judge.judge(delivery(payload, button=chance.random() < 0.05))
        assert isinstance(verdict, Refused), payload
        reasons[verdict.reason] += 1
        if verdict.reason == "counter":
            # The signature holds: then it is a copy, be it with other white space.
            assert json.loads(payload) in map(json.loads, SIGNED)
    assert sum(reasons.values()) == COUNT
    assert set(reasons) == {"malformed", "signature", "counter", "too_large"}
    print(f"{COUNT} commands refused: {dict(reasons)}")
