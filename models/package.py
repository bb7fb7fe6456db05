"""Write a bundle: the files, their digests in the manifest, the card that people read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from models.bundle import CHECKSUM_NAME
from models.errors import BundleError
from models.manifest import MANIFEST_NAME, BundleFile, Figure, Manifest, encode_manifest

__all__ = ["CARD_NAME", "Role", "write_bundle"]

CARD_NAME = "MODEL_CARD.md"
Role = Literal["model", "litert", "beat-stage", "golden", "card"]
_ROLES: Mapping[str, Role] = MappingProxyType(
    {".onnx": "model", ".tflite": "litert", ".json": "golden", ".md": "card"}
)
_NO_ROLES: Mapping[str, Role] = MappingProxyType({})


def write_bundle(
    folder: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    roles: Mapping[str, Role] = _NO_ROLES,
) -> Manifest:
    """Write `files`, the card made from the manifest, and the manifest with all digests.

    roles: of the files whose suffix does not tell (a beat stage is an .onnx file too). Files of
    the same names in `folder` are replaced. Returns the manifest as written.
    BundleError: a file whose role is neither given nor told by its suffix.
    """
    contents = {**files, CARD_NAME: _card(manifest).encode()}
    entries = tuple(
        BundleFile(
            name=name,
            role=roles.get(name) or _role(name),
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for name, data in contents.items()
    )
    manifest = msgspec.structs.replace(manifest, files=entries)
    raw = encode_manifest(manifest)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_NAME).write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / CHECKSUM_NAME).write_text(f"{digest}  {MANIFEST_NAME}\n")
    return manifest


def _role(name: str) -> Role:
    role = _ROLES.get(Path(name).suffix)
    if role is None:
        raise BundleError(f"{name}: its suffix tells no role of a bundle's file; name the role")
    return role


def _card(manifest: Manifest) -> str:
    """The model card, in Markdown."""
    facts, training, runtime = manifest.input, manifest.training, manifest.runtime
    carried = f", {len(manifest.states)} tensors of carried state" if manifest.states else ""
    return "\n".join(
        [
            f"# {manifest.name} {manifest.version}",
            "",
            manifest.description,
            "",
            "Not a medical device: for research and engineering only, never the sole basis of a"
            " clinical decision.",
            "",
            "## Input and outputs",
            "",
            f"- {facts.leads_min} to {facts.leads_max} leads in microvolts at"
            f" {facts.rate_hz:g} Hz, in hops of {facts.hop_samples} samples.",
            f"- Filters before it: {facts.conditioning.high_pass}; {facts.conditioning.low_pass}.",
            *(
                f"- `{output.name}` {list(output.shape)}: {', '.join(output.labels) or output.kind}"
                + (f"; {output.delay_ms:g} ms after the R peak" if output.delay_ms else "")
                for output in manifest.outputs
            ),
            f"- {runtime.parameters} parameters, {runtime.name}, ONNX opset"
            f" {runtime.opset}{carried}.",
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in manifest.limits),
            "",
            "## Training",
            "",
            *(f"- Data: {source}." for source in training.data),
            f"- Split: {training.split}",
            f"- Command: `{training.command}`, seed {training.seed},"
            f" {training.wall_s / 60:.0f} min on {training.machine}.",
            f"- Licence: {manifest.licence}.",
            "",
            "## Measured",
            "",
            *_figures(manifest.figures),
        ]
    )


def _figures(figures: tuple[Figure, ...]) -> tuple[str, ...]:
    if not figures:
        return ("Nothing yet.", "")
    commands = sorted({figure.command for figure in figures})
    return (
        "| figure | precision | value | on |",
        "|---|---|---|---|",
        *(_row(figure) for figure in figures),
        "",
        *(f"Command: `{command}`" for command in commands),
        "",
    )


def _row(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    return f"| {figure.name} | {figure.precision} | {figure.value:g}{unit} | {figure.split} |"
