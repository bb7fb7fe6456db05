"""What a configuration needs of the machine: devices, groups, secrets, folders."""

from __future__ import annotations

import grp
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import edge
from edge.config import SYSTEM_FILE, Config
from edge.errors import ConfigError
from models.device_name import parse_device

__all__ = ["STATE", "Needs", "needs_of"]

STATE = Path("/var/lib/edge")
"""What `StateDirectory=edge` is called inside the service."""
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user")))
"""Folders that `ProtectHome` hides."""
CREDENTIALS = Path("/run/credentials")
SERIAL_CLASSES = ("ttyACM", "ttyUSB", "ttyAMA", "ttyS")
GROUPS = (("serial", "dialout"), ("ble", "bluetooth"))
ACCELERATOR_GROUPS = ("render", "video")
LOCAL_SCHEMES = frozenset({"serial", "ble", "replay", "sim"})
SECRETS = (
    ("mqtt.password_file", "mqtt_password"),
    ("mqtt.ca_file", "mqtt_ca"),
    ("mqtt.cert_file", "mqtt_cert"),
    ("mqtt.key_file", "mqtt_key"),
    ("view.token_file", "view_token"),
    ("view.cert_file", "view_cert"),
    ("view.key_file", "view_key"),
)
"""Files that the process reads and its user may not: key in the configuration, credential."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the unit has to grant.

    groups: those of the devices that exist here. serial: classes of devices. bluetooth: D-Bus.
    accelerator: devices nobody can name beforehand, of the provider that runs the encoder.
    network: whether anything travels beyond this machine. credentials: name to file.
    settings: credential name to the environment variable that leads to it. readable: folders
    and files below a home that must stay in sight.
    """

    groups: tuple[str, ...] = ()
    serial: tuple[str, ...] = ()
    bluetooth: bool = False
    accelerator: bool = False
    network: bool = True
    credentials: tuple[tuple[str, Path], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    readable: tuple[Path, ...] = ()


def needs_of(config: Config, config_file: Path | None) -> Needs:
    """What this configuration, read from this file, needs under a user that owns nothing.

    Raises ConfigError for what such a service could not have.
    """
    schemes = {urlsplit(each.source).scheme for each in config.patient}
    accelerator = _opens_a_device(config.encoder.device)
    groups = [group for scheme, group in GROUPS if scheme in schemes]
    groups += ACCELERATOR_GROUPS if accelerator else ()
    _check_folders(config)
    _check_readable()
    secrets = tuple(_secrets(config))
    named = config_file is not None and config_file != SYSTEM_FILE
    file = (("config.toml", config_file),) if named and config_file else ()
    return Needs(
        groups=tuple(filter(_exists, groups)),
        serial=_serial_classes(config),
        bluetooth="ble" in schemes,
        accelerator=accelerator,
        network=_beyond_this_machine(config, schemes),
        credentials=(*file, *((name, path) for _, name, path in secrets)),
        settings=tuple((name, _variable(key)) for key, name, _ in secrets),
        readable=tuple(_in_homes(_folders(config))),
    )


def _opens_a_device(name: str) -> bool:
    """Whether `encoder.device` may be more than the processor; `auto` then goes on without it."""
    device = parse_device(name)
    return name != "auto" and not (device and device.on_processor)


def _check_folders(config: Config) -> None:
    for key, folder in (
        ("storage.directory", config.storage.directory),
        ("record.directory", config.record.directory),
    ):
        if folder and not Path(folder).is_relative_to(STATE):
            raise ConfigError(
                f"config: {key} is {folder}, which the service's own user cannot write: "
                f"name a folder below {STATE}, or install with --user"
            )


def _check_readable() -> None:
    """The file that is read without being named holds no secret, so anybody may read it."""
    if SYSTEM_FILE.is_file() and not SYSTEM_FILE.stat().st_mode & 0o004:
        raise ConfigError(
            f"config: the service's own user cannot read {SYSTEM_FILE}: "
            f"`sudo chmod o+r {SYSTEM_FILE}`; secrets have files of their own"
        )


def _secrets(config: Config) -> Iterable[tuple[str, str, Path]]:
    """Key, credential and file of each file that the service's user could not read itself."""
    for key, name, file in _named_files(config):
        path = Path(file).expanduser()
        if path == Path() or path.is_relative_to(CREDENTIALS):
            continue
        if not path.is_file():
            raise ConfigError(f"config: {key}: {path} does not exist")
        yield key, name, path.resolve()


def _named_files(config: Config) -> Iterable[tuple[str, str, str]]:
    """Key, credential and file, which is empty where the configuration names none."""
    for key, name in SECRETS:
        section, field = key.split(".")
        yield key, name, str(getattr(getattr(config, section, None), field, "") or "")
    for name, named in config.commands.keys.items():
        key = f"commands.keys.{name}"
        if "__" in name:
            raise ConfigError(f"config: {key}: a service needs a name without __")
        if isinstance(named, str):
            yield key, f"command_{name}", named
        else:
            yield f"{key}.file", f"command_{name}", named.file


def _variable(key: str) -> str:
    """By which the configuration learns where systemd has put a file."""
    return "EDGE__" + key.upper().replace(".", "__")


def _serial_classes(config: Config) -> tuple[str, ...]:
    """Device classes of the ports; all of them where a port has another name."""
    ports = [each.source for each in config.patient if each.source.startswith("serial:")]
    found = {_class_of(each) for each in ports}
    return tuple(each for each in SERIAL_CLASSES if each in found or "" in found)


def _class_of(source: str) -> str:
    name = urlsplit(source).path.rsplit("/", 1)[-1]
    return next((each for each in SERIAL_CLASSES if name.startswith(each)), "")


def _beyond_this_machine(config: Config, schemes: set[str]) -> bool:
    """Whether sources, broker, pages, outlets or sinks of others may reach a network."""
    pages = [each.endpoint for each in (config.view, config.metrics) if each and each.listen]
    return (
        not schemes <= LOCAL_SCHEMES
        or bool(config.mqtt and not config.mqtt.endpoint.loopback)
        or not all(each.is_loopback for each in pages)
        or config.lsl.enabled
        or bool(config.sink)
    )


def _folders(config: Config) -> Iterable[Path]:
    """Where the program and what it reads lie."""
    yield from (Path(sys.prefix), Path(sys.base_prefix), Path(edge.__file__).parents[1])
    for patient in config.patient:
        bundle = Path(config.bundle_of(patient)).expanduser()
        if bundle.is_dir():
            yield bundle.resolve()
        if patient.source.startswith("replay:"):
            path = Path(urlsplit(patient.source).path).expanduser()
            yield path.resolve().parent


def _in_homes(folders: Iterable[Path]) -> list[Path]:
    found = {each for each in folders if any(each.is_relative_to(home) for home in HIDDEN)}
    return sorted(each for each in found if not found & set(each.parents))


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
