"""`edge models list`: the bundles that are installed."""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge.errors import Exit
from models.bundle import Bundle, list_bundles, load_bundle


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """One line a bundle. ModelError where one of them cannot be trusted."""
    rows = [_summary(load_bundle(name)) for name in list_bundles()]
    if options.json:
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
