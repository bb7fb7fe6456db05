"""`edge models import`: a published encoder's checkpoint as a verified bundle."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge.cli.models.output_folder import check_free
from edge.errors import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("encoder", metavar="NAME", help="which published encoder: heartgpt")
    parser.add_argument(
        "checkpoint", type=Path, metavar="PATH", help="its checkpoint, as published"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="the new bundle")
    parser.add_argument("--int8", action="store_true", help="quantise the weights")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Import it. ModelError: an unknown encoder, or a checkpoint that is not its own."""
    from models.importing import import_checkpoint

    check_free(options.out)
    done = import_checkpoint(options.encoder, options.checkpoint, options.out, int8=options.int8)
    manifest = done.manifest
    report = {
        "ok": True,
        "bundle": manifest.name,
        "version": manifest.version,
        "folder": str(done.folder),
        "sha256": done.sha256,
        "parameters": manifest.runtime.parameters,
        "tensors": {"taken": done.tensors, "dropped": done.dropped},
        "deviation": done.deviation,
    }
    if options.json:
        print(json.dumps(report))
        return Exit.OK
    print(
        f"{manifest.name} {manifest.version} in {done.folder}: {done.tensors} tensors taken,"
        f" {done.dropped} left out, of no use to the encoder\n"
        f"sha256 {done.sha256}; answers its self-test within {done.deviation:.2g}"
    )
    return Exit.OK
