"""The bundle, and which execution provider was asked for and used, node by node."""

from __future__ import annotations

from edge.assemble import NO_BUNDLE
from edge.bench.report import Model, ProviderUse
from models.bundle import Bundle, load_bundle
from models.device_name import ONNX_RUNTIME, parse_device
from models.device_record import ranking
from models.encoder import Encoder
from models.node_placement import Placement, litert_placement, onnx_placement
from models.registry import open_encoder

__all__ = ["model_facts", "provider_use"]

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
        asked=device,
        used=used,
        nodes=nodes,
        fallback=_fallback(device, used, nodes),
        measured_us=_measured_us(bundle) if device == "auto" else {},
    )


def _measured_us(bundle: Bundle) -> dict[str, float]:
    """By which `auto` has chosen; empty where nothing was measured on this machine."""
    best = ranking(bundle.sha256)
    return {each.device: round(each.step_us, 1) for each in best if each.step_us}


def _placement(bundle: Bundle, encoder: Encoder) -> Placement | None:
    """None where another package's runtime runs the model, or a delegate that does not tell."""
    if bundle.manifest.runtime.name != ONNX_RUNTIME:
        return None
    if LITERT_PROVIDER in encoder.providers:
        alone = len(encoder.providers) == 1
        return litert_placement(bundle) if alone else None
    return onnx_placement(bundle, (encoder.providers[0],))


def _fallback(device: str, used: list[str], nodes: dict[str, int] | None) -> str:
    wanted = _wanted(device, used)
    if nodes is None:
        return "" if wanted in used else f"ran on {', '.join(used)}"
    elsewhere = {provider: count for provider, count in nodes.items() if provider != wanted}
    if not elsewhere:
        return ""
    told = ", ".join(f"{count} on {provider}" for provider, count in elsewhere.items())
    return f"of {sum(nodes.values())} nodes {told}"


def _wanted(device: str, used: list[str]) -> str:
    """The provider that a device means, as runtimes name it."""
    named = parse_device(device)
    if device == "auto" or (named and named.delegate):
        return used[0]
    return (named.provider or LITERT_PROVIDER) if named else device
