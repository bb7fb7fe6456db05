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

from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import RuntimeMissingError
from models.golden import check_golden, golden_leads

__all__ = ["ENTRY_POINT_GROUP", "open_encoder", "runtimes", "verify_bundle"]

ENTRY_POINT_GROUP = "edge.encoders"
_BUILT_IN = {"onnxruntime": ("models.onnx_encoder", "open_encoder")}

Opener = Callable[[Bundle, int, str], Encoder]


def runtimes() -> tuple[str, ...]:
    """Names of the runtimes that a bundle may ask for, sorted."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=ENTRY_POINT_GROUP).names}))


def open_encoder(bundle: Bundle, leads: int, device: str = "auto") -> Encoder:
    """An encoder for `leads` leads that has passed the bundle's self-test.

    device: "auto", "cpu", or what the runtime itself calls a device.
    RuntimeMissingError: the runtime is unknown, not installed or broken. BundleError: the
    model is refused by the runtime or fails the self-test.
    """
    opener = _opener(bundle.manifest.runtime.name)
    tested = golden_leads(bundle)
    trial = opener(bundle, tested, device)
    check_golden(bundle, trial)
    return trial if tested == leads else opener(bundle, leads, device)


def verify_bundle(name_or_dir: str | Path, sha256: str | None = None) -> tuple[Bundle, float]:
    """Everything that can be checked: files, digests, model, self-test.

    Returns the bundle and the largest deviation in the self-test.
    """
    bundle = load_bundle(name_or_dir, sha256)
    trial = _opener(bundle.manifest.runtime.name)(bundle, golden_leads(bundle), "auto")
    return bundle, check_golden(bundle, trial)


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
