"""HeartGPT in PyTorch as its authors wrote it (arXiv:2407.20775), to export it plainly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.importing.heartgpt_graph import CONTEXT, HEADS, LAYERS, WIDTH, Weights

VOCABULARY = 101


class Head(nn.Module):
    """One causal head; the scale is that of the whole width."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(WIDTH, WIDTH // HEADS, bias=False)
        self.query = nn.Linear(WIDTH, WIDTH // HEADS, bias=False)
        self.value = nn.Linear(WIDTH, WIDTH // HEADS, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(CONTEXT, CONTEXT)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 500, 64) to (batch, 500, 8)."""
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * WIDTH**-0.5
        scores = scores.masked_fill(self.tril == 0, float("-inf"))
        return functional.softmax(scores, dim=-1) @ self.value(x)


class Heads(nn.Module):
    """All heads side by side, and their projection."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head() for _ in range(HEADS)])
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 500, 64), as it came."""
        return self.proj(torch.cat([head(x) for head in self.heads], dim=-1))


class FeedForward(nn.Module):
    """Two layers with ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.ReLU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 500, 64), as it came."""
        return self.net(x)


class Block(nn.Module):
    """Attention and feed-forward net, each after a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.sa, self.ffwd = Heads(), FeedForward()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 500, 64), as it came."""
        x = x + self.sa(self.ln1(x))
        return x + self.ffwd(self.ln2(x))


class HeartGpt(nn.Module):
    """ECG-PT with its language head; modules are named as in the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding_table = nn.Embedding(VOCABULARY, WIDTH)
        self.position_embedding_table = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.ln_f = nn.LayerNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY)

    def embeddings(self, tokens: Tensor) -> Tensor:
        """(batch, 500) tokens to (batch, 500, 64) after the last norm."""
        x = self.token_embedding_table(tokens) + self.position_embedding_table(
            torch.arange(CONTEXT)
        )
        return self.ln_f(self.blocks(x))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, 500) tokens to (batch, 500, 101) logits of the next one."""
        return self.lm_head(self.embeddings(tokens))


def load_weights(network: HeartGpt, weights: Weights) -> HeartGpt:
    """The network with the tensors of a checkpoint, ready to be asked."""
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.items()})
    return network.eval()
