"""What this client calls itself where the configuration gives it no name."""

from __future__ import annotations

import hashlib
import platform
import re

__all__ = ["default_client_id"]


def default_client_id(store: str) -> str:
    """The same for one outbox at every start, so that the broker ends a connection left
    half-open by a crash when the new one comes, instead of publishing its will later.
    """
    host = re.sub("[^A-Za-z0-9]", "", platform.node())[:9] or "host"
    return f"edge-{host}-{hashlib.sha256(store.encode()).hexdigest()[:8]}"
