"""Write a bundle: the files, their digests in the manifest, the card that people read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from models.bundle import CHECKSUM_NAME
from models.manifest import MANIFEST_NAME, BundleFile, Figure, Manifest, encode_manifest

__all__ = ["CARD_NAME", "write_bundle"]

CARD_NAME = "MODEL_CARD.md"
_ROLES = {".onnx": "model", ".json": "golden", ".md": "card"}


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Manifest:
    """Write `files`, the card made from the manifest, and the manifest with all digests."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {**files, CARD_NAME: _card(manifest).encode()}
    entries = tuple(
        BundleFile(
            name=name,
            role=_ROLES[Path(name).suffix],  # type: ignore[arg-type]
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for name, data in contents.items()
    )
    manifest = msgspec.structs.replace(manifest, files=entries)
    raw = encode_manifest(manifest)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_NAME).write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / CHECKSUM_NAME).write_text(f"{digest}  {MANIFEST_NAME}\n")
    return manifest


def _card(manifest: Manifest) -> str:
    """The model card, in Markdown."""
    facts, training = manifest.input, manifest.training
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
                f"- `{output.name}` {list(output.shape)}: {', '.join(output.labels) or 'features'}"
                + (f"; {output.delay_ms:g} ms after the R peak" if output.delay_ms else "")
                for output in manifest.outputs
            ),
            f"- {manifest.runtime.parameters} parameters, {manifest.runtime.name},"
            f" ONNX opset {manifest.runtime.opset}, int8 with carried state.",
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
            "| figure | precision | value | on |",
            "|---|---|---|---|",
            *(_row(figure) for figure in manifest.figures),
            "",
            *(f"Command: `{command}`" for command in sorted({f.command for f in manifest.figures})),
            "",
        ]
    )


def _row(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit else ""
    return f"| {figure.name} | {figure.precision} | {figure.value:g}{unit} | {figure.split} |"
