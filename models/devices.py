"""What a bundle can run on here: names that `models.registry.open_encoder` takes as a device."""

from __future__ import annotations

from models.bundle import Bundle

__all__ = ["devices"]

_REMOTE = frozenset({"AzureExecutionProvider"})
"""Providers that call a service elsewhere: they run no node of ours."""


def devices(bundle: Bundle) -> tuple[str, ...]:
    """Every runtime and execution provider that is installed and may take the bundle's model.

    That a provider is installed does not say that it has a device: opening may still fail, or
    fall back. `auto` where the bundle's runtime is another package's.
    """
    manifest = bundle.manifest
    if manifest.runtime.name != "onnxruntime":
        return ("auto",)
    found = []
    if any(entry.role == "litert" for entry in manifest.files):
        from models.litert_encoder import has_litert

        found += ["litert"] if has_litert() else []
    return (*found, *_providers())


def _providers() -> tuple[str, ...]:
    try:
        import onnxruntime as ort

        available: list[str] = ort.get_available_providers()
    except Exception:  # a broken native library raises more than ImportError
        return ()
    return tuple(name for name in available if name not in _REMOTE)
