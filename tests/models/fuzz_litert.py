"""Give LiteRT damaged copies of a model, in a process that a crash may end.

    python -m tests.models.fuzz_litert MODEL COUNT SEED

Prints how many were refused and how many ran; any other end is a failure.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import BundleError
from models.litert_encoder import open_interpreter
from models.litert_scan import scan_litert

EDGES = (0, 1, 2, 4, 7, 16, 64, 127, 128, 255)


def damaged(model: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, or the end missing, or a stretch repeated elsewhere."""
    copy, kind = bytearray(model), rng.random()
    if kind < 0.1:
        return bytes(copy[: rng.randrange(len(copy))])
    if kind < 0.2:
        at, to, size = (rng.randrange(len(copy)) for _ in range(3))
        copy[to : to + size % 64] = copy[at : at + size % 64]
        return bytes(copy)
    for _ in range(rng.randint(1, 4)):
        value = rng.choice(EDGES) if rng.random() < 0.6 else rng.randrange(256)
        copy[rng.randrange(len(copy))] = value
    return bytes(copy)


def example(details: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {d["name"]: np.zeros(d["shape"], d["dtype"]) for d in details}


def main() -> None:
    model, count, seed = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
    rng, refused, ran = random.Random(seed), 0, 0
    feed = example(_inputs(model))
    for _ in range(count):
        try:
            copy = damaged(model, rng)
            scan_litert(copy, "damaged")
            interpreter = open_interpreter(copy, "damaged", feed)
        except BundleError:
            refused += 1
            continue
        interpreter.invoke()
        ran += 1
    print(refused, ran)


def _inputs(model: bytes) -> list[dict[str, Any]]:
    from ai_edge_litert.interpreter import Interpreter

    return list(Interpreter(model_content=model).get_input_details())


if __name__ == "__main__":
    main()
