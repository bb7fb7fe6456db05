"""`edge models verify`: everything that can be checked of a bundle."""

from __future__ import annotations

import argparse
import json

from edge.cli.models.named import bundle_argument, named_bundle
from edge.errors import Exit
from models.registry import open_encoder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bundle_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Files, digests, model and self-test. ModelError where it cannot be trusted."""
    bundle = named_bundle(options, "verify")
    encoder = open_encoder(bundle, bundle.manifest.input.leads_min)
    report = {"ok": True, "bundle": bundle.manifest.name, "sha256": bundle.sha256}
    providers = ", ".join(encoder.providers)
    text = f"ok: {bundle.manifest.name} is intact and answers its self-test ({providers})"
    print(json.dumps(report) if options.json else text)
    return Exit.OK
