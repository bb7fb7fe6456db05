"""From a bundle to a running encoder: runtimes by name, each imported only when needed.

A third-party runtime registers a function `open_encoder(bundle, leads, device) -> Encoder`
under the entry point group `edge.encoders`; a bundle chooses it by `runtime.name`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from models.auto_device import open_automatically
from models.bundle import Bundle, load_bundle
from models.device_name import LITERT, ONNX_RUNTIME
from models.devices import known_device, runs_in_litert
from models.encoder import Encoder
from models.errors import RuntimeMissingError
from models.golden import check_golden, golden_leads
from models.self_test import open_tested

__all__ = ["ENTRY_POINT_GROUP", "open_encoder", "runtimes", "verify_bundle"]

ENTRY_POINT_GROUP = "edge.encoders"
_BUILT_IN = {
    ONNX_RUNTIME: ("models.onnx_encoder", "open_encoder"),
    LITERT: ("models.litert_encoder", "open_encoder"),
}

Opener = Callable[[Bundle, int, str], Encoder]


def runtimes() -> tuple[str, ...]:
    """Names of the runtimes that a bundle may ask for, sorted."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=ENTRY_POINT_GROUP).names}))


def open_encoder(bundle: Bundle, leads: int, device: str = "auto") -> Encoder:
    """An encoder for `leads` leads that has passed the bundle's self-test, beat stage included.

    One that shares its session with another of this bundle, which is in use and has passed, is
    not tested again (`models.self_test`).

    device: "auto", the first of `models.auto_device.auto_order` that can be used, and the next
    where it fails; a name of `models.device_name`; or what another package's runtime calls one.
    ModelError: there is no such device. RuntimeMissingError: the runtime is unknown, not
    installed or broken. BundleError: the model is refused by the runtime or fails the self-test.
    """
    runtime = bundle.manifest.runtime.name
    if runtime != ONNX_RUNTIME:
        return _tested(bundle, leads, runtime, device)
    if device == "auto":
        return open_automatically(bundle, leads, _on)
    return _on(bundle, leads, device)


def verify_bundle(name_or_dir: str | Path, sha256: str | None = None) -> tuple[Bundle, float]:
    """Everything that can be checked: files, digests, and the self-test of each model in every
    runtime that is installed.

    Returns the bundle and the largest deviation in the self-test.
    """
    bundle = load_bundle(name_or_dir, sha256)
    names = [bundle.manifest.runtime.name, *([LITERT] if runs_in_litert(bundle) else [])]
    leads = golden_leads(bundle)
    return bundle, max(check_golden(bundle, _opener(n)(bundle, leads, "auto")) for n in names)


def _on(bundle: Bundle, leads: int, device: str) -> Encoder:
    """On exactly this device of our own runtimes."""
    return _tested(bundle, leads, known_device(bundle, device).runtime, device)


def _tested(bundle: Bundle, leads: int, runtime: str, device: str) -> Encoder:
    opener = _opener(runtime)
    return open_tested(bundle, leads, lambda heard: opener(bundle, heard, device))


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
