"""Which nodes of a bundle's models ran where: what a runtime did, not what it was asked for."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import ModelError
from models.manifest import Manifest
from models.onnx_session import open_session
from models.streaming import input_layout

__all__ = ["Placement", "litert_placement", "onnx_placement", "placements"]

CPU = "CPUExecutionProvider"
XNNPACK, BUILT_IN = "XNNPACK", "LiteRT's own kernels"


@dataclass(frozen=True, slots=True)
class Placement:
    """Nodes of one model file after the runtime has optimised it.

    file: name in the bundle. asked, in_use: execution providers, in order of preference.
    nodes: provider to operator to number of nodes that it ran.
    """

    file: str
    asked: tuple[str, ...]
    in_use: tuple[str, ...]
    nodes: Mapping[str, Mapping[str, int]]


def placements(bundle: Bundle, provider: str = CPU) -> tuple[Placement, ...]:
    """Of each encoder model in the bundle that a runtime installed here can run.

    RuntimeMissingError: ONNX Runtime has no such provider. BundleError: a model is refused.
    """
    found = (
        [onnx_placement(bundle, (provider,))] if "onnx" in bundle.manifest.runtime.formats else []
    )
    if any(entry.role == "litert" for entry in bundle.manifest.files):
        from models.litert_encoder import has_litert

        found += [litert_placement(bundle)] if has_litert() else []
    return tuple(found)


def onnx_placement(bundle: Bundle, providers: tuple[str, ...] = (CPU,)) -> Placement:
    """Where ONNX Runtime ran the nodes of the bundle's model, from its profile of one step.

    RuntimeMissingError: there is no such provider. BundleError: the model is refused.
    """
    manifest = bundle.manifest
    name = manifest.file("model").name
    with tempfile.TemporaryDirectory(prefix="edge-profile-") as folder:
        profile = str(Path(folder) / "profile")
        session = open_session(bundle.model, str(bundle.path / name), providers, profile)
        try:
            session.run(None, _silence(manifest, manifest.input.leads_min))
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{bundle.path / name}: a step on silence failed: {error}") from error
        finally:
            written = Path(session.end_profiling())
        events = json.loads(written.read_bytes())
    return Placement(name, providers, tuple(session.get_providers()), _by_provider(events))


def _silence(manifest: Manifest, leads: int) -> dict[str, NDArray[Any]]:
    """What the model is fed in its first step, where nothing is heard."""
    shape, kind = input_layout(manifest, leads)
    feed: dict[str, NDArray[Any]] = {manifest.runtime.input: np.zeros(shape, kind)}
    if manifest.runtime.weights is not None:
        feed[manifest.runtime.weights] = np.ones((leads, 1), np.float32)
    for state in manifest.states:
        feed[state.name_in] = np.full((leads, *state.shape), state.initial, state.dtype)
    return feed


def _by_provider(events: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Nodes by the provider whose kernel ran; each node once, however often it ran."""
    ran = {
        event["name"]: (event["args"]["provider"], event["args"]["op_name"])
        for event in events
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time")
    }
    return _counted(ran.values())


def litert_placement(bundle: Bundle) -> Placement:
    """Which operators of the bundle's LiteRT file its XNNPACK delegate took.

    RuntimeMissingError: LiteRT is not installed. BundleError: no such file, or it is refused.
    """
    from models.litert_encoder import open_interpreter

    entry = bundle.manifest.file("litert")
    silence = _silence(bundle.manifest, 1)
    feed = {n: t.astype(np.int8) if t.dtype == np.uint8 else t for n, t in silence.items()}
    interpreter = open_interpreter(bundle.files[entry.name], str(bundle.path / entry.name), feed)
    details = interpreter._get_ops_details()  # the one source of it; no public name
    nodes = [each for each in details if each["op_name"] != "DELEGATE"]
    taken = set().union(*(_taken(nodes, d) for d in details if d["op_name"] == "DELEGATE"))
    placed = ((XNNPACK if n["index"] in taken else BUILT_IN, n["op_name"]) for n in nodes)
    counted = _counted(placed)
    return Placement(entry.name, (XNNPACK,), tuple(counted), counted)


def _taken(nodes: Sequence[Mapping[str, Any]], delegate: Mapping[str, Any]) -> set[int]:
    """Indices of the nodes between a delegate's inputs and its outputs."""
    given, wanted = set(delegate["inputs"].tolist()), set(delegate["outputs"].tolist())
    taken = set()
    for node in reversed(nodes):
        if not wanted.isdisjoint(node["outputs"].tolist()):
            taken.add(int(node["index"]))
            wanted |= set(node["inputs"].tolist()) - given
    return taken


def _counted(placed: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for provider, operator in placed:
        counts.setdefault(provider, Counter())[operator] += 1
    return {provider: dict(sorted(each.items())) for provider, each in counts.items()}
