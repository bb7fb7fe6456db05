"""A quantised model as a bundle of its own: files, golden vector, manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.bundle import Bundle, load_bundle
from models.errors import ModelError
from models.golden import golden_beats, golden_hops, record_golden
from models.manifest import Figure, Golden, Manifest
from models.onnx_encoder import OnnxEncoder
from models.package import Role, write_bundle
from models.quantisation.quantise import Quantised

__all__ = ["SUFFIX", "write_quantised"]

SUFFIX = "int8"
_TOLERANCE = 0.05
"""Of the golden vector: float heads after integers differ a little between machines, and one
step of an integer shifts a probability by less than this."""

_LONGEST_NAME = 64
_KEPT_ROLES = ("beat-stage",)


def write_quantised(
    folder: Path,
    source: Bundle,
    quantised: Quantised,
    figures: Sequence[Figure] = (),
    limits: Sequence[str] = (),
) -> Bundle:
    """Write the bundle `<name>-int8` to `folder`, with answers to the self-test recorded anew.

    figures: what was measured of it; those of the source are not its own and are left out.
    limits: to be told beside those of the source. A LiteRT model of the source is left out.
    """
    manifest = _manifest(source, quantised, figures, limits)
    model = source.manifest.file("model").name
    kept = [entry for entry in source.manifest.files if entry.role in _KEPT_ROLES]
    files = {entry.name: source.files[entry.name] for entry in kept} | {model: quantised.model}
    roles: dict[str, Role] = {entry.name: entry.role for entry in kept} | {model: "model"}
    roles[manifest.golden.file] = "golden"
    with tempfile.TemporaryDirectory() as scratch:
        untested = {**files, manifest.golden.file: source.files[source.manifest.golden.file]}
        write_bundle(Path(scratch), manifest, untested, roles)
        hops = golden_hops(source)
        golden = record_golden(OnnxEncoder(load_bundle(Path(scratch)), len(hops[0])), hops)
    golden = msgspec.structs.replace(golden, beats=golden_beats(source))
    files[manifest.golden.file] = msgspec.json.encode(golden)
    write_bundle(folder, manifest, files, roles)
    return load_bundle(folder)


def _manifest(
    source: Bundle, quantised: Quantised, figures: Sequence[Figure], limits: Sequence[str]
) -> Manifest:
    manifest = source.manifest
    name = f"{manifest.name}-{SUFFIX}"
    if len(name) > _LONGEST_NAME:
        raise ModelError(f"{name!r} is longer than {_LONGEST_NAME} characters; rename the bundle")
    integers = sum(state.dtype != "float32" for state in quantised.states)
    floats = len(quantised.states) - integers
    own = [
        f"Quantised by `edge models quantize` from {manifest.name} {manifest.version} (sha256 of"
        f" its manifest: {source.sha256}): {quantised.nodes} of {quantised.nodes_before} nodes in"
        " int8, weights of 7 bits a channel; the figures of that bundle are not repeated.",
        *limits,
    ]
    if floats:
        own.append(
            f"{floats} of {len(quantised.states)} carried tensors are still floats, so hops grouped"
            " otherwise may change what depends on them by the rounding of floats."
        )
    return msgspec.structs.replace(
        manifest,
        name=name,
        states=quantised.states,
        files=(),
        runtime=msgspec.structs.replace(manifest.runtime, formats=("onnx",)),
        golden=Golden(file=manifest.golden.file, tolerance=_TOLERANCE),
        limits=(*manifest.limits, *own),
        figures=tuple(figures),
    )
