"""Keys: shared secrets in files that nobody else may read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.commands.settings import KeySettings, Verb
from edge.errors import ConfigError, UsageError

KEY_BYTES = 32
MAX_FILE_BYTES = 1024
OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class CommandKey:
    """A sender's key. secret: never shown. verbs: what it may ask."""

    name: str
    secret: bytes = field(repr=False)
    verbs: frozenset[Verb] = frozenset()

    @property
    def counter_name(self) -> str:
        """Under which the newest counter is kept: of the secret, so that renaming a key opens
        nothing to replay, and a new secret begins anew. No patient id has a slash.
        """
        return f"key/{self.sign('edge command counter')[:24]}"

    def sign(self, text: str) -> str:
        """HMAC-SHA256 (RFC 2104) of the text in UTF-8, as 64 lower-case hexadecimal digits."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    def signed(self, text: str, signature: str) -> bool:
        """Whether this key made the signature; takes equally long whatever is wrong."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())


def load_keys(settings: Mapping[str, KeySettings]) -> list[CommandKey]:
    """The keys that the configuration names. Raises ConfigError."""
    return [
        load_key(name, Path(each.file), each.verbs, f"commands.keys.{name}")
        for name, each in settings.items()
    ]


def load_key(name: str, path: Path, verbs: Iterable[Verb], where: str) -> CommandKey:
    """A key out of its file, white space around it left out.

    where: what named the file. Raises ConfigError, which never quotes what the file holds.
    """
    try:
        secret = _read(path.expanduser())
    except OSError as error:
        raise ConfigError(f"{where}: {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{where}: {path}: {error}") from None
    return CommandKey(name, secret, frozenset(verbs))


def write_new_key(path: Path) -> None:
    """Write 32 random bytes in hexadecimal, for the owner alone. Raises UsageError where the
    file exists, OSError where it cannot be written.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists: a key is never overwritten; name another file") from None
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")


def _read(path: Path) -> bytes:
    # Without blocking, so that a named pipe is refused and not waited for.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("is no plain file")
        if facts.st_mode & OTHERS:
            raise ValueError(f"is open to everybody on this machine: chmod 600 {path}")
        secret = file.read(MAX_FILE_BYTES + 1).strip()
    if len(secret) < KEY_BYTES:
        raise ValueError(
            f"holds {len(secret)} bytes, expected at least {KEY_BYTES}: "
            "`edge command new-key FILE` makes one"
        )
    if len(secret) > MAX_FILE_BYTES:
        raise ValueError(f"is no key: it holds more than {MAX_FILE_BYTES} bytes")
    return secret


__all__ = ["KEY_BYTES", "CommandKey", "load_key", "load_keys", "write_new_key"]
