"""The logger that the WebSocket library is given: silent.

Its lines name the tokens of headers and messages, and a flood of connections floods them.
"""

from __future__ import annotations

import logging

__all__ = ["QUIET"]

QUIET = logging.getLogger("firmware_bridge.websockets")
QUIET.setLevel(logging.CRITICAL + 1)
