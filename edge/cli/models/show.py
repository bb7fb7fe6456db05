"""`edge models show`: what a bundle says of itself, and what a runtime makes of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import msgspec

from edge.cli.models.named import bundle_argument, named_bundle
from edge.errors import Exit
from models.bundle import Bundle
from models.manifest import Manifest
from models.node_placement import Placement, placements


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bundle_argument(parser)
    parser.add_argument(
        "--provider",
        metavar="NAME",
        default="CPUExecutionProvider",
        help="ONNX Runtime's execution provider to ask for (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print it. ModelError where the bundle cannot be trusted or its model does not run."""
    bundle = named_bundle(options, "show")
    placed = placements(bundle, options.provider)
    if options.json:
        told = [asdict(each) for each in placed]
        print(json.dumps({**msgspec.to_builtins(bundle.manifest), "placement": told}))
        return Exit.OK
    for line in (*_facts(bundle.manifest), "", *_runs(bundle, placed), "", *_measured(bundle)):
        print(line)
    return Exit.OK


def _facts(manifest: Manifest) -> Iterator[str]:
    yield f"{manifest.name} {manifest.version} ({manifest.licence})"
    yield f"{manifest.description}\n"
    yield f"input     {manifest.input.rate_hz:g} Hz, hop {manifest.hop_s:g} s"
    for output in manifest.outputs:
        yield f"output    {output.name} {list(output.shape)} {', '.join(output.labels)}".rstrip()
    yield f"training  {'; '.join(manifest.training.data)}"
    yield f"          {manifest.training.split}"
    yield f"          {manifest.training.command}"


def _runs(bundle: Bundle, placed: Sequence[Placement]) -> Iterator[str]:
    """Models with their sizes, and where their nodes ran."""
    sizes = {entry.name: entry.size for entry in bundle.manifest.files}
    for each in placed:
        count = sum(sum(operators.values()) for operators in each.nodes.values())
        yield f"model     {each.file}: {sizes[each.file] / 1000:,.1f} kB, {count} nodes run"
        yield f"          asked for {', '.join(each.asked)}; in use {', '.join(each.in_use)}"
        for provider, operators in each.nodes.items():
            yield f"          {provider} {sum(operators.values())}: {_counted(operators)}"


def _counted(operators: Mapping[str, int]) -> str:
    often = sorted(operators.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in often)


def _measured(bundle: Bundle) -> Iterator[str]:
    for figure in bundle.manifest.figures:
        unit = f" {figure.unit}" if figure.unit else ""
        yield f"{figure.precision:<8} {figure.name} = {figure.value:g}{unit}"
        yield f"         {figure.split}"
    for limit in bundle.manifest.limits:
        yield f"limit     {limit}"
