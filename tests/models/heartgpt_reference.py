"""HeartGPT as its authors wrote it, plainly, in NumPy; and a checkpoint of random weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.importing.heartgpt import expected_tensors

Tensors = Mapping[str, NDArray[np.float32]]


def random_weights(af_head: bool, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of the size that training gives, so that the layers matter and none saturates."""
    rng = np.random.default_rng(seed)
    shapes = expected_tensors(af_head)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def with_masks(weights: Tensors) -> dict[str, NDArray[np.float32]]:
    """With (some of) the buffers that the published files hold."""
    mask = np.tril(np.ones((500, 500), np.float32))
    return {**weights, "blocks.0.sa.heads.0.tril": mask, "blocks.7.sa.heads.3.tril": mask}


def embeddings(weights: Tensors, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """(500,) tokens to (500, 64): every token's embedding after the last norm."""
    w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    x = w["token_embedding_table.weight"][tokens] + w["position_embedding_table.weight"]
    for layer in range(8):
        block = f"blocks.{layer}"
        heard = _norm(w, f"{block}.ln1", x)
        heads = [_head(w, f"{block}.sa.heads.{head}", heard) for head in range(8)]
        x = x + _linear(w, f"{block}.sa.proj", np.concatenate(heads, axis=-1))
        hidden = _linear(w, f"{block}.ffwd.net.0", _norm(w, f"{block}.ln2", x))
        x = x + _linear(w, f"{block}.ffwd.net.2", np.maximum(hidden, 0))
    return _norm(w, "ln_f", x)


def af_probability(weights: Tensors, embedding: NDArray[np.float64]) -> float:
    """sigmoid(linear(64 -> 1)) of the last token."""
    logit = embedding @ weights["lm_head.linear1.0.weight"][0] + weights["lm_head.linear1.0.bias"]
    return float(1 / (1 + np.exp(-logit[0])))


def tokens_of(window: NDArray[Any]) -> NDArray[np.int64]:
    """round(100 * (x - min) / (max - min)), as the authors' code has it."""
    window = np.asarray(window, np.float64)
    scaled = (window - window.min()) / (window.max() - window.min())
    return np.round(100 * scaled).astype(np.int64)


def _head(w: Mapping[str, NDArray[Any]], name: str, x: NDArray[Any]) -> NDArray[Any]:
    query, key, value = (x @ w[f"{name}.{part}.weight"].T for part in ("query", "key", "value"))
    scores = query @ key.T * 64**-0.5
    scores[np.triu_indices(len(x), 1)] = -np.inf
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True) @ value)


def _linear(w: Mapping[str, NDArray[Any]], name: str, x: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])


def _norm(w: Mapping[str, NDArray[Any]], name: str, x: NDArray[Any]) -> NDArray[Any]:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return np.asarray(scaled * w[f"{name}.weight"] + w[f"{name}.bias"])
