"""Runtimes that streams share: one session a model, not one a stream.

A network carries its past in tensors of its own, so the session that computes a step knows
nothing of whose step it is. Hundreds of streams then need the weights once, and one self-test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["SharedRuntime", "distrust", "shared", "shared_by"]

_PASSES = 4
"""Tests that a runtime is known to have passed, the newest: bundles may share a model."""


@dataclass(eq=False)
class SharedRuntime:
    """A session or an interpreter. lock: for those that compute one step at a time.

    What it has passed is known for as long as it is in use.
    """

    runtime: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    _passed: tuple[tuple[Hashable, tuple[SharedRuntime, ...]], ...] = ()

    def has_passed(self, test: Hashable) -> bool:
        """Whether it has passed this very test, and failed in nothing since."""
        return any(
            test == passed and all(each.has_passed(test) for each in beside)
            for passed, beside in self._passed
        )

    def note_passed(self, test: Hashable, *beside: SharedRuntime) -> None:
        """It has passed, together with `beside`, which stay in use as long as this one."""
        self._passed = (*self._passed[1 - _PASSES :], (test, beside))

    def distrust(self) -> None:
        """It has failed in use: whoever wants it next has to test it again."""
        self._passed = ()


_in_use: WeakValueDictionary[Hashable, SharedRuntime] = WeakValueDictionary()
_openings: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()
_looking = threading.Lock()


def shared(model: bytes, how: Hashable, open_runtime: Callable[[], Any]) -> SharedRuntime:
    """The runtime of these very bytes, opened in the same way: the one in use, or a new one.

    how: what else it depends on, such as providers or shapes. It is closed once nobody uses it.
    Waits for no opening but its own, for another may take minutes. Raises what `open_runtime`
    raises.
    """
    key = model, how  # the bytes themselves, whose hash Python keeps: no digest a stream
    with _looking:
        found = _in_use.get(key)
        opening = _openings.setdefault(key, threading.Lock())
    if found is not None:
        return found
    with opening:
        found = _in_use.get(key)
        if found is None:
            found = _in_use[key] = SharedRuntime(open_runtime())
        return found


def shared_by(encoder: object) -> SharedRuntime | None:
    """What an encoder or a beat stage computes with: its attribute `shared`, where it has one.

    An encoder that has one hears each of its leads by itself, with one network.
    """
    found = getattr(encoder, "shared", None)
    return found if isinstance(found, SharedRuntime) else None


def distrust(encoder: object) -> None:
    """This encoder or beat stage has failed: the next one is tested before it serves."""
    if runtime := shared_by(encoder):
        runtime.distrust()
