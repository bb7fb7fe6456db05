"""HeartGPT ECG-PT: a GPT that reads five seconds of ECG as tokens (harryjdavies/HeartGPT, MIT).

Published as two checkpoints of the same network: as trained to foretell the next sample
(ECGPT_560k_iters), whose embedding is of use; and with its last block tuned and a head to tell
atrial fibrillation (ECGPT_AF_1k_iters).
"""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError
from models.importing.bundle_writer import write_verified
from models.importing.checkpoint import Checkpoint, open_checkpoint, take_tensors
from models.importing.heartgpt_graph import (
    AF_HEAD,
    CONTEXT,
    HEADS,
    LANGUAGE_HEAD,
    LAYERS,
    WIDTH,
    Weights,
    encoder_graph,
)
from models.importing.heartgpt_manifest import LEVELS, manifest
from models.importing.report import ImportReport

__all__ = ["expected_tensors", "import_checkpoint", "read_weights"]

_VOCABULARY, _VOCABULARY_PPG = LEVELS + 1, LEVELS + 2
_CAUSAL_MASK = r"blocks\.\d+\.sa\.heads\.\d+\.tril"


def import_checkpoint(path: Path, folder: Path, *, int8: bool = False) -> ImportReport:
    """Write the bundle of either checkpoint of ECG-PT, told apart by their last layer.

    int8: the layers' weights are 8-bit numbers in the file. ModelError: as
    `models.importing.import_checkpoint` says, and for a checkpoint of the PPG network.
    """
    checkpoint = open_checkpoint(path)
    weights = read_weights(checkpoint)
    used = {name: tensor for name, tensor in weights.items() if name not in _language_head()}
    dropped = len(checkpoint.shapes) - len(used)
    model = encoder_graph(used, int8)
    about = manifest(used, int8, checkpoint.sha256)
    return write_verified(folder, about, model, len(used), dropped)


def read_weights(checkpoint: Checkpoint) -> Weights:
    """All tensors but the causal masks, which are 64 times the same triangle."""
    _refuse_ppg(checkpoint)
    return take_tensors(checkpoint, expected_tensors(_has_af_head(checkpoint)), _CAUSAL_MASK)


def expected_tensors(af_head: bool) -> dict[str, tuple[int, ...]]:
    """Name to shape of a checkpoint of ECG-PT, without the causal masks."""
    expected: dict[str, tuple[int, ...]] = {
        "token_embedding_table.weight": (_VOCABULARY, WIDTH),
        "position_embedding_table.weight": (CONTEXT, WIDTH),
    }
    for layer in range(LAYERS):
        expected |= _block(f"blocks.{layer}")
    head = _linear(AF_HEAD, 1, WIDTH) if af_head else _language_head()
    return expected | _norm("ln_f") | head


def _language_head() -> dict[str, tuple[int, ...]]:
    return _linear(LANGUAGE_HEAD, _VOCABULARY, WIDTH)


def _has_af_head(checkpoint: Checkpoint) -> bool:
    return f"{AF_HEAD}.weight" in checkpoint.shapes


def _refuse_ppg(checkpoint: Checkpoint) -> None:
    shape = checkpoint.shapes.get("token_embedding_table.weight")
    if shape == (_VOCABULARY_PPG, WIDTH):
        raise ModelError(
            f"{checkpoint.where} is PPG-PT, which reads a photoplethysmogram at 50 Hz; bundles"
            " here hear an ECG: give a checkpoint of ECG-PT (ECGPT_560k_iters, ECGPT_AF_1k_iters)"
        )


def _block(block: str) -> dict[str, tuple[int, ...]]:
    heads = {
        f"{block}.sa.heads.{head}.{part}.weight": (WIDTH // HEADS, WIDTH)
        for head in range(HEADS)
        for part in ("key", "query", "value")
    }
    return {
        **heads,
        **_linear(f"{block}.sa.proj", WIDTH, WIDTH),
        **_linear(f"{block}.ffwd.net.0", 4 * WIDTH, WIDTH),
        **_linear(f"{block}.ffwd.net.2", WIDTH, 4 * WIDTH),
        **_norm(f"{block}.ln1"),
        **_norm(f"{block}.ln2"),
    }


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
