"""The bundle that a command names."""

from __future__ import annotations

import argparse

from edge.errors import UsageError
from models.bundle import Bundle, load_bundle


def bundle_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the bundle."""
    parser.add_argument("bundle", nargs="?", metavar="NAME|DIR")


def named_bundle(options: argparse.Namespace, action: str) -> Bundle:
    """The bundle, verified. UsageError where none is named; ModelError where it cannot be
    trusted."""
    if options.bundle is None:
        raise UsageError(f"models {action}: name a bundle; see `edge models list`")
    return load_bundle(options.bundle)
