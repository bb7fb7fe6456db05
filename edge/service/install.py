"""Writing the unit, and taking it away again, without ever touching what somebody changed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from edge.config import ENVIRONMENT_PREFIX, SYSTEM_FILE, load
from edge.errors import EdgeError, UsageError
from edge.outbox.damage import sync_folder
from edge.service.needs import needs_of
from edge.service.unit import is_unchanged, system_unit, user_unit

__all__ = ["UNIT", "InstallError", "install", "remove", "system_folder", "unit_text", "user_folder"]

UNIT = "edge.service"
NO_PATIENT = "config: no [[patient]] is configured: the service would have nothing to watch"


class InstallError(EdgeError):
    """A unit that cannot be written, or that is not ours to change."""


def system_folder() -> Path:
    """Where an administrator's units belong."""
    return Path("/etc/systemd/system")


def user_folder() -> Path:
    """Where a user's own units belong."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user"


def unit_text(config_file: Path | None, for_user: bool = False) -> str:
    """The unit that runs this configuration.

    config_file: None for the one that `edge run` finds by itself. Raises ConfigError where it
    does not hold, or asks for what a service cannot have.
    """
    named = config_file.expanduser().absolute() if config_file else None
    config = load(named, environment=_environment(for_user))
    if not config.patient:
        raise UsageError(NO_PATIENT + "; name the file, or write " + str(SYSTEM_FILE))
    command = [*_program(), "run", *_argument(named, for_user)]
    return user_unit(command) if for_user else system_unit(command, needs_of(config, named))


def install(text: str, folder: Path, force: bool = False) -> bool:
    """Write the unit, by whole; False where it stands there already.

    Raises InstallError where one is there that somebody changed, unless `force`; PermissionError
    or another OSError where the folder cannot be written.
    """
    path = folder / UNIT
    found = _read(path)
    if found == text:
        return False
    if found is not None and not is_unchanged(found) and not force:
        raise InstallError(
            f"{path} was changed since it was written, or is not ours: `systemctl edit edge` keeps "
            "changes beside it; --force replaces it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{UNIT}.new"
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(path)
    sync_folder(folder)
    return True


def remove(folder: Path, force: bool = False) -> bool:
    """Take the unit away; False where there is none. Raises as `install` does."""
    path = folder / UNIT
    found = _read(path)
    if found is None:
        return False
    if not is_unchanged(found) and not force:
        raise InstallError(f"{path} was changed since it was written, or is not ours; --force")
    path.unlink()
    sync_folder(folder)
    return True


def _program() -> list[str]:
    """The `edge` command of the environment that runs now."""
    script = Path(sysconfig.get_path("scripts")) / "edge"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "edge"]


def _environment(for_user: bool) -> dict[str, str]:
    """What the service will see of ours: its manager starts it without these variables."""
    if not for_user:
        return {"XDG_CONFIG_HOME": os.devnull}
    return {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}


def _argument(config_file: Path | None, for_user: bool) -> Iterable[str]:
    """What follows `edge run`: a service with a user of its own reads a copy made for it."""
    if config_file is None or (config_file == SYSTEM_FILE and not for_user):
        return ()
    return (str(config_file),) if for_user else ("%d/config.toml",)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
