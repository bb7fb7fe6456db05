"""`edge models`: list, show, measure, verify, quantize and import encoder bundles."""

from __future__ import annotations

import argparse
from importlib import import_module

ACTIONS = {
    "list": ("listing", "name the bundles that are installed"),
    "show": ("show", "what a bundle says of itself, and which nodes run on which provider"),
    "devices": ("devices", "what can run a bundle here, how quickly, and what auto takes"),
    "verify": ("verify", "check digests, model and self-test"),
    "quantize": ("quantize", "make an int8 bundle of a float one, and say what that changes"),
    "import": ("importing", "make a bundle of a published encoder's checkpoint"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of all actions."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, title="actions")
    for action, (module, purpose) in ACTIONS.items():
        described = f"{purpose[0].upper()}{purpose[1:]}."
        sub = actions.add_parser(action, help=purpose, description=described)
        import_module(f"{__name__}.{module}").arguments(sub)
