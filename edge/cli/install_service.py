"""`edge install-service`: a systemd unit that keeps `edge run` running."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.errors import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "config", nargs="?", type=Path, metavar="CONFIG.toml", help="default: /etc/edge/config.toml"
    )
    parser.add_argument("--user", action="store_true", help="for your own service manager")
    about = "show the unit, write nothing"
    parser.add_argument("--print", "--dry-run", dest="show", action="store_true", help=about)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="another folder for the unit")
    parser.add_argument("--force", action="store_true", help="replace a unit that was changed")
    parser.add_argument("--uninstall", action="store_true", help="remove the unit again")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write, show or remove the unit, and say what to type next."""
    from edge.service.install import install, remove, system_folder, unit_text, user_folder

    folder = options.folder or (user_folder() if options.user else system_folder())
    if not options.uninstall:
        text = unit_text(options.config, options.user)
        if options.show:
            sys.stdout.write(text)
            return Exit.OK
    try:
        if options.uninstall:
            return _removed(remove(folder, options.force), folder, options.user)
        written = install(text, folder, options.force)
    except OSError as error:
        return _refused(folder, error, options)
    print(f"{folder}/edge.service {'written' if written else 'stands there already, unchanged'}")
    print("\n".join(_next_steps(options.user)))
    return Exit.OK


def _next_steps(user: bool) -> list[str]:
    control = "systemctl --user" if user else "sudo systemctl"
    journal = "journalctl --user" if user else "journalctl"
    lingering = ["  loginctl enable-linger             # so that it runs while nobody is logged in"]
    return [
        "Next:",
        *(lingering if user else []),
        f"  {control} daemon-reload",
        f"  {control} enable --now edge     # starts now and at every boot",
        f"  {control} status edge",
        f"  {journal} -u edge -f",
    ]


def _removed(there_was_one: bool, folder: Path, user: bool) -> int:
    control = "systemctl --user" if user else "sudo systemctl"
    if not there_was_one:
        print(f"{folder}/edge.service is not there")
        return Exit.OK
    print(f"{folder}/edge.service removed; alerts and recordings stay")
    print(f"Next:\n  {control} disable --now edge\n  {control} daemon-reload")
    return Exit.OK


def _refused(folder: Path, error: OSError, options: argparse.Namespace) -> int:
    again = " ".join(["sudo", str(Path(sys.prefix) / "bin" / "edge"), *sys.argv[1:]])
    own = "" if options.user else ", or add --user for a service of your own"
    hint = f": type `{again}`{own}" if isinstance(error, PermissionError) else ""
    print(f"edge: {folder} cannot be written ({error.strerror}){hint}", file=sys.stderr)
    return Exit.FAILURE
