"""The exported step graph says what the trained network says, beat by beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from models.beat_token import TOKEN_WIDTH, WAIT_S  # noqa: E402
from models.onnx_session import open_session  # noqa: E402
from models.training.beat_export import export_stage, stage_graph  # noqa: E402
from models.training.beat_model import BeatNet  # noqa: E402
from models.training.run import Run  # noqa: E402

WIDTH = TOKEN_WIDTH


def network() -> BeatNet:
    torch.manual_seed(0)
    net = BeatNet(WIDTH)
    net.mean.uniform_(-1, 1)
    net.scale.uniform_(0.2, 3)
    return net.eval()


def test_it_is_small() -> None:
    assert sum(p.numel() for p in network().parameters()) <= 30_000


def test_steps_of_the_graph_are_the_network(tmp_path: Path) -> None:
    net = network()
    Run.begin(net, tmp_path, 1e-3, 1).save(tmp_path)
    model, stage, parameters = export_stage(tmp_path)
    assert model == stage_graph(net)
    assert parameters == sum(p.numel() for p in net.parameters())
    assert (stage.width, stage.wait_ms) == (WIDTH, WAIT_S * 1000)
    session = open_session(model, "stage", ("CPUExecutionProvider",))
    tokens = np.random.default_rng(1).normal(0, 4, (1, 150, WIDTH)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(tokens))
    fetches = [o.name for o in stage.outputs] + [s.name_out for s in stage.states]
    states = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in stage.states}
    for k in range(tokens.shape[1]):
        beats, rhythm, *new = session.run(fetches, {stage.input: tokens[:, k], **states})
        states = {s.name_in: value for s, value in zip(stage.states, new, strict=True)}
        np.testing.assert_allclose(beats[0], expected.beats[0, k].numpy(), atol=1e-5)
        np.testing.assert_allclose(rhythm[0], expected.rhythm[0, k].numpy(), atol=1e-5)


def test_the_graph_uses_only_the_onnx_standard() -> None:
    model = onnx.load_from_string(stage_graph(network()))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert {node.domain for node in model.graph.node} == {""}
