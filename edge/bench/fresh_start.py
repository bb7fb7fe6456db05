"""`python -m edge.bench.fresh_start BUNDLE DEVICE`: a start of the runtime that watches itself.

Prints one JSON object: `reached`, part to the monotonic time in nanoseconds at which it was done,
and `memory_mb`, resident at the end. Nothing that is measured is imported before its part begins.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from edge.clock import SystemClock

LIBRARIES = ("numpy", "numba", "msgspec")
ROOMS = ("edge.run", "models.registry")


def main(bundle: str, device: str) -> dict[str, int]:
    """Start as `edge run` does, and say when each part was done."""
    now_ns = SystemClock().monotonic_ns
    reached = {"interpreter": now_ns()}
    from edge.cli.warmup import load_kernels
    from edge.lean_start import lean_start

    with lean_start():
        for library in LIBRARIES:
            import_module(library)
        reached["libraries"] = now_ns()
        load_kernels()
        reached["kernels"] = now_ns()
        for module in ROOMS:
            import_module(module)
    reached["edge"] = now_ns()
    return reached | (_network(bundle, device) if bundle != "none" else {})


def _network(bundle: str, device: str) -> dict[str, int]:
    """The bundle, from its files to its first result."""
    import numpy as np

    from models.bundle import load_bundle
    from models.registry import open_encoder

    now_ns = SystemClock().monotonic_ns
    loaded = load_bundle(bundle)
    verified_ns = now_ns()
    facts = loaded.manifest.input
    encoder = open_encoder(loaded, facts.leads_min, device)
    opened_ns = now_ns()
    encoder.step(np.zeros((facts.leads_min, facts.hop_samples), np.float32))
    return {
        "bundle verification": verified_ns,
        "session and self-test": opened_ns,
        "first hop": now_ns(),
    }


if __name__ == "__main__":
    reached = main(*sys.argv[1:3])
    from edge.bench.memory import resident_mb

    print(json.dumps({"reached": reached, "memory_mb": resident_mb()}))
