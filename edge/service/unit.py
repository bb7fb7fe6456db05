"""The text of the systemd unit, confined to what the configuration needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from edge.service.closing import LEAVE_S
from edge.service.needs import Needs

__all__ = ["MARK", "is_unchanged", "system_unit", "user_unit"]

MARK = "# Written by `edge install-service`, sha256 "
"""Begins the first line, which tells a unit as written from one that somebody changed."""
WATCHDOG_S = 30
START_S = 300
"""A first start may compile the signal kernels, which takes minutes on a small board."""
STOP_S = round(LEAVE_S) + 6
"""The process ends itself before systemd kills it."""
FAMILIES = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
"""AF_UNIX speaks to systemd, and over D-Bus to BlueZ, which hands over what Bluetooth needs."""

_IF_COLD = 'test -d "$$NUMBA_CACHE_DIR" || exec "$$@"'
_AFTER = (
    "Wants=network-online.target",
    "After=network-online.target bluetooth.service mosquitto.service",
)
_SECCOMP = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "# Refused, not fatal: a numeric library may try to pin its threads.",
    "SystemCallErrorNumber=EPERM",
    "# MemoryDenyWriteExecute stays off: the signal kernels are compiled for this processor.",
    "UMask=0077",
)
_INWARD = ("IPAddressDeny=any", "IPAddressAllow=localhost")
_SANDBOX = (
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "PrivateMounts=yes",
    "ProtectProc=invisible",
    "KeyringMode=private",
    "RemoveIPC=yes",
)


def system_unit(command: Iterable[str], needs: Needs) -> str:
    """A unit for the system's manager, under a user that exists while the service runs.

    command: program and arguments, absolute.
    """
    lines = [
        *_head(command, network=True),
        "",
        "DynamicUser=yes",
        *_line("SupplementaryGroups", needs.groups),
        "StateDirectory=edge",
        "StateDirectoryMode=0700",
        "ConfigurationDirectory=edge",
        "CacheDirectory=edge",
        "Environment=NUMBA_CACHE_DIR=%C/edge/numba",
        *_warm_up(command),
        *_credentials(needs),
        "OOMScoreAdjust=-500",
        "",
        *_SANDBOX,
        *_homes(needs),
        *_devices(needs),
        *_network(needs),
        *_SECCOMP,
        *_foot("multi-user.target"),
    ]
    return _sealed(lines)


def user_unit(command: Iterable[str]) -> str:
    """A unit for a user's own manager, which can confine less."""
    lines = [
        *_head(command, network=False),
        "",
        FAMILIES,
        *_SECCOMP,
        *_foot("default.target"),
    ]
    return _sealed(lines)


def is_unchanged(text: str) -> bool:
    """Whether a unit is as some version of this program wrote it."""
    first, _, body = text.partition("\n")
    return first == MARK + _digest(body)


def _sealed(lines: Iterable[str]) -> str:
    body = "\n".join(lines) + "\n"
    return f"{MARK}{_digest(body)}\n{body}"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _warm_up(command: Iterable[str]) -> Iterator[str]:
    """`edge warmup` where the cache is empty: as the service's own user, in its own confinement.

    The shell looks whether there is a cache, for Python takes seconds to: no restart is to wait
    for that. Where it fails, the service starts all the same.
    """
    words = ["warmup" if each == "run" else each for each in command]
    yield "# At the first start, and after `systemctl clean --what=cache edge`."
    yield f"ExecStartPre=-/bin/sh -c '{_IF_COLD}' sh {' '.join(_quoted(each) for each in words)}"


def _head(command: Iterable[str], network: bool) -> list[str]:
    return [
        "[Unit]",
        "Description=edge: wearable ECG in, alerts out",
        *(_AFTER if network else ()),
        "# It is started again for ever.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={' '.join(_quoted(each) for each in command)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=1",
        "# A usage or a configuration that does not hold needs a person.",
        "RestartPreventExitStatus=2 3",
        f"WatchdogSec={WATCHDOG_S}",
        f"TimeoutStartSec={START_S}",
        f"TimeoutStopSec={STOP_S}",
        "KillMode=mixed",
        "Environment=PYTHONUNBUFFERED=1",
    ]


def _foot(target: str) -> list[str]:
    return ["", "[Install]", f"WantedBy={target}"]


def _credentials(needs: Needs) -> Iterator[str]:
    for name, path in needs.credentials:
        yield f"LoadCredential={name}:{_escaped(str(path))}"
    for name, variable in needs.settings:
        yield f"Environment={variable}=%d/{name}"


def _homes(needs: Needs) -> list[str]:
    if not needs.readable:
        return ["ProtectHome=yes"]
    return ["ProtectHome=tmpfs", *(f"BindReadOnlyPaths={_quoted(str(p))}" for p in needs.readable)]


def _devices(needs: Needs) -> list[str]:
    """Only the ports, where there are any; else no device at all, unless the encoder needs one."""
    if needs.accelerator:
        return [
            "# encoder.device names an execution provider, and only it knows its devices.",
            "DevicePolicy=auto",
        ]
    # A user namespace hides whose the ports are, and who asks over D-Bus.
    private = [] if needs.serial or needs.bluetooth else ["PrivateUsers=yes"]
    if not needs.serial:
        return ["PrivateDevices=yes", *private]
    return [
        "DevicePolicy=closed",
        *(f"DeviceAllow=char-{each} rw" for each in needs.serial),
        *private,
    ]


def _network(needs: Needs) -> list[str]:
    return [FAMILIES] if needs.network else [FAMILIES, *_INWARD]


def _line(name: str, values: Iterable[str]) -> list[str]:
    joined = " ".join(values)
    return [f"{name}={joined}"] if joined else []


def _escaped(text: str) -> str:
    """A path as a unit takes it: a percent sign begins a specifier."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word of a command line, `%d/…` left as a specifier."""
    escaped = text if text.startswith("%d/") else _escaped(text).replace("$", "$$")
    plain = not any(each.isspace() or each in "\"'\\" for each in escaped)
    quoted = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return escaped if plain else f'"{quoted}"'
