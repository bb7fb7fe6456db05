"""Published encoders as bundles: one module an encoder, imported only when it is asked for.

An importer is a module with `import_checkpoint(path, folder, **options) -> ImportReport`. It
reads the checkpoint without running any of it (`models.importing.checkpoint`), builds the graph,
and writes a bundle that has answered its own self-test.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import cast

from models.errors import ModelError
from models.importing.report import ImportReport

__all__ = ["IMPORTERS", "ImportReport", "import_checkpoint"]

IMPORTERS: Mapping[str, str] = MappingProxyType(
    {"heartgpt": "HeartGPT ECG-PT (harryjdavies/HeartGPT, MIT), with or without its AF head"}
)
"""What can be imported: the name, which is also that of the module here, and what it is."""

_Importer = Callable[..., ImportReport]


def import_checkpoint(name: str, path: Path, folder: Path, **options: object) -> ImportReport:
    """Turn the published checkpoint `path` into a bundle in `folder`.

    name: a key of `IMPORTERS`. folder: need not exist; files of the same names are replaced.
    options: of this importer; every one has `int8: bool = False`, which quantises the weights.
    ModelError: an unknown name or option; a checkpoint that cannot be read, that holds code, or
    whose tensors are not exactly those of the encoder.
    """
    importer = _importer(name)
    known = [p for p in inspect.signature(importer).parameters if p not in ("path", "folder")]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ModelError(
            f"importing {name!r} has no option {unknown[0]!r}; known: {', '.join(known)}"
        )
    return importer(path, folder, **options)


def _importer(name: str) -> _Importer:
    if name not in IMPORTERS:
        raise ModelError(
            f"no encoder {name!r} can be imported; known: {', '.join(sorted(IMPORTERS))}"
        )
    module = import_module(f"models.importing.{name}")
    return cast(_Importer, module.import_checkpoint)
