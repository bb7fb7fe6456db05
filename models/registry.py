"""From a bundle to a running encoder: runtimes by name, each imported only when needed.

A third-party runtime registers a function `open_encoder(bundle, leads, device) -> Encoder`
under the entry point group `edge.encoders`; a bundle chooses it by `runtime.name`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import BundleError, ModelError, RuntimeMissingError
from models.golden import check_golden, golden_leads

__all__ = ["ENTRY_POINT_GROUP", "open_encoder", "runtimes", "verify_bundle"]

ENTRY_POINT_GROUP = "edge.encoders"
_ONNX_RUNTIME, _LITERT = "onnxruntime", "litert"
_BUILT_IN = {
    _ONNX_RUNTIME: ("models.onnx_encoder", "open_encoder"),
    _LITERT: ("models.litert_encoder", "open_encoder"),
}
_log = logging.getLogger(__name__)

Opener = Callable[[Bundle, int, str], Encoder]


def runtimes() -> tuple[str, ...]:
    """Names of the runtimes that a bundle may ask for, sorted."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=ENTRY_POINT_GROUP).names}))


def open_encoder(bundle: Bundle, leads: int, device: str = "auto") -> Encoder:
    """An encoder for `leads` leads that has passed the bundle's self-test.

    device: "auto", LiteRT where the bundle has a model for it, it is installed and passes,
    else ONNX Runtime; "litert"; "onnxruntime" or "cpu", ONNX Runtime on the CPU; or what the
    bundle's runtime itself calls a device, such as an execution provider.
    RuntimeMissingError: the runtime is unknown, not installed or broken. BundleError: the
    model is refused by the runtime or fails the self-test.
    """
    if device == "auto" and _prefers_litert(bundle):
        try:
            return _tested(bundle, leads, _LITERT, device)
        except (BundleError, RuntimeMissingError) as error:
            _log.warning("using ONNX Runtime instead of LiteRT: %s", error)
    return _tested(bundle, leads, _runtime_for(bundle, device), device)


def verify_bundle(name_or_dir: str | Path, sha256: str | None = None) -> tuple[Bundle, float]:
    """Everything that can be checked: files, digests, and the self-test of each model in every
    runtime that is installed.

    Returns the bundle and the largest deviation in the self-test.
    """
    bundle = load_bundle(name_or_dir, sha256)
    names = [bundle.manifest.runtime.name, *([_LITERT] if _prefers_litert(bundle) else [])]
    leads = golden_leads(bundle)
    return bundle, max(check_golden(bundle, _opener(n)(bundle, leads, "auto")) for n in names)


def _prefers_litert(bundle: Bundle) -> bool:
    """Whether the bundle asks for no other runtime than ours and has a model for LiteRT, and
    LiteRT is there to run it."""
    if bundle.manifest.runtime.name != _ONNX_RUNTIME or not _has_litert_model(bundle):
        return False
    from models.litert_encoder import has_litert

    return has_litert()


def _has_litert_model(bundle: Bundle) -> bool:
    return any(entry.role == _LITERT for entry in bundle.manifest.files)


def _runtime_for(bundle: Bundle, device: str) -> str:
    """The name of the runtime that `device` asks for: the bundle's own but for "litert"."""
    if device == _LITERT and not _has_litert_model(bundle):
        raise ModelError(
            f"bundle {bundle.manifest.name!r} has no model for LiteRT; choose the device `cpu`"
        )
    return _LITERT if device == _LITERT else bundle.manifest.runtime.name


def _tested(bundle: Bundle, leads: int, runtime: str, device: str) -> Encoder:
    opener = _opener(runtime)
    tested = golden_leads(bundle)
    trial = opener(bundle, tested, device)
    check_golden(bundle, trial)
    return trial if tested == leads else opener(bundle, leads, device)


def _opener(name: str) -> Opener:
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        return cast(Opener, getattr(import_module(module), attribute))
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            return cast(Opener, entry.load())
        except Exception as error:  # foreign code may raise anything
            raise RuntimeMissingError(
                f"runtime {name!r} ({entry.value}) cannot be loaded: {error}; reinstall it"
            ) from error
    raise RuntimeMissingError(
        f"the bundle needs the runtime {name!r}; known: {', '.join(runtimes())};"
        " install the package that provides it"
    )
