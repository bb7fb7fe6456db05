"""Runtimes that streams share: one session a model, not one a stream.

A network carries its past in tensors of its own, so the session that computes a step knows
nothing of whose step it is. Hundreds of streams then need the weights once.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["SharedRuntime", "shared"]


@dataclass(eq=False)
class SharedRuntime:
    """A session or an interpreter. lock: for those that compute one step at a time."""

    runtime: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


_in_use: WeakValueDictionary[Hashable, SharedRuntime] = WeakValueDictionary()
_opening = threading.Lock()


def shared(model: bytes, how: Hashable, open_runtime: Callable[[], Any]) -> SharedRuntime:
    """The runtime of these very bytes, opened in the same way: the one in use, or a new one.

    how: what else it depends on, such as providers or shapes. It is closed once nobody uses it.
    Raises what `open_runtime` raises.
    """
    key = hashlib.sha256(model).digest(), how
    with _opening:
        found = _in_use.get(key)
        if found is None:
            found = _in_use[key] = SharedRuntime(open_runtime())
        return found
