"""The bundle, and which execution provider was asked for and used, node by node."""

from __future__ import annotations

from edge.assemble import NO_BUNDLE
from edge.bench.report import Model, ProviderUse
from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.node_placement import Placement, litert_placement, onnx_placement
from models.registry import open_encoder

__all__ = ["model_facts", "provider_use"]

SYNONYMS = {
    "cpu": "CPUExecutionProvider",
    "onnxruntime": "CPUExecutionProvider",
    "litert": "XNNPACK",
}
LITERT_PROVIDER = "XNNPACK"


def model_facts(name: str, device: str, leads: int) -> Model | None:
    """Of the bundle that is measured; None on rules alone. Raises ModelError."""
    if name == NO_BUNDLE:
        return None
    bundle = load_bundle(name)
    manifest = bundle.manifest
    heard = min(leads, manifest.input.leads_max)
    return Model(
        name=manifest.name,
        version=manifest.version,
        sha256=bundle.sha256,
        parameters=manifest.runtime.parameters,
        hop_ms=round(manifest.hop_s * 1000, 3),
        provider=provider_use(bundle, open_encoder(bundle, heard, device), device),
    )


def provider_use(bundle: Bundle, encoder: Encoder, device: str) -> ProviderUse:
    """What became of the device that was asked for. Raises ModelError."""
    placed = _placement(bundle, encoder)
    nodes = None
    if placed is not None:
        nodes = {provider: sum(each.values()) for provider, each in placed.nodes.items()}
    used = list(encoder.providers)
    return ProviderUse(
        asked=device, used=used, nodes=nodes, fallback=_fallback(device, used, nodes)
    )


def _placement(bundle: Bundle, encoder: Encoder) -> Placement | None:
    """None where another package's runtime runs the model."""
    if bundle.manifest.runtime.name != "onnxruntime":
        return None
    if LITERT_PROVIDER in encoder.providers:
        return litert_placement(bundle)
    return onnx_placement(bundle, (encoder.providers[0],))


def _fallback(device: str, used: list[str], nodes: dict[str, int] | None) -> str:
    wanted = used[0] if device == "auto" else SYNONYMS.get(device, device)
    if nodes is None:
        return "" if wanted in used else f"ran on {', '.join(used)}"
    elsewhere = {provider: count for provider, count in nodes.items() if provider != wanted}
    if not elsewhere:
        return ""
    told = ", ".join(f"{count} on {provider}" for provider, count in elsewhere.items())
    return f"of {sum(nodes.values())} nodes {told}"
