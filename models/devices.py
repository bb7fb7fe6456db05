"""What a bundle can run on here: names that `models.registry.open_encoder` takes as a device."""

from __future__ import annotations

from ctypes.util import find_library

from models.bundle import Bundle
from models.device_name import LITERT, ONNX_RUNTIME, Device, parse_device, unknown_device
from models.errors import ModelError, RuntimeMissingError

__all__ = ["devices", "known_device", "runs_in_litert"]

_REMOTE = frozenset({"AzureExecutionProvider"})
"""Providers that call a service elsewhere: they run no node of ours."""


def devices(bundle: Bundle) -> tuple[str, ...]:
    """Every runtime and execution provider that is installed and may take the bundle's model.

    That a provider is installed does not say that it has a device: opening may still fail, or
    fall back. `auto` where the bundle's runtime is another package's.
    """
    if bundle.manifest.runtime.name != ONNX_RUNTIME:
        return ("auto",)
    litert: tuple[str, ...] = ()
    if runs_in_litert(bundle):
        litert = (LITERT, "edgetpu") if find_library("edgetpu") else (LITERT,)
    return (*litert, *(each for each in _available() if each not in _REMOTE))


def runs_in_litert(bundle: Bundle) -> bool:
    """Whether the bundle asks for no other runtime than ours and has a model for LiteRT, and
    LiteRT is there to run it."""
    if bundle.manifest.runtime.name != ONNX_RUNTIME or not _has_litert_model(bundle):
        return False
    from models.litert_encoder import has_litert

    return has_litert()


def known_device(bundle: Bundle, text: str) -> Device:
    """The device that a name means, where this bundle could run on it.

    Raises ModelError, which names those that there are: no such name, or no model for LiteRT in
    the bundle. RuntimeMissingError: the ONNX Runtime installed here has no such provider.
    """
    device = parse_device(text)
    if device is None:
        raise unknown_device(text, _short_names(bundle))
    if device.runtime == LITERT and not _has_litert_model(bundle):
        raise ModelError(
            f"bundle {bundle.manifest.name!r} has no model for LiteRT; choose the device `cpu`"
        )
    available = _available() if device.provider else ()
    if available and device.provider not in available:
        raise RuntimeMissingError(
            f"the ONNX Runtime installed here has no {device.provider}; install a build that has"
            f" it, or choose one of: {', '.join(('auto', *_short_names(bundle)))}"
        )
    return device


def _has_litert_model(bundle: Bundle) -> bool:
    return any(entry.role == LITERT for entry in bundle.manifest.files)


def _short_names(bundle: Bundle) -> tuple[str, ...]:
    return tuple(str(parse_device(name) or name) for name in devices(bundle))


def _available() -> tuple[str, ...]:
    """Execution providers of the ONNX Runtime installed here; none where it is broken."""
    try:
        import onnxruntime as ort

        available: list[str] = ort.get_available_providers()
    except Exception:  # a broken native library raises more than ImportError
        return ()
    return tuple(available)
