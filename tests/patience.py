"""How long tests wait for what must come, and whether they do all their repeats."""

from __future__ import annotations

import os

WAIT_S = 60.0
"""Seconds. Reached only where it never comes, so generous: a busy machine is no failure."""

PROGRAM_S = 300.0
"""Seconds for a whole run of a program."""

FULL = os.environ.get("EDGE_RELIABILITY") == "full"
"""Whether tests that repeat something do so as often as `make reliability` does."""
