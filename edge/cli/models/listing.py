"""`edge models`: list, show and verify encoder bundles."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from edge.errors import Exit, UsageError
from models.bundle import Bundle, list_bundles, load_bundle
from models.registry import open_encoder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=("list", "show", "verify"))
    parser.add_argument("bundle", nargs="?", metavar="NAME|DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """List all bundles, or show or verify one. ModelError where it cannot be trusted."""
    if options.action == "list":
        return _list(options.json)
    if options.bundle is None:
        raise UsageError(f"models {options.action}: name a bundle; see `edge models list`")
    bundle = load_bundle(options.bundle)
    if options.action == "show":
        _show(bundle, options.json)
        return Exit.OK
    encoder = open_encoder(bundle, bundle.manifest.input.leads_min)
    report = {"ok": True, "bundle": bundle.manifest.name, "sha256": bundle.sha256}
    providers = ", ".join(encoder.providers)
    text = f"ok: {bundle.manifest.name} is intact and answers its self-test ({providers})"
    print(json.dumps(report) if options.json else text)
    return Exit.OK


def _list(as_json: bool) -> int:
    rows = [_summary(load_bundle(name)) for name in list_bundles()]
    if as_json:
        print(json.dumps({"bundles": rows}))
        return Exit.OK
    for row in rows:
        print(
            f"{row['name']:<16} {row['version']:<8} {row['parameters']:>9,} parameters  "
            f"{row['rate_hz']:g} Hz  {row['leads']} lead(s)  {', '.join(row['outputs'])}"
        )
    return Exit.OK


def _summary(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "parameters": manifest.runtime.parameters,
        "rate_hz": manifest.input.rate_hz,
        "leads": f"{manifest.input.leads_min}-{manifest.input.leads_max}",
        "outputs": [output.name for output in manifest.outputs],
        "sha256": bundle.sha256,
    }


def _show(bundle: Bundle, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(bundle.manifest)))
        return
    manifest = bundle.manifest
    print(f"{manifest.name} {manifest.version} ({manifest.licence})\n{manifest.description}\n")
    print(f"input     {manifest.input.rate_hz:g} Hz, hop {manifest.hop_s:g} s")
    for output in manifest.outputs:
        print(f"output    {output.name} {list(output.shape)} {', '.join(output.labels)}")
    print(f"training  {'; '.join(manifest.training.data)}\n          {manifest.training.split}")
    print(f"          {manifest.training.command}\n")
    for figure in manifest.figures:
        unit = f" {figure.unit}" if figure.unit else ""
        print(
            f"{figure.precision:<8} {figure.name} = {figure.value:g}{unit}\n         {figure.split}"
        )
