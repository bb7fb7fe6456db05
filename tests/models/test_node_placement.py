"""Where nodes ran, as the runtime itself noted it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from models.bundle import Bundle, load_bundle
from models.errors import RuntimeMissingError
from models.node_placement import litert_placement, onnx_placement, placements
from tests.models.rebundle import NAME

pytest.importorskip("onnx")

from tests.models.float_bundle import SPECS, write_float_bundle


def test_every_node_of_the_shipped_bundle_runs_on_the_cpu() -> None:
    placed = onnx_placement(load_bundle(NAME))
    assert placed.asked == placed.in_use == ("CPUExecutionProvider",)
    assert placed.nodes.keys() == {"CPUExecutionProvider"}
    operators = placed.nodes["CPUExecutionProvider"]
    assert operators["QLinearConv"] == 20
    assert all(count > 0 for count in operators.values())


def test_a_float_model_is_counted_by_what_ran(tmp_path: Path) -> None:
    placed = placements(write_float_bundle(tmp_path))
    assert [each.file for each in placed] == ["model.onnx"]
    assert placed[0].nodes["CPUExecutionProvider"]["Conv"] == len(SPECS)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    onnx_placement(load_bundle(NAME))
    assert not list(tmp_path.iterdir())


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(RuntimeMissingError, match="NoSuchProvider"):
        onnx_placement(load_bundle(NAME), ("NoSuchProvider",))


class _Interpreter:
    """Two operators of which the delegate took the second and third."""

    def _get_ops_details(self) -> list[dict[str, object]]:
        import numpy as np

        def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
            return {
                "index": index,
                "op_name": name,
                "inputs": np.array(inputs),
                "outputs": np.array(outputs),
            }

        return [
            node(0, "CUSTOM", [0], [1]),
            node(1, "CONV_2D", [1, 5], [2]),
            node(2, "ADD", [2, 1], [3]),
            node(3, "DELEGATE", [1, 5], [3]),
        ]


def test_what_a_delegate_took_lies_between_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("models.litert_encoder")
    shipped = load_bundle(NAME)
    monkeypatch.setattr("models.litert_encoder.open_interpreter", lambda *_: _Interpreter())
    entry = shipped.manifest.file("model")
    monkeypatch.setattr(type(shipped.manifest), "file", lambda *_: entry)
    placed = litert_placement(Bundle(shipped.path, shipped.manifest, shipped.files, ""))
    assert placed.nodes == {
        "LiteRT's own kernels": {"CUSTOM": 1},
        "XNNPACK": {"ADD": 1, "CONV_2D": 1},
    }
