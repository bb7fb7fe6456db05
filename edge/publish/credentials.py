"""How we prove who we are, and how the broker has to: password, certificates, TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge.mqtt_settings import MqttSettings
from edge.publish.failure import unreadable

__all__ = ["password", "tls_context"]


def password(settings: MqttSettings) -> str | None:
    """The first line of the password file; None where none is named. Raises ConnectFailedError."""
    if not settings.password_file:
        return None
    try:
        text = Path(settings.password_file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable("password_file", settings.password_file, error) from None
    return text.split("\n", 1)[0].rstrip("\r")


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, host name and certificate checked; nothing switches that off.

    Files are read anew at each connection, so a renewed certificate needs no restart.
    Raises ConnectFailedError.
    """
    try:
        context = ssl.create_default_context(cafile=_path(settings.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise unreadable("ca_file", settings.ca_file, error) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file:
        _identify(context, settings)
    return context


def _identify(context: ssl.SSLContext, settings: MqttSettings) -> None:
    files = settings.cert_file
    if settings.key_file:
        files += f" with mqtt.key_file {settings.key_file}"
    try:
        cert_file, key_file = Path(settings.cert_file).expanduser(), _path(settings.key_file)
        context.load_cert_chain(cert_file, key_file, _passphrase)
    except (OSError, ssl.SSLError, _PassphraseError) as error:
        raise unreadable("cert_file", files, error) from None


class _PassphraseError(Exception):
    """A key that is locked."""


def _passphrase() -> str:
    """Instead of OpenSSL, which would ask for it on the terminal, and wait."""
    raise _PassphraseError("the key has a passphrase, which nobody is there to type: take it off")


def _path(name: str) -> str | None:
    return str(Path(name).expanduser()) if name else None
