"""`edge alerts`: list, show and export the alerts on record."""

from __future__ import annotations

import argparse
from importlib import import_module

ACTIONS = {
    "list": ("listing", "the alarm conditions on record, one a line"),
    "show": ("showing", "one alarm condition: its messages, its evidence, its strip"),
    "export": ("exporting", "alarm conditions as CSV, JSON or FHIR R4, strips as SVG or PNG"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of all actions."""
    actions = parser.add_subparsers(
        metavar="ACTION", required=True, title="actions", parser_class=type(parser)
    )
    for action, (module, purpose) in ACTIONS.items():
        described = f"{purpose[0].upper()}{purpose[1:]}."
        sub = actions.add_parser(action, help=purpose, description=described)
        import_module(f"{__name__}.{module}").arguments(sub)
