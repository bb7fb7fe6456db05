"""The network of HeartGPT as an ONNX graph that does only the work that is needed.

Architecture: Davies et al., "Interpretable Pre-Trained Transformers for Heart Time-Series Data",
arXiv:2407.20775, and the code that they published: 8 layers of 8 heads of 8, causal, pre-norm,
ReLU. The scale of the attention is that of the whole width, 64^-0.5, as the authors trained it.

The queries of a layer are cut into chunks, each of which hears the keys up to its own end only:
exact, and little more than half of the scores of the full square. Where only the last token's
answer is wanted, the last layer asks for that alone. Nearly all time goes into the scores, so
the linear layers are of one product each and everything between them is left to one operator.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.importing.graph import MICROSOFT, Graph

__all__ = [
    "AF_HEAD",
    "CHUNKS",
    "CONTEXT",
    "HEADS",
    "LANGUAGE_HEAD",
    "LAYERS",
    "WIDTH",
    "Weights",
    "encoder_graph",
    "every_token_graph",
]

LAYERS, HEADS, WIDTH, CONTEXT = 8, 8, 64, 500
CHUNKS = 5
"""More chunks save scores and cost calls: 5 and 10 were measured to be equal, 4 slower."""

AF_HEAD, LANGUAGE_HEAD = "lm_head.linear1.0", "lm_head"
"""The names of the last linear layer, by which the two kinds of checkpoint are told apart."""

_MASKED = -1e9
_EPSILON = 1e-5  # PyTorch's for a LayerNorm

Weights = Mapping[str, NDArray[np.float32]]


def encoder_graph(weights: Weights, int8: bool = False, chunks: int = CHUNKS) -> bytes:
    """tokens (leads, 500) int64 to embedding (leads, 64) of the last token, after the last norm.

    With the tensors of the AF head also rhythm (leads, 2): the logit of AF, and 0.
    int8: the weights of the layers are 8-bit numbers in blocks. chunks: into how many parts the
    queries of a layer are cut; divides 500.
    """
    net = _Network(weights, int8, chunks)
    embedding = net.embeddings(last_only=True)
    outputs: dict[str, tuple[int | str, ...]] = {"embedding": ("leads", WIDTH)}
    if f"{AF_HEAD}.weight" in weights:
        net.graph.name_output("rhythm", net.af_logits(embedding))
        outputs["rhythm"] = ("leads", 2)
    net.graph.name_output("embedding", embedding)
    return net.graph.model({"tokens": ("leads", CONTEXT)}, outputs)


def every_token_graph(weights: Weights, int8: bool = False, chunks: int = CHUNKS) -> bytes:
    """As `encoder_graph`, of every token: embedding (leads * 500, 64), to judge the network.

    With the tensors of the language head also next_token (leads * 500, vocabulary): logits.
    """
    net = _Network(weights, int8, chunks)
    embedding = net.embeddings(last_only=False)
    outputs: dict[str, tuple[int | str, ...]] = {"embedding": ("tokens_of_all", WIDTH)}
    if f"{LANGUAGE_HEAD}.weight" in weights:
        net.graph.name_output("next_token", net.linear(embedding, LANGUAGE_HEAD))
        outputs["next_token"] = ("tokens_of_all", len(weights[f"{LANGUAGE_HEAD}.bias"]))
    net.graph.name_output("embedding", embedding)
    return net.graph.model({"tokens": ("leads", CONTEXT)}, outputs)


class _Network:
    """Writes the layers into a graph. Tensors are named as in the checkpoint.

    Between the layers all tokens of all leads are the rows of one matrix (leads * tokens, 64).
    """

    def __init__(self, weights: Weights, int8: bool, chunks: int) -> None:
        if CONTEXT % chunks:
            raise ValueError(f"{chunks} chunks do not divide {CONTEXT} tokens")
        self.graph = Graph(int8)
        self._weights = weights
        self._chunks = chunks
        self._masks: dict[int, str] = {}

    def embeddings(self, last_only: bool) -> str:
        """All layers and the last norm: rows of 64, one a lead, or 500 a lead."""
        words = self.graph.node("Gather", self._tensor("token_embedding_table.weight"), "tokens")
        x = self.graph.node("Add", words, self._tensor("position_embedding_table.weight"))
        x = self._rows(x)
        for layer in range(LAYERS):
            x = self._block(x, f"blocks.{layer}", last_only and layer == LAYERS - 1)
        return self._norm(x, "ln_f")

    def linear(self, x: str, name: str) -> str:
        """A linear layer of the checkpoint."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return self.graph.linear(x, name, weight, bias)

    def af_logits(self, embedding: str) -> str:
        """The logit z of AF and 0, since sigmoid(z) is the first of softmax(z, 0)."""
        weight, bias = self._weights[f"{AF_HEAD}.weight"], self._weights[f"{AF_HEAD}.bias"]
        matrix = self.graph.constant("af.weight", np.append(weight, np.zeros_like(weight), 0).T)
        shift = self.graph.constant("af.bias", np.append(bias, np.float32(0)))
        return self.graph.node("Gemm", embedding, matrix, shift)

    def _tensor(self, name: str) -> str:
        return self.graph.constant(name, self._weights[name])

    def _norm(self, x: str, name: str) -> str:
        scale, shift = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        return self.graph.node("LayerNormalization", x, scale, shift, epsilon=_EPSILON)

    def _rows(self, x: str) -> str:
        return self.graph.node("Reshape", x, self.graph.integers(-1, WIDTH))

    def _leads(self, x: str, width: int) -> str:
        return self.graph.node("Reshape", x, self.graph.integers(-1, CONTEXT, width))

    def _block(self, x: str, block: str, last_only: bool) -> str:
        qkv = self.graph.linear(
            self._norm(x, f"{block}.ln1"), f"{block}.qkv", self._qkv(block), None
        )
        q, k, v = self.graph.parts(self._leads(qkv, 3 * WIDTH), 3, axis=-1)
        k, v = self._by_head(k), self._by_head(v)
        if last_only:
            x = self._rows(self._span(self._leads(x, WIDTH), CONTEXT - 1, CONTEXT))
            heard = self._attend(self._span(q, CONTEXT - 1, CONTEXT), k, v)
        else:
            heard = self._attend_in_chunks(q, k, v)
        x = self.graph.node("Add", x, self.linear(self._rows(heard), f"{block}.sa.proj"))
        hidden = self.linear(self._norm(x, f"{block}.ln2"), f"{block}.ffwd.net.0")
        hidden = self.graph.node("Relu", hidden)
        return self.graph.node("Add", x, self.linear(hidden, f"{block}.ffwd.net.2"))

    def _qkv(self, block: str) -> NDArray[np.float32]:
        """The weights of all heads one below the other, (192, 64)."""
        heads = [
            self._weights[f"{block}.sa.heads.{head}.{part}.weight"]
            for part in ("query", "key", "value")
            for head in range(HEADS)
        ]
        return np.concatenate(heads)

    def _attend_in_chunks(self, q: str, k: str, v: str) -> str:
        """Every chunk of queries hears the keys from the first to its own last."""
        length = CONTEXT // self._chunks
        heard = []
        for number in range(self._chunks):
            start, stop = number * length, (number + 1) * length
            keys, values = self._span(k, 0, stop, axis=2), self._span(v, 0, stop, axis=2)
            if stop not in self._masks:
                self._masks[stop] = self._mask(length, stop)
            mask = ("", "", self._masks[stop])
            heard.append(self._attend(self._span(q, start, stop), keys, values, *mask))
        return heard[0] if len(heard) == 1 else self.graph.node("Concat", *heard, axis=1)

    def _attend(self, q: str, k: str, v: str, *mask: str) -> str:
        """Attention of all heads: q (leads, tokens, 64), k and v by head, to the shape of q.

        The fourth and fifth inputs of the operator are not used.
        """
        return self.graph.node(
            "MultiHeadAttention",
            *(q, k, v, *mask),
            domain=MICROSOFT,
            num_heads=HEADS,
            scale=WIDTH**-0.5,
        )

    def _by_head(self, x: str) -> str:
        """(leads, 500, 64) to (leads, 8 heads, 500, 8): once a layer, not once a chunk."""
        shape = self.graph.integers(-1, CONTEXT, HEADS, WIDTH // HEADS)
        return self.graph.node("Transpose", self.graph.node("Reshape", x, shape), perm=[0, 2, 1, 3])

    def _span(self, x: str, start: int, stop: int, axis: int = 1) -> str:
        """The tokens from `start` to `stop`, which lie along `axis`."""
        if (start, stop) == (0, CONTEXT):
            return x
        ends = self.graph.integers(start), self.graph.integers(stop)
        return self.graph.node("Slice", x, *ends, self.graph.integers(axis))

    def _mask(self, length: int, stop: int) -> str:
        """(1, 1, length, stop) to be added to the scores: what lies after a query is as absent.

        Made in the graph, from numbers that ONNX Runtime folds when it loads the model.
        """
        value = self.graph.constant("masked", np.array([_MASKED], np.float32))
        shape = self.graph.integers(1, 1, length, stop)
        later = self.graph.constant(f"after_{stop}", np.array(stop - length + 1, np.int64))
        return self.graph.node("Trilu", self.graph.node("Expand", value, shape), later, upper=1)
