"""Where the live page listens and who may open it: the `[view]` table of the configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.errors import ConfigError
from firmware_bridge.errors import SourceUriError
from firmware_bridge.transports.sockets import Endpoint

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "TOKEN_MIN", "ViewSettings"]

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
TOKEN_MIN, TOKEN_MAX = 12, 128
"""Characters. With five wrong ones a minute allowed, twelve cannot be found by trying."""


class ViewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The live page. Another address than loopback takes a token and TLS.

    listen: `HOST:PORT` or `PORT`; empty for 127.0.0.1:8765, or the next port that is free.
    token_file: its first line is what browsers must give; 12 to 128 printable ASCII characters.
    cert_file, key_file: PEM files of the certificate that browsers are shown.
    names: by which browsers may call this machine, besides its addresses and host name.
    """

    listen: str = ""
    token_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError that names the field and what it should be."""
        at = self.endpoint
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file belong together: name both")
        if not at.is_loopback and not (self.token_file and self.cert_file):
            raise ValueError(
                f"{at} can be reached from other machines, so it needs a token and TLS: "
                "set token_file, cert_file and key_file under [view], or listen on 127.0.0.1"
            )

    @property
    def endpoint(self) -> Endpoint:
        """Host and port to listen on. Raises ValueError for a text that names none."""
        if not self.listen:
            return Endpoint(DEFAULT_HOST, DEFAULT_PORT)
        text = f"{DEFAULT_HOST}:{self.listen}" if self.listen.isdecimal() else self.listen
        try:
            return Endpoint.parse(text, "view")
        except SourceUriError:
            raise ValueError(
                f"listen = {self.listen!r} names no address: write HOST:PORT, such as "
                f"{DEFAULT_HOST}:{DEFAULT_PORT}, or a port alone, 0 to 65535"
            ) from None

    def token(self) -> str:
        """The token, empty where none is asked for. Raises ConfigError."""
        if not self.token_file:
            return ""
        try:
            lines = Path(self.token_file).expanduser().read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
            raise ConfigError(f"view: token_file {self.token_file}: {reason}") from None
        token = lines[0].strip() if lines else ""
        if not (TOKEN_MIN <= len(token) <= TOKEN_MAX and token.isprintable()):
            raise ConfigError(
                f"view: token_file {self.token_file}: its first line must be a token of "
                f"{TOKEN_MIN} to {TOKEN_MAX} characters; `openssl rand -base64 18` makes one"
            )
        return token
